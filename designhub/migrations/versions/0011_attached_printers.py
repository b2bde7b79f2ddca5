"""Printers on the hub's own network, which its own agent tends."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision: str | None = "0010"
branch_labels: str | None = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "attached_printer",
        sa.Column("printer_id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.String(length=300), nullable=False),
        sa.Column("sealed_key", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("dialogue", sa.String(length=500), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["asked_by"], ["account.id"]),
        sa.ForeignKeyConstraint(["printer_id"], ["printer.id"]),
        sa.PrimaryKeyConstraint("printer_id"),
    )
