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
def kept_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Kept"]:
    """The run's databases, emptied before each test."""
    kept = Kept(tmp_path_factory.mktemp("databases"))
    yield kept
    kept.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, kept_databases: "Kept") -> Iterator[Database]:
    """An empty database with every table that was imported; each test runs on both kinds."""
    if request.param == "sqlite":
        database = kept_databases.on_sqlite()
    else:
        database = kept_databases.on_postgres(request.getfixturevalue("postgres_server"))
    try:
        yield database
    finally:
        database.close()


class Kept:
    """One database of each kind, made empty again by copying a template over it.

    Making the tables takes a second, and an engine that is used for the first time compiles every
    statement anew; both are done once a run. There is one template for each set of tables, since
    test modules import more and more of them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._templates: dict[tuple[str, int], str] = {}
        self._databases: dict[str, Database] = {}

    def on_sqlite(self) -> Database:
        """The SQLite database, empty."""
        path = self._folder / "hub.sqlite"
        database = self._database("sqlite", lambda: f"sqlite:///{path}")
        for beside in ("-wal", "-shm"):
            path.with_name(path.name + beside).unlink(missing_ok=True)
        shutil.copyfile(self._template("sqlite", self._new_file), path)
        return database

    def on_postgres(self, server: Postgres) -> Database:
        """The PostgreSQL database, empty."""
        database = self._database("postgresql", server.new_database)
        template = self._template("postgresql", lambda: self._new_on(server))
        server.renew(str(database.engine.url.database), template)
        return database

    def close(self) -> None:
        """Close every connection."""
        for database in self._databases.values():
            database.close()

    def _database(self, kind: str, make: Callable[[], str]) -> Database:
        if kind not in self._databases:
            self._databases[kind] = Database(make())
        self._databases[kind].close()
        return self._databases[kind]

    def _template(self, kind: str, make: Callable[[], str]) -> str:
        key = (kind, len(Base.metadata.tables))
        if key not in self._templates:
            self._templates[key] = make()
        return self._templates[key]

    def _new_file(self) -> str:
        path = self._folder / f"template{len(self._templates)}.sqlite"
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
