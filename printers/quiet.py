"""Quiet hours: when no print may start, by the workshop's own clock. Pure.

A span belongs to the day on which it begins and may end on the next. Where a clock is turned, a
span is as long as its words can mean: in doubt it is quiet.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Self
from zoneinfo import ZoneInfo

from basis.errors import Invalid
from printers.hours import DAYS, MOST_SPANS, SPAN

DAY_MIN = 24 * 60
WEEK_MIN = 7 * DAY_MIN
LEAST_FREE_MIN = 60
"""In a week at least so long a time without a break must stay free, or nothing is ever printed."""

AHEAD_DAYS = 16
"""Two weeks and a bit: whatever fits at all fits within them, for every week is alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """When no print starts. Raises Invalid when a week would leave no time to print."""

    spans: tuple[tuple[int, int, int], ...] = ()
    """(weekday from 0 for Monday, begin, end) in minutes of that day's midnight; the end may lie on
    the next day. None: no quiet hours, whatever the workshop has."""
    must_be_over: bool = False
    """A print that would still run when they begin does not start either."""

    def __post_init__(self) -> None:
        if _longest_free_min(self.spans) < LEAST_FREE_MIN:
            raise Invalid(
                f"quiet hours: leave at least {LEAST_FREE_MIN} minutes of the week without a break"
            )

    def to_json(self) -> dict[str, Any]:
        """For the row, and for programs: `{"days": {"fri": "22:00–07:00"}, "must_be_over": …}`."""
        days: dict[str, str] = {}
        for weekday, begins, ends in self.spans:
            day, text = DAYS[weekday], f"{_clock(begins)}–{_clock(ends, end=True)}"
            days[day] = f"{days[day]}, {text}" if day in days else text
        return {"days": days, "must_be_over": self.must_be_over}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read it back, or from a person. Raises Invalid."""
        if unknown := sorted(set(data) - {"days", "must_be_over"}):
            raise Invalid(f"quiet hours: unknown {', '.join(map(repr, unknown))}")
        days, must_be_over = data.get("days", {}), data.get("must_be_over", False)
        if not isinstance(days, Mapping) or not isinstance(must_be_over, bool):
            raise Invalid("quiet hours: days is an object by weekday, must_be_over true or false")
        return cls(spans=_spans(days), must_be_over=must_be_over)


def said(days: Mapping[str, str], *, must_be_over: bool) -> Quiet | None:
    """What a person typed, by `DAYS`: `22–7`, `0–6:30, 22:00–24:00`; None when it is nothing."""
    spans = _spans({day: text for day, text in days.items() if text.strip()})
    return Quiet(spans=spans, must_be_over=must_be_over) if spans else None


def ends(quiet: Quiet | None, zone: str, at: datetime) -> datetime | None:
    """When the quiet hours are over that hold at this moment; None when none do."""
    for begins, over in _around(quiet, zone, at):
        if begins <= at < over:
            return over
    return None


def start_after(
    quiet: Quiet | None, zone: str, at: datetime, *, duration_s: int
) -> datetime | None:
    """The first moment from `at` on when a print that lasts so long may start; None when it never
    fits between quiet hours that it must not run into."""
    if quiet is None or not quiet.spans:
        return at
    moment = at
    for begins, over in _around(quiet, zone, at):
        if over <= moment:
            continue
        fits = moment + timedelta(seconds=duration_s) <= begins
        if begins > moment and (fits or not quiet.must_be_over):
            return moment
        moment = over
    return None


def delay_s(
    quiet: Quiet | None, zone: str, at: datetime, *, durations_s: Iterable[int], between_s: int
) -> int | None:
    """How much later the last of some prints, one after the other, ends because of quiet hours;
    None when one never fits between them."""
    if quiet is None or not quiet.spans:
        return 0
    moment, waited = at, timedelta()
    for duration_s in durations_s:
        start = start_after(quiet, zone, moment, duration_s=duration_s)
        if start is None:
            return None
        waited += start - moment
        moment = start + timedelta(seconds=duration_s + between_s)
    return round(waited.total_seconds())


def _around(quiet: Quiet | None, zone: str, at: datetime) -> tuple[tuple[datetime, datetime], ...]:
    if quiet is None or not quiet.spans:
        return ()
    return _windows(quiet.spans, zone, at.astimezone(ZoneInfo(zone)).date())


@lru_cache(maxsize=512)
def _windows(
    spans: tuple[tuple[int, int, int], ...], zone: str, today: date
) -> tuple[tuple[datetime, datetime], ...]:
    """The quiet times from yesterday on, in order; those that touch are one. Kept for the day, for
    a thousand printers of one workshop ask the same."""
    found = sorted(
        (_moment(day, begins, zone, latest=False), _moment(day, ends, zone, latest=True))
        for day in (today + timedelta(days=number) for number in range(-1, AHEAD_DAYS))
        for weekday, begins, ends in spans
        if weekday == day.weekday()
    )
    joined: list[tuple[datetime, datetime]] = []
    for begins_at, ends_at in found:
        if joined and begins_at <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], ends_at))
        else:
            joined.append((begins_at, ends_at))
    return tuple(joined)


def _moment(day: date, minutes: int, zone: str, *, latest: bool) -> datetime:
    """A time of day in UTC. One that there is twice, or not at all, is the later or earlier of what
    it can mean."""
    day += timedelta(days=minutes // DAY_MIN)
    hour, minute = divmod(minutes % DAY_MIN, 60)
    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone))
    both = [local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
    return max(both) if latest else min(both)


def _spans(days: Mapping[str, Any]) -> tuple[tuple[int, int, int], ...]:
    if unknown := sorted(set(days) - set(DAYS)):
        raise Invalid(f"quiet hours: no day {', '.join(map(repr, unknown))}")
    return tuple(
        span
        for weekday, day in enumerate(DAYS)
        for span in _of_day(weekday, day, days.get(day, ""))
    )


def _of_day(weekday: int, day: str, text: Any) -> list[tuple[int, int, int]]:
    if not isinstance(text, str):
        raise Invalid(f"quiet hours, {day}: say it as text, 22:00–07:00")
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if len(parts) > MOST_SPANS:
        raise Invalid(f"quiet hours, {day}: at most {MOST_SPANS} spans a day")
    return [(weekday, *_span(part, day)) for part in parts]


def _span(text: str, day: str) -> tuple[int, int]:
    found = SPAN.fullmatch(text)
    if found is None:
        raise Invalid(f"quiet hours, {day}: {text[:40]!r} is not a span such as 22:00–07:00")
    begins = int(found[1]) * 60 + int(found[2] or 0)
    ends = int(found[3]) * 60 + int(found[4] or 0)
    wrong_minute = max(int(found[2] or 0), int(found[4] or 0)) > 59
    if wrong_minute or begins >= DAY_MIN or ends > DAY_MIN or begins == ends:
        raise Invalid(f"quiet hours, {day}: {text[:40]!r} is not a span such as 22:00–07:00")
    return begins, ends if ends > begins else ends + DAY_MIN


def _clock(minutes: int, *, end: bool = False) -> str:
    if not (end and minutes == DAY_MIN):
        minutes %= DAY_MIN
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _longest_free_min(spans: tuple[tuple[int, int, int], ...]) -> int:
    """The longest time in a week, Monday following Sunday, that no span covers."""
    if not spans:
        return WEEK_MIN
    begun = sorted((day * DAY_MIN + begins, day * DAY_MIN + ends) for day, begins, ends in spans)
    again = [(begins + WEEK_MIN, ends + WEEK_MIN) for begins, ends in begun]
    free, until = 0, begun[0][1]
    for begins, ends in (*begun, *again):
        free, until = max(free, begins - until), max(until, ends)
    return free
