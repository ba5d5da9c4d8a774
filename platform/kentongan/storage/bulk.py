"""Many rows with one statement, past SQLAlchemy's work for each row: by the driver's own fastest way."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy.orm import Session

from kentongan.storage.base import in_parts

# ruff: noqa: S608  # table and column names are our own words; values are always bound


def insert_rows(session: Session, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows that are not there yet (COPY on PostgreSQL). Values are as the driver takes them: moments in microseconds."""
    if not rows:
        return
    connection, named = session.connection(), ", ".join(columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f"INSERT INTO {table} ({named}) VALUES ({marks})", rows)
        return
    cursor: Any = connection.connection.cursor()  # the driver's own, which SQLAlchemy knows nothing of
    with cursor, cursor.copy(f"COPY {table} ({named}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def insert_pairs(session: Session, table: str, columns: tuple[str, str], pairs: Collection[tuple[Any, Any]]) -> None:
    """Insert rows of two columns, text or numbers; those that are there stay as they are."""
    if not pairs:
        return
    connection, named = session.connection(), ", ".join(columns)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"INSERT INTO {table} ({named}) VALUES (?, ?) ON CONFLICT DO NOTHING", [*pairs])
        return
    sides = [*map(list, zip(*pairs, strict=True))]
    arrays = ", ".join("%s::text[]" if isinstance(side[0], str) else "%s::bigint[]" for side in sides)
    connection.exec_driver_sql(
        f"INSERT INTO {table} ({named}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING", tuple(sides)
    )


def found_among(session: Session, table: str, column: str, values: Collection[str]) -> Iterator[str]:
    """Those of these texts that stand in a column, each at least once."""
    connection = session.connection()
    for some in in_parts(sorted(values)):
        if connection.dialect.name == "sqlite":
            marks = ", ".join("?" * len(some))
            asked: Any = connection.exec_driver_sql(
                f"SELECT DISTINCT {column} FROM {table} WHERE {column} IN ({marks})", tuple(some)
            )
        else:
            asked = connection.exec_driver_sql(
                f"SELECT DISTINCT {column} FROM {table} WHERE {column} = ANY(%s::text[])", ([*some],)
            )
        yield from (row[0] for row in asked)
