"""What a run is made from when its spool is changed in between."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision: str | None = "0012"
branch_labels: str | None = None
depends_on = None


def upgrade() -> None:
    """Add stretches; a run under way has none, and is borne by one spool as before."""
    op.create_table(
        "stretch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("spool_id", sa.Uuid(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("from_ppm", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"]),
        sa.ForeignKeyConstraint(["spool_id"], ["spool.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("stretch_run_id_index", "stretch", ["run_id"])
    op.add_column(
        "run",
        sa.Column("change_open", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
