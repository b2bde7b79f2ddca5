"""A price divides exactly, whatever its lines and however many copies share it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis.errors import Invalid
from commons.settlement import CONTRIBUTION, Share, money_unit, per_job, shares, total

prices = st.lists(
    st.tuples(
        st.sampled_from(["material", "machine time", "carriage", CONTRIBUTION]),
        st.integers(0, 10**9),
    ),
    max_size=6,
)


@given(prices, st.lists(st.integers(0, 10**15), min_size=1, max_size=60))
def test_nothing_is_lost_between_jobs_and_accounts(
    lines: list[tuple[str, int]], weights: list[int]
) -> None:
    parts = per_job(lines, weights=weights)
    assert len(parts) == len(weights)
    used = weights if any(weights) else [1] * len(weights)
    for n, line in enumerate(lines):
        amounts = [part[n][1] for part in parts]
        assert sum(amounts) == line[1]
        for amount, weight in zip(amounts, used, strict=True):
            assert abs(amount * sum(used) - line[1] * weight) < sum(used)
    got = [share for part in parts for share in shares(part, workshop_id=1, design_id=88)]
    assert sum(share.amount_minor for share in got) == total(lines)
    design = sum(share.amount_minor for share in got if share.account == "design:88")
    assert design == sum(amount for label, amount in lines if label == CONTRIBUTION)


def test_a_price_by_hand() -> None:
    lines = [("material", 500), ("machine time", 201), (CONTRIBUTION, 71)]
    first, second = per_job(lines, weights=[1, 1])
    assert first == (("material", 250), ("machine time", 101), (CONTRIBUTION, 36))
    assert shares(second, workshop_id=1, design_id=88) == (
        Share("workshop:1", 350, "material, machine time"),
        Share("design:88", 35, CONTRIBUTION),
    )


@pytest.mark.parametrize(
    ("currency", "unit"), [("EUR", "EUR-cent"), ("JPY", "JPY-minor"), ("HOUR", "s")]
)
def test_units_of_money(currency: str, unit: str) -> None:
    assert money_unit(currency) == unit


@pytest.mark.parametrize("currency", ["eur", "EURO", "", "EU1"])
def test_no_unit_for_what_is_no_currency(currency: str) -> None:
    with pytest.raises(Invalid):
        money_unit(currency)


def test_a_price_below_zero_or_for_nobody_is_refused() -> None:
    with pytest.raises(Invalid):
        per_job([("material", -1)], weights=[1])
    with pytest.raises(Invalid):
        per_job([("material", 1)], weights=[1, -1])
    with pytest.raises(Invalid):
        per_job([], weights=[])


def test_a_heavy_job_bears_more_than_a_light_one() -> None:
    lines = [("material", 100), ("carriage", 10)]
    heavy, light, free = per_job(lines, weights=[3, 1, 0])
    assert heavy == (("material", 75), ("carriage", 8))  # 7.5 and 2.5: the earlier gets the rest
    assert light == (("material", 25), ("carriage", 2))
    assert free == (("material", 0), ("carriage", 0))
