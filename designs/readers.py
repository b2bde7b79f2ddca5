"""From the bytes of a mesh file to triangles in millimetres.

Every reader is our own and strict: what it does not understand it refuses, with the place and a
word for the reason, because the loaders at hand answer broken files with an empty or a smaller
mesh. None opens a second file, whatever the first one names.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from designs.facts import FileLimits, UnitSource
from designs.mesh import MeshRefused
from designs.obj import read_obj
from designs.stl import read_stl
from designs.threemf import read_3mf
from designs.topology import Corners


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """The triangles of a file, in mm, and the unit its numbers were in."""

    corners: Corners
    unit: str
    unit_source: UnitSource


def read(name: str, data: memoryview, *, limits: FileLimits) -> Read:
    """The triangles of the mesh file `name`; its ending says how to read it.

    Raises MeshRefused with `unknown_format`, `empty` (no byte), `too_big`, or what the format's own
    reader found.
    """
    ending = PurePosixPath(name).suffix.lower().removeprefix(".")
    reader = READERS.get(ending)
    if reader is None:
        known = ", ".join(READERS)
        raise MeshRefused(
            "unknown_format", f"we read {known} files, not {ending!r}: export it as one of these"
        )
    if len(data) == 0:
        raise MeshRefused("empty", "this file is empty: push the whole file")
    if len(data) > limits.file_bytes:
        raise MeshRefused(
            "too_big",
            f"{len(data)} bytes are over the limit of {limits.file_bytes}: export it as binary STL"
            " or with a coarser tolerance",
        )
    return reader(data, limits)


def _stl(data: memoryview, limits: FileLimits) -> Read:
    corners = read_stl(data, most_triangles=limits.triangles)
    return Read(corners=corners, unit="millimeter", unit_source=UnitSource.FORMAT)


def _3mf(data: memoryview, limits: FileLimits) -> Read:
    corners, unit = read_3mf(
        data,
        most_triangles=limits.triangles,
        most_bytes=limits.inflated_bytes,
        most_instances=limits.instances,
    )
    return Read(corners=corners, unit=unit, unit_source=UnitSource.FILE)


def _obj(data: memoryview, limits: FileLimits) -> Read:
    corners = read_obj(data, most_triangles=limits.triangles)
    return Read(corners=corners, unit="millimeter", unit_source=UnitSource.FORMAT)


READERS: Mapping[str, Callable[[memoryview, FileLimits], Read]] = {
    "stl": _stl,
    "obj": _obj,
    "3mf": _3mf,
}
