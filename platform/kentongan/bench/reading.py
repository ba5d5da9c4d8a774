"""What the audit trail costs a reader: the same reads with and without their entry, in turn, while nothing else happens and while
another process submits."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from kentongan.bench.growth import Store
from kentongan.bench.measure import Report, percentiles, stopwatch
from kentongan.bootstrap import now
from kentongan.domain.identity import Identity, OrganizationKind, at_the_console
from kentongan.domain.marking import Level
from kentongan.services.organizations import Organizations
from kentongan.services.read_incidents import IncidentFilter, ReadIncidents
from kentongan.storage.audit import taken
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan.storage.visibility import AudienceRow

Read = Callable[[Session], object]


def reading(database_url: str = "", *, size: int = 10_000, rounds: int = 200) -> Report:
    """Milliseconds to read a list of 50 and one incident marked AMBER, among `size` of them; medians over `rounds`."""
    report = Report(f"reading ({'PostgreSQL' if database_url else 'SQLite'})")
    with tempfile.TemporaryDirectory(prefix="kentongan-bench-") as folder:
        url = database_url or f"sqlite:///{Path(folder) / 'reading.sqlite'}"
        database = Database(url)
        reader = _filled(database, size)
        with database.reading() as session:
            any_id = session.scalars(select(Incident.public_id).order_by(Incident.id.desc()).limit(1)).one()
        reads: dict[str, Read] = {
            "a list of 50": lambda session: ReadIncidents(session).page(reader, IncidentFilter()),
            "one incident": lambda session: ReadIncidents(session).incident(reader, any_id),
        }
        for name, read in reads.items():
            _measure(report, f"{name}, nothing else", database, read, rounds)
        with _submitting(url):
            for name, read in reads.items():
                _measure(report, f"{name}, while submitting", database, read, rounds)
        database.close()
    return report


def _filled(database: Database, size: int) -> Identity:
    """So many incidents, all marked AMBER, and a member that reads them."""
    store = Store(database)
    store.add(min(size, 500))
    store.fill_up_to(size)
    with database.writing() as session:
        session.execute(update(AudienceRow).values(level=int(Level.AMBER)))
        made = Organizations(session, now, at_the_console("benchmark")).add(
            "CERT-READER", OrganizationKind.MEMBER, "VN"
        )
        return made.identity()


def _measure(report: Report, what: str, database: Database, read: Read, rounds: int) -> None:
    bare, entered = [], []
    for _ in range(rounds):
        with stopwatch() as seconds, Session(database.engine) as session:
            read(session)
            taken(session)
        bare.append(seconds())
        with stopwatch() as seconds, database.reading() as session:
            read(session)
        entered.append(seconds())
    (median, slowest), (without, without_slowest) = percentiles(entered), percentiles(bare)
    note = f"99th percentile {slowest:.1f} ms; without an entry {without:.1f} ms, {without_slowest:.1f} ms"
    report.add(what, median, "ms", note)


@contextmanager
def _submitting(url: str) -> Iterator[None]:
    """Another process submits one small bundle after the other."""
    spawning = multiprocessing.get_context("spawn")
    enough = spawning.Event()
    submitter = spawning.Process(target=_submit_until, args=(url, enough))
    submitter.start()
    time.sleep(2.0)  # it has begun
    try:
        yield
    finally:
        enough.set()
        submitter.join(30)


def _submit_until(url: str, enough: Event) -> None:
    database = Database(url)
    store = Store(database, "CERT-BUSY")
    while not enough.is_set():
        store.submit(1)
    database.close()
