"""How long a print takes, before it is sliced: an estimate, corrected by the printer's past."""

from dataclasses import dataclass

from basis.units import ceil_div
from designs.facts import MeshFacts
from printers.capability import MATERIALS, Choices, Profile

LINE_WIDTH_PCT = 112
"""A line is about an eighth wider than the nozzle."""

LEAST_JOBS = 3
"""A record of fewer jobs says nothing yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A printer's passed jobs: what they were sliced at, and what had been quoted for them."""

    jobs: int
    took_s: int
    quoted_s: int


def duration_s(
    facts: MeshFacts, *, mass_mg: int, profile: Profile, choices: Choices, record: Record | None
) -> tuple[int, str]:
    """Seconds for one copy, and where the figure comes from.

    The filament's volume at the flow of one line at the profile's speed (never more than the
    material melts), a quarter again for moves and changes of speed, a second a layer, two minutes
    to begin; then times the printer's own record of sliced over quoted, within a half and double.
    """
    material = MATERIALS[choices.material]
    volume_mm3 = ceil_div(mass_mg * 1_000, material.density_mg_per_cm3)
    line_um2 = choices.layer_height_um * (profile.nozzle_um * LINE_WIDTH_PCT // 100)
    flow_mm3_per_ks = min(
        line_um2 * profile.print_mm_s // 1_000, material.max_flow_mm3_per_s * 1_000
    )
    layers = ceil_div(facts.size_z_um, choices.layer_height_um)
    seconds = ceil_div(volume_mm3 * 1_250, max(1, flow_mm3_per_ks)) + layers + 120
    if record is None or record.jobs < LEAST_JOBS or record.quoted_s <= 0:
        return seconds, "estimated from filament, speed and layers, before slicing"
    low, high = ceil_div(seconds, 2), seconds * 2
    corrected = ceil_div(seconds * record.took_s, record.quoted_s)
    source = f"estimated, corrected by this printer's last {record.jobs} passed jobs"
    return max(low, min(high, corrected)), source
