"""How fast submissions are accepted: checked, kept for good and answered, over HTTP.

The peer is `stix2.parse` alone on the same objects; the floor is a raw batched insert of the same rows into a database of the
same kind, with the same durability.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import orjson
import psycopg
import stix2
from sqlalchemy import text

from kentongan.bench.material import Maker
from kentongan.bench.measure import Report, stopwatch
from kentongan.bench.stage import admit, opened, post_all, web_alone
from kentongan.domain.identity import Scope
from kentongan.settings import Settings

BUNDLE = 1_000
_COLUMNS = "id, stix_id, type, owner_id, modified, sha256, body"


def accept(database_url: str = "", *, rounds: int = 5, bundles: int = 12, web_workers: int = 2) -> Report:
    """Objects per second in bundles of 1,000, as a ratio to the peer and to the floor; medians over `rounds`."""
    kind = "PostgreSQL" if database_url else "SQLite"
    report = Report(f"accept ({kind}, {web_workers} web processes)")
    ours, floors, peers = [], [], []
    with tempfile.TemporaryDirectory(prefix="kentongan-bench-") as folder:
        maker = Maker()
        with web_alone(Path(folder), database_url, web_workers) as (settings, url):
            token = admit(settings, "CERT-BENCH", Scope.SUBMIT)
            post_all(url, token, [orjson.dumps(maker.bulk(BUNDLE)) for _ in range(4)])  # warm up
            for _ in range(rounds):
                made = [maker.bulk(BUNDLE) for _ in range(bundles)]
                sent = [orjson.dumps(bundle) for bundle in made]
                with stopwatch() as seconds:
                    post_all(url, token, sent)
                ours.append(BUNDLE * bundles / seconds())
                peers.append(_stix2_rate(made[0]["objects"]))
                floors.append(_floor_rate(settings, BUNDLE * bundles, Path(folder)))
    rate, peer, floor = median(ours), median(peers), median(floors)
    report.add(
        "accepted over HTTP", rate, "objects/s", f"{rate / peer:.1f} x stix2.parse, {rate / floor:.2f} x raw insert"
    )
    report.add("stix2.parse alone", peer, "objects/s", "peer: the same objects, nothing stored")
    report.add("raw batched insert", floor, "rows/s", "floor: the same rows, 1,000 a commit, the same durability")
    return report


def _stix2_rate(objects: list[dict[str, Any]]) -> float:
    with stopwatch() as seconds:
        for obj in objects:
            stix2.parse(obj, allow_custom=True)
    return len(objects) / seconds()


def _floor_rate(settings: Settings, count: int, folder: Path) -> float:
    rows = _newest_rows(settings, count)
    return _sqlite_floor(rows, folder) if settings.is_sqlite else _postgresql_floor(settings.database, rows)


def _newest_rows(settings: Settings, count: int) -> list[tuple[Any, ...]]:
    with opened(settings) as database, database.reading() as session:
        wanted = text(f"SELECT {_COLUMNS} FROM stix_object ORDER BY id DESC LIMIT :count")  # noqa: S608  # our own columns
        return [tuple(row) for row in session.execute(wanted, {"count": count})]


def _sqlite_floor(rows: list[tuple[Any, ...]], folder: Path) -> float:
    for old in folder.glob("floor.sqlite*"):
        old.unlink()
    connection = sqlite3.connect(folder / "floor.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"CREATE TABLE floor ({_COLUMNS}, PRIMARY KEY (id))")
    connection.execute("CREATE INDEX ix_floor ON floor (stix_id)")
    with stopwatch() as seconds:
        for batch in _batches(rows):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO floor VALUES (?, ?, ?, ?, ?, ?, ?)", batch)
            connection.execute("COMMIT")
    connection.close()
    return len(rows) / seconds()


def _postgresql_floor(database: str, rows: list[tuple[Any, ...]]) -> float:
    with psycopg.connect(database.replace("+psycopg", "", 1)) as connection:
        connection.execute("DROP TABLE IF EXISTS floor")
        connection.execute("CREATE TABLE floor AS SELECT * FROM stix_object WHERE false")
        connection.execute("ALTER TABLE floor ADD PRIMARY KEY (id)")
        connection.execute("CREATE INDEX ix_floor ON floor (stix_id)")
        connection.commit()
        with stopwatch() as seconds, connection.cursor() as cursor:
            for batch in _batches(rows):
                cursor.executemany("INSERT INTO floor VALUES (%s, %s, %s, %s, %s, %s, %s)", batch)
                connection.commit()
        connection.execute("DROP TABLE floor")
    return len(rows) / seconds()


def _batches(rows: list[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    return (rows[start : start + BUNDLE] for start in range(0, len(rows), BUNDLE))
