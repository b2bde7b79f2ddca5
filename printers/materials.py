"""The families of filament this hub plans with. Their names are what offers and orders match on."""

from collections.abc import Mapping
from dataclasses import dataclass

from basis.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A family of filament, as it is usually printed. A spool's own label wins over this."""

    name: str
    density_mg_per_cm3: int
    nozzle_c: int
    bed_c: int
    first_nozzle_c: int
    first_bed_c: int
    max_flow_mm3_per_s: int
    fan_pct: tuple[int, int]
    """Least and most cooling, after the first layers."""
    fan_from_layer: int
    needs_enclosure: bool = False


# Densities: the makers' data sheets (Prusament PLA 1.24, PETG 1.27, ASA 1.07 g/cm³; generic ABS
# 1.04 and TPU 95A 1.21 g/cm³). Temperatures, cooling and flow: PrusaSlicer's bundled profiles for
# these families, flow lowered to what a plain 0.4 mm hot end surely melts.
MATERIALS: Mapping[str, Material] = {
    material.name: material
    for material in (
        Material(
            name="PLA",
            density_mg_per_cm3=1240,
            nozzle_c=210,
            bed_c=60,
            first_nozzle_c=215,
            first_bed_c=60,
            max_flow_mm3_per_s=12,
            fan_pct=(80, 100),
            fan_from_layer=1,
        ),
        Material(
            name="PETG",
            density_mg_per_cm3=1270,
            nozzle_c=240,
            bed_c=85,
            first_nozzle_c=235,
            first_bed_c=85,
            max_flow_mm3_per_s=8,
            fan_pct=(30, 50),
            fan_from_layer=3,
        ),
        Material(
            name="ABS",
            density_mg_per_cm3=1040,
            nozzle_c=250,
            bed_c=100,
            first_nozzle_c=250,
            first_bed_c=100,
            max_flow_mm3_per_s=10,
            fan_pct=(10, 25),
            fan_from_layer=3,
            needs_enclosure=True,
        ),
        Material(
            name="ASA",
            density_mg_per_cm3=1070,
            nozzle_c=255,
            bed_c=100,
            first_nozzle_c=255,
            first_bed_c=100,
            max_flow_mm3_per_s=10,
            fan_pct=(10, 25),
            fan_from_layer=4,
            needs_enclosure=True,
        ),
        Material(
            name="TPU",
            density_mg_per_cm3=1210,
            nozzle_c=230,
            bed_c=50,
            first_nozzle_c=230,
            first_bed_c=50,
            max_flow_mm3_per_s=2,
            fan_pct=(50, 80),
            fan_from_layer=3,
        ),
    )
}


def material(name: str) -> Material:
    """The family called `name`. Raises Invalid naming those there are."""
    try:
        return MATERIALS[name]
    except KeyError:
        raise Invalid(f"material {name!r} is not known; there are {', '.join(MATERIALS)}") from None
