"""Quiet hours by a workshop's own clock, also where clocks are turned."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis.errors import Invalid
from printers.hours import DAYS
from printers.quiet import Quiet, delay_s, ends, said, start_after

BERLIN = "Europe/Berlin"
NIGHTS = dict.fromkeys(DAYS, "22–7")
H = 3_600


def at(text: str, zone: str = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def night(*, must_be_over: bool = False) -> Quiet:
    quiet = said(NIGHTS, must_be_over=must_be_over)
    assert quiet is not None
    return quiet


@pytest.mark.parametrize(
    ("now", "over"),
    [
        ("2026-05-04 21:59", None),
        ("2026-05-04 22:00", "2026-05-05 07:00"),
        ("2026-05-05 03:00", "2026-05-05 07:00"),
        ("2026-05-05 07:00", None),
    ],
)
def test_a_night_belongs_to_the_day_it_begins_on(now: str, over: str | None) -> None:
    assert ends(night(), BERLIN, at(now)) == (at(over) if over else None)


def test_it_is_the_clock_of_the_workshop() -> None:
    moment = at("2026-05-04 23:00")
    assert ends(night(), BERLIN, moment) is not None
    assert ends(night(), "Asia/Seoul", moment) is not None  # 06:00 there
    assert ends(night(), "America/New_York", moment) is None  # 17:00 there


def test_spans_that_touch_are_one() -> None:
    quiet = said({"sat": "20–24", "sun": "0:00–24:00", "mon": "0–6:30"}, must_be_over=False)
    assert ends(quiet, BERLIN, at("2026-05-09 21:00")) == at("2026-05-11 06:30")


def test_a_print_may_run_through_or_must_be_over() -> None:
    evening = at("2026-05-04 20:00")
    assert start_after(night(), BERLIN, evening, duration_s=5 * H) == evening
    strict = night(must_be_over=True)
    assert start_after(strict, BERLIN, evening, duration_s=2 * H) == evening
    morning = at("2026-05-05 07:00")
    assert start_after(strict, BERLIN, evening, duration_s=2 * H + 1) == morning
    assert start_after(strict, BERLIN, evening, duration_s=15 * H) == morning
    assert start_after(strict, BERLIN, evening, duration_s=15 * H + 1) is None
    weekdays = said(dict.fromkeys(DAYS[:5], "22–7"), must_be_over=True)
    # On Wednesday it waits for the weekend: Saturday at seven until Monday at ten in the evening.
    assert start_after(weekdays, BERLIN, at("2026-05-06 12:00"), duration_s=40 * H) == at(
        "2026-05-09 07:00"
    )


def test_without_quiet_hours_everything_may_start() -> None:
    moment = at("2026-05-04 23:00")
    for none in (None, Quiet(), Quiet(must_be_over=True)):
        assert ends(none, BERLIN, moment) is None
        assert start_after(none, BERLIN, moment, duration_s=10**7) == moment
        assert delay_s(none, BERLIN, moment, durations_s=[10**7] * 100, between_s=0) == 0
    assert said({"mon": " "}, must_be_over=True) is None


def test_a_night_in_which_clocks_are_turned_is_an_hour_shorter_or_longer() -> None:
    # 2026-03-29 02:00 → 03:00, 2026-10-25 03:00 → 02:00.
    spring = ends(night(), BERLIN, at("2026-03-28 22:00"))
    assert spring is not None and spring - at("2026-03-28 22:00") == timedelta(hours=8)
    autumn = ends(night(), BERLIN, at("2026-10-24 22:00"))
    assert autumn is not None and autumn - at("2026-10-24 22:00") == timedelta(hours=10)


def test_a_time_that_there_is_twice_or_never_makes_the_quiet_longer_not_shorter() -> None:
    small = said({"sun": "0–2:30"}, must_be_over=False)
    twice = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo(BERLIN), fold=1).astimezone(UTC)
    assert ends(small, BERLIN, at("2026-10-25 01:00")) == twice
    never = ends(small, BERLIN, at("2026-03-29 01:00"))
    assert never == at("2026-03-29 03:30")
    from_then = said({"sun": "2:30–5"}, must_be_over=False)
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo(BERLIN), fold=0).astimezone(UTC)
    assert ends(from_then, BERLIN, first) is not None
    assert ends(from_then, BERLIN, first - timedelta(seconds=1)) is None


def test_copies_wait_one_after_the_other() -> None:
    # 3 h each, two hours between: 12–15, 17–20, then the third must wait for the morning.
    strict, noon = night(must_be_over=True), at("2026-05-04 12:00")
    assert delay_s(strict, BERLIN, noon, durations_s=[3 * H] * 2, between_s=2 * H) == 0
    waited = delay_s(strict, BERLIN, noon, durations_s=[3 * H] * 3, between_s=2 * H)
    assert waited == 9 * H
    assert delay_s(strict, BERLIN, noon, durations_s=[16 * H], between_s=0) is None


@pytest.mark.parametrize(
    "days",
    [
        {"mon": "22"},
        {"mon": "25–7"},
        {"mon": "22:60–7"},
        {"mon": "7–7"},
        {"someday": "22–7"},
        {"mon": "1–2, 3–4, 5–6, 7–8"},
        dict.fromkeys(DAYS, "0–24"),
        dict.fromkeys(DAYS, "0–12, 12:30–24"),
    ],
)
def test_what_is_no_quiet_time_is_refused(days: dict[str, str]) -> None:
    with pytest.raises(Invalid, match="quiet hours"):
        said(days, must_be_over=False)


@pytest.mark.parametrize("data", [{"days": 1}, {"days": {"mon": 5}}, {"nights": {}}])
def test_what_a_program_says_is_checked(data: dict[str, object]) -> None:
    with pytest.raises(Invalid, match="quiet hours"):
        Quiet.from_json(data)


def test_it_is_read_back_as_it_was_said() -> None:
    quiet = said(
        {"fri": "22–7", "sun": "0–24", "mon": "12:00-13:00,  22:15 to 24"}, must_be_over=True
    )
    assert quiet is not None
    assert quiet.to_json() == {
        "days": {"mon": "12:00–13:00, 22:15–24:00", "fri": "22:00–07:00", "sun": "00:00–24:00"},
        "must_be_over": True,
    }
    assert Quiet.from_json(quiet.to_json()) == quiet


SPANS = st.dictionaries(
    st.sampled_from(DAYS), st.sampled_from(["22–7", "0–5", "12–13, 23–4", "0–24"]), max_size=6
)


@given(
    days=SPANS,
    zone=st.sampled_from([BERLIN, "Asia/Seoul", "Australia/Lord_Howe", "America/St_Johns"]),
    minute=st.integers(0, 366 * 24 * 60),
    duration_s=st.integers(1, 200_000),
    must_be_over=st.booleans(),
)
def test_whatever_may_start_is_never_in_quiet_hours(
    days: dict[str, str], zone: str, minute: int, duration_s: int, must_be_over: bool
) -> None:
    quiet = said(days, must_be_over=must_be_over)
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    start = start_after(quiet, zone, now, duration_s=duration_s)
    if start is None:
        assert quiet is not None and quiet.must_be_over
        return
    assert start >= now
    assert ends(quiet, zone, start) is None
    assert start == now or ends(quiet, zone, start - timedelta(seconds=1)) is not None
    if must_be_over:
        for part in range(0, duration_s, 600):
            assert ends(quiet, zone, start + timedelta(seconds=part)) is None
