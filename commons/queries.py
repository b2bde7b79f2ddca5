"""Questions to the book that pages and commands ask; nothing here writes."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from commons import store
from commons.models import BalanceRow, EntryRow, LegRow, MentionRow, ReservationRow
from commons.store import Entry

PAGE = 50
"""Entries or lines on one page, unless asked otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What an account holds of one unit."""

    account: str
    unit: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One leg on an account, with the entry it stands in."""

    seq: int
    key: str
    kind: str
    at: datetime
    unit: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Entries, newest first; `before` continues the next page, None when there is none."""

    entries: tuple[Entry, ...]
    before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The book at a glance."""

    entries: int
    head: str
    accounts: int
    reserved: dict[str, int]
    """What is set aside and still open, per unit."""
    off: dict[str, int]
    """Units whose balances do not sum to zero: empty, or something is wrong."""


def balances(
    session: Session, *, prefix: str = "", unit: str | None = None, most: int = 1_000
) -> list[Balance]:
    """Balances other than zero of the accounts that begin with `prefix`, by account and unit."""
    asked = (
        select(BalanceRow.account, BalanceRow.unit, BalanceRow.amount)
        .where(BalanceRow.amount != 0, BalanceRow.account.startswith(prefix, autoescape=True))
        .order_by(BalanceRow.account, BalanceRow.unit)
        .limit(most)
    )
    if unit is not None:
        asked = asked.where(BalanceRow.unit == unit)
    return [
        Balance(account=account, unit=unit_, amount=amount)
        for account, unit_, amount in session.execute(asked)
    ]


def balance(session: Session, account: str, unit: str) -> int:
    """What one account holds of one unit; 0 when it was never touched."""
    asked = select(BalanceRow.amount).where(BalanceRow.account == account, BalanceRow.unit == unit)
    return session.scalar(asked) or 0


def available(session: Session, account: str, unit: str) -> int:
    """A balance less what is set aside for open orders: what a member could still spend."""
    open_amount = ReservationRow.amount - ReservationRow.posted - ReservationRow.voided
    asked = select(func.coalesce(func.sum(open_amount), 0)).where(
        ReservationRow.account == account,
        ReservationRow.unit == unit,
        ReservationRow.state == "open",
    )
    return balance(session, account, unit) - int(session.scalar(asked) or 0)


def reservation(session: Session, order: str) -> ReservationRow | None:
    """What is set aside for an order, named as in the book (`order:12`)."""
    return session.get(ReservationRow, order)


def statement(
    session: Session,
    account: str,
    *,
    unit: str | None = None,
    before: int | None = None,
    most: int = PAGE,
) -> list[StatementLine]:
    """The legs on an account, newest entry first; `before` is the smallest seq seen so far.

    `most` counts entries, so that no entry's legs are torn apart between two pages.
    """
    which = select(LegRow.entry).where(LegRow.account == account).distinct()
    if unit is not None:
        which = which.where(LegRow.unit == unit)
    if before is not None:
        which = which.where(LegRow.entry < before)
    seqs = list(session.scalars(which.order_by(LegRow.entry.desc()).limit(most)))
    asked = (
        select(EntryRow.seq, EntryRow.key, EntryRow.kind, EntryRow.at, LegRow.unit, LegRow.amount)
        .join(LegRow, LegRow.entry == EntryRow.seq)
        .where(LegRow.account == account, EntryRow.seq.in_(seqs))
        .order_by(EntryRow.seq.desc(), LegRow.unit)
    )
    if unit is not None:
        asked = asked.where(LegRow.unit == unit)
    return [
        StatementLine(
            seq=seq,
            key=key,
            kind=kind,
            at=datetime.fromisoformat(at),
            unit=unit_,
            amount=amount,
        )
        for seq, key, kind, at, unit_, amount in session.execute(asked)
    ]


def entries(
    session: Session,
    *,
    before: int | None = None,
    kind: str | None = None,
    most: int = PAGE,
) -> Page:
    """A page of the journal, newest first."""
    asked = select(EntryRow)
    if before is not None:
        asked = asked.where(EntryRow.seq < before)
    if kind is not None:
        asked = asked.where(EntryRow.kind == kind)
    found = _entries(session, asked.order_by(EntryRow.seq.desc()).limit(most + 1))
    more = len(found) > most
    return Page(entries=tuple(found[:most]), before=found[most - 1].seq if more else None)


def entry(session: Session, which: int | str) -> Entry | None:
    """One entry, by its seq or its key."""
    by = EntryRow.seq == which if isinstance(which, int) else EntryRow.key == which
    return next(iter(_entries(session, select(EntryRow).where(by))), None)


def story(session: Session, names: Collection[str], *, most: int = 500) -> list[Entry]:
    """Everything the book says about these names (`order:12`, `printer:3`), oldest first."""
    mentioned = select(MentionRow.entry).where(MentionRow.name.in_(names))
    asked = select(EntryRow).where(EntryRow.seq.in_(mentioned))
    return _entries(session, asked.order_by(EntryRow.seq).limit(most))


def order_story(
    session: Session, order: str, *, jobs: Collection[str] = (), most: int = 500
) -> list[Entry]:
    """Everything about an order and its jobs, oldest first.

    jobs : the jobs' names where the caller knows them (`job:77`). Those that passed or ended are
           known to the book itself; a run of a job that did neither speaks of its job alone.
    """
    told = story(session, (order, *jobs), most=most)
    found = {one.body["about"]["job"] for one in told if "job" in one.body.get("about", {})}
    if found <= set(jobs):
        return told
    return story(session, (order, *sorted(found | set(jobs))), most=most)


def totals(session: Session) -> Totals:
    """Number of entries and accounts, the head, what is reserved, and what does not add up."""
    head = store.head_of(session.connection())
    sums = session.execute(select(BalanceRow.unit, func.sum(BalanceRow.amount)).group_by("unit"))
    open_amount = ReservationRow.amount - ReservationRow.posted - ReservationRow.voided
    reserved = session.execute(
        select(ReservationRow.unit, func.sum(open_amount))
        .where(ReservationRow.state == "open")
        .group_by(ReservationRow.unit)
    )
    return Totals(
        entries=head.seq,
        head=head.hash,
        accounts=session.scalar(select(func.count(BalanceRow.account.distinct()))) or 0,
        reserved={unit: int(amount) for unit, amount in reserved},
        off={unit: int(amount) for unit, amount in sums if amount},
    )


def _entries(session: Session, asked: Select[Any]) -> list[Entry]:
    columns = (
        EntryRow.seq,
        EntryRow.key,
        EntryRow.kind,
        EntryRow.at,
        EntryRow.recorded,
        EntryRow.by,
        EntryRow.body,
        EntryRow.prev,
        EntryRow.hash,
    )
    rows = session.execute(asked.with_only_columns(*columns, maintain_column_froms=True))
    return [store.entry_of(dict(row)) for row in rows.mappings()]


__all__ = [
    "Balance",
    "Page",
    "StatementLine",
    "Totals",
    "available",
    "balance",
    "balances",
    "entries",
    "entry",
    "order_story",
    "reservation",
    "statement",
    "story",
    "totals",
]
