"""A group's name is its owner's own, and who said what an organization tells is kept beside it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A group's name is its owner's own, and who said what an organization tells is kept beside it."""
    with op.batch_alter_table("sharing_group", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_sharing_group_name"), type_="unique")
        batch_op.create_unique_constraint(batch_op.f("uq_sharing_group_owner_id_name"), ["owner_id", "name"])
    with op.batch_alter_table("organization_attribute", schema=None) as batch_op:
        batch_op.add_column(sa.Column("set_by", sa.String(length=400), nullable=False, server_default=""))
    with op.batch_alter_table("organization_attribute", schema=None) as batch_op:
        batch_op.alter_column("set_by", server_default=None)
