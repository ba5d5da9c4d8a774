"""Bring a database to the tables this version needs.

Migrations only go forwards: what members sent is never dropped, and the way back is the backup made before (docs/operations.md).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect, text
from sqlalchemy.types import TypeDecorator, TypeEngine

from kentongan.storage.database import Database

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.config import Config

# Alembic is imported where it works: a web process asks is_current() all day and never migrates, and it costs 8 MB.

_MIGRATION_ORDER = 0x6D696772  # "migr": the advisory lock under which tables change
_VERSIONS = Path(__file__).parent / "migrations" / "versions"
_ONE_AT_A_TIME = Lock()  # Alembic keeps the running migration in a global of its module


class UnknownMigration(Exception):
    """The database was brought to a state that this version does not know: it belongs to a newer Kentongan."""


class BrokenReferences(Exception):
    """After a migration rows would point to rows that are not there; nothing was changed."""


def migrate(database: Database) -> None:
    """Bring the tables to this version's state, in one transaction: all of it happens, or nothing.

    Safe when several processes call it at once: one works, the others wait and find everything done. Raises
    UnknownMigration on a newer Kentongan's database, and BrokenReferences.
    """
    from alembic import command  # noqa: PLC0415  # see above
    from alembic.util import CommandError  # noqa: PLC0415

    with _ONE_AT_A_TIME, _alone(database) as connection:
        config = _config()
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise UnknownMigration(f"the database belongs to a newer Kentongan: {error}") from error


def is_current(database: Database) -> bool:
    """Whether the tables are those of this version. Neither waits nor writes."""
    with database.engine.connect() as connection:
        return _state(connection) == newest()


def is_newer(database: Database) -> bool:
    """Whether the tables are those of a later version than this one, which cannot bring them back."""
    with database.engine.connect() as connection:
        return (_state(connection) or "") > newest()


@cache
def newest() -> str:
    """The number of this version's last migration: they form one line, and each file is named `v` + number + `_what_it_does`."""
    return max((path.name[1:].partition("_")[0] for path in _VERSIONS.glob("v*.py")), default="0000")


def draft(message: str) -> None:
    """Write the next migration: what the models have and the migrations so far do not make. Read it before you commit it."""
    from alembic import command  # noqa: PLC0415  # see above

    with TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/draft.sqlite")
        migrate(database)
        with database.engine.connect() as connection:
            config = _config()
            config.attributes["connection"] = connection
            command.revision(config, message, autogenerate=True, rev_id=f"{int(newest()) + 1:04}")
        database.close()


def comparing() -> dict[str, Any]:
    """How Alembic compares tables with models and writes the difference down: types included, SQLite by copying tables."""
    return {"compare_type": True, "compare_server_default": True, "render_as_batch": True, "render_item": _render_type}


def _render_type(kind: str, item: object, _context: AutogenContext) -> str | bool:
    """A migration names the column type below our own: it must still run when our class has changed or gone."""
    if kind == "type" and isinstance(item, TypeDecorator):
        below: TypeEngine[Any] = item.impl_instance
        return f"sa.{below!r}"
    return False


def _state(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415  # see above

    config = Config()
    config.set_main_option("script_location", "kentongan.storage:migrations")
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "v%%(rev)s_%%(slug)s")
    return config


@contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    """A transaction in which nobody else changes tables."""
    if database.is_sqlite:
        with _alone_in_sqlite(database) as connection:
            yield connection
    else:
        with database.engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _MIGRATION_ORDER})
            yield connection


@contextmanager
def _alone_in_sqlite(database: Database) -> Iterator[Connection]:
    """SQLite changes a table by copying it, with its foreign keys switched off, which it allows only between transactions."""
    with database.engine.connect().execution_options(kentongan_begin="IMMEDIATE") as connection:
        driver: Any = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                yield connection
                if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                    raise BrokenReferences(f"table {broken[0]}, row {broken[1]}, would point to nothing in {broken[2]}")
        finally:
            driver.execute("PRAGMA foreign_keys=ON")
