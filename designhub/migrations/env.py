"""Run by Alembic, on the connection that `designhub.migrate` hands over."""

from importlib import import_module
from typing import Literal

from alembic import context

from basis.db import AwareUtc, Base, EnumByValue

for package in ("designhub", "designs", "printers", "commons", "router"):
    import_module(f"{package}.models")  # the tables register themselves


def plain_type(kind: str, column_type: object, _context: object) -> str | Literal[False]:
    """How a column's type is written in a migration: by SQL's words, not by ours, which may be
    renamed one day."""
    if kind == "type" and isinstance(column_type, AwareUtc):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(column_type, EnumByValue):
        return "sa.String(length=32)"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    render_item=plain_type,
)
with context.begin_transaction():
    context.run_migrations()
