"""A printer takes work once a cube could be sliced for it; those that are there have proved it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on = None


def upgrade() -> None:
    """Add what came of the trial."""
    for name, kind, default in (
        ("trial", sa.String(32), "passed"),
        ("trial_said", sa.Text(), ""),
    ):
        column = sa.Column(name, kind, server_default=default, nullable=False)
        op.add_column("printer", column)
