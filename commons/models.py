"""The tables of the open book: entries and legs, only ever added to, and what is derived from them.

`book_entry` and `book_leg` are the truth: both databases refuse to change or delete a row there.
`book_balance`, `book_reservation`, `book_mention` and `book_head` are projections, which can be
rebuilt from the entries (`projections.rebuild`). Only `book.record` writes to any of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Connection,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    event,
)
from sqlalchemy.orm import Mapped, mapped_column

from basis.db import Base

Big = BigInteger().with_variant(Integer, "sqlite")
"""64 bits on both; SQLite's INTEGER PRIMARY KEY is its row id and needs no second index."""

NAME = String(255)
KEY = String(300)


class EntryRow(Base):
    """One fact. `at`, `recorded` and `body` are kept as the very text that was hashed."""

    __tablename__ = "book_entry"
    __table_args__ = (
        CheckConstraint("seq > 0", name="seq"),
        Index("book_entry_kind_index", "kind", "seq"),
    )

    seq: Mapped[int] = mapped_column(Big, primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(KEY, unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    at: Mapped[str] = mapped_column(String(27))
    recorded: Mapped[str] = mapped_column(String(27))
    by: Mapped[str] = mapped_column(NAME)
    body: Mapped[str] = mapped_column(Text)
    prev: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class LegRow(Base):
    """One side of an entry; the amounts of an entry sum to zero in every unit."""

    __tablename__ = "book_leg"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        Index("book_leg_account_index", "account", "unit", "entry"),
    )

    entry: Mapped[int] = mapped_column(Big, ForeignKey("book_entry.seq"), primary_key=True)
    account: Mapped[str] = mapped_column(NAME, primary_key=True)
    unit: Mapped[str] = mapped_column(String(16), primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger)


class BalanceRow(Base):
    """The sum of all legs of an account in one unit."""

    __tablename__ = "book_balance"

    account: Mapped[str] = mapped_column(NAME, primary_key=True)
    unit: Mapped[str] = mapped_column(String(16), primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger)


class ReservationRow(Base):
    """A price set aside; see `verify.Reservation` for how it ends, job by job."""

    __tablename__ = "book_reservation"
    __table_args__ = (
        CheckConstraint("posted + voided <= amount AND posted >= 0 AND voided >= 0", name="amount"),
        CheckConstraint("ended BETWEEN 0 AND jobs", name="ended"),
        CheckConstraint("(state = 'open') = (ended < jobs)", name="state"),
        Index("book_reservation_account_index", "account", "unit"),
    )

    key: Mapped[str] = mapped_column(NAME, primary_key=True)
    account: Mapped[str] = mapped_column(NAME)
    unit: Mapped[str] = mapped_column(String(16))
    amount: Mapped[int] = mapped_column(BigInteger)
    jobs: Mapped[int]
    posted: Mapped[int] = mapped_column(BigInteger)
    voided: Mapped[int] = mapped_column(BigInteger)
    ended: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))


class MentionRow(Base):
    """Which entries speak of an order, a job, a run, a printer, a design, a member."""

    __tablename__ = "book_mention"

    name: Mapped[str] = mapped_column(KEY, primary_key=True)
    entry: Mapped[int] = mapped_column(Big, primary_key=True)


class HeadRow(Base):
    """The one row that every writer locks first, so that `seq` has no gap and the chain no fork."""

    __tablename__ = "book_head"
    __table_args__ = (CheckConstraint("id = 1", name="one"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(Big)
    hash: Mapped[str] = mapped_column(String(64))


TRIGGERS: Mapping[str, Sequence[str]] = {
    "sqlite": (
        *(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'the book is only ever added to'); END"
            for table in ("book_entry", "book_leg")
            for verb in ("UPDATE", "DELETE")
        ),
        # INSERT OR REPLACE deletes the old row without asking the trigger on DELETE.
        "CREATE TRIGGER book_entry_no_replace BEFORE INSERT ON book_entry WHEN EXISTS "
        "(SELECT 1 FROM book_entry WHERE seq = NEW.seq OR key = NEW.key) "
        "BEGIN SELECT RAISE(ABORT, 'the book is only ever added to'); END",
        "CREATE TRIGGER book_leg_no_replace BEFORE INSERT ON book_leg WHEN EXISTS "
        "(SELECT 1 FROM book_leg "
        "WHERE entry = NEW.entry AND account = NEW.account AND unit = NEW.unit) "
        "BEGIN SELECT RAISE(ABORT, 'the book is only ever added to'); END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION book_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the book is only ever added to'; END $$",
        *(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION book_refuse()"
            for table in ("book_entry", "book_leg")
        ),
        # Asked once more at the commit, whoever wrote: the legs of an entry sum to zero.
        "CREATE OR REPLACE FUNCTION book_balanced() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF (SELECT sum(amount) FROM book_leg "
        "WHERE entry = NEW.entry AND unit = NEW.unit) <> 0 "
        "THEN RAISE EXCEPTION 'the legs of an entry do not sum to zero'; END IF; "
        "RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER book_leg_balanced AFTER INSERT ON book_leg "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION book_balanced()",
    ),
}
"""Statements that make entries and legs unchangeable, per kind of database; for migrations too."""

DROP_TRIGGERS: Mapping[str, Sequence[str]] = {
    "sqlite": (),  # they go with their table
    "postgresql": (
        "DROP FUNCTION IF EXISTS book_refuse() CASCADE",
        "DROP FUNCTION IF EXISTS book_balanced() CASCADE",
    ),
}
"""What undoes `TRIGGERS` after the tables are dropped."""


@event.listens_for(LegRow.__table__, "after_create")
def _guard(_table: Table, connection: Connection, **_: Any) -> None:
    """Legs come last (they refer to entries), so both tables exist by now."""
    for statement in TRIGGERS.get(connection.dialect.name, ()):
        connection.exec_driver_sql(statement)


__all__ = [
    "DROP_TRIGGERS",
    "TRIGGERS",
    "BalanceRow",
    "EntryRow",
    "HeadRow",
    "LegRow",
    "MentionRow",
    "ReservationRow",
]
