"""How a part can lie: on each of its six sides, and the way that leans out least over the bed.

Measured beside the other facts, in the child, so that a quote knows the turned size without the
mesh.
"""

from dataclasses import replace

import numpy as np

from basis.turning import DOWN, Direction, turned
from designs.facts import Pose
from designs.mesh import box_of, shape_of
from designs.topology import Corners

MOST_TRIANGLES = 250_000
"""Of a larger mesh thirty turns would take the measuring child too long (4 s for 320,000): it is
printed as it was modelled."""

MOST_FACETS = 24
"""Of the hull, the largest: a part rests well on a large flat side."""

SIDES: dict[str, Direction] = {
    "bottom": DOWN,
    "top": (0.0, 0.0, 1.0),
    "left": (-1.0, 0.0, 0.0),
    "right": (1.0, 0.0, 0.0),
    "front": (0.0, -1.0, 0.0),
    "back": (0.0, 1.0, 0.0),
}


def poses_of(corners: Corners) -> tuple[Pose, ...]:
    """The six sides, and the best way of them and of the hull's facets. None for a mesh too large.

    corners : right side out, (n, 3, 3), mm.
    """
    if len(corners) > MOST_TRIANGLES:
        return ()
    sides = [pose(corners, name, down) for name, down in SIDES.items()]
    others = [pose(corners, "best", down) for down in facets(corners)]
    # As modelled wins a tie: whoever drew the part may have had a reason.
    best = min([*sides, *others], key=lambda each: (*_cost(each), each.name != "bottom"))
    return (*sides, replace(best, name="best"))


def pose(corners: Corners, name: str, down: Direction) -> Pose:
    """What is measured of a part that lies with `down` on the bed."""
    lying = turned(corners, down).astype(np.float32)
    box = box_of(lying)
    shape = shape_of(lying, box)
    x_um, y_um, z_um = (
        round((high - low) * 1_000) for low, high in zip(box.low, box.high, strict=True)
    )
    return Pose(
        name=name,
        down=down,
        size_x_um=x_um,
        size_y_um=y_um,
        size_z_um=z_um,
        overhang_area_mm2=round(shape.under.overhang_mm2, 6),
        flat_base_area_mm2=round(shape.under.base_mm2, 6),
    )


def facets(corners: Corners) -> list[Direction]:
    """Outward directions of the hull's largest flat sides, the largest first."""
    from scipy.spatial import ConvexHull, QhullError

    points = np.unique(corners.reshape(-1, 3), axis=0).astype(np.float64)
    try:
        hull = ConvexHull(points)
    except (QhullError, ValueError):  # flat, or a single point
        return []
    triangles = points[hull.simplices]
    cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    area = np.linalg.norm(cross, axis=1) / 2
    normals, which = np.unique(np.round(hull.equations[:, :3], 4), axis=0, return_inverse=True)
    areas = np.bincount(which.reshape(-1), weights=area, minlength=len(normals))
    order = np.argsort(-areas, kind="stable")[:MOST_FACETS]
    return [(float(x), float(y), float(z)) for x, y, z in normals[order]]


def _cost(each: Pose) -> tuple[float, float]:
    """Least overhang, then the most that rests on the bed; to a tenth of a mm², for rounding must
    not turn a part over."""
    if each.flat_base_area_mm2 < 1:  # it would stand on an edge
        return (float("inf"), 0.0)
    return (round(each.overhang_area_mm2, 1), -round(each.flat_base_area_mm2, 1))
