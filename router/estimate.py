"""Filament and time of a print before it is sliced: estimates, corrected by the printer's past."""

from dataclasses import dataclass

from basis.units import ceil_div
from designs.facts import MeshFacts, estimated_mass_mg
from printers.capability import MATERIALS, Choices, Profile

LINE_WIDTH_PCT = 112
LEAST_JOBS = 3
"""A record of fewer jobs says nothing yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A printer's passed jobs: what they were sliced at, and their plain estimates."""

    jobs: int
    sliced_s: int
    estimated_s: int


def mass_mg(facts: MeshFacts, *, profile: Profile, choices: Choices) -> int:
    return estimated_mass_mg(
        facts,
        density_mg_per_cm3=MATERIALS[choices.material].density_mg_per_cm3,
        infill_pct=choices.infill_pct,
        shell_um=choices.perimeters * 450,
    )


def duration_s(facts: MeshFacts, *, mass_mg: int, profile: Profile, choices: Choices) -> int:
    material = MATERIALS[choices.material]
    volume_mm3 = ceil_div(mass_mg * 1_000, material.density_mg_per_cm3)
    line_um2 = choices.layer_height_um * (profile.nozzle_um * LINE_WIDTH_PCT // 100)
    flow_mm3_per_ks = min(
        line_um2 * profile.print_mm_s // 1_000, material.max_flow_mm3_per_s * 1_000
    )
    layers = ceil_div(facts.size_z_um, choices.layer_height_um)
    return ceil_div(volume_mm3 * 1_250, max(1, flow_mm3_per_ks)) + layers + 120


def corrected(estimated_s: int, record: Record | None) -> tuple[int, str]:
    """An estimate times the printer's record of sliced over estimated, within a half and double;
    and where the figure comes from."""
    if record is None or record.jobs < LEAST_JOBS or record.estimated_s <= 0:
        return estimated_s, "estimated from shape, speed and layers, before slicing"
    low, high = ceil_div(estimated_s, 2), estimated_s * 2
    by_record = ceil_div(estimated_s * record.sliced_s, record.estimated_s)
    source = f"estimated, corrected by this printer's {record.jobs} passed jobs"
    return max(low, min(high, by_record)), source
