"""Masked values still link: what is masked, what takes part by keyed hash only, and what each organization wishes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kentongan.storage.second_wall import READER

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# As v0008 has it, and besides: what is masked is for its owner alone.
_AUDIENCES = """
CREATE OR REPLACE FUNCTION kentongan_audiences(reader bigint, kind text, person bigint, operator boolean) RETURNS bigint[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
    SELECT coalesce(array_agg(a.id), '{{}}') FROM audience a WHERE a.owner_id = reader OR (
        a.mask = 0
        AND CASE a.level
            WHEN 0 THEN true
            WHEN 1 THEN true
            WHEN 2 THEN kind = 'member' OR EXISTS (SELECT FROM audience_group g WHERE g.audience_id = a.id)
            WHEN 3 THEN kind = 'member' AND NOT operator
            WHEN 4 THEN NOT operator AND (
                EXISTS (SELECT FROM audience_organization o WHERE o.audience_id = a.id AND o.organization_id = reader)
                OR EXISTS (SELECT FROM audience_person p WHERE p.audience_id = a.id AND p.person_id = person))
            ELSE false
        END
        AND (kind = 'member' OR NOT a.for_members)
        AND (SELECT count(*) FROM audience_group g WHERE g.audience_id = a.id) = (
            SELECT count(*) FROM audience_group g
            JOIN sharing_group s ON s.id = g.group_id AND s.ended_at IS NULL
            JOIN sharing_group_member m ON m.group_id = s.id AND m.organization_id = reader
            WHERE g.audience_id = a.id AND m.strictest >= a.level))
$$
"""
_LINK = """
    EXISTS (SELECT FROM incident i WHERE i.id = incident_id AND i.organization_id = (SELECT kentongan_own()))
"""


def upgrade() -> None:
    """Masked values still link: what is masked, what takes part by keyed hash only, and what each organization wishes."""
    with op.batch_alter_table("audience", schema=None) as batch_op:
        batch_op.add_column(sa.Column("mask", sa.SmallInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.add_column(sa.Column("takes_part", sa.SmallInteger(), nullable=False, server_default="0"))
    op.create_table(
        "masking",
        sa.Column("organization_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("red", sa.Boolean(), nullable=False),
        sa.Column("tell_others", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_masking_organization_id")),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_masking")),
    )
    op.create_table(
        "blind_posting",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("incident_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tells", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_blind_posting_incident_id")),
        sa.PrimaryKeyConstraint("digest", "incident_id", name=op.f("pk_blind_posting")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_blind_posting_incident_id"), "blind_posting", ["incident_id"])
    op.create_table(
        "blind_link",
        sa.Column("incident_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("other_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_blind_link_incident_id")),
        sa.ForeignKeyConstraint(["other_id"], ["incident.id"], name=op.f("fk_blind_link_other_id")),
        sa.PrimaryKeyConstraint("incident_id", "other_id", name=op.f("pk_blind_link")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_blind_link_other_id"), "blind_link", ["other_id"])
    _raise_the_wall()


def _raise_the_wall() -> None:
    """Of what is masked a reader finds nothing, and of links over it those of its own incidents; the rest stays closed."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    op.execute(_AUDIENCES.format(schema=schema))
    op.execute("ALTER TABLE blind_link ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY kentongan_reader_sees ON blind_link FOR SELECT TO {READER} USING ({_LINK})")
    op.execute(f"GRANT SELECT ON blind_link TO {READER}")
