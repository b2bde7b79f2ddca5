"""What the pages need: each area of the hub adds its own tables and columns below its name."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on = None


def upgrade() -> None:
    """Add them; nothing that is there changes."""
    _book()
    _people()
    _designs()
    _printers()
    _router()


def _book() -> None:
    """Entries of one kind, newest first."""
    op.create_index(op.f("book_entry_kind_index"), "book_entry", ["kind", "seq"])


def _people() -> None:
    """Invitations, mail, notices."""
    for name, kind in (
        ("display", sa.String(80)),
        ("about", sa.Text()),
        ("language", sa.String(8)),
    ):
        op.add_column("account", sa.Column(name, kind, server_default="", nullable=False))
    op.add_column("account", sa.Column("mail", sa.String(length=254), nullable=True))
    for name in ("sessions", "notices_seen"):
        op.add_column("account", sa.Column(name, sa.Integer(), server_default="0", nullable=False))
    op.add_column("account", sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(op.f("account_mail_index"), "account", ["mail"], unique=True)
    op.create_table(
        "link",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("mail", sa.String(length=254), nullable=False),
        sa.Column("note", sa.String(length=80), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("link_account_id_fkey")),
        sa.ForeignKeyConstraint(["used_by"], ["account.id"], name=op.f("link_used_by_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("link_pkey")),
        sa.UniqueConstraint("digest", name=op.f("link_digest_key")),
    )
    op.create_index(op.f("link_account_id_index"), "link", ["account_id"])
    op.create_index(op.f("link_mail_index"), "link", ["mail"])
    op.create_table(
        "mail_out",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("letter", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("whom", sa.String(length=254), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fault", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("mail_out_account_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("mail_out_pkey")),
    )
    op.create_index(op.f("mail_out_due_at_index"), "mail_out", ["due_at"])
    op.create_index("job_printer_ended", "job", ["printer_id", "ended_at"])


def _designs() -> None:
    """Models for the viewer, designs made by upload."""
    op.add_column("mesh", sa.Column("glb_sha256", sa.String(length=64), nullable=True))
    due = sa.text("analysis = 'done' AND glb_sha256 IS NULL")
    op.create_index("mesh_model_due", "mesh", ["id"], sqlite_where=due, postgresql_where=due)
    op.create_index("design_by_name", "design", ["slug", "id"])
    op.create_index("version_by_licence", "version", ["licence", "design_id"])


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
    """When runs passed; what was asked for, to ask again."""
    passed = sa.text("state = 'passed'")
    op.create_index("run_passed", "run", ["ended_at"], sqlite_where=passed, postgresql_where=passed)
    op.add_column("quote", sa.Column("place", sa.String(length=200), nullable=True))
