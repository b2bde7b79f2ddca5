"""What a paused run waits for, and printers whose end code takes the part off."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision: str | None = "0011"
branch_labels: str | None = None
depends_on = None


def upgrade() -> None:
    """Add them; no printer ejects until its workshop says so."""
    op.add_column(
        "run", sa.Column("waits_for", sa.String(length=20), server_default="", nullable=False)
    )
    op.add_column("printer", sa.Column("ejects_by", sa.Uuid(), nullable=True))
    op.add_column("printer", sa.Column("ejects_since", sa.DateTime(timezone=True), nullable=True))
