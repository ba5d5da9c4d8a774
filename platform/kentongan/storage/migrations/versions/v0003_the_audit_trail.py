"""The audit trail, and the triggers that keep it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

_SEALED = "an entry of the audit trail is never changed or deleted"
_KEPT = (
    *("number", "at", "organization_id", "organization", "person_id", "token_id", "act", "subject", "about_id"),
    *("details_sha256", "previous", "hash"),
)
GUARDS = {
    "sqlite": (
        f"CREATE TRIGGER audit_entry_stays BEFORE DELETE ON audit_entry BEGIN SELECT RAISE(ABORT, '{_SEALED}'); END",
        "CREATE TRIGGER audit_entry_is_kept BEFORE UPDATE ON audit_entry WHEN NEW.details IS NOT NULL OR "
        + " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in _KEPT)
        + f" BEGIN SELECT RAISE(ABORT, '{_SEALED}'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION kentongan_audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF TG_OP = 'UPDATE' THEN IF NEW.details IS NULL AND "
        + " AND ".join(f"NEW.{name} IS NOT DISTINCT FROM OLD.{name}" for name in _KEPT)
        + f" THEN RETURN NEW; END IF; END IF; RAISE EXCEPTION '{_SEALED}'; END $$",
        "CREATE TRIGGER audit_entry_is_kept BEFORE UPDATE OR DELETE ON audit_entry "
        "FOR EACH ROW EXECUTE FUNCTION kentongan_audit_is_kept()",
        "CREATE TRIGGER audit_entry_stays BEFORE TRUNCATE ON audit_entry "
        "FOR EACH STATEMENT EXECUTE FUNCTION kentongan_audit_is_kept()",
    ),
}

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The audit trail, and the triggers that keep it."""
    op.create_table(
        "audit_entry",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("organization_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("organization", sa.String(length=200), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("token_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("act", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("about_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("details", sa.Text(), nullable=True),
        sa.Column("details_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("previous", sa.LargeBinary(length=32), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_entry")),
    )
    with op.batch_alter_table("audit_entry", schema=None) as batch_op:
        batch_op.create_index("ix_audit_entry_about_id_number", ["about_id", "number"], unique=False)

    op.create_table(
        "audit_head",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("installation", sa.String(length=200), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("signature", sa.LargeBinary(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_head")),
    )
    for statement in GUARDS[op.get_bind().dialect.name]:
        op.execute(statement)
