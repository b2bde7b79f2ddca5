"""The design that is ordered: one part so small that a virtual printer makes it in seconds."""

import struct
from pathlib import Path

from designhub.chaos.people import DESIGN, PART

SIZE_MM = (6.0, 6.0, 1.5)
MANIFEST = f"""\
okhv = "2.4"
name = "Chaos"
license = "CERN-OHL-S-2.0"
licensor = "Ada"
function = "Is printed once, whatever happens meanwhile."
version = "1.0.0"

[[part]]
name = "{PART}"
export = "{PART}.stl"
"""

# Corner i has its x, y, z at the far side where bits 2, 1, 0 of i are set.
FACES = (
    *((0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1)),
    *((2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)),
)


def write(folder: Path) -> Path:
    """Write the design's files; their folder."""
    source = folder / DESIGN
    source.mkdir(parents=True, exist_ok=True)
    (source / "okh.toml").write_text(MANIFEST)
    (source / "README.md").write_text("# Chaos\n")
    (source / f"{PART}.stl").write_bytes(_box(*SIZE_MM))
    return source


def _box(x: float, y: float, z: float) -> bytes:
    """A closed box as binary STL."""
    corners = [(i, j, k) for i in (0.0, x) for j in (0.0, y) for k in (0.0, z)]
    faces = [
        struct.pack("<12fH", 0, 0, 0, *(c for corner in face for c in corners[corner]), 0)
        for face in FACES
    ]
    return b"\0" * 80 + struct.pack("<I", len(faces)) + b"".join(faces)
