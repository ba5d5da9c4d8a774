"""Whether a collection's entry is the only one under its STIX id: then nobody looks for others, and no index holds the id."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_INDEX = "ix_collection_entry_stix_id"
_ALONE = "SELECT stix_id FROM collection_entry GROUP BY stix_id HAVING count(*) = 1"


def upgrade() -> None:
    """Whether a collection's entry is the only one under its STIX id. Of what is stored it is counted now."""
    with op.batch_alter_table("collection_entry", schema=None) as batch_op:
        batch_op.add_column(sa.Column("alone", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(sa.text(f"UPDATE collection_entry SET alone = true WHERE stix_id IN ({_ALONE})"))  # noqa: S608  # our own words
    with op.batch_alter_table("collection_entry", schema=None) as batch_op:
        batch_op.alter_column("alone", server_default=None)
    op.drop_index(op.f(_INDEX), table_name="collection_entry")
    op.create_index(
        op.f(_INDEX),
        "collection_entry",
        ["stix_id"],
        sqlite_where=sa.text("alone = 0"),
        postgresql_where=sa.text("NOT alone"),
    )
