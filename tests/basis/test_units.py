"""Whole numbers: rounded once, divided exactly."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis.clock import iso
from basis.units import ceil_div, split


@given(st.integers(), st.integers(min_value=1))
def test_ceil_div_is_the_least_that_covers(numerator: int, denominator: int) -> None:
    result = ceil_div(numerator, denominator)
    assert (result - 1) * denominator < numerator <= result * denominator


def test_ceil_div_needs_a_positive_denominator() -> None:
    with pytest.raises(ValueError, match="positive"):
        ceil_div(1, 0)


@given(
    st.integers(0, 10**12),
    st.lists(st.integers(0, 10**6), min_size=1).filter(lambda weights: sum(weights) > 0),
)
def test_shares_sum_to_the_total_and_stay_within_one(total: int, weights: list[int]) -> None:
    shares = split(total, weights)
    assert sum(shares) == total
    for share, weight in zip(shares, weights, strict=True):
        exact = total * weight
        assert exact // sum(weights) <= share <= ceil_div(exact, sum(weights))


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        (10, [1, 1, 1], [4, 3, 3]),
        (10_000, [1, 1_000], [10, 9_990]),
        (5, [0, 0], [0, 0]),
        (0, [3, 4], [0, 0]),
    ],
)
def test_known_splits(total: int, weights: list[int], shares: list[int]) -> None:
    assert split(total, weights) == shares


def test_negative_things_are_not_split() -> None:
    with pytest.raises(ValueError, match="negative"):
        split(1, [2, -1])


def test_times_are_written_in_utc_with_a_fixed_width() -> None:
    moment = datetime(2026, 3, 1, 9, 5, tzinfo=timezone(timedelta(hours=9)))
    assert iso(moment) == "2026-03-01T00:05:00.000000Z"
    with pytest.raises(ValueError, match="no time zone"):
        iso(datetime(2026, 3, 1))  # noqa: DTZ001 - the point of the test
