"""A code says what it enrols: an agent, or a plugin."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision: str | None = "0016"
branch_labels: str | None = None
depends_on = None


def upgrade() -> None:
    """Codes that are out are the agent's: they end within a quarter of an hour."""
    op.add_column(
        "enrolment",
        sa.Column("kind", sa.String(length=32), server_default="agent", nullable=False),
    )
