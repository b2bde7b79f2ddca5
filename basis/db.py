"""The database: one base class for all tables, aware times, enums by value, and who may write when.

    with database.reading() as session: ...      # a snapshot; a write in it is a mistake
    with database.writing() as session: ...      # one transaction, committed at the end

On SQLite a writing transaction begins with BEGIN IMMEDIATE: a read that turns into a write fails at
once, whatever the busy time-out, so the intent to write is said first. `synchronous=FULL` because a
permit that a power cut forgets is a part printed twice.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    Connection,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    String,
    create_engine,
    event,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

BUSY_S = 30
"""How long a SQLite writer waits for another before it gives up."""


class AwareUtc(TypeDecorator[datetime]):
    """A moment in UTC. Naive values are refused on the way in and never come out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        utc = value.astimezone(UTC)
        # SQLite keeps text without a zone; comparisons there need all rows in one form.
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class EnumByValue(TypeDecorator[StrEnum]):
    """A StrEnum stored as its value, so that a rename in code never rewrites a row."""

    impl = String(32)
    cache_ok = True

    def __init__(self, kind: type[StrEnum]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        return None if value is None else self.kind(value)


class Base(DeclarativeBase):
    """The parent of every table."""

    metadata = MetaData(
        naming_convention={
            "ix": "%(table_name)s_%(column_0_N_name)s_index",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ck": "%(table_name)s_%(constraint_name)s_check",
            "fk": "%(table_name)s_%(column_0_name)s_fkey",
            "pk": "%(table_name)s_pkey",
        }
    )
    type_annotation_map: ClassVar = {
        datetime: AwareUtc,
        dict[str, Any]: JSON,
        list[Any]: JSON,
    }


def is_in(column: str, states: Collection[StrEnum]) -> str:
    """SQL text `column IN ('a', 'b')` over enum values, for constraints and partial indexes."""
    values = ", ".join(f"'{state.value}'" for state in sorted(states))
    return f"{column} IN ({values})"


def only_where(condition: str) -> Mapping[str, Any]:
    """Keyword arguments that make an `Index` partial on both databases."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class Database:
    """An engine and the two ways to open a transaction on it."""

    def __init__(self, url: str, *, pool_size: int = 20) -> None:
        self.engine = make_engine(url, pool_size=pool_size)
        self._writing = self.engine.execution_options(hub_writes=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one snapshot (SQLite) or committed rows, and commits nothing."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose whole block is one transaction: committed at the end, undone on error."""
        with Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def make_engine(url: str, *, pool_size: int) -> Engine:
    """An engine for SQLite or PostgreSQL with our rules about transactions."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        engine = create_engine(
            address,
            pool_size=pool_size,
            connect_args={"timeout": BUSY_S, "check_same_thread": False},
            hide_parameters=True,  # rows hold what people wrote; a log is read by others
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    return create_engine(address, pool_size=pool_size, pool_pre_ping=True, hide_parameters=True)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, in _begin_sqlite
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_S * 1000}",
        "temp_store=MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("hub_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def is_disk_full(error: DBAPIError) -> bool:
    """Whether the database refused a write because its disk is full."""
    return "disk is full" in str(error.orig) or "No space left" in str(error.orig)


def is_circular(error: DBAPIError) -> bool:
    """Whether two waited for each other and PostgreSQL undid this one: trying again will do."""
    return getattr(error.orig, "sqlstate", "") == "40P01"  # deadlock_detected


def is_taken(error: DBAPIError) -> bool:
    """Whether somebody else wrote a row of the same name in the same moment."""
    if getattr(error.orig, "sqlstate", "") == "23505":  # PostgreSQL's unique_violation
        return True
    return "UNIQUE constraint failed" in str(error.orig)


__all__ = [
    "AwareUtc",
    "Base",
    "Database",
    "EnumByValue",
    "is_circular",
    "is_disk_full",
    "is_in",
    "is_taken",
    "make_engine",
    "only_where",
]
