"""The wheel of this very release, put together from the installed files, so that a workshop can
install the agent from the hub it works for: without an index, and always of the hub's own release.

Format: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, distribution
from importlib.util import find_spec
from pathlib import Path

from basis.blobs import flush_folder
from basis.errors import Unavailable

NAME = "designhub"
PACKAGES = ("basis", "commons", "designhub", "designs", "printers", "router")
LEFT_OUT = ("__pycache__", "samples", "assets", "built")  # the hub's, of no use beside a printer
LONG_AGO = (2020, 1, 1, 0, 0, 0)  # so that the same files give the same bytes
WHEEL = "Wheel-Version: 1.0\nGenerator: designhub\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def put_wheel(folder: Path) -> Path:
    """Have the wheel of this release in `folder`, in place of those of other releases."""
    installed = distribution(NAME)
    return keep(folder, NAME, installed.version, wheel(NAME, installed.version, _files(installed)))


def keep(folder: Path, name: str, version: str, data: bytes) -> Path:
    """Have these bytes in `folder` as the wheel of this release, and of no other."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    if not path.is_file() or path.read_bytes() != data:
        new = path.with_suffix(".new")
        new.write_bytes(data)
        new.replace(path)
        flush_folder(folder)
    for other in folder.glob(f"{name}-*.whl"):
        if other != path:
            other.unlink(missing_ok=True)
    return path


def _files(installed: Distribution) -> dict[str, bytes]:
    about = f"{NAME}-{installed.version}.dist-info"
    files = dict(_sources())
    told = {
        # An installation from a checkout may still carry the older name.
        "METADATA": installed.read_text("METADATA") or installed.read_text("PKG-INFO"),
        "entry_points.txt": installed.read_text("entry_points.txt"),
    }
    for name, text in told.items():
        if not text:
            raise Unavailable(f"this installation of {NAME} lacks its {name}: install it again")
        files[f"{about}/{name}"] = text.encode()
    return files


def wheel(name: str, version: str, files: Mapping[str, bytes]) -> bytes:
    """A wheel of these files. The same files give the same bytes."""
    about = f"{name}-{version}.dist-info"
    files = {**files, f"{about}/WHEEL": WHEEL.encode()}
    listed = [f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in files.items()]
    files[f"{about}/RECORD"] = "".join([*listed, f"{about}/RECORD,,\n"]).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _sources() -> Iterator[tuple[str, bytes]]:
    """(name in the wheel, bytes) of every file of our packages, wherever they are installed."""
    for package in PACKAGES:
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise Unavailable(f"the package {package} is not installed: install {NAME} again")
        top = Path(spec.origin).parent
        for path in sorted(top.rglob("*")):
            inside = path.relative_to(top)
            if path.is_file() and not set(inside.parts) & set(LEFT_OUT):
                yield f"{package}/{inside.as_posix()}", path.read_bytes()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
