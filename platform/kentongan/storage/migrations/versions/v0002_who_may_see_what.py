"""People, sharing groups and named recipients: who may see what."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """People, sharing groups and named recipients: who may see what."""
    op.create_table(
        "person",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("stix_id", sa.String(length=46), nullable=False),
        sa.Column("organization_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_person_organization_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("email", name=op.f("uq_person_email")),
        sa.UniqueConstraint("stix_id", name=op.f("uq_person_stix_id")),
    )
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_person_organization_id"), ["organization_id"], unique=False)

    op.create_table(
        "sharing_group",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("stix_id", sa.String(length=46), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("owner_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["organization.id"], name=op.f("fk_sharing_group_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sharing_group")),
        sa.UniqueConstraint("name", name=op.f("uq_sharing_group_name")),
        sa.UniqueConstraint("stix_id", name=op.f("uq_sharing_group_stix_id")),
    )
    op.create_table(
        "audience_group",
        sa.Column("audience_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("group_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["audience_id"], ["audience.id"], name=op.f("fk_audience_group_audience_id")),
        sa.PrimaryKeyConstraint("audience_id", "group_id", name=op.f("pk_audience_group")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audience_organization",
        sa.Column("audience_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("organization_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["audience_id"], ["audience.id"], name=op.f("fk_audience_organization_audience_id")),
        sa.PrimaryKeyConstraint("audience_id", "organization_id", name=op.f("pk_audience_organization")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audience_person",
        sa.Column("audience_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["audience_id"], ["audience.id"], name=op.f("fk_audience_person_audience_id")),
        sa.PrimaryKeyConstraint("audience_id", "person_id", name=op.f("pk_audience_person")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sharing_group_member",
        sa.Column("group_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("organization_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("strictest", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["sharing_group.id"], name=op.f("fk_sharing_group_member_group_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_sharing_group_member_organization_id")
        ),
        sa.PrimaryKeyConstraint("group_id", "organization_id", name=op.f("pk_sharing_group_member")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("sharing_group_member", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sharing_group_member_organization_id"), ["organization_id"], unique=False)

    with op.batch_alter_table("audience", schema=None) as batch_op:
        batch_op.add_column(sa.Column("named", sa.String(length=32), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("for_members", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.drop_constraint(batch_op.f("uq_audience_owner_id_level"), type_="unique")
        batch_op.create_unique_constraint(
            batch_op.f("uq_audience_owner_id_level_named_for_members"), ["owner_id", "level", "named", "for_members"]
        )

    with op.batch_alter_table("audience", schema=None) as batch_op:
        batch_op.alter_column("named", server_default=None)
        batch_op.alter_column("for_members", server_default=None)

    with op.batch_alter_table("organization", schema=None) as batch_op:
        batch_op.add_column(sa.Column("stix_id", sa.String(length=46), nullable=True))
    _give_stix_ids()
    with op.batch_alter_table("organization", schema=None) as batch_op:
        batch_op.alter_column("stix_id", existing_type=sa.String(length=46), nullable=False)
        batch_op.create_unique_constraint(batch_op.f("uq_organization_stix_id"), ["stix_id"])


def _give_stix_ids() -> None:
    """Who is here already gets the id by which markings name them."""
    organization = sa.table("organization", sa.column("id"), sa.column("stix_id"))
    connection = op.get_bind()
    for (number,) in connection.execute(sa.select(organization.c.id)).all():
        given = organization.update().where(organization.c.id == number).values(stix_id=f"identity--{uuid.uuid4()}")
        connection.execute(given)
