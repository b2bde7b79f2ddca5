"""Which agents run inside OctoPrint, where people press buttons."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision: str | None = "0009"
branch_labels: str | None = None
depends_on = None


def upgrade() -> None:
    """Whoever was enrolled before is no plugin."""
    op.add_column(
        "agent",
        sa.Column("kind", sa.String(length=32), server_default="agent", nullable=False),
    )
