"""Questions to the book that pages and commands ask; nothing here writes."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from commons import store
from commons.models import BalanceRow, EntryRow, LegRow, MentionRow, ReservationRow
from commons.store import Entry, Head

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What all accounts of one kind hold of one unit."""

    kind: str
    """The first word of their names: `lot`, `member`, `owed`, …"""
    unit: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """Parts of one order that passed and are not in their maker's hands yet."""

    order: str
    member: str
    workshop: str
    unit: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What all entries of one day (in UTC) moved of one thing."""

    day: str
    what: str
    """`filament` that was used (mg), `waste` (mg), `energy` (mWh), `carriage` (kg.m)."""
    amount: int


def balances(
    session: Session,
    *,
    prefix: str = "",
    unit: str | None = None,
    after: str = "",
    most: int = 1_000,
) -> list[Balance]:
    """Balances other than zero of the accounts that begin with `prefix`, by account and unit.

    after : only accounts that follow this one.
    """
    asked = (
        select(BalanceRow.account, BalanceRow.unit, BalanceRow.amount)
        .where(BalanceRow.amount != 0, BalanceRow.account > after)
        .where(*_begins(session, BalanceRow.account, prefix))
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
    about: str | None = None,
    most: int = PAGE,
) -> Page:
    """A page of the journal, newest first.

    about : only entries that speak of this name, such as `workshop:4` or `order:12`.
    """
    asked = select(EntryRow)
    if about is not None:
        asked = asked.join(MentionRow, MentionRow.entry == EntryRow.seq)
        asked = asked.where(MentionRow.name == about)
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


def line(session: Session, seq: int) -> bytes | None:
    """One entry as it stands in the export."""
    return store.line_at(session.connection(), seq)


def head(session: Session) -> Head:
    """Number and hash of the last entry."""
    return store.head_of(session.connection())


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


def standing(session: Session) -> list[Standing]:
    """What stands on all accounts of a kind together, per unit; reads every balance once."""
    start = func.substr(BalanceRow.account, 1, 5)  # enough to tell all kinds from each other
    asked = select(func.min(BalanceRow.account), BalanceRow.unit, func.sum(BalanceRow.amount))
    sums: dict[tuple[str, str], int] = {}
    for account, unit, amount in session.execute(asked.group_by(start, BalanceRow.unit)):
        side = account.partition(":")[0], unit
        sums[side] = sums.get(side, 0) + int(amount)
    return [
        Standing(kind=kind, unit=unit, amount=amount)
        for (kind, unit), amount in sorted(sums.items())
        if amount
    ]


def debts(session: Session, *, most: int = PAGE) -> list[Debt]:
    """What is owed for parts that passed and were not handed over, by two statements."""
    prefix = "escrow:"
    asked = (
        select(ReservationRow.key, ReservationRow.account, BalanceRow.unit, -BalanceRow.amount)
        .join(ReservationRow, prefix + ReservationRow.key == BalanceRow.account)
        .where(BalanceRow.amount < 0, *_begins(session, BalanceRow.account, prefix))
        .order_by(BalanceRow.account, BalanceRow.unit)
        .limit(most)
    )
    rows = session.execute(asked).all()
    keys = [f"{order}/reserved" for order, _, _, _ in rows]
    reserved = _entries(session, select(EntryRow).where(EntryRow.key.in_(keys)))
    workshops = {each.body["reserve"]["key"]: each.body["about"]["workshop"] for each in reserved}
    return [
        Debt(order=order, member=member, workshop=workshops[order], unit=unit, amount=int(amount))
        for order, member, unit, amount in rows
    ]


def flows(session: Session, *, after: int, upto: int) -> list[Flow]:
    """What the entries from `after + 1` to `upto` moved, per day and thing, by one statement.

    Mass has no other side in the world, so what a day's prints took is what left the spools
    beyond what came to them from suppliers and by weighing.
    """
    mass = LegRow.unit == "mg"
    spools = or_(LegRow.account.startswith("lot:"), LegRow.account.in_(("supplier", "adjust")))
    waste = LegRow.account.startswith("scrap:")
    energy = and_(LegRow.unit == "mWh", LegRow.account == "world:used")
    carriage = and_(LegRow.unit == "kg.m", LegRow.amount > 0)
    what = case((energy, "energy"), (carriage, "carriage"), (waste, "waste"), else_="filament")
    amount = func.sum(case((and_(mass, spools), -LegRow.amount), else_=LegRow.amount))
    day = func.substr(EntryRow.at, 1, 10)
    asked = (
        select(day, what, amount)
        .join(EntryRow, EntryRow.seq == LegRow.entry)
        .where(LegRow.entry > after, LegRow.entry <= upto)
        .where(or_(energy, carriage, and_(mass, or_(spools, waste))))
        .group_by(day, what)
    )
    return [
        Flow(day=day_, what=what_, amount=int(sum_))
        for day_, what_, sum_ in session.execute(asked)
        if sum_
    ]


def _begins(
    session: Session, column: InstrumentedAttribute[str], prefix: str
) -> list[ColumnElement[bool]]:
    """Conditions for names that begin with `prefix`. SQLite finds a range by its index, which it
    does not for LIKE; no sign of a name comes after the tilde."""
    found: list[ColumnElement[bool]] = [column.startswith(prefix, autoescape=True)]
    if session.get_bind().dialect.name == "sqlite":
        found.append(column.between(prefix, prefix + "~"))
    return found


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
    "Debt",
    "Flow",
    "Page",
    "Standing",
    "StatementLine",
    "Totals",
    "available",
    "balance",
    "balances",
    "debts",
    "entries",
    "entry",
    "flows",
    "head",
    "line",
    "order_story",
    "reservation",
    "standing",
    "statement",
    "story",
    "totals",
]
