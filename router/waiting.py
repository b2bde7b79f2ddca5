"""What waits for a printer, and why it does not get it: reads only."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, or_, select
from sqlalchemy.orm import Session, aliased

from printers import queries
from printers.models import AgentRow, Bed, PrinterRow, SpoolRow, WorkshopRow
from printers.offer import STARTS, Duty
from printers.quiet import ends, start_after
from router.models import NEEDED_MG, JobRow, OrderRow, QuoteItemRow, QuoteRow, RunRow
from router.states import Job, Run

PAUSED = "it takes no new work: its workshop paused it"
MAINTENANCE = "it is in maintenance: nothing starts until its workshop opens it"
RESTING: Mapping[Duty, str] = {Duty.PAUSED: PAUSED, Duty.MAINTENANCE: MAINTENANCE}
NOT_CLEAR = "its bed is not clear: take the part off, then say that it is clear"
NO_JOB = "no job waits for it"

MOST_TRIED = 50
"""Ready jobs that are looked at for one that may start before the next quiet hours."""

LONGEST_WAITING = (JobRow.ready_at, JobRow.number, JobRow.id)
"""The order of a printer's queue."""


def makeable(printer_id: UUID) -> Select[JobRow]:
    """The printer's ready jobs for which enough of their material is loaded, in their order."""
    quoted, loaded = aliased(SpoolRow), aliased(SpoolRow)
    enough: ColumnElement[bool] = (
        select(loaded.id)
        .where(
            loaded.printer_id == printer_id,
            loaded.slot.is_not(None),
            loaded.material == quoted.material,
            loaded.colour == quoted.colour,
            loaded.left_mg >= NEEDED_MG,
        )
        .exists()
    )
    return (
        select(JobRow)
        .join(OrderRow, OrderRow.id == JobRow.order_id)
        .join(QuoteRow, QuoteRow.id == OrderRow.quote_id)
        .join(QuoteItemRow, QuoteItemRow.id == JobRow.item_id)
        .join(quoted, quoted.id == QuoteRow.spool_id)
        .where(JobRow.printer_id == printer_id, JobRow.state == Job.READY, enough)
        .order_by(*LONGEST_WAITING)
    )


def next_job(session: Session, printer: PrinterRow, *, now: datetime) -> tuple[JobRow | None, str]:
    """The job that may start now on a printer which is free, or why there is none. One that would
    run into quiet hours lets shorter ones pass; when they are over it is the first again."""
    if why := may_not_start(printer, duration_s=0, now=now):
        return None, why
    first = ""
    for job in session.scalars(makeable(printer.id).limit(MOST_TRIED)):
        why = may_not_start(printer, duration_s=job.duration_s or 0, now=now)
        if not why:
            return job, ""
        first = first or why
    return None, first or why_none(session, printer.id)


def may_not_start(printer: PrinterRow, *, duration_s: int, now: datetime) -> str:
    """Why its workshop lets no print of this length start now, in words; "" when it does."""
    if printer.duty not in STARTS:
        return RESTING[printer.duty]
    quiet, zone = queries.quiet_of(printer), printer.workshop.time_zone
    if (over := ends(quiet, zone, now)) is not None:
        return f"quiet hours: nothing starts before {local(over, zone)}"
    again = start_after(quiet, zone, now, duration_s=duration_s)
    if again == now:
        return ""
    lasts = f"it would take {duration_s / 3_600:.1f} h and run into quiet hours"
    if again is None:
        return f"{lasts}, whenever it starts: shorten them, or cancel the job"
    return f"{lasts}: it starts at {local(again, zone)}"


def local(at: datetime, zone: str) -> str:
    """A moment by the workshop's clock."""
    return f"{at.astimezone(ZoneInfo(zone)):%a %H:%M} ({zone})"


def quiet_until(session: Session, printers: Collection[UUID], *, now: datetime) -> dict[UUID, str]:
    """Of some printers, those that are in quiet hours, in words. One statement."""
    found = session.execute(
        select(PrinterRow, WorkshopRow)
        .join(WorkshopRow, WorkshopRow.id == PrinterRow.workshop_id)
        .where(
            PrinterRow.id.in_(printers),
            or_(PrinterRow.quiet.is_not(None), WorkshopRow.quiet.is_not(None)),
        )
    )
    return {row.id: why for row, _ in found if (why := may_not_start(row, duration_s=0, now=now))}


def why_none(session: Session, printer_id: UUID) -> str:
    """Why a printer that could work has no `makeable` job, in words for its workshop."""
    waiting = session.execute(
        select(SpoolRow.material, SpoolRow.colour, NEEDED_MG)
        .join(QuoteRow, QuoteRow.spool_id == SpoolRow.id)
        .join(OrderRow, OrderRow.quote_id == QuoteRow.id)
        .join(JobRow, JobRow.order_id == OrderRow.id)
        .join(QuoteItemRow, QuoteItemRow.id == JobRow.item_id)
        .where(JobRow.printer_id == printer_id, JobRow.state == Job.READY)
        .order_by(*LONGEST_WAITING)
        .limit(1)
    ).first()
    if waiting is None:
        return NO_JOB
    return f"a job waits for {waiting[2] / 1000:.1f} g of {waiting[0]} {waiting[1]}: load it"


@dataclass(frozen=True, slots=True)
class Glance:
    """One printer as an idle agent's question needs it, and nothing more."""

    printer: UUID
    duty: Duty
    bed: Bed
    seen_at: datetime | None
    machine_state: str
    worth: bool
    """Whether `lease.take` might have a run for it."""

    @property
    def reason(self) -> str:
        """Why a printer that is not worth asking for gets nothing, in words."""
        if self.duty not in STARTS:
            return RESTING[self.duty]
        return NO_JOB if self.bed is Bed.CLEAR else NOT_CLEAR


def _glances() -> Select[UUID, Duty, Bed, datetime | None, str, bool]:
    """Printers as idle questions need them, whoever speaks for them."""
    ready = exists().where(JobRow.printer_id == PrinterRow.id, JobRow.state == Job.READY)
    # A run whose lease answer was lost is asked for again.
    leased = exists().where(
        RunRow.printer_id == PrinterRow.id,
        RunRow.agent_id == PrinterRow.agent_id,
        RunRow.state == Run.LEASED,
    )
    # Not `in_`: `basis.prepared` takes plain values only.
    starts = or_(*(PrinterRow.duty == duty for duty in sorted(STARTS)))
    free = and_(starts, PrinterRow.bed == Bed.CLEAR)
    return select(
        PrinterRow.id,
        PrinterRow.duty,
        PrinterRow.bed,
        PrinterRow.seen_at,
        PrinterRow.machine_state,
        or_(and_(free, ready), leased).label("worth"),
    )


_GLANCES = _glances().where(PrinterRow.agent_id == bindparam("agent_id"))
"""Made once: building a statement costs more than running this one, and agents ask all day."""

BY_TOKEN = (
    _glances()
    .join(AgentRow, AgentRow.id == PrinterRow.agent_id)
    .where(AgentRow.digest == bindparam("digest", required=False), AgentRow.revoked_at.is_(None))
    .add_columns(AgentRow.id)
)
"""The same by the sha256 of an agent's token, and the agent's id behind each: `Glance(*row[:-1])`.
For `basis.prepared`, where even SQLAlchemy's own road to the database is too long."""


def at_a_glance(session: Session, agent_id: UUID) -> dict[UUID, Glance]:
    """The printers that an agent speaks for: one statement that writes nothing."""
    rows = session.execute(_GLANCES, {"agent_id": agent_id})
    return {row[0]: Glance(*row) for row in rows}
