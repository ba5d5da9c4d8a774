"""When collections gained which object, for TAXII clients."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

from kentongan.storage.second_wall import READER

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_AT_ONCE = 1_000
_ENDS = ("source_ref", "target_ref", "sighting_of_ref", "where_sighted_refs")


def upgrade() -> None:
    """When collections gained which object, for TAXII clients. What is stored is added now, in the order it came."""
    _make_tables()
    _add_what_is_stored(op.get_bind())
    if op.get_bind().dialect.name == "postgresql":
        _put_behind_the_wall()


def _make_tables() -> None:
    op.create_table(
        "collection_entry",
        sa.Column("number", _BIG, autoincrement=False, nullable=False),
        sa.Column("object_id", _BIG, nullable=False),
        sa.Column("audience_id", _BIG, nullable=False),
        sa.Column("stix_id", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=255), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("sender_id", _BIG, nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("owned", sa.Boolean(), nullable=False),
        sa.Column("organization_id", _BIG, nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_collection_entry")),
    )
    for name, columns in (
        ("stix_id", ["stix_id"]),
        ("type_number", ["type", "number"]),
        ("level_number", ["level", "number"]),
        ("audience_id", ["audience_id"]),
        ("object_id", ["object_id"]),
    ):
        op.create_index(op.f(f"ix_collection_entry_{name}"), "collection_entry", columns)
    op.create_table(
        "tie_end",
        sa.Column("end_id", sa.String(length=255), nullable=False),
        sa.Column("object_id", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("end_id", "object_id", name=op.f("pk_tie_end")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_tie_end_object_id"), "tie_end", ["object_id"])
    op.create_table(
        "date_added",
        sa.Column("id", _BIG, autoincrement=False, nullable=False),
        sa.Column("highest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_date_added")),
    )


def _add_what_is_stored(connection: sa.Connection) -> None:
    number, after = time.time_ns() // 1_000, 0
    insert = sa.text(
        "INSERT INTO collection_entry (number, object_id, audience_id, stix_id, type, version, sender_id, level, owned) "
        "VALUES (:number, :object_id, :audience_id, :stix_id, :type, :version, :sender_id, :level, :owned)"
    )
    tie = sa.text("INSERT INTO tie_end (end_id, object_id) VALUES (:end_id, :object_id)")
    while rows := connection.execute(_STORED, {"after": after, "most": _AT_ONCE}).mappings().all():
        entries: list[dict[str, Any]] = []
        ties: dict[tuple[str, int], None] = {}
        for row in rows:
            number += 1
            stix = orjson.loads(row["body"])
            told = {name: row[name] for name in ("object_id", "audience_id", "stix_id", "type", "sender_id", "level")}
            version = _version(stix, row["modified"]) or number
            entries.append({**told, "number": number, "version": version, "owned": row["owner_id"] == row["sender_id"]})
            if row["type"] in ("relationship", "sighting"):
                ties |= dict.fromkeys((end, row["object_id"]) for end in _ends(stix))
        connection.execute(insert, entries)
        named = [{"end_id": end, "object_id": object_id} for end, object_id in ties]
        if named:
            connection.execute(tie, named)
        after = rows[-1]["object_id"]
    connection.execute(sa.text("INSERT INTO date_added (id, highest) VALUES (1, :highest)"), {"highest": number})


_STORED = sa.text(
    "SELECT o.id AS object_id, c.audience_id, o.stix_id, o.type, o.modified, o.body, a.owner_id AS sender_id, a.level, "
    "(SELECT f.owner_id FROM stix_object f WHERE f.stix_id = o.stix_id ORDER BY f.id LIMIT 1) AS owner_id "
    "FROM (SELECT * FROM stix_object WHERE id > :after ORDER BY id LIMIT :most) o "
    "JOIN object_carrier c ON c.object_id = o.id JOIN audience a ON a.id = c.audience_id ORDER BY o.id, c.audience_id"
)


def _version(stix: Mapping[str, Any], modified: int | None) -> int | None:
    if modified is not None:
        return modified
    created = stix.get("created")
    if not isinstance(created, str):
        return None
    moment = datetime.fromisoformat(created[:26].rstrip("Z")).replace(tzinfo=UTC)
    return round(moment.timestamp() * 1_000_000)


def _ends(stix: Mapping[str, Any]) -> set[str]:
    named = (stix.get(name, ()) for name in _ENDS)
    return {end for each in named for end in ([each] if isinstance(each, str) else each)}


def _put_behind_the_wall() -> None:
    op.execute("ALTER TABLE collection_entry ENABLE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY kentongan_reader_sees ON collection_entry FOR SELECT TO {READER} USING ("
        "audience_id IN (SELECT unnest(kentongan_seen())) "
        "AND (organization_id IS NULL OR organization_id = (SELECT kentongan_own())))"
    )
    op.execute(f"GRANT SELECT ON collection_entry TO {READER}")
