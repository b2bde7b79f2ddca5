"""When somebody is at a workshop: for people to read, nothing is computed from it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from basis.errors import Invalid

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_CHARS = 300
SPAN = re.compile(r"([0-9]{1,2})(?:[:.]([0-9]{2}))?\s*(?:-|–|to)\s*([0-9]{1,2})(?:[:.]([0-9]{2}))?")
MOST_SPANS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """A sentence, and per weekday the opening in the workshop's own time, `09:00–17:00`."""

    text: str = ""
    days: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.text) > MOST_CHARS:
            raise Invalid(f"hours: at most {MOST_CHARS} characters")
        if unknown := set(self.days) - set(DAYS):
            raise Invalid(f"hours: no day {', '.join(sorted(map(repr, unknown)))}")

    def to_json(self) -> dict[str, Any]:
        """For the row."""
        return {"text": self.text, "days": dict(self.days)}


def hours_of(stored: Mapping[str, Any] | None) -> Hours | None:
    """What a row says, or nothing."""
    return None if stored is None else Hours(text=stored["text"], days=stored["days"])


def said(text: str, days: Mapping[str, str]) -> Hours | None:
    """What a person typed, each opening in one form; None when it is nothing.

    days : by `DAYS`; `9-17`, `9:00–12:30, 14–18`, or nothing for a closed day. Raises Invalid.
    """
    spoken = {day: _spans(days[day].strip(), day) for day in DAYS if days.get(day, "").strip()}
    if not text.strip() and not spoken:
        return None
    return Hours(text=text.strip(), days=spoken)


def _spans(text: str, day: str) -> str:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MOST_SPANS:
        raise Invalid(f"hours, {day}: at most {MOST_SPANS} openings a day")
    return ", ".join(_span(part, day) for part in parts)


def _span(text: str, day: str) -> str:
    found = SPAN.fullmatch(text)
    if found is None:
        raise Invalid(f"hours, {day}: {text[:40]!r} is not an opening such as 9:00–17:30")
    begins = int(found[1]) * 60 + int(found[2] or 0)
    ends = int(found[3]) * 60 + int(found[4] or 0)
    wrong_minute = max(int(found[2] or 0), int(found[4] or 0)) > 59
    if wrong_minute or not begins < ends <= 24 * 60:
        raise Invalid(f"hours, {day}: {text[:40]!r} does not end after it begins, on one day")
    return f"{begins // 60:02d}:{begins % 60:02d}–{ends // 60:02d}:{ends % 60:02d}"
