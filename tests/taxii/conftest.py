"""The TAXII door over an empty database."""

from __future__ import annotations

from pathlib import Path

import pytest

from kentongan.storage.database import Database
from taxii_stories import TaxiiDoor


@pytest.fixture
def door(database: Database, tmp_path: Path) -> TaxiiDoor:
    """The door, on SQLite and on PostgreSQL."""
    return TaxiiDoor(database, tmp_path)


@pytest.fixture
def sqlite_door(sqlite_database: Database, tmp_path: Path) -> TaxiiDoor:
    """The door, on SQLite alone."""
    return TaxiiDoor(sqlite_database, tmp_path)
