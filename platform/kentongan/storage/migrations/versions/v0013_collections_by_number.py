"""Entries of collections are found by number, type or id alone."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Entries of collections are found by number, type or id alone: an index by audience led SQLite astray."""
    for name in ("level_number", "audience_id"):
        op.drop_index(op.f(f"ix_collection_entry_{name}"), table_name="collection_entry")
