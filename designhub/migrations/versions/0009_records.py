"""What a printer's record says of estimates: what its prints took, and what its slices asked."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on = None


def upgrade() -> None:
    """Add the figures; nothing is known of anybody yet."""
    for name, default in (
        ("took_per_mille", "1000"),
        ("took_runs", "0"),
        ("mass_per_mille", "1000"),
        ("mass_slices", "0"),
    ):
        column = sa.Column(name, sa.Integer(), server_default=default, nullable=False)
        op.add_column("printer", column)
    op.add_column("run", sa.Column("print_s", sa.BigInteger(), nullable=True))
    op.add_column("job", sa.Column("estimated_mg", sa.BigInteger(), nullable=True))
