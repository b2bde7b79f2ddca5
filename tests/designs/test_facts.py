"""What follows from facts: does it fit, what will it weigh, can it be stored."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis.errors import Invalid
from designs.facts import (
    MeshFacts,
    Remark,
    UnitSource,
    fits,
)

CUBE = MeshFacts(
    triangles=12,
    degenerate=0,
    min_x_um=0,
    min_y_um=0,
    min_z_um=0,
    size_x_um=20_000,
    size_y_um=20_000,
    size_z_um=20_000,
    volume_mm3=8_000.0,
    area_mm2=2_400.0,
    watertight=True,
    open_edges=0,
    non_manifold_edges=0,
    consistent_winding=True,
    inverted=False,
    bodies=1,
    euler=2,
    overhang_area_mm2=0.0,
    flat_base_area_mm2=400.0,
    unit="millimeter",
    unit_source=UnitSource.FORMAT,
    warnings=(Remark(code="several_bodies", text="two"),),
)


def test_facts_survive_json() -> None:
    assert MeshFacts.from_json(json.loads(json.dumps(CUBE.to_json()))) == CUBE
    assert MeshFacts.from_json({**CUBE.to_json(), "later": 1}) == CUBE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("triangles", 1.5),
        ("triangles", True),
        ("watertight", 1),
        ("volume_mm3", math.nan),
        ("volume_mm3", "8"),
        ("unit_source", "rumour"),
        ("warnings", [{"code": 1, "text": "x"}]),
        ("warnings", 3),
    ],
)
def test_facts_of_another_kind_are_refused(name: str, value: object) -> None:
    with pytest.raises(Invalid):
        MeshFacts.from_json({**CUBE.to_json(), name: value})


def test_missing_facts_are_named() -> None:
    plain = CUBE.to_json()
    del plain["euler"]
    with pytest.raises(Invalid, match="euler"):
        MeshFacts.from_json(plain)


def test_a_part_fits_up_to_the_micrometre() -> None:
    bed = (250_000, 210_000, 200_000)
    assert fits((250_000, 210_000, 200_000), bed).turn_deg == 0
    assert fits((210_000, 250_000, 10_000), bed).turn_deg == 90
    too_wide = fits((250_001, 210_000, 1), bed)
    assert (too_wide.turn_deg, too_wide.over_x_um) == (None, 1)
    too_tall = fits((1, 1, 200_001), bed)
    assert (too_tall.turn_deg, too_tall.over_z_um) == (None, 1)


def test_the_margin_stays_free_on_both_sides_but_not_above() -> None:
    bed = (100_000, 100_000, 100_000)
    assert fits((90_000, 90_000, 100_000), bed, margin_um=5_000).turn_deg == 0
    assert fits((90_001, 90_000, 100_000), bed, margin_um=5_000).turn_deg is None


lengths_um = st.integers(1, 400_000)


@given(st.tuples(*[lengths_um] * 3), st.tuples(*[lengths_um] * 3), st.integers(0, 20_000))
def test_what_fits_fits(
    size_um: tuple[int, int, int], bed_um: tuple[int, int, int], margin_um: int
) -> None:
    fit = fits(size_um, bed_um, margin_um=margin_um)
    wide, deep = size_um[:2] if fit.turn_deg != 90 else (size_um[1], size_um[0])
    inside = wide + 2 * margin_um <= bed_um[0] and deep + 2 * margin_um <= bed_um[1]
    assert (fit.turn_deg is not None) == (inside and size_um[2] <= bed_um[2])
    assert (fit.turn_deg is None) == (fit.over_x_um + fit.over_y_um + fit.over_z_um > 0)
