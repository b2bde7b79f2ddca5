"""What the hub signs of each run, and from what its G-code was made."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on = None


def upgrade() -> None:
    """Add both; runs that are over have no signature, and get none."""
    op.add_column("job", sa.Column("made_from", sa.JSON(none_as_null=True), nullable=True))
    op.create_table(
        "provenance",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("signature", sa.String(length=120), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("provenance_run_id_fkey")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("provenance_pkey")),
    )
