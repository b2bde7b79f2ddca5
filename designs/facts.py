"""What is known of a part's shape, and what follows from it: plain values, no geometry.

Sizes are whole micrometres, because they are compared with limits; areas and volumes are floats in
mm² and mm³, because nothing but a stated estimate is ever made of them.
"""

import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, Self

from basis.errors import Invalid

READER = 2
"""Version of our readers and measures; a change of either that changes facts raises it."""


class UnitSource(StrEnum):
    """How we know the unit of a file's numbers."""

    FILE = "file"  # the file declares it
    FORMAT = "format"  # the format has none, and everybody means millimetres


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLimits:
    """What a mesh file may hold. The defaults are measured: five million triangles in 1.5 GB."""

    file_bytes: int = 256_000_000
    triangles: int = 5_000_000
    inflated_bytes: int = 200_000_000  # of a 3MF
    instances: int = 1_000  # placed meshes in a 3MF


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something the designer should know. `code` is a stable word, `text` a sentence."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """One way in which a part can lie on the bed, and what is then measured of it."""

    name: str  # of a side of the part as modelled, or "best"
    down: tuple[float, float, float]  # what looks straight down, in the mesh's own frame
    size_x_um: int
    size_y_um: int
    size_z_um: int
    overhang_area_mm2: float
    flat_base_area_mm2: float


AS_MODELLED = "as_modelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshFacts:
    """What was measured of one mesh, after its numbers were turned into millimetres.

    Lengths are in the file's own frame, z up. Volume and the two areas that know up from down are
    those of the part as it is meant: for an `inverted` mesh, of the mesh turned right side out.
    """

    triangles: int
    degenerate: int  # triangles with two equal corners: counted, drawn, but not part of any edge
    min_x_um: int
    min_y_um: int
    min_z_um: int
    size_x_um: int
    size_y_um: int
    size_z_um: int
    volume_mm3: float  # a guess unless watertight
    area_mm2: float
    watertight: bool  # every edge belongs to exactly two triangles
    open_edges: int  # belong to one triangle
    non_manifold_edges: int  # belong to more than two
    consistent_winding: bool  # neighbours agree which side is outside
    inverted: bool  # closed, but turned inside out
    bodies: int  # pieces that do not touch; touching in a corner counts as one
    euler: int  # V − E + F: 2 − 2·holes for one closed body
    overhang_area_mm2: float  # leans over 45° and does not lie on the bed
    flat_base_area_mm2: float  # lies on the bed
    unit: str  # of the file's numbers, by its name in 3MF: "millimeter", "inch", …
    unit_source: UnitSource
    warnings: tuple[Remark, ...]
    poses: tuple[Pose, ...] = ()  # none of a mesh that is very large, or was measured long ago

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values, for `from_json`."""
        plain = asdict(self)
        plain["unit_source"] = self.unit_source.value
        plain["warnings"] = [asdict(remark) for remark in self.warnings]
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """The facts that `to_json` gave. Names that a later version added are left aside.

        Raises Invalid when a fact is missing or is not of its kind: facts come from a process that
        has read a stranger's file.
        """
        try:
            values: dict[str, Any] = {
                f.name: _KINDS[f.type](plain[f.name])
                for f in fields(cls)
                if f.name in plain or f.default is MISSING
            }
        except KeyError as exc:
            raise Invalid(f"the facts of this mesh lack {exc}") from exc
        except (TypeError, ValueError, AttributeError) as exc:
            raise Invalid(f"the facts of this mesh cannot be read: {exc}") from exc
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Whether a part fits a printer: `turn_deg` about z, or by how much it is too big each way."""

    turn_deg: int | None  # 0 or 90; None when it does not fit
    over_x_um: int = 0  # in the better of the two turns, seen from the printer
    over_y_um: int = 0
    over_z_um: int = 0


def fits(size_um: tuple[int, int, int], bed_um: tuple[int, int, int], *, margin_um: int = 0) -> Fit:
    """Whether a box of `size_um` stands on a bed of `bed_um`, as it is or turned by 90° about z.

    `margin_um` stays free on every side of the bed, for skirt and brim; height needs none.
    The turn that leaves the least over wins, as it stands wins a tie.
    """
    x_um, y_um, z_um = size_um
    room_x_um, room_y_um = bed_um[0] - 2 * margin_um, bed_um[1] - 2 * margin_um
    tries = []
    for turn_deg, (wide_um, deep_um) in ((0, (x_um, y_um)), (90, (y_um, x_um))):
        over = (
            max(0, wide_um - room_x_um),
            max(0, deep_um - room_y_um),
            max(0, z_um - bed_um[2]),
        )
        tries.append((sum(over), turn_deg, over))
    total_um, turn_deg, (over_x_um, over_y_um, over_z_um) = min(tries)
    return Fit(
        turn_deg=None if total_um else turn_deg,
        over_x_um=over_x_um,
        over_y_um=over_y_um,
        over_z_um=over_z_um,
    )


def pose_of(facts: MeshFacts, orientation: str) -> Pose | None:
    """How a part lies when it is turned as somebody chose; None as it was modelled.

    Raises Invalid when that was not measured of it.
    """
    if orientation == AS_MODELLED:
        return None
    for pose in facts.poses:
        if pose.name == orientation:
            return None if pose.down == (0.0, 0.0, -1.0) else pose
    raise Invalid(
        "this part cannot be turned here: its mesh is very large, or was measured before parts"
        " could be turned. Order it as it was modelled, or publish it again"
    )


def posed(facts: MeshFacts, orientation: str) -> MeshFacts:
    """The facts of a part that lies as somebody chose. Raises Invalid as `pose_of` does."""
    pose = pose_of(facts, orientation)
    if pose is None:
        return facts
    return replace(
        facts,
        size_x_um=pose.size_x_um,
        size_y_um=pose.size_y_um,
        size_z_um=pose.size_z_um,
        overhang_area_mm2=pose.overhang_area_mm2,
        flat_base_area_mm2=pose.flat_base_area_mm2,
    )


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _yes_or_no(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _real(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise TypeError(f"{value!r} is not a finite number")
    return float(value)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"{value!r} is not text")
    return value


def _remarks(value: Any) -> tuple[Remark, ...]:
    return tuple(Remark(code=_text(each["code"]), text=_text(each["text"])) for each in value)


def _poses(value: Any) -> tuple[Pose, ...]:
    return tuple(_pose(each) for each in value)


def _pose(plain: Any) -> Pose:
    x, y, z = (_real(part) for part in plain["down"])
    if not 0.99 < x * x + y * y + z * z < 1.01:
        raise ValueError("down is no direction")
    return Pose(
        name=_text(plain["name"]),
        down=(x, y, z),
        size_x_um=_whole(plain["size_x_um"]),
        size_y_um=_whole(plain["size_y_um"]),
        size_z_um=_whole(plain["size_z_um"]),
        overhang_area_mm2=_real(plain["overhang_area_mm2"]),
        flat_base_area_mm2=_real(plain["flat_base_area_mm2"]),
    )


_KINDS: Mapping[Any, Any] = {
    int: _whole,
    bool: _yes_or_no,
    float: _real,
    str: _text,
    UnitSource: UnitSource,
    tuple[Remark, ...]: _remarks,
    tuple[Pose, ...]: _poses,
}
