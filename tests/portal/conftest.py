"""The installation that the portal's tests visit."""

from __future__ import annotations

from pathlib import Path

import pytest

from kentongan.storage.database import Database
from portal_stories import Place, place


@pytest.fixture
def kampung(sqlite_database: Database, tmp_path: Path) -> Place:
    """An installation without any organization, on SQLite: what the portal shows does not depend on the database."""
    return place(sqlite_database, str(tmp_path))


@pytest.fixture
def kampung_everywhere(database: Database, tmp_path: Path) -> Place:
    """The same on SQLite and on PostgreSQL, for what only one of them would stumble over."""
    return place(database, str(tmp_path))
