"""The migrations make exactly the tables of the models, and nobody gets in each other's way while they run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, ForeignKey, Integer, MetaData, String, Table, insert, inspect, select, text

import stories
from kentongan.storage import Base
from kentongan.storage.database import Database
from kentongan.storage.migrate import (
    BrokenReferences,
    UnknownMigration,
    _alone,
    _config,
    comparing,
    is_current,
    is_newer,
    migrate,
    newest,
)
from kentongan.storage.organizations import Organization


@pytest.fixture
def empty_database(empty_database_url: str) -> Any:
    database = Database(empty_database_url)
    yield database
    database.close()


def test_migrations_make_what_the_models_say(empty_database: Database) -> None:
    migrate(empty_database)

    with empty_database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=comparing())
        assert compare_metadata(context, Base.metadata) == []


def test_migrations_keep_what_alembic_does_not_compare(tmp_path: Path, sqlite_template: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'migrated.sqlite'}")

    migrate(database)

    without_rowid = "SELECT name FROM sqlite_master WHERE sql LIKE '%WITHOUT ROWID%' ORDER BY name"
    with database.engine.connect() as migrated, Database(f"sqlite:///{sqlite_template}").engine.connect() as made:
        found = migrated.exec_driver_sql(without_rowid).scalars().all()
        assert found
        assert found == made.exec_driver_sql(without_rowid).scalars().all()


def test_a_database_is_current_once_it_was_migrated(empty_database: Database) -> None:
    before = is_current(empty_database)

    migrate(empty_database)

    assert (before, is_current(empty_database)) == (False, True)
    assert not is_newer(empty_database)


def test_the_migrations_form_one_line_that_ends_with_the_newest() -> None:
    assert ScriptDirectory.from_config(_config()).get_heads() == [newest()]


def test_migrating_twice_changes_nothing(empty_database: Database) -> None:
    migrate(empty_database)
    with empty_database.writing() as session:
        stories.organization(session, "ID-CERT")

    migrate(empty_database)

    with empty_database.reading() as session:
        assert session.scalars(select(Organization.name)).all() == ["ID-CERT"]


def test_a_newer_versions_database_is_left_alone(empty_database: Database) -> None:
    migrate(empty_database)
    with empty_database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(UnknownMigration, match="newer Kentongan"):
        migrate(empty_database)

    assert not is_current(empty_database)
    assert is_newer(empty_database)


def test_several_commands_at_once_migrate_once(empty_database_url: str, tmp_path: Path) -> None:
    environment = {**os.environ, "KENTONGAN_DATABASE_URL": empty_database_url, "KENTONGAN_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-c", "from kentongan.cli import main; main()", "migrate", "--json"]

    started = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) for _ in range(3)]
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in started]

    assert [process.returncode for process in started] == [0, 0, 0]
    assert all(answer["current"] and answer["migration"] == newest() for answer in answers)
    database = Database(empty_database_url)
    assert is_current(database)
    database.close()


def test_checking_says_what_is_to_do_and_leaves_it(empty_database_url: str, tmp_path: Path) -> None:
    environment = {**os.environ, "KENTONGAN_DATABASE_URL": empty_database_url, "KENTONGAN_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-c", "from kentongan.cli import main; main()", "migrate", "--check"]

    asked = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert asked.returncode == 1
    assert "kentongan migrate" in asked.stdout
    database = Database(empty_database_url)
    assert inspect(database.engine).get_table_names() == []
    database.close()


def _parent_and_child(connection: Connection) -> None:
    metadata = MetaData()
    parent = Table("parent", metadata, Column("id", Integer, primary_key=True), Column("name", String(5)))
    child = Table("child", metadata, Column("parent_id", Integer, ForeignKey("parent.id"), primary_key=True))
    metadata.create_all(connection)
    connection.execute(insert(parent).values(id=1, name="drum"))
    connection.execute(insert(child).values(parent_id=1))


def test_a_table_that_others_point_to_can_be_changed(empty_database: Database) -> None:
    with empty_database.engine.begin() as connection:
        _parent_and_child(connection)

    with _alone(empty_database) as connection:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("parent") as batch:
            batch.alter_column("name", type_=String(50), existing_type=String(5), nullable=False)

    with empty_database.engine.connect() as connection:
        assert connection.execute(text("SELECT name FROM parent JOIN child ON parent_id = id")).scalars().all() == [
            "drum"
        ]


def test_a_migration_that_would_break_references_is_undone(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'broken.sqlite'}")
    with database.engine.begin() as connection:
        _parent_and_child(connection)

    with pytest.raises(BrokenReferences, match="child"), _alone(database) as connection:
        connection.execute(text("DELETE FROM parent"))

    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM parent")).scalar() == 1
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
