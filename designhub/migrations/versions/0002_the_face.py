"""What the pages need: each area of the hub adds its own tables and columns below its name."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on = None


def upgrade() -> None:
    """Add them; nothing that is there changes."""
    _people()
    _designs()
    _printers()
    _router()


def _people() -> None:
    """Invitations, mail, notices."""


def _designs() -> None:
    """Models for the viewer, designs made by upload."""


def _printers() -> None:
    """Enrolment by code, hours, maintenance."""
    op.add_column("workshop", sa.Column("address", sa.Text(), nullable=True))
    op.add_column("workshop", sa.Column("hours", sa.JSON(), nullable=True))
    op.add_column(
        "printer", sa.Column("paused_because", sa.Text(), server_default="", nullable=False)
    )
    op.add_column("printer", sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "printer_note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("printer_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Uuid(), nullable=False),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["printer_id"], ["printer.id"], name=op.f("printer_note_printer_id_fkey")
        ),
        sa.ForeignKeyConstraint(["by"], ["account.id"], name=op.f("printer_note_by_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("printer_note_pkey")),
    )
    op.create_index(op.f("printer_note_printer_id_index"), "printer_note", ["printer_id"])
    op.create_table(
        "enrolment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workshop_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("printers", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["workshop_id"], ["workshop.id"], name=op.f("enrolment_workshop_id_fkey")
        ),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], name=op.f("enrolment_agent_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("enrolment_pkey")),
        sa.UniqueConstraint("digest", name=op.f("enrolment_digest_key")),
    )
    op.create_index(op.f("enrolment_workshop_id_index"), "enrolment", ["workshop_id"])


def _router() -> None:
    """Messages."""
