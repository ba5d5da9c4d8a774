"""Cases and campaigns follow from links alone: these keep their bits, and cases and campaigns the incident they were opened for."""

from __future__ import annotations

from math import log2

import sqlalchemy as sa
from alembic import op

from kentongan.storage.second_wall import READER

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Links keep their bits, cases and campaigns their homes; what was opened for whom is taken from who is in it."""
    op.create_table(
        "crowd",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_crowd")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.add_column(sa.Column("bits", sa.Double(), nullable=False, server_default="0"))
    for table in ("incident_case", "campaign"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column("home_id", _BIG, nullable=True))
            batch_op.create_index(batch_op.f(f"ix_{table}_home_id"), ["home_id"], unique=False)
    op.execute(
        "UPDATE incident_case SET home_id = (SELECT min(i.id) FROM incident i WHERE i.case_id = incident_case.id)"
    )
    op.execute(
        "UPDATE campaign SET home_id = (SELECT min(i.id) FROM incident i JOIN incident_case c ON c.id = i.case_id "
        "WHERE c.campaign_id = campaign.id)"
    )
    if op.get_bind().dialect.name == "postgresql":
        # Of a case or a campaign a reader reads all but its home, which may be hidden.
        for table, further in (("incident_case", ", campaign_id"), ("campaign", "")):
            op.execute(f"REVOKE ALL ON {table} FROM {READER}")
            op.execute(f"GRANT SELECT (id, public_id, opened_at, merged_into_id{further}) ON {table} TO {READER}")
    _bits_of_scores()
    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.alter_column("bits", server_default=None)


def _bits_of_scores() -> None:
    """A score is 1 / (1 + 2**-bits), rounded; SQLite may have no logarithm, so the few different scores are turned here."""

    connection = op.get_bind()
    scores = [row[0] for row in connection.execute(sa.text("SELECT DISTINCT score FROM link"))]
    rows = [
        {"score": score, "bits": round(log2(score / max(1e-6, 1 - score)) * 1024) / 1024}
        for score in scores
        if score > 0
    ]
    if rows:
        connection.execute(sa.text("UPDATE link SET bits = :bits WHERE score = :score"), rows)
