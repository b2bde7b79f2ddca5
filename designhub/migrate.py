"""Bringing a database to the tables of this release, and knowing whether it is there."""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from basis import clock
from basis.db import Database
from commons.book import open_book

LOCK = 0x0D51_6700
"""Number of the PostgreSQL advisory lock that lets one starting process migrate at a time."""


def migrate(database: Database, *, hub: str = "hub:local") -> None:
    """Apply every migration that is missing, and open the book. Harmless when nothing is."""
    with database.engine.execution_options(hub_writes=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    with database.writing() as session:
        open_book(session, hub=hub, now=clock.now())


def is_current(database: Database) -> bool:
    """Whether the database has exactly the tables of this release."""
    with database.engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_heads()
    return set(found) == set(ScriptDirectory.from_config(_config()).get_heads())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("designhub").joinpath("migrations")))
    return config
