"""What a workshop says of a printer's service: its duty, its quiet hours, and its upkeep.

Nothing here stops a print that is under way: that is `router.jobs.cancel`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from basis.errors import Invalid
from printers.models import PrinterRow, UpkeepRow, WorkshopRow
from printers.offer import Duty
from printers.quiet import Quiet
from printers.registry import MOST_NOTE, noted, touched

MOST_TASK = 80
MOST_HOURS = 100_000
MOST_PIECES = 100
"""Copies on one plate."""

HOUR_S = 3_600

NOTES = {
    Duty.OPEN: "opened",
    Duty.PAUSED: "paused",
    Duty.DRAINING: "draining",
    Duty.MAINTENANCE: "maintenance",
}
"""How each duty stands in the printer's own record."""


def set_duty(
    session: Session, *, printer_id: UUID, duty: Duty, by: UUID, now: datetime, because: str = ""
) -> None:
    """Say what a printer does from now on, and why. It stands in the printer's own record."""
    if len(because) > MOST_NOTE:
        raise Invalid(f"say why in at most {MOST_NOTE} characters")
    why = "" if duty is Duty.OPEN else because.strip()
    session.execute(
        update(PrinterRow)
        .where(PrinterRow.id == printer_id)
        .values(duty=duty, accepting=duty is Duty.OPEN, paused_because=why)
    )
    noted(session, printer_id=printer_id, by=by, what=NOTES[duty], now=now, note=because.strip())
    touched(session, printer_id)


def set_quiet(
    session: Session, row: PrinterRow, quiet: Quiet | None, *, by: UUID, now: datetime
) -> None:
    """Give a printer quiet hours of its own, or those of its workshop again with None."""
    said = None if quiet is None else quiet.to_json()
    if said == row.quiet:
        return
    row.quiet = said
    noted(session, printer_id=row.id, by=by, what="quiet", now=now, note=words_of(quiet))
    touched(session, row.id)


def set_plates(
    session: Session, row: PrinterRow, most_pieces: int, *, by: UUID, now: datetime
) -> None:
    """Let a printer print up to so many copies of a part together, from the next quote on. Raises
    Invalid."""
    if not 1 <= most_pieces <= MOST_PIECES:
        raise Invalid(f"copies on a plate: 1 to {MOST_PIECES}, got {most_pieces}")
    if most_pieces == row.most_pieces:
        return
    row.most_pieces = most_pieces
    noted(session, printer_id=row.id, by=by, what="plates", now=now, note=str(most_pieces))
    touched(session, row.id)


def words_of(quiet: Quiet | None) -> str:
    """Quiet hours in one line of a printer's record."""
    if quiet is None:
        return ""
    days = ", ".join(f"{day} {text}" for day, text in quiet.to_json()["days"].items())
    return days or "–"


def worked(session: Session, *, printer_id: UUID, seconds: int) -> None:
    """A run of it ended after so long: upkeep is counted by that."""
    session.execute(
        update(PrinterRow)
        .where(PrinterRow.id == printer_id)
        .values(printed_s=PrinterRow.printed_s + seconds)
    )


def maintained(
    session: Session,
    row: PrinterRow,
    *,
    task: str,
    by: UUID,
    now: datetime,
    note: str = "",
    again_hours: int | None = None,
    again_on: date | None = None,
) -> UpkeepRow:
    """Something was done to a printer, and may be due again after so many hours of printing, on a
    day, or whichever comes first. Raises Invalid."""
    named = " ".join(task.split())
    if not 1 <= len(named) <= MOST_TASK:
        raise Invalid(f"say what was done in 1 to {MOST_TASK} characters")
    if len(note) > MOST_NOTE:
        raise Invalid(f"a note has at most {MOST_NOTE} characters")
    if again_hours is not None and not 1 <= again_hours <= MOST_HOURS:
        raise Invalid(f"due again after 1 to {MOST_HOURS:,} hours of printing, got {again_hours}")
    if again_on is not None and again_on <= today(row.workshop, now):
        raise Invalid(f"due again on a day to come, got {again_on}")
    done = UpkeepRow(
        printer_id=row.id,
        at=now,
        by=by,
        task=named,
        note=note.strip(),
        printed_s=row.printed_s,
        due_printed_s=None if again_hours is None else row.printed_s + again_hours * HOUR_S,
        due_on=again_on,
    )
    session.add(done)
    touched(session, row.id)
    session.flush()
    return done


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The last time that one task was done, and how it stands with the next."""

    last: UpkeepRow
    since_s: int
    """Printed since then."""
    due: bool


def tasks_of(
    session: Session, printers: Collection[PrinterRow], *, now: datetime
) -> dict[UUID, list[Task]]:
    """The tasks of some printers, what is due first, by one statement; their workshops must be
    loaded."""
    rows = {row.id: row for row in printers}
    newest = (
        select(func.max(UpkeepRow.id))
        .where(UpkeepRow.printer_id.in_(rows))
        .group_by(UpkeepRow.printer_id, UpkeepRow.task)
    )
    found: dict[UUID, list[Task]] = {each: [] for each in rows}
    asked = select(UpkeepRow).where(UpkeepRow.id.in_(newest)).order_by(UpkeepRow.task)
    for last in session.scalars(asked):
        row = rows[last.printer_id]
        found[row.id].append(_standing(last, row, now=now))
    return {each: sorted(tasks, key=lambda task: not task.due) for each, tasks in found.items()}


def log_of(session: Session, printer_id: UUID, *, most: int = 30) -> list[UpkeepRow]:
    """What was done to a printer, the youngest line first."""
    asked = select(UpkeepRow).where(UpkeepRow.printer_id == printer_id)
    return list(session.scalars(asked.order_by(UpkeepRow.id.desc()).limit(most)))


def today(workshop: WorkshopRow, now: datetime) -> date:
    """The day it is at a workshop."""
    return now.astimezone(ZoneInfo(workshop.time_zone)).date()


def _standing(last: UpkeepRow, row: PrinterRow, *, now: datetime) -> Task:
    by_hours = last.due_printed_s is not None and row.printed_s >= last.due_printed_s
    by_day = last.due_on is not None and today(row.workshop, now) >= last.due_on
    return Task(last=last, since_s=max(0, row.printed_s - last.printed_s), due=by_hours or by_day)
