"""The child that draws how a part can lie: `designs.lying` starts it in a jail.

It reads `in.stl`, which we wrote, and leaves `out.png`: one square tile for each pose, under each
other, the part on a piece of bed. One file is drawn, kept and fetched for all of them.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from basis.turning import Direction, turned
from designs.mesh import MeshRefused
from designs.preview import COLOUR, PAPER, drawn, png
from designs.stl import read_stl
from designs.topology import Corners

TILE_PX = 384
BED = (208, 206, 198)
ROUND = 0.12
"""Bed to be seen round the part, as a share of its longer side."""

BELOW = 1e-3
"""How far below the part the bed is drawn, as a share of the same: touching, the two would fight
for pixels."""


def main(arguments: list[str]) -> None:
    """Draw `in.stl` as the argument says: JSON of `downs`, what looks down in each tile, and
    `both_sides`, for a surface with holes."""
    asked = json.loads(arguments[0])
    data = memoryview(Path("in.stl").read_bytes())
    corners = read_stl(data, most_triangles=len(data))
    downs = [(float(x), float(y), float(z)) for x, y, z in asked["downs"]]
    Path("out.png").write_bytes(sheet(corners, downs, both_sides=asked["both_sides"]))


def sheet(
    corners: Corners, downs: list[Direction], *, both_sides: bool, tile_px: int = TILE_PX
) -> bytes:
    """A PNG of the part lying on each of some sides, in their order from top to bottom.

    A side from which nothing can be drawn stays blank; raises MeshRefused when all are.
    """
    paper = Image.new("RGB", (tile_px, tile_px * len(downs)), PAPER)
    refused: MeshRefused | None = None
    blank = True
    for number, down in enumerate(downs):
        try:
            tile = _tile(corners, down, both_sides=both_sides, tile_px=tile_px)
        except MeshRefused as exc:
            refused = exc
            continue
        paper.paste(tile, (0, tile_px * number))
        blank = False
    if blank:
        raise refused or MeshRefused("not_drawn", "there is no pose to be drawn")
    return png(paper)


def _tile(corners: Corners, down: Direction, *, both_sides: bool, tile_px: int) -> Image.Image:
    part = turned(corners, down).astype(np.float32)
    mesh = np.concatenate([part, _bed_under(part)])
    colours = np.empty((len(mesh), 3), dtype=np.uint8)
    colours[:], colours[len(part) :] = COLOUR, BED
    return drawn(mesh, colours=colours, both_sides=both_sides, size_px=tile_px)


def _bed_under(part: Corners) -> NDArray[Any]:
    """Two triangles that face up, round and just below the part."""
    low, high = part.min(axis=(0, 1)), part.max(axis=(0, 1))
    side = float((high - low).max())
    (x0, y0), (x1, y1) = low[:2] - side * ROUND, high[:2] + side * ROUND
    z = low[2] - side * BELOW
    corner = [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)]
    faces = [[corner[0], corner[1], corner[2]], [corner[0], corner[2], corner[3]]]
    return np.array(faces, dtype=np.float32)
