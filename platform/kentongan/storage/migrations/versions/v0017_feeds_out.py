"""Feeds out: since when a reader's feeds are as they are, and what may be done with an incident's values as a tag."""

from __future__ import annotations

from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

from kentongan.domain.pap import pap_of

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Feeds out: since when a reader's feeds are as they are, and what may be done with an incident's values as a tag."""
    op.create_table(
        "feed_state",
        sa.Column("reader_id", _BIG_ID, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("signature", sa.LargeBinary(length=32), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reader_id", "kind", name=op.f("pk_feed_state")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_incident_in_sum",
        "incident",
        ["organization_id", "audience_id", "object_id", "submission_id", "amended_at"],
    )
    _tag()


def _tag() -> None:
    """What was indexed before gets its tag from the labels that its facts hold."""
    connection = op.get_bind()
    labelled = sa.text("SELECT id, audience_id, facts FROM incident WHERE lower(facts) LIKE '%pap%' ORDER BY id")
    add = sa.text(
        "INSERT INTO incident_tag (kind, value, incident_id, audience_id) VALUES ('pap', :value, :number, :audience)"
    )
    for row in connection.execute(labelled).all():
        facts: dict[str, Any] = orjson.loads(row.facts)
        if (pap := pap_of(facts.get("labels", ()))) is not None:
            connection.execute(add, {"value": pap.name.casefold(), "number": row.id, "audience": row.audience_id})
