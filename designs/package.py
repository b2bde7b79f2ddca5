"""The zip around a 3MF, opened with suspicion, and its XML, parsed without entities.

Layout: ECMA-376 part 2, "Open Packaging Conventions".
"""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import PurePosixPath
from xml.parsers import expat

from designs.mesh import MeshRefused

RELATIONSHIP = "http://schemas.openxmlformats.org/package/2006/relationships"
START_PART = "http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"
MOST_ENTRIES = 1_000  # files in the zip
PIECE = 1_000_000  # bytes of XML at a time
LONGEST_TAG = 8_000_000  # older expats begin an unfinished tag again with every piece: quadratic


class Package:
    """The zip, opened with suspicion."""

    def __init__(self, data: memoryview, most_bytes: int) -> None:
        try:
            self._zip = zipfile.ZipFile(BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, EOFError) as exc:
            raise MeshRefused(
                "bad_zip", f"this 3MF is no whole zip file ({exc}): push the whole file"
            ) from exc
        self._most_bytes, self._left = most_bytes, most_bytes
        self.names: dict[str, zipfile.ZipInfo] = {}
        entries = self._zip.infolist()
        if len(entries) > MOST_ENTRIES:
            raise MeshRefused(
                "zip_bomb", f"{len(entries)} files in one 3MF are over the limit of {MOST_ENTRIES}"
            )
        if sum(entry.file_size for entry in entries) > most_bytes:
            raise self._too_large()
        for entry in entries:
            self._enter(entry)

    def _enter(self, entry: zipfile.ZipInfo) -> None:
        name = entry.filename
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in entry.orig_filename:
            raise MeshRefused("unsafe_name", f"this 3MF holds a file named {name[:80]!r}")
        if entry.flag_bits & 1:
            raise MeshRefused("unsupported", "this 3MF is encrypted: save it without a password")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise MeshRefused("unsupported", f"{name[:80]!r} is packed in a way 3MF does not know")
        if name.lower() in self.names:
            raise MeshRefused("bad_zip", f"this 3MF holds {name[:80]!r} twice")
        self.names[name.lower()] = entry  # names of an OPC package ignore case

    def _too_large(self) -> MeshRefused:
        return MeshRefused(
            "zip_bomb",
            f"this 3MF unpacks to more than {self._most_bytes} bytes: use a coarser tolerance, or"
            " push it as binary STL",
        )

    def pieces(self, path: str) -> Iterator[bytes]:
        """The content of one file, inflated piece by piece against the limit for all of them."""
        entry = self.names.get(path.removeprefix("/").lower())
        if entry is None:
            raise MeshRefused("no_model", f"this 3MF names {path[:80]!r} but does not hold it")
        try:
            with self._zip.open(entry) as file:
                while piece := file.read(PIECE):
                    self._left -= len(piece)
                    if self._left < 0:
                        raise self._too_large()
                    yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as exc:
            raise MeshRefused(
                "bad_zip", f"{path[:80]!r} in this 3MF is damaged ({exc}): push the whole file"
            ) from exc
        except NotImplementedError as exc:
            raise MeshRefused("unsupported", f"{path[:80]!r} in this 3MF: {exc}") from exc

    def start_part(self) -> str:
        """The model that the package says to begin with."""
        found: list[str] = []

        def element(name: str, attributes: dict[str, str]) -> None:
            if name == f"{RELATIONSHIP} Relationship" and attributes.get("Type") == START_PART:
                found.append(attributes.get("Target", ""))

        parse_xml(self, "_rels/.rels", element)
        if len(found) != 1:
            raise MeshRefused(
                "no_model", f"this 3MF names {len(found)} models to begin with, not 1"
            )
        return part_path(found[0])


def parse_xml(
    package: Package,
    path: str,
    element: Callable[[str, dict[str, str]], None],
    *,
    between: Callable[[], None] | None = None,
    prefixes: dict[str, str] | None = None,
) -> None:
    """Feed one XML file to `element(name, attributes)` at the start of each element, and call
    `between()` after every megabyte or so. Names are "namespace name".

    Raises MeshRefused `doctype` for any document type: entities are only ever an attack here.
    """

    def doctype(*_: object) -> None:
        raise MeshRefused("doctype", f"{path[:80]!r} in this 3MF declares a DOCTYPE: save it again")

    def namespace(prefix: str | None, uri: str) -> None:
        if prefixes is not None:
            prefixes[prefix or ""] = uri

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = doctype
    parser.StartNamespaceDeclHandler = namespace
    parser.StartElementHandler = element
    try:
        fed = 0
        for piece in package.pieces(path):
            parser.Parse(piece)
            fed += len(piece)
            if between is not None:
                between()
            if fed - parser.CurrentByteIndex > LONGEST_TAG:
                raise MeshRefused(
                    "bad_xml", f"{path[:80]!r} in this 3MF has a tag of over {LONGEST_TAG} bytes"
                )
        parser.Parse(b"", True)
    except expat.ExpatError as exc:
        raise MeshRefused("bad_xml", f"{path[:80]!r} in this 3MF: {exc}: save it again") from exc
    except KeyError as exc:
        raise MeshRefused(
            "bad_xml", f"line {parser.CurrentLineNumber} of {path[:80]!r} in this 3MF lacks {exc}"
        ) from exc


def part_path(target: str) -> str:
    """The name of a file in the package, which a reference may write with or without its `/`."""
    return "/" + target.removeprefix("/")
