"""Reading orders and jobs with all that belongs to them, in a fixed number of statements."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from basis.errors import NotFound
from designs import queries as designs
from printers import queries as printers
from printers.models import PrinterRow, SpoolRow, WorkshopRow
from router.models import (
    NEEDED_MG,
    NEEDED_S,
    HappeningRow,
    JobRow,
    OrderRow,
    QuoteItemRow,
    QuoteRow,
    RunRow,
)
from router.states import OPEN, Job

UNFINISHED = frozenset(Job) - {Job.DONE, Job.CANCELLED, Job.UNROUTABLE}
"""Jobs of which something is still owed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStory:
    """A job, where it is made, what of, and everything that happened to it."""

    job: JobRow
    order: OrderRow
    quote: QuoteRow
    printer: PrinterRow
    design_id: int
    design_title: str
    commit: str
    part: str
    part_id: int
    part_name: str
    design_slug: str
    design_owner: UUID
    history: list[HappeningRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterWork:
    """What a printer is busy with, and how much waits for it."""

    job: UUID | None
    run_state: str | None
    waiting: int


def job_story(session: Session, job_id: UUID) -> JobStory:
    """Everything about one job. Raises NotFound."""
    asked = (
        select(JobRow)
        .where(JobRow.id == job_id)
        .options(
            joinedload(JobRow.order).joinedload(OrderRow.quote).joinedload(QuoteRow.items),
            joinedload(JobRow.item),
            selectinload(JobRow.runs),
        )
    )
    job = session.scalars(asked).unique().one_or_none()
    if job is None:
        raise NotFound(f"there is no job {job_id}")
    part, version, design = designs.part(session, job.item.part_id)
    history = session.scalars(
        select(HappeningRow).where(HappeningRow.job_id == job_id).order_by(HappeningRow.id)
    )
    return JobStory(
        job=job,
        order=job.order,
        quote=job.order.quote,
        printer=printers.printer(session, job.printer_id),
        design_id=design.id,
        design_title=design.title,
        commit=version.commit,
        part=part.slug,
        part_id=part.id,
        part_name=part.name,
        design_slug=design.slug,
        design_owner=design.owner_id,
        history=list(history),
    )


def quote(session: Session, quote_id: UUID, *, maker_id: UUID | None) -> QuoteRow:
    """A quote, with its parts, that a maker may order by: theirs, or one that nobody in particular
    asked for. Raises NotFound."""
    row = session.get(QuoteRow, quote_id, options=[selectinload(QuoteRow.items)])
    if row is None or row.maker_id not in (None, maker_id):
        raise NotFound(f"there is no quote {quote_id} of yours")
    return row


def ordered_by(session: Session, quote_id: UUID, *, maker_id: UUID | None) -> UUID | None:
    """The order that a maker made by a quote, if there is one."""
    asked = select(OrderRow.id).where(OrderRow.quote_id == quote_id, OrderRow.maker_id == maker_id)
    return session.scalar(asked.limit(1))


_WITH_JOBS = (
    joinedload(OrderRow.quote).selectinload(QuoteRow.items),
    selectinload(OrderRow.jobs).joinedload(JobRow.item),
)
"""An order with its quote, the parts of it and its jobs, by three statements."""


def orders_of(session: Session, maker_id: UUID, *, most: int = 50) -> list[OrderRow]:
    """A maker's orders with their quotes and jobs, the newest first."""
    return list(
        session.scalars(
            select(OrderRow)
            .where(OrderRow.maker_id == maker_id)
            .options(*_WITH_JOBS)
            .order_by(OrderRow.created_at.desc(), OrderRow.id)
            .limit(most)
        )
    )


def order_by_id(session: Session, order_id: UUID) -> OrderRow:
    """One order with its quote and jobs. Raises NotFound."""
    row = session.scalar(select(OrderRow).where(OrderRow.id == order_id).options(*_WITH_JOBS))
    if row is None:
        raise NotFound(f"there is no order {order_id}")
    return row


def open_runs(session: Session, job_ids: Collection[UUID]) -> dict[UUID, RunRow]:
    """The open run of each job that has one, by one statement."""
    rows = session.scalars(select(RunRow).where(RunRow.job_id.in_(job_ids), RunRow.state.in_(OPEN)))
    return {row.job_id: row for row in rows}


def history_of(
    session: Session, job_ids: Collection[UUID], *, most: int = 100
) -> list[HappeningRow]:
    """The newest lines of the histories of many jobs, the newest first."""
    return list(
        session.scalars(
            select(HappeningRow)
            .where(HappeningRow.job_id.in_(job_ids))
            .order_by(HappeningRow.id.desc())
            .limit(most)
        )
    )


def unfinished_of(session: Session, account_id: UUID) -> int:
    """How many jobs somebody still waits for or owes, as maker or as workshop."""
    asked = (
        select(func.count())
        .select_from(JobRow)
        .join(OrderRow, OrderRow.id == JobRow.order_id)
        .join(PrinterRow, PrinterRow.id == JobRow.printer_id)
        .join(WorkshopRow, WorkshopRow.id == PrinterRow.workshop_id)
        .where(
            JobRow.state.in_(UNFINISHED),
            or_(OrderRow.maker_id == account_id, WorkshopRow.owner_id == account_id),
        )
    )
    return session.scalar(asked) or 0


def jobs_of(session: Session, order_id: UUID) -> list[UUID]:
    """The jobs of one order, by part and copy; none for an order that there is not."""
    asked = select(JobRow.id).where(JobRow.order_id == order_id)
    asked = asked.order_by(JobRow.number)
    return list(session.scalars(asked))


def open_jobs(
    session: Session, printer_ids: Collection[UUID], *, most: int = 200
) -> list[tuple[JobRow, RunRow | None, int]]:
    """(job, its open run, part id) of what the printers still owe, the oldest first, by one
    statement."""
    rows = session.execute(
        select(JobRow, RunRow, QuoteItemRow.part_id)
        .join(QuoteItemRow, QuoteItemRow.id == JobRow.item_id)
        .outerjoin(RunRow, (RunRow.job_id == JobRow.id) & RunRow.state.in_(OPEN))
        .where(JobRow.printer_id.in_(printer_ids), JobRow.state.in_(UNFINISHED))
        .order_by(JobRow.created_at, JobRow.id)
        .limit(most)
    )
    return [(row[0], row[1], row[2]) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A job that a printer still owes, as its board shows it."""

    job: JobRow
    run: RunRow | None
    """Its open run."""
    part_id: int
    maker_id: UUID
    copies: int
    """Of its part."""
    mass_mg: int
    duration_s: int
    material: str
    colour: str


def owed_by(
    session: Session, printer_ids: Collection[UUID], *, most: int = 1_000
) -> dict[UUID, list[Owed]]:
    """What each printer still owes: what is on it first, then as it waits. One statement."""
    rows = session.execute(
        select(
            JobRow,
            RunRow,
            QuoteItemRow.part_id,
            OrderRow.maker_id,
            QuoteItemRow.copies,
            NEEDED_MG,
            NEEDED_S,
            SpoolRow.material,
            SpoolRow.colour,
        )
        .join(OrderRow, OrderRow.id == JobRow.order_id)
        .join(QuoteRow, QuoteRow.id == OrderRow.quote_id)
        .join(QuoteItemRow, QuoteItemRow.id == JobRow.item_id)
        .join(SpoolRow, SpoolRow.id == QuoteRow.spool_id)
        .outerjoin(RunRow, (RunRow.job_id == JobRow.id) & RunRow.state.in_(OPEN))
        .where(JobRow.printer_id.in_(printer_ids), JobRow.state.in_(UNFINISHED))
        .order_by(
            RunRow.id.is_(None),
            JobRow.ready_at,
            JobRow.created_at,
            JobRow.number,
            JobRow.id,
        )
        .limit(most)
    )
    found: dict[UUID, list[Owed]] = {each: [] for each in printer_ids}
    for job, run, part_id, maker_id, copies, mass_mg, duration_s, material, colour in rows:
        owed = Owed(
            job=job,
            run=run,
            part_id=part_id,
            maker_id=maker_id,
            copies=copies,
            mass_mg=mass_mg,
            duration_s=duration_s,
            material=material,
            colour=colour,
        )
        found[job.printer_id].append(owed)
    return found


def permits_out(
    session: Session, printer_ids: Collection[UUID], *, now: datetime
) -> dict[UUID, datetime]:
    """Until when something may still be started, for the printers where a permit is out: also by a
    run that a person ended, for its agent may not know."""
    asked = select(RunRow.printer_id, RunRow.permit_until).where(
        RunRow.printer_id.in_(printer_ids), RunRow.permit_until > now
    )
    found = session.execute(asked.order_by(RunRow.permit_until))
    return {printer: until for printer, until in found if until is not None}


def work_of(session: Session, printer_ids: Collection[UUID]) -> dict[UUID, PrinterWork]:
    """What each printer works on (its youngest open run) and how many jobs are ready for it."""
    ready = (
        select(JobRow.printer_id, func.count())
        .where(JobRow.printer_id.in_(printer_ids), JobRow.state == Job.READY)
        .group_by(JobRow.printer_id)
    )
    waiting = dict(session.execute(ready).all())
    busy = {
        run.printer_id: run
        for run in session.scalars(
            select(RunRow)
            .where(RunRow.printer_id.in_(printer_ids), RunRow.state.in_(OPEN))
            .order_by(RunRow.fence)
        )
    }
    return {
        printer: PrinterWork(
            job=busy[printer].job_id if printer in busy else None,
            run_state=busy[printer].state.value if printer in busy else None,
            waiting=waiting.get(printer, 0),
        )
        for printer in printer_ids
    }
