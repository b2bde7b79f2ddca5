"""Time enters the program here and nowhere else; every other function takes `now`."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, UTC."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """An aware moment as fixed-width UTC text: `2026-03-01T10:15:00.000000Z`.

    Raises ValueError for a naive moment: guessing its zone would falsify a record.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
