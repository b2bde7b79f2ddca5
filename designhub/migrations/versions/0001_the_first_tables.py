"""The first tables"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

GUARDS = {
    "sqlite": [
        "CREATE TRIGGER book_entry_no_update BEFORE UPDATE ON book_entry BEGIN SELECT RAISE(ABORT, 'the book is only ever added to'); END",
        "CREATE TRIGGER book_entry_no_delete BEFORE DELETE ON book_entry BEGIN SELECT RAISE(ABORT, 'the book is only ever added to'); END",
        "CREATE TRIGGER book_leg_no_update BEFORE UPDATE ON book_leg BEGIN SELECT RAISE(ABORT, 'the book is only ever added to'); END",
        "CREATE TRIGGER book_leg_no_delete BEFORE DELETE ON book_leg BEGIN SELECT RAISE(ABORT, 'the book is only ever added to'); END",
        "CREATE TRIGGER book_entry_no_replace BEFORE INSERT ON book_entry WHEN EXISTS (SELECT 1 FROM book_entry WHERE seq = NEW.seq OR key = NEW.key) BEGIN SELECT RAISE(ABORT, 'the book is only ever added to'); END",
        "CREATE TRIGGER book_leg_no_replace BEFORE INSERT ON book_leg WHEN EXISTS (SELECT 1 FROM book_leg WHERE entry = NEW.entry AND account = NEW.account AND unit = NEW.unit) BEGIN SELECT RAISE(ABORT, 'the book is only ever added to'); END",
    ],
    "postgresql": [
        "CREATE OR REPLACE FUNCTION book_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the book is only ever added to'; END $$",
        "CREATE TRIGGER book_entry_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON book_entry FOR EACH STATEMENT EXECUTE FUNCTION book_refuse()",
        "CREATE TRIGGER book_leg_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON book_leg FOR EACH STATEMENT EXECUTE FUNCTION book_refuse()",
        "CREATE OR REPLACE FUNCTION book_balanced() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF (SELECT sum(amount) FROM book_leg WHERE entry = NEW.entry AND unit = NEW.unit) <> 0 THEN RAISE EXCEPTION 'the legs of an entry do not sum to zero'; END IF; RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER book_leg_balanced AFTER INSERT ON book_leg DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION book_balanced()",
    ],
}
"""The open book is only ever added to: the databases themselves refuse the rest."""


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=39), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("operator", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("account_pkey")),
        sa.UniqueConstraint("name", name=op.f("account_name_key")),
    )
    op.create_table(
        "book_balance",
        sa.Column("account", sa.String(length=255), nullable=False),
        sa.Column("unit", sa.String(length=16), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "unit", name=op.f("book_balance_pkey")),
    )
    op.create_table(
        "book_entry",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("recorded", sa.String(length=27), nullable=False),
        sa.Column("by", sa.String(length=255), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("prev", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.CheckConstraint("seq > 0", name=op.f("book_entry_seq_check")),
        sa.PrimaryKeyConstraint("seq", name=op.f("book_entry_pkey")),
        sa.UniqueConstraint("key", name=op.f("book_entry_key_key")),
    )
    op.create_table(
        "book_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("book_head_one_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("book_head_pkey")),
    )
    op.create_table(
        "book_mention",
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("entry", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("name", "entry", name=op.f("book_mention_pkey")),
    )
    op.create_table(
        "book_reservation",
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("account", sa.String(length=255), nullable=False),
        sa.Column("unit", sa.String(length=16), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=False),
        sa.Column("posted", sa.BigInteger(), nullable=False),
        sa.Column("voided", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.CheckConstraint(
            "(state = 'open') = (ended < jobs)", name=op.f("book_reservation_state_check")
        ),
        sa.CheckConstraint("ended BETWEEN 0 AND jobs", name=op.f("book_reservation_ended_check")),
        sa.CheckConstraint(
            "posted + voided <= amount AND posted >= 0 AND voided >= 0",
            name=op.f("book_reservation_amount_check"),
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("book_reservation_pkey")),
    )
    with op.batch_alter_table("book_reservation", schema=None) as batch_op:
        batch_op.create_index("book_reservation_account_index", ["account", "unit"], unique=False)

    op.create_table(
        "failed_sign_in",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("failed_sign_in_pkey")),
    )
    with op.batch_alter_table("failed_sign_in", schema=None) as batch_op:
        batch_op.create_index("failed_sign_in_subject_at", ["subject", "at"], unique=False)

    op.create_table(
        "mesh",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("blob", sa.String(length=40), nullable=False),
        sa.Column("format", sa.String(length=8), nullable=False),
        sa.Column("reader", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("analysis", sa.String(length=32), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=True),
        sa.Column("refusal", sa.String(length=40), nullable=True),
        sa.Column("refusal_text", sa.Text(), nullable=True),
        sa.Column("stl_sha256", sa.String(length=64), nullable=True),
        sa.Column("picture_sha256", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "(analysis = 'done') = (facts IS NOT NULL AND stl_sha256 IS NOT NULL)",
            name=op.f("mesh_facts_check"),
        ),
        sa.CheckConstraint(
            "(analysis = 'refused') = (refusal IS NOT NULL)", name=op.f("mesh_refusal_check")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("mesh_pkey")),
        sa.UniqueConstraint("blob", "format", "reader", name=op.f("mesh_blob_format_reader_key")),
    )
    op.create_table(
        "printer_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("printer_change_pkey")),
    )
    op.create_table(
        "slice",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("plate", sa.String(length=64), nullable=False),
        sa.Column("gcode_sha256", sa.String(length=64), nullable=False),
        sa.Column("gcode_sha1", sa.String(length=40), nullable=False),
        sa.Column("gcode_bytes", sa.BigInteger(), nullable=False),
        sa.Column("mass_mg", sa.BigInteger(), nullable=False),
        sa.Column("duration_s", sa.BigInteger(), nullable=False),
        sa.Column("sliced_by", sa.String(length=80), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("slice_pkey")),
    )
    with op.batch_alter_table("slice", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("slice_plate_index"), ["plate"], unique=False)

    op.create_table(
        "book_leg",
        sa.Column("entry", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account", sa.String(length=255), nullable=False),
        sa.Column("unit", sa.String(length=16), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("book_leg_amount_check")),
        sa.ForeignKeyConstraint(["entry"], ["book_entry.seq"], name=op.f("book_leg_entry_fkey")),
        sa.PrimaryKeyConstraint("entry", "account", "unit", name=op.f("book_leg_pkey")),
    )
    with op.batch_alter_table("book_leg", schema=None) as batch_op:
        batch_op.create_index("book_leg_account_index", ["account", "unit", "entry"], unique=False)

    op.create_table(
        "design",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(length=80), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("visibility", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pushed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refs_due", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["account.id"], name=op.f("design_owner_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("design_pkey")),
        sa.UniqueConstraint("owner_id", "slug", name=op.f("design_owner_id_slug_key")),
    )
    op.create_table(
        "token",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("token_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("token_pkey")),
        sa.UniqueConstraint("digest", name=op.f("token_digest_key")),
    )
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("token_account_id_index"), ["account_id"], unique=False)

    op.create_table(
        "workshop",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(length=80), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("lat_udeg", sa.Integer(), nullable=False),
        sa.Column("lon_udeg", sa.Integer(), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("time_zone", sa.String(length=60), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("prices", sa.JSON(), nullable=False),
        sa.Column("carriage", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "lat_udeg BETWEEN -90000000 AND 90000000", name=op.f("workshop_lat_check")
        ),
        sa.CheckConstraint(
            "lon_udeg BETWEEN -180000000 AND 180000000", name=op.f("workshop_lon_check")
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["account.id"], name=op.f("workshop_owner_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("workshop_pkey")),
        sa.UniqueConstraint("slug", name=op.f("workshop_slug_key")),
    )
    with op.batch_alter_table("workshop", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("workshop_owner_id_index"), ["owner_id"], unique=False)

    op.create_table(
        "agent",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workshop_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["workshop_id"], ["workshop.id"], name=op.f("agent_workshop_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("agent_pkey")),
        sa.UniqueConstraint("digest", name=op.f("agent_digest_key")),
    )
    with op.batch_alter_table("agent", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("agent_workshop_id_index"), ["workshop_id"], unique=False)

    op.create_table(
        "design_word",
        sa.Column("word", sa.String(length=60), nullable=False),
        sa.Column("design_id", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["design_id"],
            ["design.id"],
            name=op.f("design_word_design_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("word", "design_id", name=op.f("design_word_pkey")),
    )
    with op.batch_alter_table("design_word", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("design_word_design_id_index"), ["design_id"], unique=False
        )

    op.create_table(
        "version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("design_id", sa.Integer(), nullable=False),
        sa.Column("commit", sa.String(length=40), nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("pushed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("analysis", sa.String(length=32), nullable=False),
        sa.Column("analysed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("licence", sa.String(length=200), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=True),
        sa.Column("readme", sa.String(length=400), nullable=True),
        sa.ForeignKeyConstraint(["design_id"], ["design.id"], name=op.f("version_design_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("version_pkey")),
        sa.UniqueConstraint("design_id", "commit", name=op.f("version_design_id_commit_key")),
    )
    with op.batch_alter_table("version", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("version_design_id_index"), ["design_id"], unique=False)
        batch_op.create_index(
            "version_due",
            ["id"],
            unique=False,
            sqlite_where=sa.text("analysis = 'due'"),
            postgresql_where=sa.text("analysis = 'due'"),
        )

    op.create_table(
        "design_ref",
        sa.Column("design_id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(length=250), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["design_id"], ["design.id"], name=op.f("design_ref_design_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["version.id"], name=op.f("design_ref_version_id_fkey")
        ),
        sa.PrimaryKeyConstraint("design_id", "ref", name=op.f("design_ref_pkey")),
    )
    with op.batch_alter_table("design_ref", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("design_ref_version_id_index"), ["version_id"], unique=False
        )

    op.create_table(
        "part",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=120), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("path", sa.String(length=400), nullable=False),
        sa.Column("mesh_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["mesh_id"], ["mesh.id"], name=op.f("part_mesh_id_fkey")),
        sa.ForeignKeyConstraint(["version_id"], ["version.id"], name=op.f("part_version_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("part_pkey")),
        sa.UniqueConstraint("version_id", "path", name=op.f("part_version_id_path_key")),
        sa.UniqueConstraint("version_id", "slug", name=op.f("part_version_id_slug_key")),
    )
    with op.batch_alter_table("part", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("part_mesh_id_index"), ["mesh_id"], unique=False)
        batch_op.create_index(batch_op.f("part_version_id_index"), ["version_id"], unique=False)

    op.create_table(
        "printer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workshop_id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("profile", sa.JSON(), nullable=False),
        sa.Column("bed", sa.String(length=32), nullable=False),
        sa.Column("bed_changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepting", sa.Boolean(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("machine_state", sa.String(length=60), nullable=False),
        sa.Column("passed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("idle_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], name=op.f("printer_agent_id_fkey")),
        sa.ForeignKeyConstraint(
            ["workshop_id"], ["workshop.id"], name=op.f("printer_workshop_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("printer_pkey")),
        sa.UniqueConstraint("workshop_id", "name", name=op.f("printer_workshop_id_name_key")),
    )
    with op.batch_alter_table("printer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("printer_agent_id_index"), ["agent_id"], unique=False)
        batch_op.create_index(batch_op.f("printer_change_index"), ["change"], unique=False)
        batch_op.create_index(
            batch_op.f("printer_workshop_id_index"), ["workshop_id"], unique=False
        )

    op.create_table(
        "spool",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("printer_id", sa.Uuid(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=True),
        sa.Column("material", sa.String(length=20), nullable=False),
        sa.Column("colour", sa.String(length=30), nullable=False),
        sa.Column("left_mg", sa.BigInteger(), nullable=False),
        sa.Column("price_per_kg_minor", sa.Integer(), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["printer_id"], ["printer.id"], name=op.f("spool_printer_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("spool_pkey")),
        sa.UniqueConstraint("printer_id", "slot", name=op.f("spool_printer_id_slot_key")),
    )
    with op.batch_alter_table("spool", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("spool_printer_id_index"), ["printer_id"], unique=False)

    op.create_table(
        "quote",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("maker_id", sa.Uuid(), nullable=True),
        sa.Column("part_id", sa.Integer(), nullable=False),
        sa.Column("printer_id", sa.Uuid(), nullable=False),
        sa.Column("spool_id", sa.Uuid(), nullable=False),
        sa.Column("copies", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("mass_mg", sa.BigInteger(), nullable=False),
        sa.Column("duration_s", sa.BigInteger(), nullable=False),
        sa.Column("estimated_s", sa.BigInteger(), nullable=False),
        sa.Column("distance_m", sa.BigInteger(), nullable=False),
        sa.Column("co2e_mg", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("inputs_sha256", sa.String(length=64), nullable=False),
        sa.Column("factors", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["maker_id"], ["account.id"], name=op.f("quote_maker_id_fkey")),
        sa.ForeignKeyConstraint(["part_id"], ["part.id"], name=op.f("quote_part_id_fkey")),
        sa.ForeignKeyConstraint(["printer_id"], ["printer.id"], name=op.f("quote_printer_id_fkey")),
        sa.ForeignKeyConstraint(["spool_id"], ["spool.id"], name=op.f("quote_spool_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("quote_pkey")),
    )
    with op.batch_alter_table("quote", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("quote_request_id_index"), ["request_id"], unique=False)

    op.create_table(
        "customer_order",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("maker_id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.String(length=80), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["maker_id"], ["account.id"], name=op.f("customer_order_maker_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["quote_id"], ["quote.id"], name=op.f("customer_order_quote_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("customer_order_pkey")),
        sa.UniqueConstraint(
            "maker_id", "idempotency_key", name=op.f("customer_order_maker_id_idempotency_key_key")
        ),
    )
    with op.batch_alter_table("customer_order", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("customer_order_maker_id_index"), ["maker_id"], unique=False
        )

    op.create_table(
        "job",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("copy", sa.Integer(), nullable=False),
        sa.Column("printer_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reserved_mg", sa.BigInteger(), nullable=False),
        sa.Column("gcode_sha256", sa.String(length=64), nullable=True),
        sa.Column("gcode_sha1", sa.String(length=40), nullable=True),
        sa.Column("gcode_bytes", sa.BigInteger(), nullable=True),
        sa.Column("mass_mg", sa.BigInteger(), nullable=True),
        sa.Column("duration_s", sa.BigInteger(), nullable=True),
        sa.Column("sliced_by", sa.String(length=80), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "NOT (state IN ('assigned', 'done', 'passed', 'ready')) OR gcode_sha256 IS NOT NULL",
            name=op.f("job_gcode_check"),
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["customer_order.id"], name=op.f("job_order_id_fkey")
        ),
        sa.ForeignKeyConstraint(["printer_id"], ["printer.id"], name=op.f("job_printer_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("job_pkey")),
        sa.UniqueConstraint("order_id", "copy", name=op.f("job_order_id_copy_key")),
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index(
            "job_queue",
            ["printer_id", "ready_at"],
            unique=False,
            sqlite_where=sa.text("state = 'ready'"),
            postgresql_where=sa.text("state = 'ready'"),
        )
        batch_op.create_index(
            "job_to_slice",
            ["id"],
            unique=False,
            sqlite_where=sa.text("state = 'ordered'"),
            postgresql_where=sa.text("state = 'ordered'"),
        )

    op.create_table(
        "run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("printer_id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("leased_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("permitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("permit_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("progress_ppm", sa.Integer(), nullable=False),
        sa.Column("seconds_left", sa.Integer(), nullable=True),
        sa.Column("stop_asked", sa.Boolean(), nullable=False),
        sa.Column("never_started", sa.Boolean(), nullable=False),
        sa.Column("agent_ended", sa.Boolean(), nullable=False),
        sa.Column("job_at_fault", sa.Boolean(), nullable=True),
        sa.Column("printer_at_fault", sa.Boolean(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(state IN ('leased', 'paused', 'permitted', 'printing')) = (lease_until IS NOT NULL)",
            name=op.f("run_deadline_check"),
        ),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], name=op.f("run_agent_id_fkey")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("run_job_id_fkey")),
        sa.ForeignKeyConstraint(["printer_id"], ["printer.id"], name=op.f("run_printer_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("run_pkey")),
        sa.UniqueConstraint("printer_id", "fence", name=op.f("run_printer_id_fence_key")),
    )
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.create_index(
            "run_deadline",
            ["lease_until"],
            unique=False,
            sqlite_where=sa.text("state IN ('leased', 'paused', 'permitted', 'printing')"),
            postgresql_where=sa.text("state IN ('leased', 'paused', 'permitted', 'printing')"),
        )
        batch_op.create_index(
            "run_job_busy",
            ["job_id"],
            unique=True,
            sqlite_where=sa.text(
                "state IN ('leased', 'paused', 'permitted', 'printed', 'printing', 'unknown')"
            ),
            postgresql_where=sa.text(
                "state IN ('leased', 'paused', 'permitted', 'printed', 'printing', 'unknown')"
            ),
        )
        batch_op.create_index(batch_op.f("run_job_id_index"), ["job_id"], unique=False)
        batch_op.create_index(
            "run_printer_busy",
            ["printer_id"],
            unique=True,
            sqlite_where=sa.text(
                "state IN ('leased', 'paused', 'permitted', 'printing', 'unknown')"
            ),
            postgresql_where=sa.text(
                "state IN ('leased', 'paused', 'permitted', 'printing', 'unknown')"
            ),
        )

    op.create_table(
        "happening",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("before", sa.String(length=20), nullable=False),
        sa.Column("after", sa.String(length=20), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("happening_job_id_fkey")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("happening_run_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("happening_pkey")),
    )
    with op.batch_alter_table("happening", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("happening_job_id_index"), ["job_id"], unique=False)

    for statement in GUARDS[op.get_bind().dialect.name]:
        op.execute(statement)
