"""Mesh files for tests, good and bad, written here by hand: never by the code under test."""

import struct
import zipfile
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

CORE = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
RELATIONS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r0" Target="/3D/3dmodel.model"'
    ' Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"/></Relationships>'
)
CUBE_POINTS = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
CUBE_FACES = np.array(
    [
        *((0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1)),
        *((2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)),
    ]
)

Mesh = NDArray[np.float32]


def cube(side: float = 20.0, at: Sequence[float] = (0.0, 0.0, 0.0)) -> Mesh:
    """A cube with its lowest corner `at`, outside out."""
    return np.asarray(CUBE_POINTS[CUBE_FACES] * side + np.array(at), dtype=np.float32)


def tetra(side: float = 6.0) -> Mesh:
    """The corner of a cube cut off: volume side³/6."""
    points = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]) * side
    faces = np.array([(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)])
    return np.asarray(points[faces], dtype=np.float32)


def turned(mesh: Mesh) -> Mesh:
    """Inside out."""
    return np.ascontiguousarray(mesh[:, [0, 2, 1]])


def binary_stl(mesh: Mesh, *, head: bytes = b"test", count: int | None = None) -> bytes:
    """As a binary STL; `count` may lie."""
    file = head.ljust(80, b"\0") + struct.pack("<I", len(mesh) if count is None else count)
    for triangle in mesh:
        file += struct.pack("<12fH", 0, 0, 0, *(float(v) for v in triangle.reshape(9)), 0)
    return file


def text_stl(mesh: Mesh, *, name: str = "part") -> str:
    """As an ASCII STL."""
    lines = [f"solid {name}"]
    for triangle in mesh:
        lines += ["facet normal 0 0 0", " outer loop"]
        lines += [f"  vertex {x!r} {y!r} {z!r}" for x, y, z in triangle.astype(float).tolist()]
        lines += [" endloop", "endfacet"]
    return "\n".join([*lines, f"endsolid {name}", ""])


def obj(points: NDArray[np.float64], faces: NDArray[np.int64]) -> str:
    """As an OBJ."""
    lines = [f"v {x!r} {y!r} {z!r}" for x, y, z in points.tolist()]
    lines += ["f " + " ".join(str(i + 1) for i in face) for face in faces.tolist()]
    return "\n".join(lines) + "\n"


def mesh_xml(
    points: NDArray[np.float64] = CUBE_POINTS, faces: NDArray[np.int64] = CUBE_FACES
) -> str:
    """The mesh element of a 3MF."""
    corners = "".join(f'<vertex x="{x!r}" y="{y!r}" z="{z!r}"/>' for x, y, z in points.tolist())
    sides = "".join(f'<triangle v1="{a}" v2="{b}" v3="{c}"/>' for a, b, c in faces.tolist())
    return f"<mesh><vertices>{corners}</vertices><triangles>{sides}</triangles></mesh>"


def model_xml(
    resources: str = f'<object id="1">{mesh_xml()}</object>',
    build: str = '<item objectid="1"/>',
    *,
    attributes: str = 'unit="millimeter"',
    before: str = "",
) -> str:
    """A model file of a 3MF; by default one cube of 1."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}<model {attributes} xmlns="{CORE}">'
        f"<resources>{resources}</resources><build>{build}</build></model>"
    )


def threemf(model: str, *, others: dict[str, str] | None = None, level: int = 6) -> bytes:
    """A 3MF around a model file."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as package:
        package.writestr("_rels/.rels", RELATIONS)
        package.writestr("3D/3dmodel.model", model)
        for name, content in (others or {}).items():
            package.writestr(name, content)
    return file.getvalue()
