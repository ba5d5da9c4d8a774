"""Organizations tell of themselves, tokens have limits, and the coordinator's role is handed over."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Organizations tell of themselves, tokens have limits, and the coordinator's role is handed over."""
    op.create_table(
        "coordinatorship",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("organization_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("handed_over_by", sa.String(length=400), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_coordinatorship_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coordinatorship")),
    )
    op.create_table(
        "organization_attribute",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("organization_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=30), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_organization_attribute_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization_attribute")),
    )
    with op.batch_alter_table("organization_attribute", schema=None) as batch_op:
        batch_op.create_index(
            "ix_organization_attribute_organization_id_name", ["organization_id", "name", "id"], unique=False
        )

    with op.batch_alter_table("organization", schema=None) as batch_op:
        batch_op.add_column(sa.Column("folded_name", sa.String(length=600), nullable=True))
        batch_op.add_column(
            sa.Column("vouched_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.add_column(sa.Column("ended_at", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.add_column(sa.Column("public_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("label", sa.String(length=200), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("networks", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("read_only", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("last_used_at", sa.BigInteger(), nullable=True))
    _name_what_is_here()
    with op.batch_alter_table("organization", schema=None) as batch_op:
        batch_op.alter_column("folded_name", existing_type=sa.String(length=600), nullable=False)
        batch_op.create_unique_constraint(batch_op.f("uq_organization_folded_name"), ["folded_name"])
        batch_op.create_foreign_key(
            batch_op.f("fk_organization_vouched_by_id"), "organization", ["vouched_by_id"], ["id"]
        )
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.alter_column("public_id", existing_type=sa.String(length=36), nullable=False)
        batch_op.alter_column("label", server_default=None)
        batch_op.alter_column("read_only", server_default=None)
        batch_op.create_index(batch_op.f("ix_token_organization_id"), ["organization_id"], unique=False)
        batch_op.create_unique_constraint(batch_op.f("uq_token_public_id"), ["public_id"])


def _name_what_is_here() -> None:
    """Organizations get their folded names, tokens the ids by which they are listed."""
    connection = op.get_bind()
    organization = sa.table("organization", sa.column("id"), sa.column("name"), sa.column("folded_name"))
    for number, name in connection.execute(sa.select(organization.c.id, organization.c.name)).all():
        row = organization.update().where(organization.c.id == number)
        connection.execute(row.values(folded_name=name.casefold()))
    token = sa.table("token", sa.column("id"), sa.column("public_id"))
    for (number,) in connection.execute(sa.select(token.c.id)).all():
        connection.execute(token.update().where(token.c.id == number).values(public_id=str(uuid.uuid4())))
