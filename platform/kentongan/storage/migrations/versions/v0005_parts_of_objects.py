"""Parts of objects that fewer may see than the rest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Parts of objects that fewer may see than the rest. What is stored stays as strict as it was: it has none."""
    op.create_table(
        "carrier_part",
        sa.Column("object_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("audience_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("part_audience_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("selectors", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["audience_id"], ["audience.id"], name=op.f("fk_carrier_part_audience_id")),
        sa.ForeignKeyConstraint(["object_id"], ["stix_object.id"], name=op.f("fk_carrier_part_object_id")),
        sa.ForeignKeyConstraint(["part_audience_id"], ["audience.id"], name=op.f("fk_carrier_part_part_audience_id")),
        sa.PrimaryKeyConstraint("object_id", "audience_id", "part_audience_id", name=op.f("pk_carrier_part")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("object_observable", schema=None) as batch_op:
        batch_op.add_column(sa.Column("in_part", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("object_observable", schema=None) as batch_op:
        batch_op.alter_column("in_part", server_default=None)
    # Which of their values stand in a part was not asked before: all may, should they be sent again and shown in part.
    op.execute(
        "UPDATE object_observable SET in_part = true WHERE object_id IN "
        "(SELECT id FROM stix_object WHERE body LIKE '%\"granular_markings\"%')"
    )
