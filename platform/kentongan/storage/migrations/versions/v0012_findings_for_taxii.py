"""Links and campaigns as TAXII clients are told of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kentongan.storage.second_wall import READER

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Links and campaigns as TAXII clients are told of them; what was found before is promised to be told."""
    op.create_table(
        "finding",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("stix_id", sa.String(length=60), nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("left_id", _BIG, nullable=True),
        sa.Column("right_id", _BIG, nullable=True),
        sa.Column("campaign_id", _BIG, nullable=True),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding")),
        sa.UniqueConstraint("number", name=op.f("uq_finding_number")),
        sa.UniqueConstraint("stix_id", name=op.f("uq_finding_stix_id")),
    )
    for name in ("left_id", "right_id", "campaign_id"):
        op.create_index(op.f(f"ix_finding_{name}"), "finding", [name])
    op.create_table(
        "finding_member",
        sa.Column("incident_id", _BIG, nullable=False),
        sa.Column("finding_id", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "finding_id", name=op.f("pk_finding_member")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_finding_member_finding_id"), "finding_member", ["finding_id"])
    # Every incident that has been compared is looked at: a job for each, which the workers keep as any other.
    op.execute(
        "INSERT INTO job (stage, subject_id, created_at, available_at, fence) "
        "SELECT 'publish', id, amended_at, amended_at, 0 FROM incident WHERE case_id IS NOT NULL"
    )
    if op.get_bind().dialect.name == "postgresql":
        _put_behind_the_wall()


def _put_behind_the_wall() -> None:
    """Instead of the table a reader finds a view, as of `link` (v0008): without the items it may not see, or not at all."""
    schema = op.get_bind().exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    columns = "id, number, created, stix_id, type, kind, left_id, right_id, campaign_id, revoked"
    op.execute(
        f"CREATE VIEW {READER}.finding WITH (security_barrier) AS "  # noqa: S608  # our own words and schema
        f"SELECT {columns}, kentongan_shown(evidence) AS evidence FROM {schema}.finding "
        "WHERE kentongan_shown(evidence) IS NOT NULL"
    )
    op.execute(f"GRANT SELECT ON {READER}.finding TO {READER}")
