"""The API over an empty database."""

from __future__ import annotations

from pathlib import Path

import pytest

from asking import Door
from kentongan.storage.database import Database


@pytest.fixture
def door(database: Database, tmp_path: Path) -> Door:
    """The API, on SQLite and on PostgreSQL."""
    return Door(database, tmp_path)


@pytest.fixture
def sqlite_door(sqlite_database: Database, tmp_path: Path) -> Door:
    """The API, on SQLite alone."""
    return Door(sqlite_database, tmp_path)
