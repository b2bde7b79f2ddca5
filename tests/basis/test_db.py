"""Transactions, times and enums behave alike on SQLite and PostgreSQL."""

import threading
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum

import pytest
from sqlalchemy import Index, select, update
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Mapped, mapped_column

from basis.db import Base, Database, EnumByValue, is_in, only_where


class Light(StrEnum):
    RED = "red"
    GREEN = "green"


class Crossing(Base):
    __tablename__ = "test_crossing"
    __table_args__ = (Index("one_green", "road", unique=True, **only_where("light = 'green'")),)

    id: Mapped[int] = mapped_column(primary_key=True)
    road: Mapped[str]
    light: Mapped[Light] = mapped_column(EnumByValue(Light), default=Light.RED)
    seen: Mapped[datetime | None]
    passed: Mapped[int] = mapped_column(default=0)


def test_times_come_back_aware_and_in_utc(database: Database) -> None:
    moment = datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=9)))
    with database.writing() as session:
        session.add(Crossing(id=1, road="a", seen=moment))
    with database.reading() as session:
        seen = session.scalar(select(Crossing.seen))
    assert seen == moment
    assert seen is not None
    assert seen.tzinfo is UTC


def test_a_naive_time_is_refused(database: Database) -> None:
    naive = datetime(2026, 3, 1, 12, 0)  # noqa: DTZ001 - the point of the test
    with pytest.raises(StatementError, match="no time zone"), database.writing() as session:
        session.add(Crossing(id=1, road="a", seen=naive))
        session.flush()


def test_enums_are_stored_by_value_and_partial_indexes_hold(database: Database) -> None:
    assert is_in("light", {Light.RED, Light.GREEN}) == "light IN ('green', 'red')"
    with database.writing() as session:
        session.add(Crossing(id=1, road="a", light=Light.GREEN))
        session.add(Crossing(id=2, road="a"))
    with database.reading() as session:
        stored = session.connection().exec_driver_sql(
            "SELECT light FROM test_crossing WHERE id = 1"
        )
        assert stored.scalar() == "green"
        assert session.scalar(select(Crossing.light).where(Crossing.id == 2)) is Light.RED
    with pytest.raises(IntegrityError), database.writing() as session:
        session.add(Crossing(id=3, road="a", light=Light.GREEN))


def test_an_error_undoes_the_whole_block(database: Database) -> None:
    with pytest.raises(RuntimeError), database.writing() as session:
        session.add(Crossing(id=1, road="a"))
        session.flush()
        raise RuntimeError("between two lines")
    with database.reading() as session:
        assert session.scalar(select(Crossing.id)) is None


def test_many_writers_lose_nothing(database: Database) -> None:
    """Eight threads that read before they write: without BEGIN IMMEDIATE SQLite refuses most."""
    with database.writing() as session:
        session.add(Crossing(id=1, road="a"))

    def pass_over() -> None:
        for _ in range(10):
            with database.writing() as session:
                session.scalar(select(Crossing.road).where(Crossing.id == 1))
                session.execute(
                    update(Crossing).where(Crossing.id == 1).values(passed=Crossing.passed + 1)
                )

    threads = [threading.Thread(target=pass_over) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        assert session.scalar(select(Crossing.passed)) == 80
