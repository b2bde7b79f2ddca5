"""Finding the rows that the verbs change, under one lock a printer.

A job, its runs and its filament belong to one printer for life. Whoever changes any of them locks
that printer's row first, and no other: verbs about one printer take turns, verbs about two never
wait for each other, and none can deadlock. (On SQLite there is one writer at a time anyway.)
"""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from basis.errors import NotFound
from printers.models import PrinterRow, SpoolRow
from router.models import JobRow, OrderRow, QuoteRow, RunRow
from router.states import OPEN


def locked_printer(session: Session, printer_id: UUID) -> PrinterRow:
    """A printer, locked until the transaction ends. Raises NotFound."""
    row = session.scalar(
        select(PrinterRow)
        .where(PrinterRow.id == printer_id)
        # NO KEY: rows that only name the printer, such as new quotes, need not wait.
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound(f"there is no printer {printer_id}")
    return row


def locked_job(session: Session, job_id: UUID) -> JobRow:
    """A job as it stands now, its printer locked, with its order and quote. Raises NotFound."""
    printer_id = session.scalar(select(JobRow.printer_id).where(JobRow.id == job_id))
    if printer_id is None:
        raise NotFound(f"there is no job {job_id}")
    locked_printer(session, printer_id)
    return session.scalars(
        select(JobRow)
        .where(JobRow.id == job_id)
        .options(joinedload(JobRow.order).joinedload(OrderRow.quote))
        .execution_options(populate_existing=True)
    ).one()


def locked_run(session: Session, run_id: UUID) -> RunRow | None:
    """A run as it stands now, its printer locked."""
    printer_id = session.scalar(select(RunRow.printer_id).where(RunRow.id == run_id))
    if printer_id is None:
        return None
    locked_printer(session, printer_id)
    return session.scalars(
        select(RunRow).where(RunRow.id == run_id).execution_options(populate_existing=True)
    ).one()


def open_run(session: Session, job: JobRow) -> RunRow | None:
    """The run that a locked job waits for, if there is one."""
    return session.scalar(
        select(RunRow)
        .where(RunRow.job_id == job.id, RunRow.state.in_(OPEN))
        .execution_options(populate_existing=True)
    )


def made_from(session: Session, quote: QuoteRow) -> SpoolRow:
    """The spool that an order is made from: the quoted one while it is loaded, else the one that
    took its place with the same material and colour, else still the quoted one."""
    quoted = session.scalars(
        select(SpoolRow)
        .where(SpoolRow.id == quote.spool_id)
        .execution_options(populate_existing=True)
    ).one()
    if quoted.slot is not None:
        return quoted
    same = select(SpoolRow).where(
        SpoolRow.printer_id == quoted.printer_id,
        SpoolRow.slot.is_not(None),
        SpoolRow.material == quoted.material,
        SpoolRow.colour == quoted.colour,
    )
    return session.scalar(same.order_by(SpoolRow.slot).limit(1)) or quoted
