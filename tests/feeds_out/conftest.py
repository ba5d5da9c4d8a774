"""Feeds over an empty database."""

from __future__ import annotations

from pathlib import Path

import pytest

from feed_stories import FeedDoor
from kentongan.storage.database import Database


@pytest.fixture
def door(database: Database, tmp_path: Path) -> FeedDoor:
    """Feeds, on SQLite and on PostgreSQL; public ones too."""
    return FeedDoor(database, tmp_path, public_feeds=True)


@pytest.fixture
def sqlite_door(sqlite_database: Database, tmp_path: Path) -> FeedDoor:
    """Feeds, on SQLite alone; public ones too."""
    return FeedDoor(sqlite_database, tmp_path, public_feeds=True)
