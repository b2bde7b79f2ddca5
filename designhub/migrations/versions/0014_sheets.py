"""How a part lies, in pictures."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision: str | None = "0013"
branch_labels: str | None = None
depends_on = None


def upgrade() -> None:
    """Add it; each is drawn when somebody asks."""
    op.add_column("mesh", sa.Column("sheet_sha256", sa.String(length=64), nullable=True))
