"""What incidents carry stands by organization, so that none of them can make something common for the others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kentongan.storage.second_wall import READER

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Postings carry their organization, signs leave the tags, and how common things are is counted anew."""
    _signs()
    _postings()
    op.drop_table("crowd")
    op.create_table(
        "crowd",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("shared", sa.Integer(), nullable=False),
        sa.Column("excess", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_crowd")),
        sqlite_with_rowid=False,
    )


def _signs() -> None:
    op.create_table(
        "sign",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("organization_id", _BIG, nullable=False),
        sa.Column("incident_id", _BIG, nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_sign_organization_id")),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_sign_incident_id")),
        sa.PrimaryKeyConstraint("kind", "key", "organization_id", "incident_id", name=op.f("pk_sign")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO sign (kind, key, organization_id, incident_id) SELECT t.kind, t.value, i.organization_id, i.id "
        "FROM incident_tag t JOIN incident i ON i.id = t.incident_id WHERE t.kind IN ('victim', 'page')"
    )
    op.execute("DELETE FROM incident_tag WHERE kind IN ('victim', 'page')")
    op.create_index(op.f("ix_sign_incident_id"), "sign", ["incident_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE sign ENABLE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY kentongan_reader_sees ON sign FOR SELECT TO {READER} USING ("  # noqa: S608  # our own words
            "coalesce((SELECT true FROM incident i WHERE i.id = sign.incident_id), false))"
        )
        op.execute(f"GRANT SELECT ON sign TO {READER}")


def _postings() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_postings()
        return
    op.add_column("posting", sa.Column("organization_id", sa.BigInteger()))
    op.execute(
        "UPDATE posting SET organization_id = i.organization_id FROM incident i WHERE i.id = posting.incident_id"
    )
    op.alter_column("posting", "organization_id", nullable=False)
    op.create_foreign_key("fk_posting_organization_id", "posting", "organization", ["organization_id"], ["id"])
    op.drop_constraint("pk_posting", "posting")
    op.create_primary_key("pk_posting", "posting", ["observable_id", "organization_id", "incident_id"])


def _rebuild_postings() -> None:
    """SQLite keeps the rows themselves in the order of the primary key."""
    op.create_table(
        "new_posting",
        sa.Column("observable_id", _BIG, nullable=False),
        sa.Column("organization_id", _BIG, nullable=False),
        sa.Column("incident_id", _BIG, nullable=False),
        sa.Column("audience_id", _BIG, nullable=False),
        sa.Column("origin", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["observable_id"], ["observable.id"], name=op.f("fk_posting_observable_id")),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_posting_organization_id")),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_posting_incident_id")),
        sa.ForeignKeyConstraint(["audience_id"], ["audience.id"], name=op.f("fk_posting_audience_id")),
        sa.PrimaryKeyConstraint("observable_id", "organization_id", "incident_id", name=op.f("pk_posting")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO new_posting (observable_id, organization_id, incident_id, audience_id, origin) "
        "SELECT p.observable_id, i.organization_id, p.incident_id, p.audience_id, p.origin "
        "FROM posting p JOIN incident i ON i.id = p.incident_id"
    )
    op.drop_table("posting")
    op.rename_table("new_posting", "posting")
    op.create_index(op.f("ix_posting_incident_id"), "posting", ["incident_id"])
