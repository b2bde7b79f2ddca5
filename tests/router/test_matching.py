"""Every axis on which a printer can fail a part, on both sides of its limit."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from printers.capability import MATERIALS
from router.matching import Axis, Fixer, Reason, is_near_miss, spool_for, why_not
from tests.router.worlds import PROFILE, SPOOL, body, need, offer
from tests.support.builders import NOW


def axes(reasons: tuple[Reason, ...]) -> list[Axis]:
    return [each.axis for each in reasons]


def reasons(
    *, distance_m: int = 1_000, wants: dict[str, Any] | None = None, **changes: Any
) -> tuple[Reason, ...]:
    profile = {key: changes.pop(key) for key in list(changes) if hasattr(PROFILE, key)}
    one = offer(profile=replace(PROFILE, **profile), **changes)
    return why_not(need(**wants or {}), one, distance_m=distance_m, now=NOW, unseen_s=600)


def test_what_fits_has_no_reason_against_it() -> None:
    assert reasons() == ()


@pytest.mark.parametrize(
    ("axis", "fits", "fails"),
    [
        # 250 mm less 3 mm on either side; the depth of 204 mm holds the other way round.
        (
            Axis.WIDTH,
            {"wants": {"bodies": (body(size_x_um=244_000, size_y_um=204_000),)}},
            {"wants": {"bodies": (body(size_x_um=244_001, size_y_um=204_000),)}},
        ),
        (
            Axis.WIDTH,
            {"wants": {"bodies": (body(size_x_um=204_000, size_y_um=244_000),)}},  # turned by 90°
            {"wants": {"bodies": (body(size_x_um=204_001, size_y_um=244_000),)}},
        ),
        (
            Axis.HEIGHT,
            {"wants": {"bodies": (body(size_z_um=200_000),)}},
            {"wants": {"bodies": (body(size_z_um=200_001),)}},
        ),
        (
            Axis.NOZZLE,
            {"wants": {"layer_height_um": 320}},
            {"wants": {"layer_height_um": 321}},
        ),
        (
            Axis.NOZZLE_TEMPERATURE,  # its first layer is the hottest
            {"max_nozzle_c": MATERIALS["PLA"].first_nozzle_c},
            {"max_nozzle_c": MATERIALS["PLA"].first_nozzle_c - 1},
        ),
        (
            Axis.BED_TEMPERATURE,
            {"max_bed_c": MATERIALS["PLA"].bed_c},
            {"max_bed_c": MATERIALS["PLA"].bed_c - 1},
        ),
        (
            Axis.ENCLOSURE,
            {
                "enclosure": True,
                "loaded": (replace(SPOOL, material="ABS"),),
                "wants": {"material": "ABS"},
            },
            {
                "enclosure": False,
                "loaded": (replace(SPOOL, material="ABS"),),
                "wants": {"material": "ABS"},
            },
        ),
        (
            Axis.MATERIAL,
            {},
            {"loaded": (replace(SPOOL, material="PETG"),)},
        ),
        (Axis.MATERIAL, {}, {"loaded": ()}),
        (
            Axis.COLOUR,
            {"wants": {"colour": "black"}},
            {"wants": {"colour": "red"}},
        ),
        (
            Axis.MATERIAL_LEFT,
            {"wants": {"mass_mg": 100_000}},
            {"wants": {"mass_mg": 100_001}},
        ),
        (Axis.ACCEPTING, {"accepting": True}, {"accepting": False}),
        (
            Axis.SEEN,
            {"seen_at": NOW - timedelta(seconds=600)},
            {"seen_at": NOW - timedelta(seconds=601)},
        ),
        (Axis.SEEN, {}, {"seen_at": None}),
        (
            Axis.DISTANCE,
            {"distance_m": 5_000, "wants": {"max_distance_m": 5_000}},
            {"distance_m": 5_001, "wants": {"max_distance_m": 5_000}},
        ),
        (Axis.PROCESS, {"wants": {"process": "FFF"}}, {"wants": {"process": "SLA"}}),
    ],
)
def test_each_limit_holds_and_breaks(
    axis: Axis, fits: dict[str, Any], fails: dict[str, Any]
) -> None:
    assert axis not in axes(reasons(**fits))
    assert axes(reasons(**fails)) == [axis]


def test_all_reasons_are_given_not_only_the_first() -> None:
    found = reasons(
        wants={
            "bodies": (body(size_x_um=300_000, size_z_um=300_000),),
            "colour": "red",
            "material": "PLA",
        },
        accepting=False,
        seen_at=None,
    )
    assert axes(found) == [Axis.WIDTH, Axis.HEIGHT, Axis.COLOUR, Axis.ACCEPTING, Axis.SEEN]
    assert not is_near_miss(found)


def test_a_reason_says_what_was_needed_and_what_there_is() -> None:
    (reason,) = reasons(wants={"mass_mg": 120_000})
    assert (reason.needed, reason.available, reason.unit) == ("120.0", "100.0", "g")
    assert reason.who_can_fix is Fixer.WORKSHOP


@pytest.mark.parametrize(
    ("changes", "near"),
    [
        ({"loaded": (replace(SPOOL, material="PETG"),)}, True),  # the workshop can load it
        ({"distance_m": 9_000, "wants": {"max_distance_m": 5_000}}, True),  # the maker can allow it
        (
            {"wants": {"bodies": (body(size_z_um=300_000),)}},
            False,
        ),  # somebody would have to change the design
        ({"max_nozzle_c": 200}, False),  # nobody can
        ({}, False),  # it fits
    ],
)
def test_one_thing_a_person_could_mend_is_a_near_miss(changes: dict[str, Any], near: bool) -> None:
    assert is_near_miss(reasons(**changes)) is near


def test_of_several_parts_the_reason_names_the_one_that_does_not_fit() -> None:
    lid, body_ = body("lid"), body("body", size_x_um=300_000, size_z_um=300_000)
    found = reasons(wants={"bodies": (lid, body_)})
    assert [(each.axis, each.part) for each in found] == [
        (Axis.WIDTH, "body"),
        (Axis.HEIGHT, "body"),
    ]
    assert {each.who_can_fix for each in found} == {Fixer.MAKER}
    assert is_near_miss(found)  # without it, the rest can be made here
    assert not is_near_miss(reasons(wants={"bodies": (body_, replace(body_, part="base"))}))
    both = {"bodies": (lid, body_)}
    assert not is_near_miss(reasons(wants=both, accepting=False))


def test_the_spool_must_last_for_all_parts() -> None:
    found = reasons(wants={"bodies": (body("lid"), body("body")), "mass_mg": 100_001})
    assert [(each.axis, each.part) for each in found] == [(Axis.MATERIAL_LEFT, "")]


def test_the_fullest_spool_of_the_right_kind_is_chosen() -> None:
    fuller = replace(SPOOL, free_mg=200_000)
    other = replace(SPOOL, free_mg=900_000, material="PETG")
    red = replace(SPOOL, free_mg=300_000, colour="red")
    assert spool_for(need(), offer(loaded=(SPOOL, fuller, other))) == fuller
    assert spool_for(need(colour="black"), offer(loaded=(SPOOL, red))) == SPOOL
    assert spool_for(need(mass_mg=150_000), offer(loaded=(SPOOL,))) is None


def test_a_material_is_never_substituted_even_by_a_better_one() -> None:
    petg = replace(SPOOL, material="PETG")
    assert spool_for(need(), offer(loaded=(petg,))) is None
