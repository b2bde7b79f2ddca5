"""What happened that concerns somebody: read from the history of jobs, kept nowhere else.

A maker hears of their orders, a workshop's owner of its printers; nobody of what they did.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from printers.models import PrinterRow, WorkshopRow
from router import history
from router.models import HappeningRow, JobRow, OrderRow, QuoteItemRow

FOR_MAKERS = frozenset(
    {"job.sliced", "job.costs_more", "job.agree", "job.refuse", "job.run_failed", "job.retry"}
    | {"job.begun", "job.pass", "job.receive", "job.cancel", "run.start", "message"}
)
FOR_WORKSHOPS = frozenset(
    {"job.sliced", "job.costs_more", "job.run_failed", "job.receive", "job.cancel", "run.finish"}
    | {
        "run.pause",
        "run.waits_filament",
        "run.waits_printer",
        "run.moves_unbidden",
        "run.expire",
        "message",
    }
)
KEPT = timedelta(days=90)
"""How far back notices reach: a page of them must not read all that ever happened."""

MOST_COUNTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One happening, and as what it concerns its reader."""

    id: int
    at: datetime
    what: str
    after: str
    note: str
    job_id: UUID
    part_id: int
    maker_id: UUID
    printer: str
    as_maker: bool


def page(
    session: Session, account_id: UUID, *, now: datetime, before: int | None, most: int
) -> list[Notice]:
    """The newest notices of somebody, those before an id, by one statement."""
    asked = _of(account_id, since=now - KEPT).subquery()
    newest = select(asked).order_by(asked.c.id.desc()).limit(most)
    if before is not None:
        newest = newest.where(asked.c.id < before)
    return [Notice(**row) for row in session.execute(newest).mappings()]


def unread(session: Session, account_id: UUID, *, seen: Any, now: datetime) -> int:
    """How many notices are newer than `seen`, an id or a select of one; at most `MOST_COUNTED`."""
    asked = _of(account_id, since=now - KEPT).subquery()
    newer = select(asked.c.id).where(asked.c.id > seen).limit(MOST_COUNTED).subquery()
    return session.scalar(select(func.count()).select_from(newer)) or 0


def _of(account_id: UUID, *, since: datetime) -> Any:
    maker = OrderRow.maker_id == account_id
    workshop = WorkshopRow.owner_id == account_id
    return union_all(
        _happenings(FOR_WORKSHOPS, account_id, since=since, as_maker=False).where(workshop),
        _happenings(FOR_MAKERS, account_id, since=since, as_maker=True).where(
            maker, WorkshopRow.owner_id != account_id
        ),
    )


def _happenings(what: Collection[str], account_id: UUID, *, since: datetime, as_maker: bool) -> Any:
    return (
        select(
            HappeningRow.id,
            HappeningRow.at,
            HappeningRow.what,
            HappeningRow.after,
            HappeningRow.note,
            HappeningRow.job_id,
            QuoteItemRow.part_id,
            OrderRow.maker_id,
            PrinterRow.name.label("printer"),
            literal(as_maker).label("as_maker"),
        )
        .select_from(JobRow)
        .join(HappeningRow, HappeningRow.job_id == JobRow.id)
        .join(OrderRow, OrderRow.id == JobRow.order_id)
        .join(QuoteItemRow, QuoteItemRow.id == JobRow.item_id)
        .join(PrinterRow, PrinterRow.id == JobRow.printer_id)
        .join(WorkshopRow, WorkshopRow.id == PrinterRow.workshop_id)
        .where(
            or_(JobRow.ended_at.is_(None), JobRow.ended_at > since),
            HappeningRow.what.in_(what),
            HappeningRow.actor != history.account(account_id),
            # An agent that fell silent before anything moved is the hub's own business.
            or_(HappeningRow.what != "run.expire", HappeningRow.after == "unknown"),
        )
    )
