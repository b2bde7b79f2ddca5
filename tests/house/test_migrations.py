"""Migrations and tables say the same, on both databases, triggers included."""

import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from basis.db import Base, Database
from commons.models import TRIGGERS
from designhub.migrate import is_current, migrate

FIRST = (
    Path(__file__).parents[2] / "designhub" / "migrations" / "versions" / "0001_the_first_tables.py"
)


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without any table."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    else:
        url = request.getfixturevalue("postgres_server").new_database()
    database = Database(url)
    yield database
    database.close()


def ours() -> set[str]:
    return {name for name in Base.metadata.tables if not name.startswith("test_")}


def test_migrating_gives_the_tables_of_the_models(fresh: Database) -> None:
    assert not is_current(fresh)
    migrate(fresh)
    assert is_current(fresh)
    with fresh.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = [
            change
            for change in compare_metadata(context, Base.metadata)
            if "test_" not in str(change)
        ]
        assert differences == []
        assert ours() <= set(inspect(connection).get_table_names())


def test_migrating_again_changes_nothing(fresh: Database) -> None:
    migrate(fresh)
    with fresh.engine.connect() as connection:
        before = connection.execute(text("SELECT hash FROM book_entry")).scalars().all()
    migrate(fresh)
    with fresh.engine.connect() as connection:
        assert connection.execute(text("SELECT hash FROM book_entry")).scalars().all() == before
    assert len(before) == 1


def test_the_migrated_book_refuses_changes_as_the_model_s_does(fresh: Database) -> None:
    """The statements in the first migration are frozen; those of the models must be among them."""
    kind = fresh.engine.dialect.name
    guards = runpy.run_path(str(FIRST))["GUARDS"]
    assert list(guards[kind]) == list(TRIGGERS[kind])


def test_migrated_indexes_are_those_of_the_models_with_their_conditions(tmp_path: Path) -> None:
    """SQLite makes a changed table anew, and Alembic compares no index's WHERE."""
    migrated, models = (Database(f"sqlite:///{tmp_path / name}") for name in ("a", "b"))
    migrate(migrated)
    Base.metadata.create_all(models.engine, tables=[Base.metadata.tables[each] for each in ours()])
    assert _indexes(migrated) == _indexes(models)
    migrated.close()
    models.close()


def _indexes(database: Database) -> dict[str, str]:
    asked = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    with database.engine.connect() as connection:
        rows = connection.execute(text(asked)).all()
    return {name: " ".join(sql.split()) for name, sql in rows}
