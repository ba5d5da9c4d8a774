"""How fast submissions are accepted: checked, kept for good and answered, over HTTP.

The peer is `stix2.parse` alone on the same objects; the floor is a raw batched insert of the same rows into a database of the
same kind, with the same indexes and durability.
"""

# ruff: noqa: S608  # every statement is made of our own words and numbers

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

import orjson
import stix2
from sqlalchemy import Connection, MetaData, Row, event

from kentongan.bench.material import Maker
from kentongan.bench.measure import Report, stopwatch
from kentongan.bench.stage import admit, opened, post_all, web_alone
from kentongan.domain.identity import Scope
from kentongan.settings import Settings
from kentongan.storage import Base
from kentongan.storage.database import Database

BUNDLE = 1_000
_OF_ITS_OBJECTS = "object_id BETWEEN {low} AND {high}"
_WRITTEN = {
    "submission": "id = {id}",
    "stix_object": "id BETWEEN {low} AND {high}",
    "object_carrier": _OF_ITS_OBJECTS,
    "collection_entry": _OF_ITS_OBJECTS,
    "tie_end": _OF_ITS_OBJECTS,
    "job": "stage = 'index' AND subject_id = {id}",
    "audit_entry": "subject = 'submission {public_id}'",
}
"""The tables that an acceptance writes new rows into, and which are its own."""
Rows = tuple[tuple[str, ...], list[tuple[Any, ...]]]
"""Column names, and rows."""


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
    report.add(
        "raw batched insert",
        floor,
        "objects/s",
        "floor: all the same rows of seven tables, a bundle a commit",
    )
    return report


def _stix2_rate(objects: list[dict[str, Any]]) -> float:
    with stopwatch() as seconds:
        for obj in objects:
            stix2.parse(obj, allow_custom=True)
    return len(objects) / seconds()


def _floor_rate(settings: Settings, count: int, folder: Path) -> float:
    """Objects per second when the newest rows are inserted again, as they are, into empty tables of the same shape."""
    with opened(settings) as database:
        bundles = _newest_rows(database, count // BUNDLE)
    if settings.is_sqlite:
        for old in folder.glob("floor.sqlite*"):
            old.unlink()
        with closing(Database(f"sqlite:///{folder / 'floor.sqlite'}")) as floor:
            return _insert_again(floor, bundles)
    with closing(Database(settings.database)) as floor:
        event.listen(floor.engine, "connect", _apart)
        with floor.engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA IF EXISTS floor CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA floor")
        return _insert_again(floor, bundles)


def _apart(connection: Any, _record: Any) -> None:
    connection.execute("SET search_path TO floor")
    connection.commit()


def _newest_rows(database: Database, bundles: int) -> list[dict[str, Rows]]:
    """By submission: every row that its acceptance wrote, as the driver gives it."""
    with database.engine.connect() as connection:
        found = connection.exec_driver_sql(f"SELECT * FROM submission ORDER BY id DESC LIMIT {bundles}")
        return [_rows_of(connection, submission) for submission in found.all()]


def _rows_of(connection: Connection, submission: Row[Any]) -> dict[str, Rows]:
    named = submission._mapping
    numbers = sorted({int(number) for number, _ in orjson.loads(named["carried"])})
    own = {"low": numbers[0], "high": numbers[-1], "id": named["id"], "public_id": named["public_id"]}
    found = {
        table: connection.exec_driver_sql(f"SELECT * FROM {table} WHERE {which.format(**own)}").all()
        for table, which in _WRITTEN.items()
    }
    return {
        table: (tuple(str(name) for name in rows[0]._mapping), [tuple(row) for row in rows])
        for table, rows in found.items()
        if rows
    }


def _insert_again(floor: Database, bundles: list[dict[str, Rows]]) -> float:
    tables = {name: Base.metadata.tables[name] for name in _WRITTEN}
    with floor.engine.begin() as connection:
        for table in tables.values():
            bare = table.to_metadata(MetaData())
            for foreign in list(bare.foreign_key_constraints):  # the rows they point to do not come along
                bare.constraints.discard(foreign)
            bare.create(connection)
    sign = "?" if floor.is_sqlite else "%s"
    with stopwatch() as seconds:
        for rows in bundles:
            _insert_one(floor, rows, sign)
    return sum(len(rows["stix_object"][1]) for rows in bundles) / seconds()


def _insert_one(floor: Database, rows: dict[str, Rows], sign: str) -> None:
    writing = floor.engine.connect().execution_options(kentongan_begin="IMMEDIATE")
    with writing as connection, connection.begin():
        for table, (columns, values) in rows.items():
            signs = ", ".join([sign] * len(columns))
            connection.exec_driver_sql(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({signs})", values)
