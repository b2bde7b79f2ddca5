"""Since when a printer's record speaks of the machine as it is."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision: str | None = "0017"
branch_labels: str | None = None
depends_on = None


def upgrade() -> None:
    """Add it; what was learned so far stays."""
    op.add_column("printer", sa.Column("learns_since", sa.DateTime(timezone=True), nullable=True))
