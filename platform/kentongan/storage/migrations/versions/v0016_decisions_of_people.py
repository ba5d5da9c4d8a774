"""What people decide about two incidents, and why; how far working all links out anew has come."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kentongan.storage.second_wall import READER

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_READABLE = (
    "id, public_id, kind, left_id, right_id, verdict, organization_id, author, capacity, reason, decided_at, undoes_id"
)
_BOTH_SEEN = " AND ".join(
    f"coalesce((SELECT true FROM incident i WHERE i.id = {end}), false)"  # noqa: S608  # our own words
    for end in ("left_id", "right_id")
)


def upgrade() -> None:
    """What people decide about two incidents, read by who sees both; the walks of `kentongan relink`, read by nobody."""
    op.create_table(
        "decision",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("public_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("left_id", _BIG, nullable=False),
        sa.Column("right_id", _BIG, nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("organization_id", _BIG, nullable=False),
        sa.Column("author", sa.String(length=400), nullable=False),
        sa.Column("capacity", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("undoes_id", _BIG, nullable=True),
        sa.Column("found", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["left_id"], ["incident.id"], name=op.f("fk_decision_left_id")),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_decision_organization_id")),
        sa.ForeignKeyConstraint(["right_id"], ["incident.id"], name=op.f("fk_decision_right_id")),
        sa.ForeignKeyConstraint(["undoes_id"], ["decision.id"], name=op.f("fk_decision_undoes_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
        sa.UniqueConstraint("public_id", name=op.f("uq_decision_public_id")),
        sa.UniqueConstraint("undoes_id", name=op.f("uq_decision_undoes_id")),
    )
    for name in ("left_id", "organization_id", "right_id"):
        op.create_index(op.f(f"ix_decision_{name}"), "decision", [name], unique=False)
    op.create_table(
        "relink_run",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("rules", sa.String(length=16), nullable=False),
        sa.Column("position", _BIG, nullable=False),
        sa.Column("last", _BIG, nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relink_run")),
    )
    op.create_table(
        "relink_before",
        sa.Column("incident_id", _BIG, autoincrement=False, nullable=False),
        sa.Column("case_id", _BIG, nullable=True),
        sa.Column("campaign_id", _BIG, nullable=True),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_relink_before")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE decision ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY kentongan_reader_sees ON decision FOR SELECT TO {READER} USING ({_BOTH_SEEN})")
        op.execute(f"GRANT SELECT ({_READABLE}) ON decision TO {READER}")
