"""Profiles, materials and choices: bounds, round trips, and start codes that want too much."""

import json
from typing import Any

import pytest

from basis.errors import Invalid
from printers.capability import COMMON, MATERIALS, Choices, Profile, material

MK3S = COMMON["mk3s"]


def changed(**values: Any) -> Profile:
    return Profile.from_json({**MK3S.as_json(), **values})


@pytest.mark.parametrize("name", COMMON)
def test_a_profile_survives_json(name: str) -> None:
    profile = COMMON[name]
    assert Profile.from_json(json.loads(json.dumps(profile.as_json()))) == profile


def test_choices_survive_json() -> None:
    choices = Choices(material="PETG", colour="signal red", supports=True, brim_mm=5)
    assert Choices.from_json(json.loads(json.dumps(choices.as_json()))) == choices


def test_a_guard_has_the_measures_of_its_printer() -> None:
    guard = MK3S.guard()
    assert guard.bed_um == ((0, 0), (250_000, 0), (250_000, 210_000), (0, 210_000))
    assert (guard.max_height_um, guard.max_nozzle_c, guard.max_bed_c) == (210_000, 290, 110)


@pytest.mark.parametrize("name", MATERIALS)
def test_a_material_is_plausible(name: str) -> None:
    stuff = material(name)
    assert stuff.name == name
    assert 800 <= stuff.density_mg_per_cm3 <= 1_500  # plastics without a filler
    assert 170 <= stuff.nozzle_c <= 300
    assert 0 <= stuff.fan_pct[0] <= stuff.fan_pct[1] <= 100


def test_an_unknown_material_names_the_known_ones() -> None:
    with pytest.raises(Invalid, match="PLA, PETG, ABS, ASA, TPU"):
        Choices(material="Unobtainium")


@pytest.mark.parametrize(
    "values",
    [
        *({"bed_x_mm": 29}, {"bed_x_mm": 2_001}, {"bed_x_mm": "250"}, {"bed_x_mm": 250.0}),
        *({"bed_x_mm": True}, {"height_mm": 0}, {"nozzle_um": 0}, {"filament_um": 1_740}),
        *({"max_nozzle_c": 501}, {"max_bed_c": -1}, {"enclosure": 1}, {"process": "SLA"}),
        *({"gcode_flavor": "marlin\npost_process = /tmp/x"}, {"gcode_flavor": "teacup"}),
        *({"name": "two\nlines"}, {"name": ""}, {"name": "a" * 81}, {"name": "a\u2028b"}),
        *({"rated_power_w": 0}, {"travel_mm_s": 601}, {"colour": "red"}, {"name": None}),
    ],
)
def test_a_profile_out_of_bounds_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        changed(**values)


def test_a_profile_without_a_bed_is_refused() -> None:
    values = MK3S.as_json()
    del values["bed_x_mm"]
    with pytest.raises(Invalid, match="bed_x_mm"):
        Profile.from_json(values)


@pytest.mark.parametrize(
    ("values", "accepted"),
    [
        ({"layer_height_um": 50}, True),
        ({"layer_height_um": 49}, False),
        ({"infill_pct": 100}, True),
        ({"infill_pct": 101}, False),
        ({"perimeters": 0}, False),
        ({"brim_mm": 20}, True),
        ({"brim_mm": 21}, False),
        ({"supports": "yes"}, False),
        ({"colour": "red\nblue"}, False),
        ({"material": ["PLA"]}, False),
        ({"glitter": True}, False),
    ],
)
def test_choices_have_bounds(values: dict[str, Any], accepted: bool) -> None:
    given = {"material": "PLA", **values}
    if accepted:
        assert Choices.from_json(given).as_json().items() >= given.items()
    else:
        with pytest.raises(Invalid):
            Choices.from_json(given)


@pytest.mark.parametrize(
    "code",
    [
        "G28 W\nG80\nM190 S[first_layer_bed_temperature]\nM109 S{first_layer_temperature[0]}",
        "G1 Z{min(max_layer_z+5, max_print_height)} F600",
        "M862.1 P[nozzle_diameter]\nM115 U3.11.0\nM117 Warming up",
        "",
    ],
)
def test_ordinary_start_codes_pass(code: str) -> None:
    assert changed(start_gcode=code, end_gcode=code).start_gcode == code


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("G28\nM502", "line 2: 'M502': M502 is not on the list"),
        ("M109 S291", "must lie in 0…290"),
        ("G28\nG1 X900", "would go to 900 mm"),
        ("{if first_layer_temperature}M500{endif}", "placeholder"),
        ("G28\nM109 S[first_layer_temperature}", "line 2: a placeholder"),
        ("G28 ; {M500}", "placeholder"),
        ("G28\r\nM500", "LF line ends"),
        ("G28 ; Wärme", "ASCII"),
        ("G28\x00", "control character"),
        ("G28\\nM500", "not a command"),
        ("; " + "a" * 8_000, "at most 8000"),
        (None, "must be ASCII text"),
    ],
)
@pytest.mark.parametrize("name", ["start_gcode", "end_gcode"])
def test_start_codes_that_want_too_much(name: str, code: str, reason: str) -> None:
    with pytest.raises(Invalid, match=name) as caught:
        changed(**{name: code})
    assert reason in str(caught.value)
