"""What a page of a job, an order or a workshop shows that changes by itself, as marks to compare.

A mark is a value that differs when the page would look different: states, the newest line of the
history, progress as coarse as it is shown. Each function reads many at once.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from basis import clock
from printers.models import PrinterRow, WorkshopRow
from router.models import HappeningRow, JobRow, RunRow
from router.queries import UNFINISHED
from router.states import OPEN
from router.waiting import quiet_until

Mark: TypeAlias = tuple[object, ...]

PER_CENT_PPM = 10_000
HOLDS_C = 3
STEP_C = 5


def jobs(session: Session, ids: Collection[UUID]) -> dict[UUID, Mark]:
    """Marks of jobs, by one statement."""
    rows = session.execute(_jobs(JobRow.id).where(JobRow.id.in_(ids)))
    return {row[0]: _job_mark(row) for row in rows}


def orders(session: Session, ids: Collection[UUID]) -> dict[UUID, Mark]:
    """Marks of orders, by one statement: those of all their jobs."""
    rows = session.execute(_jobs(JobRow.order_id).where(JobRow.order_id.in_(ids)))
    return _joined((row[0], _job_mark(row)) for row in rows)


def workshops(session: Session, ids: Collection[UUID]) -> dict[UUID, Mark]:
    """Marks of workshops, by three statements: their printers, which of these keep quiet hours now,
    and the jobs they still owe."""
    printers = session.execute(
        select(
            PrinterRow.workshop_id,
            PrinterRow.id,
            PrinterRow.bed,
            PrinterRow.duty,
            PrinterRow.machine_state,
            PrinterRow.change,
            PrinterRow.seen_at,
            PrinterRow.bed_changed_at,
        )
        .where(PrinterRow.workshop_id.in_(ids))
        .order_by(PrinterRow.id)
    ).all()
    now = clock.now()
    quiet = quiet_until(session, [row[1] for row in printers], now=now)
    machines = _joined(
        (row[0], (*row[:-2], quiet.get(row[1]), *_minutes(row[-2:], now))) for row in printers
    )
    owed = session.execute(
        _jobs(WorkshopRow.id)
        .join(PrinterRow, PrinterRow.id == JobRow.printer_id)
        .join(WorkshopRow, WorkshopRow.id == PrinterRow.workshop_id)
        .where(WorkshopRow.id.in_(ids), JobRow.state.in_(UNFINISHED))
    )
    work = _joined((row[0], _job_mark(row)) for row in owed)
    return {each: (machines.get(each), work.get(each)) for each in ids}


def _minutes(moments: Iterable[datetime | None], now: datetime) -> Iterator[int | None]:
    """Whole minutes since each moment, up to an hour: silence changes a page, though nobody writes
    it down. An agent that speaks keeps its minutes at 0."""
    for at in moments:
        yield None if at is None else min(60, int((now - at).total_seconds()) // 60)


def _jobs(group: InstrumentedAttribute[UUID]) -> Select[*tuple[Any, ...]]:
    """Of jobs, by what they are grouped by: all that their pages show."""
    newest = (
        select(func.max(HappeningRow.id))
        .where(HappeningRow.job_id == JobRow.id)
        .correlate(JobRow)
        .scalar_subquery()
    )
    return (
        select(
            group,
            JobRow.id,
            JobRow.state,
            newest,
            RunRow.state,
            RunRow.stop_asked,
            RunRow.photo_sha256,
            RunRow.waits_for,
            RunRow.layer,
            RunRow.nozzle_c,
            RunRow.nozzle_target_c,
            RunRow.bed_c,
            RunRow.bed_target_c,
            RunRow.progress_ppm,
            RunRow.seconds_left,
        )
        .outerjoin(RunRow, (RunRow.job_id == JobRow.id) & RunRow.state.in_(OPEN))
        .order_by(JobRow.id)
    )


def _job_mark(row: Sequence[Any]) -> Mark:
    """A job's mark; per cent and minutes, so that a beat which shows nothing new wakes nobody."""
    *states, nozzle_c, nozzle_target_c, bed_c, bed_target_c, progress_ppm, seconds_left = row[1:]
    minutes_left = None if seconds_left is None else (seconds_left + 30) // 60
    heat = (_heat(nozzle_c, nozzle_target_c), _heat(bed_c, bed_target_c))
    return (*states, heat, (progress_ppm or 0) // PER_CENT_PPM, minutes_left)


def _heat(actual_c: int | None, target_c: int | None) -> Mark:
    """A heater that warms up wakes a page every few degrees, one that holds its heat does not."""
    if actual_c is None:
        return (None, target_c)
    there = target_c is not None and abs(actual_c - target_c) <= HOLDS_C
    return ("there" if there else actual_c // STEP_C, target_c)


def _joined(marks: Iterable[tuple[UUID, Mark]]) -> dict[UUID, Mark]:
    """Marks of many rows by what they belong to."""
    found: dict[UUID, Mark] = {}
    for group, mark in marks:
        found[group] = (*found.get(group, ()), mark)
    return found
