"""Fixtures: one empty database per test, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from basis.db import Base, Database
from tests.support.postgres import Postgres, postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """The run's own PostgreSQL, started when the first test asks for it."""
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database with every table that was imported; each test runs on both kinds."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    else:
        url = request.getfixturevalue("postgres_server").new_database()
    database = Database(url)
    Base.metadata.create_all(database.engine)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements a block executes, in order, without those that begin or end a transaction."""
    said: list[str] = []

    def note(_c: object, _d: object, statement: str, *_more: object) -> None:
        if not statement.startswith("BEGIN"):
            said.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
