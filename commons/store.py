"""Rows of the book, in and out. `commons.book` decides what is written; this file writes it.

Plain SQL that both databases understand, handed straight to the driver: one committed entry is half
a dozen statements, and each layer above the driver costs more than the statement itself.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, CursorResult

import commons.models  # noqa: F401 - whoever opens the book also needs its tables
from basis.clock import iso
from commons import verify
from commons.facts import Fact
from commons.verify import Legs, Reservation, canonical, legs_of

BATCH = 1_000
"""Entries read or restored at a time."""


@dataclass(frozen=True, slots=True, order=True)
class Leg:
    """One side of an entry: plus enters the account, minus leaves it."""

    account: str  # "lot:pla-7", "member:4c", "design:88", "world:made": ids, never people's names
    unit: str  # "mg", "s", "mWh", "piece", "kg.m", "EUR-cent"; scales are fixed for ever
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One fact as it stands in the book, with its place in the chain."""

    seq: int
    key: str
    kind: str
    at: datetime
    """When it happened."""
    recorded: datetime
    """When it was written down."""
    by: str
    body: Mapping[str, Any]
    prev: str
    hash: str

    @property
    def legs(self) -> tuple[Leg, ...]:
        """Who gave and who got, from the events in the body."""
        return tuple(Leg(*side, amount) for side, amount in legs_of(self.body).items())


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry's place in the chain."""

    seq: int
    hash: str


class _Sql:
    """A statement with `:names`, in the form that each driver wants."""

    def __init__(self, statement: str) -> None:
        self._sqlite = statement
        self._psycopg = re.sub(r":(\w+)", r"%(\1)s", statement)

    def __call__(self, connection: Connection, values: Any = None) -> CursorResult[Any]:
        """Execute it: with one mapping of values, or with a list of them."""
        sqlite = connection.dialect.name == "sqlite"
        return connection.exec_driver_sql(self._sqlite if sqlite else self._psycopg, values)


_COLUMNS = 'seq, key, kind, at, recorded, "by", body, prev, hash'
_HEAD = _Sql("SELECT seq, hash FROM book_head")
_LOCKED_HEAD = _Sql("SELECT seq, hash FROM book_head FOR UPDATE")
_FIRST_HEAD = _Sql(
    "INSERT INTO book_head (id, seq, hash) VALUES (1, 0, :hash) ON CONFLICT DO NOTHING"
)
_MOVE_HEAD = _Sql("UPDATE book_head SET seq = :seq, hash = :hash")
_KNOWN = _Sql(f"SELECT {_COLUMNS} FROM book_entry WHERE key = :key")  # noqa: S608 - no input in it
_AFTER = _Sql(
    f"SELECT {_COLUMNS} FROM book_entry WHERE seq > :seq ORDER BY seq LIMIT :most"  # noqa: S608
)
_PUT_ENTRY = _Sql(
    f"INSERT INTO book_entry ({_COLUMNS}) VALUES "  # noqa: S608 - no input in it
    "(:seq, :key, :kind, :at, :recorded, :by, :body, :prev, :hash)"
)
_PUT_LEG = _Sql(
    "INSERT INTO book_leg (entry, account, unit, amount) VALUES (:entry, :account, :unit, :amount)"
)
_BALANCE = _Sql("SELECT amount FROM book_balance WHERE account = :account AND unit = :unit")
_PUT_BALANCE = _Sql(
    "INSERT INTO book_balance (account, unit, amount) VALUES (:account, :unit, :amount) "
    "ON CONFLICT (account, unit) DO UPDATE SET amount = book_balance.amount + excluded.amount"
)
_PUT_MENTION = _Sql("INSERT INTO book_mention (name, entry) VALUES (:name, :entry)")
_RESERVATION = _Sql(
    "SELECT account, unit, amount, jobs, posted, voided, ended FROM book_reservation "
    "WHERE key = :key"
)
_PUT_RESERVATION = _Sql(
    "INSERT INTO book_reservation "
    "(key, account, unit, amount, jobs, posted, voided, ended, state) VALUES "
    "(:key, :account, :unit, :amount, :jobs, :posted, :voided, :ended, :state) "
    "ON CONFLICT (key) DO UPDATE SET posted = excluded.posted, voided = excluded.voided, "
    "ended = excluded.ended, state = excluded.state"
)
_FORGET = tuple(
    _Sql(f"DELETE FROM book_{projection}")  # noqa: S608 - no input in it
    for projection in ("balance", "reservation", "mention", "head")
)


def lock_head(connection: Connection) -> Head:
    """The head of the chain, held until the transaction ends; of an empty book it is number 0."""
    lock = _HEAD if connection.dialect.name == "sqlite" else _LOCKED_HEAD
    row = lock(connection).one_or_none()
    if row is None:
        _FIRST_HEAD(connection, {"hash": verify.NO_HASH})
        row = lock(connection).one()
    return Head(seq=row.seq, hash=row.hash)


def head_of(connection: Connection) -> Head:
    """The head of the chain as it is now, for readers."""
    row = _HEAD(connection).one_or_none()
    return Head(seq=row.seq, hash=row.hash) if row else Head(seq=0, hash=verify.NO_HASH)


def known(connection: Connection, key: str) -> Mapping[str, Any] | None:
    """The row of the entry with this key, its body still as text."""
    row = _KNOWN(connection, {"key": key}).mappings().one_or_none()
    return None if row is None else dict(row)


def entry_of(row: Mapping[str, Any]) -> Entry:
    """The entry in a row."""
    return Entry(
        seq=row["seq"],
        key=row["key"],
        kind=row["kind"],
        at=datetime.fromisoformat(row["at"]),
        recorded=datetime.fromisoformat(row["recorded"]),
        by=row["by"],
        body=json.loads(row["body"]),
        prev=row["prev"],
        hash=row["hash"],
    )


def reservation(connection: Connection, key: str) -> Reservation | None:
    """The reservation of an order."""
    row = _RESERVATION(connection, {"key": key}).mappings().one_or_none()
    return None if row is None else Reservation(**row)


def put_reservation(connection: Connection, key: str, row: Reservation) -> None:
    """Write a reservation, or what became of it."""
    _PUT_RESERVATION(connection, _reservation_row(key, row))


def balance(connection: Connection, account: str, unit: str) -> int:
    """What an account holds of one unit."""
    return int(_BALANCE(connection, {"account": account, "unit": unit}).scalar() or 0)


def append(
    connection: Connection, head: Head, fact: Fact, legs: Legs, *, body: str, now: datetime
) -> Entry:
    """Write an entry after `head`, its legs, and what is derived from them. `body` is canonical."""
    seq = head.seq + 1
    row = {
        "at": iso(fact.at),
        "by": fact.by,
        "id": fact.key,
        "kind": fact.kind,
        "prev": head.hash,
        "recorded": iso(now),
        "seq": str(seq),
    }
    digest = verify.hash_of(row, body)
    _PUT_ENTRY(connection, row | {"body": body, "hash": digest, "key": fact.key, "seq": seq})
    if legs:
        sides = _leg_rows(seq, legs)
        _PUT_LEG(connection, sides)
        _PUT_BALANCE(connection, sides)
    if names := verify.mentions(fact.body):
        _PUT_MENTION(connection, [{"name": each, "entry": seq} for each in names])
    _MOVE_HEAD(connection, {"seq": seq, "hash": digest})
    return Entry(
        seq=seq,
        key=fact.key,
        kind=fact.kind,
        at=fact.at,
        recorded=now,
        by=fact.by,
        body=fact.body,
        prev=head.hash,
        hash=digest,
    )


# The whole book ----------------------------------------------------------------------------------


def lines(connection: Connection, *, after: int = 0) -> Iterator[bytes]:
    """The export, line by line, a batch of rows in memory at a time.

    The stored text of each body is copied, not rewritten: what was hashed is what comes out, and a
    row that somebody changed comes out changed.
    """
    while rows := _AFTER(connection, {"seq": after, "most": BATCH}).mappings().all():
        for row in rows:
            yield _line(dict(row))
        after = rows[-1]["seq"]


def line_at(connection: Connection, seq: int) -> bytes | None:
    """The line of one entry in the export."""
    row = _AFTER(connection, {"seq": seq - 1, "most": 1}).mappings().one_or_none()
    return _line(dict(row)) if row is not None and row["seq"] == seq else None


def _line(row: Mapping[str, Any]) -> bytes:
    entry = {**row, "id": row["key"], "seq": str(row["seq"])}
    return verify.line_of(entry, row["body"], digest=row["hash"]).encode() + b"\n"


def bulk_append(connection: Connection, entries: Iterable[tuple[dict[str, Any], Legs]]) -> None:
    """Write entries that were verified, with their legs but without what is derived from them."""
    waiting = iter(entries)
    while batch := list(islice(waiting, BATCH)):
        rows, sides = [], []
        for entry, legs in batch:
            seq = int(entry["seq"])
            body = canonical(entry["body"])
            rows.append(entry | {"seq": seq, "key": entry["id"], "body": body})
            sides += _leg_rows(seq, legs)
        _PUT_ENTRY(connection, rows)
        if sides:
            _PUT_LEG(connection, sides)


def put_projections(
    connection: Connection, replay: verify.Book, mentioned: Iterable[tuple[str, int]]
) -> None:
    """Replace everything derived from the entries by what a replay of them gave."""
    for forget in _FORGET:
        forget(connection)
    _FIRST_HEAD(connection, {"hash": verify.NO_HASH})
    _MOVE_HEAD(connection, {"seq": replay.seq, "hash": replay.head})
    tables: Sequence[tuple[_Sql, list[dict[str, Any]]]] = (
        (
            _PUT_BALANCE,
            [
                {"account": account, "unit": unit, "amount": amount}
                for (account, unit), amount in replay.balances.items()
            ],
        ),
        (_PUT_RESERVATION, [_reservation_row(*each) for each in replay.reservations.items()]),
        (_PUT_MENTION, [{"name": name, "entry": seq} for name, seq in mentioned]),
    )
    for put, rows in tables:
        if rows:
            put(connection, rows)


def _leg_rows(seq: int, legs: Legs) -> list[dict[str, Any]]:
    return [
        {"entry": seq, "account": account, "unit": unit, "amount": amount}
        for (account, unit), amount in legs.items()
    ]


def _reservation_row(key: str, row: Reservation) -> dict[str, Any]:
    return {
        "key": key,
        "account": row.account,
        "unit": row.unit,
        "amount": row.amount,
        "jobs": row.jobs,
        "posted": row.posted,
        "voided": row.voided,
        "ended": row.ended,
        "state": row.state,
    }
