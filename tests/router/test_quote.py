"""Prices and ranks: sums that are exactly what is shown, from whole numbers alone."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commons.settlement import CONTRIBUTION, per_job, total
from printers.offer import Carriage, Mode, Prices
from router.quote import (
    BED_WAIT_S,
    HANDLING_S,
    MOST_IDLE_H,
    PARCEL_S,
    WEIGHTS,
    Inputs,
    Preset,
    Quote,
    copy_weights,
    eta_s,
    late_after_s,
    made_minor,
    quote,
    sha256_of,
)
from tests.router.worlds import inputs, item
from tests.support.builders import NOW

AMOUNT = st.integers(0, 10_000_000)
ANY = st.builds(
    inputs,
    items=st.lists(
        st.builds(
            item,
            part=st.sampled_from(["lid", "body"]),
            copies=st.integers(1, 25),
            mass_mg=st.integers(1, 20_000_000),
            duration_s=st.integers(1, 10_000_000),
            mass_source=st.sampled_from(["estimated", "sliced"]),
        ),
        min_size=1,
        max_size=4,
    ).map(tuple),
    material_per_kg_minor=AMOUNT,
    prices=st.builds(
        Prices,
        per_hour_minor=AMOUNT,
        labour_minor=AMOUNT,
        contribution_bp=st.integers(0, 10_000),
    ),
    carriage=st.builds(
        Carriage, mode=st.sampled_from(Mode), base_minor=AMOUNT, per_km_minor=AMOUNT
    ),
    mode=st.sampled_from([mode.value for mode in Mode]),
    great_circle_m=st.integers(0, 20_100_000),
    circuity_per_mille=st.integers(1_000, 2_000),
    country=st.sampled_from(["NO", "IN", "KR", "XX"]),
    material=st.sampled_from(["PLA", "PETG", "ABS", "TPU"]),
    passed=st.integers(0, 100_000),
    failed=st.integers(0, 100_000),
    queue_s=st.integers(0, 10_000_000),
    bed_clear=st.booleans(),
    idle_h=st.integers(0, 100),
    late_after_s=st.integers(0, 10_000_000),
    preset=st.sampled_from([preset.value for preset in Preset]),
)


def amounts(result: Quote) -> dict[str, int]:
    return {line.label: line.amount_minor for line in result.lines}


def test_each_line_by_hand() -> None:
    """100 g at 25.00 a kg, 4 h at 2.00, 3.00 labour, 5.00 + 13 km at 0.10, 10 % for the design."""
    result = quote(inputs())
    assert amounts(result) == {
        "material": 250,
        "machine time": 800,
        "labour": 300,
        "carriage": 630,
        CONTRIBUTION: 135,
    }
    assert result.total_minor == 2_115


@pytest.mark.parametrize(("mass_mg", "minor"), [(400, 1), (401, 2), (100_000, 250), (100_001, 251)])
def test_a_line_is_rounded_up_once(mass_mg: int, minor: int) -> None:
    assert amounts(quote(inputs(items=(item(mass_mg=mass_mg),))))["material"] == minor


def test_copies_are_rounded_together_not_one_by_one() -> None:
    """Three of 401 mg are 1.203 g: 3.0075, so 4 minor units, not 3 × 2."""
    assert amounts(quote(inputs(items=(item(mass_mg=401, copies=3),))))["material"] == 4


@given(ANY)
def test_total_and_cost_are_exactly_what_is_shown(one: Inputs) -> None:
    result = quote(one)
    assert result.total_minor == sum(line.amount_minor for line in result.lines)
    assert result.cost == sum(term.cost for term in result.terms)
    assert all(line.amount_minor >= 0 for line in result.lines)


@given(ANY)
def test_only_whole_numbers_enter_and_leave(one: Inputs) -> None:
    result = quote(one)
    shown = [*(line.amount_minor for line in result.lines), *(term.cost for term in result.terms)]
    shown += [term.value for term in result.terms]
    shown += [result.total_minor, result.co2e_mg, result.eta_s, result.cost]
    assert all(type(number) is int for number in shown)


@given(ANY)
def test_stored_inputs_give_the_same_quote_again(one: Inputs) -> None:
    stored = json.loads(json.dumps(one.to_json()))
    again = Inputs.from_json(stored)
    assert again == one
    assert again.sha256() == one.sha256()
    assert quote(again) == quote(one)


@given(ANY, st.sampled_from(["great_circle_m", "queue_s", "failed"]))
def test_more_of_anything_never_ranks_better(one: Inputs, field: str) -> None:
    more = replace(one, **{field: getattr(one, field) + 1_000})
    assert quote(more).cost >= quote(one).cost


@given(ANY, st.sampled_from(["mass_mg", "duration_s", "copies"]))
def test_more_of_a_part_never_ranks_better(one: Inputs, field: str) -> None:
    *others, last = one.items
    more = replace(last, **{field: getattr(last, field) + 1_000})
    assert quote(replace(one, items=(*others, more))).cost >= quote(one).cost


@given(ANY)
def test_two_parts_cost_what_each_costs_but_the_carriage_once(one: Inputs) -> None:
    """And what is rounded up is rounded up once: never dearer than apart."""
    together = amounts(quote(one))
    apart = [amounts(quote(replace(one, items=(each,)))) for each in one.items]
    assert all(each["carriage"] == together["carriage"] for each in apart)
    assert together["labour"] == sum(each["labour"] for each in apart)
    for label in ("material", "machine time"):
        assert 0 <= sum(each[label] for each in apart) - together[label] < len(apart)


def test_a_line_of_several_parts_names_each_source() -> None:
    body, lid = item(part="body"), item(part="lid", mass_source="sliced")
    lines = {line.label: line.source for line in quote(inputs(items=(body, lid))).lines}
    assert lines["material"] == "body: estimated; lid: sliced"
    assert lines["machine time"] == "estimated"


@given(ANY)
def test_the_price_divides_over_the_jobs_exactly(one: Inputs) -> None:
    result = quote(one)
    lines = [(line.label, line.amount_minor) for line in result.lines]
    jobs = per_job(lines, weights=copy_weights(one))
    assert len(jobs) == one.copies
    assert sum(total(each) for each in jobs) == result.total_minor


def test_the_jobs_of_one_part_bear_the_same() -> None:
    """So an order of before, when it had one part, divides as it did."""
    assert len(set(copy_weights(inputs(items=(item(copies=7),))))) == 1


def test_inputs_of_one_part_as_they_were_stored_at_first() -> None:
    stored = inputs().to_json()
    (one,) = stored.pop("items")
    del one["part"]
    again = Inputs.from_json(json.loads(json.dumps(stored | one)))
    assert again == inputs(items=(item(part=""),))
    assert quote(again).total_minor == 2_115
    assert sha256_of(stored | one) != again.sha256()  # each form has its own name


@pytest.mark.parametrize("preset", Preset)
def test_each_preset_weighs_as_published(preset: Preset) -> None:
    weights = WEIGHTS[preset]
    terms = {term.name: term for term in quote(inputs(preset=preset.value, idle_h=5)).terms}
    assert terms["co2e"].cost == weights.co2e_per_mg * terms["co2e"].value
    assert terms["price"].cost == weights.price_per_minor * 2_115
    assert terms["lateness"].cost == weights.late_per_s * terms["lateness"].value
    assert terms["fairness"].cost == -5 * weights.idle_per_h


def winner(preset: Preset, *choices: Inputs) -> Inputs:
    return min(choices, key=lambda one: quote(replace(one, preset=preset.value)).cost)


def test_presets_choose_what_they_are_named_for() -> None:
    slow, quick = item(duration_s=40_000), item(duration_s=1_000, mass_mg=400_000)
    green = inputs(country="NO", items=(slow,), material_per_kg_minor=9_000)
    fast = inputs(country="IN", items=(quick,), mode="bicycle", great_circle_m=1_000)
    fast = replace(fast, prices=Prices(per_hour_minor=10_000, labour_minor=2_000))
    cheap = inputs(country="IN", prices=Prices(per_hour_minor=1, labour_minor=0))
    assert winner(Preset.GREENEST, green, fast, cheap) is green
    assert winner(Preset.SOONEST, green, fast, cheap) is fast
    assert winner(Preset.CHEAPEST, green, fast, cheap) is cheap


def test_the_time_until_the_maker_has_it() -> None:
    assert eta_s(inputs()) == 14_400 + HANDLING_S + PARCEL_S
    assert eta_s(inputs(bed_clear=False)) == eta_s(inputs()) + BED_WAIT_S
    assert eta_s(inputs(queue_s=77)) == eta_s(inputs()) + 77
    # A second copy waits for a person to clear the bed, and is carried together with the first.
    assert eta_s(inputs(items=(item(copies=2),))) == eta_s(inputs()) + 14_400 + BED_WAIT_S
    # 13 km at 5 km/h
    assert eta_s(inputs(mode="foot")) == 14_400 + HANDLING_S + 9_360


def test_only_what_is_late_counts() -> None:
    def late_s(late_after_s: int) -> int:
        return quote(inputs(late_after_s=late_after_s)).terms[2].value

    eta = eta_s(inputs())
    assert [late_s(eta - 1), late_s(eta), late_s(eta + 1)] == [1, 0, 0]


def test_a_deadline_gone_by_counts_from_now() -> None:
    assert late_after_s(None, NOW) == 0
    assert late_after_s(NOW - timedelta(hours=1), NOW) == 0
    assert late_after_s(NOW + timedelta(hours=1), NOW) == 3_600


def test_a_better_record_lowers_risk_and_emissions() -> None:
    new, good, bad = inputs(), inputs(passed=90), inputs(failed=90)
    risks = [quote(one).terms[3].value for one in (good, new, bad)]
    assert risks == sorted(risks)
    assert quote(good).co2e_mg < quote(new).co2e_mg < quote(bad).co2e_mg


def test_waiting_for_work_helps_only_so_long() -> None:
    costs = [quote(inputs(idle_h=hours)).cost for hours in (0, 1, MOST_IDLE_H, MOST_IDLE_H + 1)]
    assert costs[0] > costs[1] > costs[2] == costs[3]


def test_a_slice_is_compared_by_what_it_alone_changes() -> None:
    assert made_minor(inputs(), mass_mg=100_000, duration_s=14_400) == 250 + 800


@pytest.mark.parametrize("mode", Mode)
def test_the_way_is_named_in_the_price(mode: Mode) -> None:
    one: dict[str, Any] = {"mode": mode.value, "carriage": Carriage(mode=mode)}
    line = next(line for line in quote(inputs(**one)).lines if line.label == "carriage")
    assert line.source == f"by {mode.value}, 13.0 km: the workshop's price"
