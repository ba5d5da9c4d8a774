"""Feeds are pushed as well as fetched, and organizations set up and read their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kentongan.storage.second_wall import READER

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_FEED = """
CREATE VIEW {reader}.feed WITH (security_barrier) AS
SELECT id, public_id, name, organization_id, kind, source, options,
CASE WHEN secret IS NULL THEN NULL ELSE ''::bytea END AS secret,
every, created_at, next_at, cursor, failures, fence, leased_until
FROM {schema}.feed WHERE organization_id = (SELECT kentongan_own())
"""
_OF_FEED = """
CREATE VIEW {reader}.{table} WITH (security_barrier) AS
SELECT t.* FROM {schema}.{table} t JOIN {schema}.feed f ON f.id = t.feed_id
WHERE f.organization_id = (SELECT kentongan_own())
"""


def upgrade() -> None:
    """Feeds are pushed as well as fetched, and organizations set up and read their own."""
    with op.batch_alter_table("feed", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_feed_name"), type_="unique")
        batch_op.create_unique_constraint(batch_op.f("uq_feed_organization_id_name"), ["organization_id", "name"])
    for table in ("feed_run", "feed_item"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column("pushed", sa.Boolean(), nullable=False, server_default=sa.false()))
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.alter_column("pushed", server_default=None)
    op.create_index("ix_feed_item_feed_id_id", "feed_item", ["feed_id", "id"])
    if op.get_bind().dialect.name == "postgresql":
        _put_behind_the_wall()


def _put_behind_the_wall() -> None:
    """A reader finds the feeds of its own organization, whether one has a secret, and not which."""
    schema = op.get_bind().exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    op.execute(_FEED.format(reader=READER, schema=schema))
    for table in ("feed_run", "feed_item"):
        op.execute(_OF_FEED.format(reader=READER, schema=schema, table=table))
    op.execute(f"GRANT SELECT ON {READER}.feed, {READER}.feed_run, {READER}.feed_item TO {READER}")
