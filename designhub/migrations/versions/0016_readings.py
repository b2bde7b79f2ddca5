"""What an agent reads off a machine in mid-print."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision: str | None = "0015"
branch_labels: str | None = None
depends_on = None


def upgrade() -> None:
    """Add them; nothing is known of a run until its agent speaks again."""
    names = ("nozzle_c", "nozzle_target_c", "bed_c", "bed_target_c", "layer", "layers", "z_um")
    for name in names:
        op.add_column("run", sa.Column(name, sa.Integer(), nullable=True))
