"""Run by Alembic, on the connection that `designhub.migrate` hands over."""

from alembic import context

import router.models  # noqa: F401 - the tables register themselves
from basis.db import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
