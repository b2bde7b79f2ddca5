"""What answers idle agents: whose bed changed lately."""

from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index(op.f("printer_bed_changed_at_index"), "printer", ["bed_changed_at"])
