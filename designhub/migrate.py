"""Bringing a database to the tables of this release, and knowing whether it is there."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from basis import clock
from basis.db import Database
from basis.errors import Unavailable
from commons.book import open_book

LOCK = 0x0D51_6700
"""Number of the PostgreSQL advisory lock that lets one starting process migrate at a time."""


def migrate(database: Database, *, hub: str = "hub:local") -> None:
    """Apply every migration that is missing, and open the book. Harmless when nothing is."""
    with _one_transaction(database) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    with database.writing() as session:
        open_book(session, hub=hub, now=clock.now())


@contextmanager
def _one_transaction(database: Database) -> Iterator[Connection]:
    """Everything or nothing. SQLite changes a table by making it anew, and would take every row
    that names one of the old table's for an orphan: it looks at the end instead, at all of them
    (https://www.sqlite.org/lang_altertable.html#otheralter)."""
    with database.engine.execution_options(hub_writes=True).connect() as connection:
        if connection.dialect.name != "sqlite":
            with connection.begin():
                yield connection
            return
        cursor = connection.connection.cursor()
        cursor.execute("PRAGMA foreign_keys=OFF")  # inside a transaction it would be passed over
        try:
            with connection.begin():
                yield connection
                orphans = connection.execute(text("PRAGMA foreign_key_check")).all()
                if orphans:
                    raise Unavailable(f"rows point to none after migrating: {orphans[:5]}")
        finally:
            cursor.execute("PRAGMA foreign_keys=ON")


def is_current(database: Database) -> bool:
    """Whether the database has exactly the tables of this release."""
    with database.engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_heads()
    return set(found) == set(ScriptDirectory.from_config(_config()).get_heads())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("designhub").joinpath("migrations")))
    return config
