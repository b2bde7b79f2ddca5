"""What waits for a printer, and why it does not get it: reads only."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, union
from sqlalchemy.orm import Session, aliased

from printers.models import Bed, PrinterRow, SpoolRow
from router.models import JobRow, OrderRow, QuoteRow, RunRow
from router.states import Job, Run

PAUSED = "it takes no new work: its workshop paused it"
NOT_CLEAR = "its bed is not clear: take the part off, then say that it is clear"
NO_JOB = "no job waits for it"

LONGEST_WAITING = (JobRow.ready_at, JobRow.copy, JobRow.id)
"""The order of a printer's queue."""


def makeable(printer_id: UUID) -> Select[JobRow]:
    """The printer's ready jobs for which enough of their material is loaded, in their order."""
    quoted, loaded = aliased(SpoolRow), aliased(SpoolRow)
    needed_mg = func.coalesce(JobRow.mass_mg, QuoteRow.mass_mg)
    enough: ColumnElement[bool] = (
        select(loaded.id)
        .where(
            loaded.printer_id == printer_id,
            loaded.slot.is_not(None),
            loaded.material == quoted.material,
            loaded.colour == quoted.colour,
            loaded.left_mg >= needed_mg,
        )
        .exists()
    )
    return (
        select(JobRow)
        .join(OrderRow, OrderRow.id == JobRow.order_id)
        .join(QuoteRow, QuoteRow.id == OrderRow.quote_id)
        .join(quoted, quoted.id == QuoteRow.spool_id)
        .where(JobRow.printer_id == printer_id, JobRow.state == Job.READY, enough)
        .order_by(*LONGEST_WAITING)
    )


def why_none(session: Session, printer_id: UUID) -> str:
    """Why a printer that could work has no `makeable` job, in words for its workshop."""
    waiting = session.execute(
        select(SpoolRow.material, SpoolRow.colour, func.coalesce(JobRow.mass_mg, QuoteRow.mass_mg))
        .join(QuoteRow, QuoteRow.spool_id == SpoolRow.id)
        .join(OrderRow, OrderRow.quote_id == QuoteRow.id)
        .join(JobRow, JobRow.order_id == OrderRow.id)
        .where(JobRow.printer_id == printer_id, JobRow.state == Job.READY)
        .order_by(*LONGEST_WAITING)
        .limit(1)
    ).first()
    if waiting is None:
        return NO_JOB
    return f"a job waits for {waiting[2] / 1000:.1f} g of {waiting[0]} {waiting[1]}: load it"


def worth_asking(session: Session, *, agent_id: UUID, printers: Collection[UUID]) -> set[UUID]:
    """Printers for which `lease.take` might have a run: one statement that writes nothing, so that
    an idle agent's question costs next to nothing."""
    ready = (
        select(JobRow.printer_id)
        .join(PrinterRow, PrinterRow.id == JobRow.printer_id)
        .where(
            JobRow.printer_id.in_(printers),
            JobRow.state == Job.READY,
            PrinterRow.accepting,
            PrinterRow.bed == Bed.CLEAR,
        )
    )
    # A run whose lease answer was lost is asked for again.
    leased = select(RunRow.printer_id).where(
        RunRow.printer_id.in_(printers), RunRow.agent_id == agent_id, RunRow.state == Run.LEASED
    )
    return set(session.scalars(union(ready, leased)))


def idle_reason(printer: PrinterRow) -> str:
    """Why a printer that is not worth asking for gets nothing, in words."""
    if not printer.accepting:
        return PAUSED
    if printer.bed is not Bed.CLEAR:
        return NOT_CLEAR
    return NO_JOB
