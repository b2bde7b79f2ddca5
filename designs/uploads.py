"""Files from somebody's browser: whether we take them, their names, and a manifest for them.

Only the beginning of each file is looked at here, so that a wrong one is refused before anything is
made of it; it is read strictly when the version is measured.
"""

import re
import tomllib
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from basis.errors import Invalid, NotAllowed, TooLarge
from designs import manifest, push
from designs.licences import NONE, canonical
from designs.manifest import Generation, Licence, Manifest, ManifestPart, Reference

MOST_FILES = 50
HEAD_BYTES = 4_096
NAME_CHARACTERS = 100
PICTURE_BYTES = 20_000_000
MESHES = (".stl", ".obj", ".3mf")
PICTURES: Mapping[str, tuple[bytes, ...]] = {
    ".png": (b"\x89PNG\r\n\x1a\n",),
    ".jpg": (b"\xff\xd8\xff",),
    ".jpeg": (b"\xff\xd8\xff",),
}
FOLDER = "parts"
README, MANIFEST = "README.md", "okh.toml"

NOT_IN_NAMES = re.compile(r"[^\w.+-]+")
FACET = re.compile(rb"\bfacet\s+normal\b", re.IGNORECASE)
OBJ_LINE = re.compile(rb"^\s*(v|vn|vt|f|o|g|s|mtllib|usemtl)\s", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One file as it came: the name somebody's computer has for it, and where it lies here."""

    name: str
    file: Path

    @property
    def size_bytes(self) -> int:
        """How large it is."""
        return self.file.stat().st_size


def check_meshes(given: Sequence[Given], *, file_bytes: int) -> None:
    """Raises Invalid, TooLarge, naming the file, when one is no mesh by its beginning."""
    if not given:
        raise Invalid("choose at least one STL, OBJ or 3MF file")
    if len(given) > MOST_FILES:
        raise TooLarge(
            f"{len(given)} files at once; at most {MOST_FILES}. Push more of them with git"
        )
    for each in given:
        _check_mesh(each, file_bytes=file_bytes)


def _check_mesh(each: Given, *, file_bytes: int) -> None:
    shown = push.plain(each.name)[:80]
    ending = PurePosixPath(each.name.lower()).suffix
    if ending not in MESHES:
        raise Invalid(f"{shown!r} is not an STL, OBJ or 3MF file: export it as one of these")
    size = each.size_bytes
    if size == 0:
        raise Invalid(f"{shown!r} is empty: choose the whole file")
    if size > file_bytes:
        most = push.size(file_bytes)
        raise TooLarge(f"{shown!r} has {push.size(size)}; a single file may have at most {most}")
    with each.file.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not _looks_like(ending, head, size):
        raise Invalid(
            f"{shown!r} is named like a {ending[1:].upper()} file but does not begin like one:"
            " export it again"
        )


def _looks_like(ending: str, head: bytes, size: int) -> bool:
    if ending == ".3mf":
        return head.startswith(b"PK\x03\x04")
    if b"\0" not in head and ending == ".obj":
        return OBJ_LINE.search(head) is not None
    if ending == ".stl":
        binary = size >= 84 and size == 84 + 50 * int.from_bytes(head[80:84], "little")
        return binary or (head.lstrip()[:5].lower() == b"solid" and FACET.search(head) is not None)
    return False


def check_picture(each: Given) -> str:
    """The ending of a picture, by what it holds. Raises Invalid, TooLarge."""
    with each.file.open("rb") as file:
        head = file.read(16)
    for ending, beginnings in PICTURES.items():
        if head.startswith(beginnings):
            if each.size_bytes > PICTURE_BYTES:
                raise TooLarge(f"the picture is larger than {push.size(PICTURE_BYTES)}")
            return ending
    raise Invalid("the picture is neither PNG nor JPEG: save it as one of these")


def clean_name(name: str) -> str:
    """A name for a file of a stranger's computer: one that every system can hold."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    stem, dot, ending = unicodedata.normalize("NFC", last).rpartition(".")
    kept = NOT_IN_NAMES.sub("-", stem).strip("-._")[:NAME_CHARACTERS] or "part"
    whole = f"{kept}{dot}{ending.lower()}"
    return whole if push.name_fault(whole.encode()) is None else f"part-{whole}"


def placed(given: Iterable[Given], *, there: Collection[str]) -> dict[str, Given]:
    """The path of each file in the design: where one of that name lies already, else `parts/`.

    Raises Invalid when two of them would be one file.
    """
    by_name: dict[str, list[str]] = {}
    for path in there:
        by_name.setdefault(push.same_elsewhere(path.rpartition("/")[2]), []).append(path)
    paths: dict[str, Given] = {}
    taken: set[str] = set()
    for each in given:
        name = clean_name(each.name)
        key = push.same_elsewhere(name)
        if key in taken:
            raise Invalid(f"two files would both be called {name!r}: rename one")
        taken.add(key)
        known = by_name.get(key, [])
        if len(known) > 1:
            raise NotAllowed(
                f"this design has {len(known)} files called {name!r}: push with git to say which"
            )
        paths[known[0] if known else f"{FOLDER}/{name}"] = each
    return paths


def first_manifest(
    *,
    title: str,
    function: str,
    licence: str,
    licensor: str,
    repo: str,
    meshes: Collection[str],
    picture: str | None,
    readme: bool,
) -> bytes:
    """The manifest of a design that begins with an upload. Raises Invalid for the licence."""
    spdx = canonical(licence) if licence else NONE
    if spdx is None:
        raise Invalid(f"{licence[:80]!r} is no SPDX licence expression such as CERN-OHL-S-2.0")
    there = {*meshes, *([picture] if picture else []), *([README] if readme else [])}

    def blob(path: str) -> str | None:
        return "0" * 40 if path in there else None

    def reference(path: str) -> Reference:
        return Reference(path=path, blob=blob(path))

    # The writer copies from `fields`; what a manifest says elsewhere is read from there again.
    fields = {"image": [picture]} if picture else {}
    if readme:
        fields["readme"] = [README]
    said = Manifest(
        generation=Generation.V2_4,
        name=title,
        name_source="name",
        licence=Licence(raw=spdx, spdx=spdx, hardware=spdx),
        licensor=(licensor,),
        function=function or title,
        repo=repo,
        parts=tuple(
            ManifestPart(name=name_of(path), exports=(reference(path),)) for path in meshes
        ),
        fields=fields,
    )
    return manifest.write(said, tree=blob).data


def name_of(path: str) -> str:
    """What a part is called that only has a file."""
    words = PurePosixPath(path).stem.replace("_", " ").replace("-", " ").split()
    return " ".join(words) or "part"


def with_parts(data: bytes, meshes: Collection[str]) -> bytes:
    """A TOML manifest that names these meshes too, what stands in it untouched.

    Raises NotAllowed when that cannot be done at its end.
    """
    text = data.decode("utf-8-sig", "replace")
    known = _named(text)
    fresh = [path for path in meshes if path not in known]
    if not fresh or not known:  # one that names no parts has every mesh as one
        return data
    more = "".join(f'\n[[part]]\nname = "{name_of(path)}"\nexport = ["{path}"]\n' for path in fresh)
    longer = f"{text.rstrip()}\n{more}"
    if not set(fresh) <= _named(longer):
        raise NotAllowed(
            "the manifest cannot be given more parts from here: add them to it, and push with git"
        )
    return longer.encode()


def _named(text: str) -> set[str]:
    """Paths that the parts of a TOML manifest name."""
    try:
        parts = tomllib.loads(text).get("part", [])
    except tomllib.TOMLDecodeError:
        return set()
    found: set[str] = set()
    for part in parts if isinstance(parts, list) else []:
        for key in ("export", "source"):
            value = part.get(key, []) if isinstance(part, dict) else []
            listed = value if isinstance(value, list) else [value]
            found.update(each.removeprefix("/") for each in listed if isinstance(each, str))
    return found
