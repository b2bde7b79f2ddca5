"""Filament and time of a print before it is sliced: estimates from a few facts of the shape.

The outline that is drawn in every layer has, over the whole part, the area of its sides; so walls
take sides × line width, and a mean chord of the cross-section is π × volume ÷ sides (Cauchy). Tops
and bottoms are solid for `SHELL_UM`, the rest is filled, and what is too small or too thin to be
filled with a pattern comes out more than half solid.

Measured against PrusaSlicer 2.5.0 on 12 parts (cubes, a plate, a wall, a ball, a tower, the sample
designs) in 76 slices for three printers, layers of 0.1 to 0.3 mm and fill of 0 to 60 %: material
and machine time, priced at 25.00 a kg and 2.00 an hour, were off by 12 % (root mean square), from
25 % too little to 32 % too much. With plain choices that was 12 % too little (a ball) to 28 % too
much (a coupling of 1.3 g). With supports a tee came out 13 % too low.
"""

import math
from dataclasses import dataclass

from basis.units import ceil_div
from designs.facts import MeshFacts
from printers.capability import MATERIALS, Choices, Profile
from printers.slicer_ini import SHELL_UM

LEAST_JOBS = 3
"""A record of fewer jobs says nothing yet."""

LINE_PCT = 112.5
"""Width of a line, of the nozzle's: as the slicer is told."""

SMALL_MM2, THIN_MM = 60.0, 2.0
"""A cross-section inside the walls that is smaller, or thinner on average, is mostly solid."""

STEEP = 0.8
"""Of an overhanging face, the share that looks straight down, about."""

SUPPORT_SHARE = 0.15
"""Of the room under overhangs, what supports take of it."""

# Fitted to the slices named above.
LAYER_LEAST_S = 9.7  # the slicer slows down so that a layer can cool
SOFTNESS = 6.0  # layers differ: some are short in a part whose mean layer is long
LAYER_S, TURN_S, PRINT_S = 1.0, 0.02, 15.0  # lift and travel, turn of a line, begin and end
LEAST_CHORD_MM, CORNER_MM = 5.0, 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A printer's passed jobs: what they were sliced at, and their plain estimates."""

    jobs: int
    sliced_s: int
    estimated_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """A part as it will be printed: areas in mm², volumes of plastic in mm³, lengths in mm."""

    flat: float
    sides: float
    chord: float
    walls: float
    solid: float
    filled: float
    beside: float
    """Skirt or brim, and supports."""


def mass_mg(facts: MeshFacts, *, profile: Profile, choices: Choices) -> int:
    """About how much filament one copy takes, with skirt, brim and supports."""
    shape = _shape(facts, profile, choices)
    volume_mm3 = shape.walls + shape.solid + shape.filled + shape.beside
    return max(1, math.ceil(volume_mm3 * MATERIALS[choices.material].density_mg_per_cm3 / 1_000))


def duration_s(facts: MeshFacts, *, profile: Profile, choices: Choices) -> int:
    """About how long one copy takes, as the slicer would say: lines at the printer's pace and at
    what the material melts, an acceleration at each turn, and the least time of a layer."""
    shape, layer_mm = _shape(facts, profile, choices), choices.layer_height_um / 1_000
    width_mm = _width_mm(profile)
    most_mm_s = MATERIALS[choices.material].max_flow_mm3_per_s / (width_mm * layer_mm)
    pace = min(profile.print_mm_s, most_mm_s)
    slow = min(profile.print_mm_s / 2, most_mm_s)
    turn_s = pace / profile.acceleration_mm_s2
    line = width_mm * layer_mm
    walls_mm, inside_mm = shape.walls / line, (shape.solid + shape.filled) / line
    outer_mm, top_mm = walls_mm / choices.perimeters, min(shape.solid / line, shape.flat / width_mm)
    first_mm = shape.flat / width_mm
    turns = 2 * inside_mm / max(shape.chord, LEAST_CHORD_MM)
    corners = shape.sides / layer_mm / CORNER_MM
    layers = ceil_div(max(1, facts.size_z_um), choices.layer_height_um)
    moving_s = (
        (walls_mm - outer_mm + inside_mm + shape.beside / line) / pace
        + outer_mm / slow
        + top_mm * (1 / slow - 1 / pace)
        + first_mm * (3 / profile.print_mm_s - 1 / pace)
        + turns * (turn_s + TURN_S)
        + corners * turn_s
    )
    layer_s = moving_s / layers + LAYER_S
    slowed_s: float = (layer_s**SOFTNESS + LAYER_LEAST_S**SOFTNESS) ** (1 / SOFTNESS)
    return math.ceil(slowed_s * layers + PRINT_S)


def corrected(estimated_s: int, record: Record | None) -> tuple[int, str]:
    """An estimate times the printer's record of sliced over estimated, within a half and double;
    and where the figure comes from."""
    if record is None or record.jobs < LEAST_JOBS or record.estimated_s <= 0:
        return estimated_s, "estimated from shape, speed and layers, before slicing"
    low, high = ceil_div(estimated_s, 2), estimated_s * 2
    by_record = ceil_div(estimated_s * record.sliced_s, record.estimated_s)
    source = f"estimated, corrected by this printer's {record.jobs} passed jobs"
    return max(low, min(high, by_record)), source


def _shape(facts: MeshFacts, profile: Profile, choices: Choices) -> _Shape:
    width_mm, volume = _width_mm(profile), max(0.0, facts.volume_mm3)
    height_mm = max(1, facts.size_z_um) / 1_000
    flat = facts.flat_base_area_mm2 + STEEP * facts.overhang_area_mm2
    # What looks down also looks up, so twice the flat area is not sides.
    sides = max(facts.area_mm2 - 2 * flat, facts.area_mm2 / 20, 1e-6)
    walls = min(volume, sides * choices.perimeters * width_mm)
    inside = volume - walls
    shell_um = max(3, ceil_div(SHELL_UM, choices.layer_height_um)) * choices.layer_height_um
    solid = min(inside, 2 * flat * shell_um / 1_000)
    chord = math.pi * inside / sides
    share = choices.infill_pct / 100
    if share > 0 and (inside / height_mm < SMALL_MM2 or chord < THIN_MM):
        share = (1 + share) / 2
    under = facts.overhang_area_mm2 * height_mm / 2 if choices.supports else 0.0
    return _Shape(
        flat=flat,
        sides=sides,
        chord=chord,
        walls=walls,
        solid=solid,
        filled=(inside - solid) * share,
        beside=_edge_mm3(facts, profile, choices) + under * SUPPORT_SHARE,
    )


def _edge_mm3(facts: MeshFacts, profile: Profile, choices: Choices) -> float:
    """Skirt or brim, one layer of a fifth of a millimetre."""
    around_mm = 2 * (facts.size_x_um + facts.size_y_um) / 1_000
    if choices.brim_mm:
        return (around_mm + 4 * choices.brim_mm) * choices.brim_mm * 0.2
    return (around_mm + 16) * _width_mm(profile) * 0.2


def _width_mm(profile: Profile) -> float:
    return profile.nozzle_um * LINE_PCT / 100_000
