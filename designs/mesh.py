"""Measures of a triangle mesh: pure functions on an array of corners.

A mesh is (n, 3, 3) float32 in mm, z up: n triangles, three corners each, counter-clockwise seen
from outside. float32 is what a binary STL holds, so what is measured is exactly what is sliced.

Whole-array arithmetic would be ten times slower and take three times the memory of the mesh, so
geometry goes in blocks that fit the processor's cache, each as nine contiguous columns, summed in
float64.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from basis.errors import Invalid
from designs.facts import MeshFacts, Remark, UnitSource
from designs.topology import BLOCK, Corners, Topology, topology_of

FAR_MM = 100_000.0  # beyond this a float32 is coarser than 8 µm, and no printer is 100 m long
BED_MM = 0.05  # a face this near to the lowest point lies on the bed
OVERHANG_DEG = 45.0  # leans more than this from the vertical: needs support
SLACK_DEG = 0.1  # a chamfer drawn at exactly 45° must not count by a rounding of its corners
DOUBTFUL_UM = (1_000, 2_000_000)  # a largest side outside of this was hardly drawn in mm


class MeshRefused(Invalid):
    """This file is not a part we can make. `code` says why in one stable word; the message tells
    the designer where, and what to do."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Box:
    """The smallest box around a mesh, mm."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Facing:
    """What faces one way along z: on the bed, and leaning over the limit beside it."""

    base_mm2: float
    overhang_mm2: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sums over all triangles. `under` faces down, `upper` would if the mesh were inverted."""

    area_mm2: float
    volume_mm3: float  # negative when inside out
    under: Facing
    upper: Facing


def facts_of(corners: Corners, *, unit: str, unit_source: UnitSource) -> MeshFacts:
    """Everything we say about a mesh.

    `unit` is the one its file was written in; `corners` are in mm already.
    Raises MeshRefused when a coordinate is not finite or too far away, or when there is no triangle
    with an area: what is measured of such a mesh looks right and is not.
    """
    box = box_of(corners)
    topology = topology_of(corners)
    shape = shape_of(corners, box)
    if shape.area_mm2 == 0.0 or topology.bodies == 0:
        raise MeshRefused(
            "empty", f"none of the {len(corners)} triangles has an area: export the solid again"
        )
    inverted = topology.watertight and topology.consistent_winding and shape.volume_mm3 < 0
    facing = shape.upper if inverted else shape.under
    low_um = [round(low * 1_000) for low in box.low]
    size_um = [round((high - low) * 1_000) for low, high in zip(box.low, box.high, strict=True)]
    return MeshFacts(
        triangles=len(corners),
        degenerate=topology.degenerate,
        min_x_um=low_um[0],
        min_y_um=low_um[1],
        min_z_um=low_um[2],
        size_x_um=size_um[0],
        size_y_um=size_um[1],
        size_z_um=size_um[2],
        volume_mm3=round(abs(shape.volume_mm3), 6),
        area_mm2=round(shape.area_mm2, 6),
        watertight=topology.watertight,
        open_edges=topology.open_edges,
        non_manifold_edges=topology.non_manifold_edges,
        consistent_winding=topology.consistent_winding,
        inverted=inverted,
        bodies=topology.bodies,
        euler=topology.euler,
        overhang_area_mm2=round(facing.overhang_mm2, 6),
        flat_base_area_mm2=round(facing.base_mm2, 6),
        unit=unit,
        unit_source=unit_source,
        warnings=tuple(
            _remarks(
                topology,
                inverted=inverted,
                hollows=_hollows(corners, box, topology, inverted=inverted),
                size_um=max(size_um),
                flat=min(size_um) == 0,
                unit_source=unit_source,
            )
        ),
    )


def canonical(corners: Corners, facts: MeshFacts) -> Corners:
    """The mesh as it is sliced: right side out, and its lowest point at z = 0."""
    placed = corners[:, [0, 2, 1]] if facts.inverted else corners.copy()
    placed[:, :, 2] -= placed[:, :, 2].min()
    return placed


def box_of(corners: Corners) -> Box:
    """The bounds of a mesh, and the proof that every coordinate is a number we can work with.

    Raises MeshRefused naming the first triangle that is not finite or beyond `FAR_MM`.
    """
    if len(corners) == 0:
        raise MeshRefused("empty", "this file holds no triangle: export the part again")
    lows, highs = [], []
    for start in range(0, len(corners), BLOCK):
        block = corners[start : start + BLOCK]
        axes = np.ascontiguousarray(block.reshape(-1, 3).T)
        low, high = axes.min(axis=1), axes.max(axis=1)
        # A NaN makes both NaN, and no comparison with a NaN holds.
        if not (low.min() > -FAR_MM and high.max() < FAR_MM):
            check_numbers(block, before=start)
        lows.append(low)
        highs.append(high)
    low, high = np.min(lows, axis=0), np.max(highs, axis=0)
    return Box(
        (float(low[0]), float(low[1]), float(low[2])),
        (float(high[0]), float(high[1]), float(high[2])),
    )


def check_numbers(corners: Corners | NDArray[np.float64], *, before: int = 0) -> None:
    """Refuse coordinates that are not finite or beyond `FAR_MM`, naming the first triangle.

    `corners` are (n, 3, 3); `before` triangles of the file came earlier.
    """
    fine = np.abs(corners) < FAR_MM  # False for NaN too
    if fine.all():
        return
    triangle = int(np.flatnonzero(~fine.all(axis=(1, 2)))[0])
    value = float(corners[triangle][~fine[triangle]][0])
    where = f"triangle {before + triangle + 1} has a corner at {value:g}"
    if np.isfinite(value):
        raise MeshRefused(
            "too_far", f"{where} mm; coordinates must lie within {FAR_MM:.0f} mm: move the part"
        )
    raise MeshRefused("not_finite", f"{where}, which is not a place: export the part again")


def too_many(count: int, most: int) -> MeshRefused:
    """The refusal of a mesh over the limit of triangles."""
    return MeshRefused(
        "too_many_triangles",
        f"{count} triangles are over the limit of {most}: export it with a coarser tolerance",
    )


def shape_of(corners: Corners, box: Box, *, limit_deg: float = OVERHANG_DEG) -> Shape:
    """Area, volume, and what faces up and down.

    Twice a triangle's area times its unit normal is the cross product c of two edges
    (https://mathworld.wolfram.com/TriangleArea.html), and p·c/6 is the signed volume of the
    tetrahedron between it and the origin, so a triangle of no area divides nothing by zero. p is
    taken from the middle of the box: far from the origin the differences would drown.
    """
    middle = [(low + high) / 2 for low, high in zip(box.low, box.high, strict=True)]
    leaning = float(np.sin(np.radians(limit_deg + SLACK_DEG)))
    bed = box.low[2] + BED_MM
    doubled = six_volumes = 0.0
    sums = np.zeros(4)  # base and overhang below, then above
    for block in _blocks(corners):
        cross = cross_of(block)
        length = np.sqrt(cross[0] ** 2 + cross[1] ** 2 + cross[2] ** 2)
        doubled += float(length.sum())
        six_volumes += float(sum(((block[i] - middle[i]) * cross[i]).sum() for i in range(3)))
        lies = np.maximum(np.maximum(block[2], block[5]), block[8]) <= bed
        for side, down in ((0, -cross[2]), (2, cross[2])):
            over = down > leaning * length
            sums[side] += down[over & lies].sum()
            sums[side + 1] += length[over & ~lies].sum()
    return Shape(
        area_mm2=doubled / 2,
        volume_mm3=six_volumes / 6,
        under=Facing(float(sums[0]) / 2, float(sums[1]) / 2),
        upper=Facing(float(sums[2]) / 2, float(sums[3]) / 2),
    )


def overhang_area_mm2(corners: Corners, *, angle_deg: float = OVERHANG_DEG) -> float:
    """Area that would be printed on air and so needs support.

    A face counts when it leans past `angle_deg` from the vertical (0 is a wall, 90 a ceiling) and
    does not lie on the bed. Raises MeshRefused as `box_of` does.
    """
    return shape_of(corners, box_of(corners), limit_deg=angle_deg).under.overhang_mm2


def _blocks(corners: Corners) -> Iterator[NDArray[np.float64]]:
    """The mesh in pieces of nine contiguous columns: x, y, z of the three corners."""
    for start in range(0, len(corners), BLOCK):
        yield columns_of(corners[start : start + BLOCK])


def columns_of(block: Corners) -> NDArray[np.float64]:
    return np.ascontiguousarray(block.reshape(-1, 9).T, dtype=np.float64)


def cross_of(columns: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Twice the area times the normal of every triangle, by component."""
    ax, ay, az = (columns[3 + i] - columns[i] for i in range(3))
    bx, by, bz = (columns[6 + i] - columns[i] for i in range(3))
    return ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx


def _hollows(corners: Corners, box: Box, topology: Topology, *, inverted: bool) -> int:
    """How many bodies are turned the other way than the part, and so take away from it."""
    if topology.bodies < 2 or not (topology.watertight and topology.consistent_winding):
        return 0
    middle = np.array(box.low) / 2 + np.array(box.high) / 2
    volumes = np.zeros(int(topology.body_of.max()) + 1)
    for start in range(0, len(corners), BLOCK):
        block = columns_of(corners[start : start + BLOCK])
        cross = cross_of(block)
        six = sum((block[i] - middle[i]) * cross[i] for i in range(3))
        body = topology.body_of[start : start + BLOCK]
        real = body >= 0
        np.add.at(volumes, body[real], np.asarray(six)[real])
    return int(np.count_nonzero(volumes > 0 if inverted else volumes < 0))


def _remarks(
    topology: Topology,
    *,
    inverted: bool,
    hollows: int,
    size_um: int,
    flat: bool,
    unit_source: UnitSource,
) -> Iterator[Remark]:
    """What the designer should know, the gravest first."""
    if topology.open_edges:
        yield Remark(
            code="open_edges",
            text=f"{topology.open_edges} edges belong to one triangle only: the surface has holes,"
            " so its volume is a guess and a slicer may leave parts out. Close them in the source.",
        )
    if topology.non_manifold_edges:
        yield Remark(
            code="non_manifold_edges",
            text=f"{topology.non_manifold_edges} edges belong to more than two triangles: bodies"
            " touch along an edge or a wall lies inside. Join or separate them in the source.",
        )
    if not topology.consistent_winding:
        yield Remark(
            code="winding",
            text="Neighbouring triangles disagree which side is outside: turn the wrong ones.",
        )
    if inverted:
        yield Remark(
            code="inverted",
            text="The whole surface is turned inside out; we turned it for measuring and making.",
        )
    if flat:
        yield Remark(code="flat", text="The part has no thickness along one axis: it is no solid.")
    if hollows:
        yield Remark(
            code="hollows",
            text=f"{hollows} of {topology.bodies} bodies are turned inside out: they are printed as"
            " hollows where they lie inside another. If they are not meant so, turn them.",
        )
    elif topology.bodies > 1:
        yield Remark(
            code="several_bodies",
            text=f"The mesh holds {topology.bodies} bodies that do not touch: they are made as one"
            " part.",
        )
    if topology.degenerate:
        yield Remark(
            code="degenerate",
            text=f"{topology.degenerate} triangles have two equal corners; they count for nothing.",
        )
    if unit_source is UnitSource.FORMAT and not DOUBTFUL_UM[0] <= size_um <= DOUBTFUL_UM[1]:
        yield Remark(
            code="unit_doubtful",
            text=f"The largest side is {size_um / 1_000:g} mm. The file names no unit and was read"
            " as millimetres: if it was drawn in another unit, export it in millimetres.",
        )
