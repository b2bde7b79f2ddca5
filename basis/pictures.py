"""Pictures from strangers, drawn anew in a child process with limits: what is kept is ours.

The result is a JPEG of bounded size that holds pixels and nothing else: no place, no time, no name
of a camera, and nothing that a picture can hide for who opens it.
"""

import logging
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import BoundedSemaphore

from basis import jail
from basis.errors import Invalid, TooLarge, TooMany, Unavailable

log = logging.getLogger(__name__)

MOST_BYTES = 8_000_000
"""Of a picture that is read."""

MOST_PIXELS = 40_000_000
EDGE_PX = 1_600
"""The longer edge of what is kept; a smaller picture stays as large as it is."""

KEPT_BYTES = 2_000_000
QUALITY = 80
AT_ONCE = 2
"""Pictures that one process has drawn at the same time: each may take seconds and much memory, and
the threads that wait for them answer nobody else."""

AGAIN_S = 10
FORMATS = ("JPEG", "PNG", "WEBP")
MACHINE_SAYS = ("failed to execute", "bwrap:", "ModuleNotFoundError", "No space left on device")

LIMITS = jail.Limits(
    memory_bytes=1_500_000_000, cpu_s=15, wall_s=30.0, file_bytes=KEPT_BYTES, output_bytes=2_000
)

places = BoundedSemaphore(AT_ONCE)

START = "import sys; sys.path[:0] = sys.argv[1:3]; from basis.pictures import main; main()"


class NotAPicture(Invalid):
    """It cannot be read as a picture."""

    code = "not_a_picture"


def redrawn(content: bytes, *, scratch: Path) -> bytes:
    """A picture in JPEG, PNG or WebP as a plain JPEG, turned upright.

    scratch : a folder for work under way.

    Raises TooLarge, NotAPicture, TooMany while others are drawn, and Unavailable when this machine
    cannot read any picture.
    """
    if len(content) > MOST_BYTES:
        raise TooLarge(f"a picture has at most {MOST_BYTES:,} bytes, not {len(content):,}")
    if not places.acquire(blocking=False):
        raise TooMany("other pictures are being read: bring it again", again_s=AGAIN_S)
    try:
        return _redrawn(content, scratch=scratch)
    finally:
        places.release()


def _redrawn(content: bytes, *, scratch: Path) -> bytes:
    with tempfile.TemporaryDirectory(prefix="picture-", dir=scratch) as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "in").write_bytes(content)
        ended = jail.run(
            [sys.executable, "-I", "-S", "-c", START, str(_here().parent), str(_site())],
            folder=folder,
            limits=LIMITS,
            read_only=(*jail.python_paths(), _site(), _here()),
        )
        if ended.how is jail.How.OK:
            return jail.read_result(folder, "out.jpg", limit_bytes=KEPT_BYTES)
    said = ended.stderr.decode("utf-8", "replace")[-500:]
    if ended.how is jail.How.FAILED and any(words in said for words in MACHINE_SAYS):
        raise Unavailable(f"pictures cannot be read on this machine: {said}")
    log.warning("a picture was not read, the child ended %s: %s", ended.how, said)
    raise NotAPicture(f"no picture in {', '.join(FORMATS)} that can be read ({ended.how})")


def main() -> None:
    """The child: reads `in`, leaves `out.jpg`."""
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    with Image.open("in", formats=FORMATS) as found:
        if found.width * found.height > MOST_PIXELS:
            raise ValueError(f"{found.width} × {found.height} pixels")
        found.draft("RGB", (EDGE_PX, EDGE_PX))  # a JPEG need not be read in full size
        upright = ImageOps.exif_transpose(found).convert("RGB")
    upright.thumbnail((EDGE_PX, EDGE_PX))
    bare = Image.new("RGB", upright.size)
    bare.paste(upright)
    bare.save("out.jpg", format="JPEG", quality=QUALITY, optimize=True)


def _here() -> Path:
    return Path(__file__).resolve().parent


@cache
def _site() -> Path:
    """Where Pillow is installed."""
    found = find_spec("PIL")
    if found is None or found.origin is None:
        raise Unavailable("Pillow is not installed: install designhub[hub]")
    return Path(found.origin).resolve().parent.parent
