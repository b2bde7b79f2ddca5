"""Fixtures: one empty database per test, on SQLite and on PostgreSQL."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from basis.db import Base, Database
from tests.support.postgres import Postgres, name_in, postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """The run's own PostgreSQL, started when the first test asks for it."""
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def empty_databases(tmp_path_factory: pytest.TempPathFactory) -> "Templates":
    """Databases with tables and nothing in them, to be copied."""
    return Templates(tmp_path_factory.mktemp("empty"))


@pytest.fixture(params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, tmp_path: Path, empty_databases: "Templates"
) -> Iterator[Database]:
    """An empty database with every table that was imported; each test runs on both kinds."""
    if request.param == "sqlite":
        url = empty_databases.sqlite(tmp_path / "hub.sqlite")
        server = None
    else:
        server = request.getfixturevalue("postgres_server")
        url = server.new_database(empty_databases.on(server))
    database = Database(url)
    try:
        yield database
    finally:
        database.close()
        if server is not None:
            server.drop(url)


class Templates:
    """Making the tables takes a second; copying them does not. One template for each set of
    tables, since test modules import more and more of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[tuple[str, int], str] = {}

    def sqlite(self, path: Path) -> str:
        """The address of a new SQLite database at `path`."""
        shutil.copyfile(self._template("sqlite", self._new_file), path)
        return f"sqlite:///{path}"

    def on(self, server: Postgres) -> str:
        """The name of the template on a server."""
        return self._template("postgresql", lambda: self._new_on(server))

    def _template(self, kind: str, make: Callable[[], str]) -> str:
        key = (kind, len(Base.metadata.tables))
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def _new_file(self) -> str:
        path = self._folder / f"{len(self._made)}.sqlite"
        _make_tables(f"sqlite:///{path}")
        return str(path)

    def _new_on(self, server: Postgres) -> str:
        url = server.new_database()
        _make_tables(url)
        return name_in(url)


def _make_tables(url: str) -> None:
    database = Database(url)
    Base.metadata.create_all(database.engine)
    database.close()  # the last connection to a SQLite file also empties its log into it


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
