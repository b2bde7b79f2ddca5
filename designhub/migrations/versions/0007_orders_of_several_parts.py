"""Orders of several parts: what a quote said of its one part becomes its first item, and each job
says which item it makes. Quotes and orders that are there stay as they were."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on = None

WITH_GCODE = "NOT (state IN ('assigned', 'done', 'passed', 'ready')) OR gcode_sha256 IS NOT NULL"


def upgrade() -> None:
    """Move them."""
    _items()
    _jobs()
    with op.batch_alter_table("quote") as quote:
        for column in ("part_id", "mass_mg", "duration_s", "estimated_s"):
            quote.drop_column(column)


def _items() -> None:
    op.create_table(
        "quote_item",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("part_id", sa.Integer(), nullable=False),
        sa.Column("copies", sa.Integer(), nullable=False),
        sa.Column("mass_mg", sa.BigInteger(), nullable=False),
        sa.Column("duration_s", sa.BigInteger(), nullable=False),
        sa.Column("estimated_s", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["quote_id"], ["quote.id"], name=op.f("quote_item_quote_id_fkey")),
        sa.ForeignKeyConstraint(["part_id"], ["part.id"], name=op.f("quote_item_part_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("quote_item_pkey")),
        sa.UniqueConstraint("quote_id", "position", name=op.f("quote_item_quote_id_position_key")),
    )
    op.create_index(op.f("quote_item_part_id_index"), "quote_item", ["part_id"])
    op.execute(
        # An id is an id: those that are there take their quote's.
        "INSERT INTO quote_item"
        " (id, quote_id, position, part_id, copies, mass_mg, duration_s, estimated_s)"
        " SELECT id, id, 0, part_id, copies, mass_mg, duration_s, estimated_s FROM quote"
    )


def _jobs() -> None:
    op.add_column("job", sa.Column("item_id", sa.Uuid(), nullable=True))
    op.add_column("job", sa.Column("number", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE job SET number = copy, item_id ="
        " (SELECT quote_id FROM customer_order WHERE customer_order.id = job.order_id)"
    )
    # SQLite makes a changed table anew, and does not tell which checks the old one had.
    check = sa.CheckConstraint(WITH_GCODE, name=op.f("job_gcode_check"))
    with op.batch_alter_table("job", table_args=(check,)) as job:
        job.alter_column("item_id", existing_type=sa.Uuid(), nullable=False)
        job.alter_column("number", existing_type=sa.Integer(), nullable=False)
        job.create_foreign_key(op.f("job_item_id_fkey"), "quote_item", ["item_id"], ["id"])
        job.drop_constraint(op.f("job_order_id_copy_key"), type_="unique")
        job.create_unique_constraint(op.f("job_order_id_number_key"), ["order_id", "number"])
        job.create_index(op.f("job_item_id_index"), ["item_id"])
