"""What one more incident costs with more and more of them stored: the curve should be flat.

The store is filled by copying a few thousand incidents that went through the real stages, each copy with ids, values, victims and
texts of its own; the values that many reports have stay shared, so that their lists grow as in real life. What is measured goes
through the real services, in this process.
"""

# ruff: noqa: S608  # every statement is made of our own words and bound numbers

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import orjson
from sqlalchemy import Connection, event, func, select, text

from kentongan.bench.material import Maker
from kentongan.bench.measure import Report, stopwatch
from kentongan.domain.gate import Limits
from kentongan.domain.identity import Identity, OrganizationKind, at_the_console
from kentongan.services.correlate import Correlate
from kentongan.services.deduplicate import Deduplicate
from kentongan.services.examine import examine
from kentongan.services.index import Index
from kentongan.services.match import Match
from kentongan.services.organizations import Organizations
from kentongan.services.submit import Submit
from kentongan.storage import jobs
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan.storage.jobs import Stage
from kentongan.storage.migrate import migrate

_STAGES = ((Stage.INDEX, Index), (Stage.DEDUPLICATE, Deduplicate), (Stage.CORRELATE, Correlate), (Stage.MATCH, Match))
_BATCH = 50
_TEMPLATES = 2_000
_POPULAR = 40
_INDICATORS = 10


def growth(database_url: str = "", *, sizes: Sequence[int] = (10_000, 100_000, 300_000), rounds: int = 9) -> Report:
    """Milliseconds for one more incident, submit to matched, in batches of 50 as the workers run them; medians over `rounds`."""
    kind = "PostgreSQL" if database_url else "SQLite"
    report = Report(f"growth ({kind})")
    with tempfile.TemporaryDirectory(prefix="kentongan-bench-") as folder:
        store = Store(Database(database_url or f"sqlite:///{Path(folder) / 'growth.sqlite'}"))
        store.add(min(_TEMPLATES, *sizes))
        costs: list[float] = []
        for size in sorted(sizes):
            store.fill_up_to(size)
            store.add(_BATCH)  # warm up: caches and the planner's knowledge of the new size
            costs.append(median(store.add(_BATCH) for _ in range(rounds)))
            report.add(
                f"one more incident at {size:,} stored", costs[-1], "ms", f"{costs[-1] / costs[0]:.2f} x the first"
            )
        store.close()
    return report


class Store:
    """A database to fill and to measure."""

    def __init__(self, database: Database, reporter: str = "CERT-BENCH") -> None:
        self._database = database
        self._maker = Maker()
        self._templates = 0
        migrate(database)
        with database.writing() as session:
            made = Organizations(session, _clock, at_the_console("benchmark")).add(
                reporter, OrganizationKind.MEMBER, "ID"
            )
            self.reporter: Identity = made.identity()
        self._popular = [self._maker.domain() for _ in range(_POPULAR)]

    def add(self, count: int) -> float:
        """So many new incidents through all stages; milliseconds for each."""
        bundles = self._bundles(count)
        with stopwatch() as seconds:
            for start in range(0, count, _BATCH):
                self._add_batch(bundles[start : start + _BATCH])
        return seconds() / count * 1000

    def submit(self, count: int) -> None:
        """So many new incidents, accepted and not worked on."""
        self._submit(self._bundles(count))

    def fill_up_to(self, size: int) -> None:
        """Copy what is there until `size` incidents are stored."""
        with _careless(self._database):
            while missing := size - self._count():
                highest = self._templates or self._count()
                self._templates = highest
                with self._database.writing() as session:
                    _copy(session.connection(), min(highest, missing), highest)
        with self._database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE")

    def close(self) -> None:
        """Give the database back."""
        self._database.close()

    @property
    def database(self) -> Database:
        """What is filled."""
        return self._database

    @property
    def popular(self) -> str:
        """A value that many of the incidents carry."""
        return self._popular[0]

    def _shared(self, number: int) -> str | None:
        return self._popular[number % _POPULAR] if number % 5 == 0 else None

    def _bundles(self, count: int) -> list[bytes]:
        return [
            orjson.dumps(self._maker.incident(shared=self._shared(number), indicators=_INDICATORS))
            for number in range(count)
        ]

    def _submit(self, bundles: list[bytes]) -> None:
        examined = [examine(bundle, Limits()) for bundle in bundles]
        for each in examined:
            with self._database.writing() as session:
                Submit(session, _clock).submit(self.reporter, each)

    def _add_batch(self, bundles: list[bytes]) -> None:
        self._submit(bundles)
        for stage, service in _STAGES:
            with self._database.writing() as session:
                due = jobs.claim(session, stage, _clock(), timedelta(hours=1), _BATCH)
                jobs.finish(session, due)
                service(session, _clock).run([job.subject_id for job in due])

    def _count(self) -> int:
        with self._database.reading() as session:
            return session.scalar(select(func.count()).select_from(Incident)) or 0


@contextmanager
def _careless(database: Database) -> Iterator[None]:
    """While it is filled, a SQLite file may break when the machine does, and is worked on in memory; not while it is measured."""
    if not database.is_sqlite:
        yield
        return
    event.listen(database.engine, "connect", _do_not_wait)
    database.engine.dispose()
    yield
    event.remove(database.engine, "connect", _do_not_wait)
    database.engine.dispose()


def _do_not_wait(connection: sqlite3.Connection, _record: Any) -> None:
    for pragma in ("synchronous=OFF", "cache_size=-4000000", "journal_mode=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")


def _copy(connection: Connection, count: int, templates: int) -> None:
    """Copy the first `count` incidents, and what hangs on them, with numbers above all that are there.

    What is popular shows among the `templates`, which are not copies themselves.
    """
    sqlite = connection.dialect.name == "sqlite"
    shift = {
        name: connection.scalar(text(f"SELECT max(id) FROM {name}")) or 0
        for name in ("incident", "stix_object", "submission", "incident_case", "observable")
    }
    bound = {**{f"{name}_shift": value for name, value in shift.items()}, "most": count, "templates": templates}
    random_bytes = "randomblob({size})" if sqlite else "substring(sha256(convert_to({salt}, 'UTF8')) for {size})"
    digest = random_bytes.format(size=16, salt="CAST(:observable_shift + o.id AS TEXT)")
    sha256 = random_bytes.format(size=32, salt="CAST(:submission_shift + s.id AS TEXT)")
    of_templates = "SELECT p.observable_id FROM posting p WHERE p.incident_id <= :templates"
    popular = f"({of_templates} GROUP BY p.observable_id HAVING count(*) > 5)"
    for statement in _STATEMENTS:
        whole = statement.format(digest=digest, sha256=sha256, popular=popular)
        connection.execute(text(whole), _used(whole, bound))


def _fresh(column: str, number: str) -> str:
    """SQL for a copy of a UUID-shaped text, with its last twelve characters made of a number."""
    return f"substr({column}, 1, length({column}) - 12) || substr(CAST(1000000000000 + {number} AS TEXT), 2)"


_STATEMENTS = (
    "INSERT INTO submission (id, public_id, organization_id, received_at, sha256, size, content, outcomes, carried, accepted, "
    "refused) SELECT s.id + :submission_shift, "
    + _fresh("s.public_id", "s.id + :submission_shift")
    + ", s.organization_id, s.received_at, {sha256}, s.size, {sha256}, '[]', '[]', s.accepted, s.refused "
    "FROM submission s JOIN incident i ON i.submission_id = s.id WHERE i.id <= :most",
    "INSERT INTO stix_object (id, stix_id, type, owner_id, modified, sha256, body) SELECT s.id + :stix_object_shift, "
    + _fresh("s.stix_id", "s.id + :stix_object_shift")
    + ", s.type, s.owner_id, s.modified, s.sha256, s.body FROM stix_object s JOIN incident i ON i.object_id = s.id "
    "WHERE i.id <= :most",
    "INSERT INTO object_carrier (object_id, audience_id) SELECT c.object_id + :stix_object_shift, c.audience_id "
    "FROM object_carrier c JOIN incident i ON i.object_id = c.object_id WHERE i.id <= :most",
    "INSERT INTO incident_case (id, public_id, opened_at, home_id) SELECT c.id + :incident_case_shift, "
    + _fresh("c.public_id", "c.id + :incident_case_shift")
    + ", c.opened_at, c.home_id + :incident_shift FROM incident_case c "
    "WHERE c.id IN (SELECT case_id FROM incident WHERE id <= :most)",
    "INSERT INTO observable (id, digest, kind, value) SELECT o.id + :observable_shift, {digest}, o.kind, CASE o.kind "
    "WHEN 'ipv4' THEN '11.' || ((o.id + :observable_shift) / 65536 % 256) || '.' || ((o.id + :observable_shift) / 256 % 256) "
    "|| '.' || ((o.id + :observable_shift) % 256) WHEN 'sha256' THEN "
    + _fresh("o.value", "o.id + :observable_shift")
    + " WHEN 'domain' THEN 'n' || CAST(:observable_shift AS TEXT) || '.' || o.value "
    "ELSE o.value || CAST(:observable_shift AS TEXT) END "
    "FROM observable o WHERE o.id IN (SELECT observable_id FROM posting "
    "WHERE incident_id <= :most) AND o.id NOT IN {popular}",
    "INSERT INTO incident (id, public_id, stix_id, organization_id, audience_id, object_id, submission_id, received_at, "
    "amended_at, revoked, title, happened_at, rsit_class, rsit_type, severity, status, facts, takes_part, case_id) "
    "SELECT i.id + :incident_shift, "
    + _fresh("i.public_id", "i.id + :incident_shift")
    + ", "
    + _fresh("i.stix_id", "i.id + :incident_shift")
    + ", i.organization_id, i.audience_id, i.object_id + :stix_object_shift, i.submission_id + :submission_shift, "
    "i.received_at, i.amended_at, i.revoked, i.title, i.happened_at, i.rsit_class, i.rsit_type, i.severity, i.status, "
    "i.facts, i.takes_part, "
    "i.case_id + :incident_case_shift FROM incident i WHERE i.id <= :most",
    "INSERT INTO incident_tag (kind, value, incident_id, audience_id) "
    "SELECT t.kind, CASE WHEN t.kind IN ('country', 'sector') THEN t.value "
    "ELSE t.value || CAST(:incident_shift AS TEXT) END, t.incident_id + :incident_shift, t.audience_id FROM incident_tag t "
    "WHERE t.incident_id <= :most",
    "INSERT INTO sign (kind, key, organization_id, incident_id) "
    "SELECT s.kind, s.key || CAST(:incident_shift AS TEXT), s.organization_id, s.incident_id + :incident_shift "
    "FROM sign s WHERE s.incident_id <= :most",
    "INSERT INTO text_band (band, incident_id) SELECT b.band / 2 + :incident_shift, b.incident_id + :incident_shift "
    "FROM text_band b WHERE b.incident_id <= :most",
    "INSERT INTO posting (observable_id, organization_id, incident_id, audience_id, origin) "
    "SELECT CASE WHEN p.observable_id IN {popular} THEN p.observable_id ELSE p.observable_id + :observable_shift END, "
    "p.organization_id, p.incident_id + :incident_shift, p.audience_id, p.origin "
    "FROM posting p WHERE p.incident_id <= :most",
)


def _used(statement: str, bound: dict[str, int]) -> dict[str, int]:
    return {name: value for name, value in bound.items() if f":{name}" in statement}


def _clock() -> datetime:
    return datetime.now(UTC)
