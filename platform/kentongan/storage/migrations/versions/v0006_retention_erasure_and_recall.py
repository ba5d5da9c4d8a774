"""Retention, erasure and recall."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Retention, erasure and recall."""
    op.create_table(
        "retention",
        sa.Column("organization_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("incident_days", sa.Integer(), nullable=True),
        sa.Column("content_days", sa.Integer(), nullable=True),
        sa.Column("log_days", sa.Integer(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_retention_organization_id")),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_retention")),
    )
    op.create_table(
        "tombstone",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("public_id", sa.String(length=36), nullable=False),
        sa.Column("organization_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("erased_at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(length=500), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recalls", sa.Boolean(), nullable=False),
        sa.Column("highest_object", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_tombstone_organization_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tombstone")),
        sa.UniqueConstraint("kind", "public_id", name=op.f("uq_tombstone_kind_public_id")),
    )
    with op.batch_alter_table("tombstone", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tombstone_organization_id"), ["organization_id"], unique=False)

    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("tombstone_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.add_column(sa.Column("erased_incident", sa.String(length=36), nullable=True))
        batch_op.alter_column("incident_id", existing_type=sa.BigInteger(), nullable=True)
        batch_op.alter_column("object_id", existing_type=sa.BigInteger(), nullable=True)
        batch_op.alter_column("submission_id", existing_type=sa.BigInteger(), nullable=True)
        batch_op.create_index(batch_op.f("ix_alert_object_id"), ["object_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_alert_submission_id"), ["submission_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_alert_tombstone_id"), ["tombstone_id"], unique=False)
        batch_op.create_foreign_key(batch_op.f("fk_alert_tombstone_id"), "tombstone", ["tombstone_id"], ["id"])

    with op.batch_alter_table("idempotency_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotency_key_submission_id"), ["submission_id"], unique=False)

    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_incident_object_id"), ["object_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_incident_submission_id"), ["submission_id"], unique=False)

    with op.batch_alter_table("object_observable", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_object_observable_object_id"), ["object_id"], unique=False)
