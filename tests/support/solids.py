"""Small solids as arrays of corners, (n, 3, 3) mm, and as binary STL."""

import math
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

Corners = NDArray[np.float64]

QUICK_PART_MM = (8.0, 8.0, 4.0)
"""A box that OctoPrint's virtual printer makes in about 10 s when sliced with the `virtual` profile
and plain PLA choices (0.2 mm layers); twice as tall it takes about 20 s."""

_BOX_FACES = [
    *((0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1)),
    *((2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)),
]


def box(x: float, y: float, z: float, *, at: ArrayLike = (0, 0, 0)) -> Corners:
    """A closed box of 12 triangles, one corner in `at`; the first two are its side x = 0."""
    points = np.array([[i, j, k] for i in (0, x) for j in (0, y) for k in (0, z)], dtype=float)
    corners: Corners = (points + np.asarray(at))[np.array(_BOX_FACES)]
    return corners


def cone(radius: float, height: float, *, sides: int = 60) -> Corners:
    """A cone standing on its tip."""
    angles = [2 * math.pi * i / sides for i in range(sides)]
    rim = [(radius * math.cos(a), radius * math.sin(a), height) for a in angles]
    faces = []
    for one, next_one in zip(rim, rim[1:] + rim[:1], strict=True):
        faces += [((0, 0, 0), next_one, one), ((0, 0, height), one, next_one)]
    return np.array(faces, dtype=float)


def ball(radius: float, *, rings: int, sides: int) -> Corners:
    """A closed ball of about 2 × rings × sides triangles."""

    def point(i: int, j: int) -> tuple[float, float, float]:
        down, around = math.pi * i / rings, 2 * math.pi * (j % sides) / sides
        out = radius * math.sin(down) if 0 < i < rings else 0.0
        return out * math.cos(around), out * math.sin(around), radius * math.cos(down)

    faces = []
    for i in range(rings):
        for j in range(sides):
            a, b, c, d = point(i, j), point(i + 1, j), point(i + 1, j + 1), point(i, j + 1)
            # At the poles two of the four points are one, and one of the two faces is nothing.
            faces += [(a, b, c)] if i < rings - 1 else []
            faces += [(a, c, d)] if i > 0 else []
    return np.array(faces, dtype=float)


def stl(corners: ArrayLike, *, header: bytes = b"") -> bytes:
    """Corners as a binary STL."""
    points = np.asarray(corners, dtype="<f4")
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    triangles = np.zeros(len(points), dtype=record)
    triangles["corners"] = points
    return header.ljust(80, b"\0") + len(points).to_bytes(4, "little") + triangles.tobytes()


def write_stl(path: Path, corners: ArrayLike) -> Path:
    """The same as a file; returns its path."""
    path.write_bytes(stl(corners))
    return path
