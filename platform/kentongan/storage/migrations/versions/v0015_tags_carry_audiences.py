"""A tag carries its incident's audience, and behind the second wall rows are let through without reading all incidents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_COPY = (
    "SELECT t.kind, t.value, t.incident_id, i.audience_id FROM incident_tag t JOIN incident i ON i.id = t.incident_id"
)

# A scalar sub-select is asked of each row that is looked at. As EXISTS the planner may make a table of all incidents of it first,
# which costs more than most statements do.
_POLICIES = {
    "incident_tag": "audience_id IN (SELECT unnest(kentongan_seen()))",
    "incident_case": (
        "CASE WHEN merged_into_id IS NULL THEN coalesce("
        "(SELECT true FROM incident i WHERE i.case_id = incident_case.id LIMIT 1), false) "
        "ELSE kentongan_case_is_seen(id) END"
    ),
    "campaign": (
        "CASE WHEN merged_into_id IS NULL THEN coalesce("
        "(SELECT true FROM incident_case c WHERE c.campaign_id = campaign.id LIMIT 1), false) "
        "ELSE kentongan_campaign_is_seen(id) END"
    ),
}


def upgrade() -> None:
    """A tag carries its incident's audience, and behind the second wall rows are let through without reading all incidents."""
    if op.get_bind().dialect.name == "sqlite":
        _rebuild()
        return
    op.add_column("incident_tag", sa.Column("audience_id", sa.BigInteger()))
    op.execute(
        "UPDATE incident_tag SET audience_id = i.audience_id FROM incident i WHERE i.id = incident_tag.incident_id"
    )
    op.alter_column("incident_tag", "audience_id", nullable=False)
    op.create_foreign_key("fk_incident_tag_audience_id", "incident_tag", "audience", ["audience_id"], ["id"])
    for table, condition in _POLICIES.items():
        op.execute(f"ALTER POLICY kentongan_reader_sees ON {table} USING ({condition})")


def _rebuild() -> None:
    """SQLite adds no column that must be filled to a table with rows; and Alembic's copy would lose that it has no row numbers."""
    op.create_table(
        "new_incident_tag",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.Column("incident_id", _BIG_ID, nullable=False),
        sa.Column("audience_id", _BIG_ID, nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_incident_tag_incident_id")),
        sa.ForeignKeyConstraint(["audience_id"], ["audience.id"], name=op.f("fk_incident_tag_audience_id")),
        sa.PrimaryKeyConstraint("kind", "value", "incident_id", name=op.f("pk_incident_tag")),
        sqlite_with_rowid=False,
    )
    op.execute(f"INSERT INTO new_incident_tag (kind, value, incident_id, audience_id) {_COPY}")
    op.drop_table("incident_tag")
    op.rename_table("new_incident_tag", "incident_tag")
    op.create_index(op.f("ix_incident_tag_incident_id"), "incident_tag", ["incident_id"])
