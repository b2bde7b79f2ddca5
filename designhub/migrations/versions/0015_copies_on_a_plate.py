"""Several copies of a part on one plate."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision: str | None = "0014"
branch_labels: str | None = None
depends_on = None


def upgrade() -> None:
    """Add the numbers; until a workshop says otherwise it is one copy a plate, as it was."""
    for table, column in (("printer", "most_pieces"), ("quote_item", "pieces"), ("job", "pieces")):
        op.add_column(table, sa.Column(column, sa.Integer(), server_default="1", nullable=False))
    op.add_column("job", sa.Column("good", sa.Integer(), nullable=True))
