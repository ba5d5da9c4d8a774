"""The TAXII door over an empty database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from kentongan.storage.collection_entries import CollectionEntry
from kentongan.storage.database import Database
from taxii_stories import TaxiiDoor


@pytest.fixture
def door(database: Database, tmp_path: Path) -> Iterator[TaxiiDoor]:
    """The door, on SQLite and on PostgreSQL. Whatever a test did: an entry that is said to be alone under its id is."""
    yield TaxiiDoor(database, tmp_path)
    shared = select(CollectionEntry.stix_id).group_by(CollectionEntry.stix_id).having(func.count() > 1)
    with database.reading() as session:
        wrong = session.scalars(
            select(CollectionEntry.stix_id).where(CollectionEntry.alone, CollectionEntry.stix_id.in_(shared))
        ).all()
    assert wrong == []


@pytest.fixture
def sqlite_door(sqlite_database: Database, tmp_path: Path) -> TaxiiDoor:
    """The door, on SQLite alone."""
    return TaxiiDoor(sqlite_database, tmp_path)
