"""The photo of a bed at the end of a run."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on = None


def upgrade() -> None:
    """Add it; runs that are over have none."""
    op.add_column("run", sa.Column("photo_sha256", sa.String(length=64), nullable=True))
