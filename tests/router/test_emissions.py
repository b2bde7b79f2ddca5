"""CO2e against figures worked out by hand, and every figure with its source."""

import pytest

from basis.errors import NotFound
from printers.offer import Mode
from router.emissions import energy_mwh, factors, print_mg, transport_mg
from router.quote import quote
from tests.router.worlds import inputs

SET = factors()
PACKED_MG = SET.single("packaging_mg").value
PRINT_MWH = 413_760
"""4 h at 43.1 % of 240 W."""


def test_power_of_a_print() -> None:
    assert energy_mwh(SET, rated_power_w=240, duration_s=4 * 3_600) == PRINT_MWH


@pytest.mark.parametrize(
    ("country", "g"),
    [("NO", 12.4), ("FR", 23.2), ("DE", 157.6), ("CN", 240.8), ("IN", 295.0), ("XX", 199.0)],
)
def test_the_grid_decides_what_a_print_emits(country: str, g: float) -> None:
    """0.41376 kWh times the country's lifecycle factor; the world's mean where there is none."""
    mg = print_mg(SET, energy_mwh=PRINT_MWH, mass_mg=0, country=country, material="PLA")
    assert mg / 1_000 == pytest.approx(g, abs=0.05)


def test_filament_counts_with_its_waste() -> None:
    """100 g of part is 110 g of PLA at 0.5 kg/kg: 55 g."""
    assert print_mg(SET, energy_mwh=0, mass_mg=100_000, country="NO", material="PLA") == 55_000


def test_unknown_plastics_count_as_the_average() -> None:
    assert print_mg(SET, energy_mwh=0, mass_mg=100_000, country="NO", material="PVB") == 348_920


def test_a_parcel_counts_its_mass_and_packaging_one_way() -> None:
    """100 g over 15 km at 0.78225 kg per t·km is 1.17 g."""
    bare_mg = 100_000 - PACKED_MG
    assert transport_mg(SET, mode=Mode.PARCEL, distance_m=15_000, mass_mg=bare_mg) == 1_174


@pytest.mark.parametrize("mass_mg", [0, 100_000, 20_000_000])
def test_a_car_counts_the_whole_trip_whatever_the_mass(mass_mg: int) -> None:
    """5 km there and 5 km back at 211.24 g per km is 2,112.4 g."""
    assert transport_mg(SET, mode=Mode.CAR, distance_m=5_000, mass_mg=mass_mg) == 2_112_400


@pytest.mark.parametrize("mode", [Mode.FOOT, Mode.BICYCLE])
def test_walking_and_cycling_emit_nothing(mode: Mode) -> None:
    assert transport_mg(SET, mode=mode, distance_m=9_000, mass_mg=100_000) == 0


def test_a_parcel_from_a_clean_grid_beats_a_car_trip_round_the_corner() -> None:
    """The lesson of the figures: the way of the last mile outweighs the distance."""
    near = quote(inputs(country="IN", mode="car", great_circle_m=3_000))
    far = quote(inputs(country="NO", mode="parcel", great_circle_m=300_000))
    assert far.co2e_mg * 5 < near.co2e_mg


def test_sources_are_shown_and_marked_when_nobody_checked_them() -> None:
    said = quote(inputs()).terms[0].source
    assert "van up to 3.5 t" in said
    assert "Ember" in said
    assert "[not checked at its source]" in said
    assert "hub-2026-1" in said
    assert SET.transport(Mode.FOOT)[0].said.endswith("emit about nothing")  # checked: no mark


def test_every_factor_has_a_source_and_is_a_whole_number() -> None:
    tables = [SET.data[name] for name in ("transport", "grid", "material", "circuity_per_mille")]
    entries = [entry for table in tables for entry in table.values()]
    entries += [SET.data[name] for name in ("energy", "waste_bp", "packaging_mg")]
    assert len(entries) > 30
    for entry in entries:
        assert entry["source"]
        assert isinstance(entry["checked"], bool)
        numbers = [
            value for key, value in entry.items() if key.startswith(("mg_", "value", "per_"))
        ]
        assert numbers
        assert all(type(number) is int and number >= 0 for number in numbers)


def test_a_set_is_named_by_its_content() -> None:
    assert SET.data["id"] == SET.id == "hub-2026-1"
    assert len(SET.sha256) == 64
    with pytest.raises(NotFound, match="no factor set"):
        factors("../hub-2026-1")
