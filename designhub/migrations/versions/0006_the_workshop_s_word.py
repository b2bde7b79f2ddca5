"""What a workshop says of its printers: duty, quiet hours, upkeep."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on = None


def upgrade() -> None:
    """Add them; a printer that took no new work is paused."""
    op.add_column(
        "printer", sa.Column("duty", sa.String(length=32), server_default="open", nullable=False)
    )
    op.execute(sa.text("UPDATE printer SET duty = 'paused' WHERE NOT accepting"))
    op.add_column(
        "printer", sa.Column("printed_s", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.add_column("printer", sa.Column("quiet", sa.JSON(), nullable=True))
    op.add_column("workshop", sa.Column("quiet", sa.JSON(), nullable=True))
    op.create_table(
        "upkeep",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("printer_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Uuid(), nullable=False),
        sa.Column("task", sa.String(length=80), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("printed_s", sa.BigInteger(), nullable=False),
        sa.Column("due_printed_s", sa.BigInteger(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["printer_id"], ["printer.id"], name=op.f("upkeep_printer_id_fkey")
        ),
        sa.ForeignKeyConstraint(["by"], ["account.id"], name=op.f("upkeep_by_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("upkeep_pkey")),
    )
    op.create_index("upkeep_task", "upkeep", ["printer_id", "task", "id"])
