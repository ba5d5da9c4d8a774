"""What the sharing policy costs: lists and searches with its filter, and the very same with the filter taken out, in turn."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any, NamedTuple
from unittest.mock import patch

from sqlalchemy import true
from sqlalchemy.orm import Session

from kentongan.bench.growth import Store
from kentongan.bench.measure import Report
from kentongan.bench.region import Filled, fill
from kentongan.domain.identity import Identity
from kentongan.services.paging import write_cursor
from kentongan.services.read_campaigns import ReadCampaigns
from kentongan.services.read_cases import ReadCases
from kentongan.services.read_incidents import IncidentFilter, ReadIncidents
from kentongan.services.read_observables import ReadObservables
from kentongan.services.summaries import found, position_of, visible_incidents
from kentongan.storage import visibility
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident

Ask = Callable[[Session], Any]
Open = Callable[[], AbstractContextManager[Session]]


def filter(database_url: str = "", *, incidents: int = 100_000, rounds: int = 41) -> Report:
    """Milliseconds of one page, as a member and as a subscriber reads it; the ratio is to the same without the policy."""
    report = Report(f"filter ({'PostgreSQL' if database_url else 'SQLite'}, {incidents:,} incidents)")
    with tempfile.TemporaryDirectory(prefix="kentongan-bench-") as folder:
        url = database_url or f"sqlite:///{Path(folder) / 'filter.sqlite'}"
        store = Store(Database(url))
        filled = fill(store, incidents)
        # Each way has a connection of its own: on one, PostgreSQL would plan anew whenever the role changes.
        ways = _Ways(Database(url), Database(url), Database(url))
        for name, reader in (("a member", filled.member), ("a subscriber", filled.subscriber)):
            for what, ask in _wishes(store.database, filled, reader, incidents).items():
                _compare(report, ways, f"{what}, {name}", reader, ask, rounds)
        for database in (*ways, store):
            database.close()
    return report


class _Ways(NamedTuple):
    without: Database
    filtered: Database
    walled: Database


def _compare(report: Report, databases: _Ways, what: str, reader: Identity, ask: Ask, rounds: int) -> None:
    """Three ways in turn: without the policy, with its filter, and with the second wall behind it (PostgreSQL)."""
    ways: dict[str, Open] = {"without": lambda: _without_policy(databases.without), "with": databases.filtered.reading}
    # SQLite works inside this process, whose CPU time others do not bend; PostgreSQL does not.
    clock = process_time if databases.without.is_sqlite else perf_counter
    if not databases.without.is_sqlite:
        ways["walled"] = lambda: databases.walled.reading_for(reader)
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds + 3):
        for way, opened in ways.items():
            taken = _timed(opened, ask, clock)
            if turn >= 3:  # the first ones fill caches
                seconds[way].append(taken)
    bare = median(seconds["without"])
    filtered = median(seconds["with"])
    note = f"{filtered / bare:.2f} x without the policy ({bare * 1000:.2f} ms)"
    if walled := seconds.get("walled"):
        note += f"; behind the second wall {median(walled) * 1000:.2f} ms, {median(walled) / bare:.2f} x"
    report.add(what, filtered * 1000, "ms", note)


def _wishes(database: Database, filled: Filled, reader: Identity, incidents: int) -> dict[str, Ask]:
    everything = IncidentFilter()
    deep = _cursor(database, reader, everything, incidents // 5)
    return {
        "incidents, first page": lambda s: ReadIncidents(s).page(reader, everything),
        "incidents, a deep page": lambda s: ReadIncidents(s).page(reader, everything, cursor=deep),
        "incidents of a country": lambda s: ReadIncidents(s).page(reader, IncidentFilter(country="ID")),
        "incidents with a text": lambda s: ReadIncidents(s).page(reader, IncidentFilter(text="a")),
        "a popular value": lambda s: ReadObservables(s).value(reader, filled.popular),
        "cases": lambda s: ReadCases(s).page(reader),
        "campaigns": lambda s: ReadCampaigns(s).page(reader, limit=25),
    }


def _cursor(database: Database, reader: Identity, wanted: IncidentFilter, behind: int) -> str:
    """The cursor of a page so many incidents from the newest."""
    with database.reading() as session:
        newest = visible_incidents(session, reader).order_by(Incident.received_at.desc(), Incident.id.desc())
        (there,) = found(session, reader, newest.offset(behind).limit(1))
    return write_cursor(position_of(there), {"list": "incidents", **asdict(wanted)})


def _timed(opened: Open, ask: Ask, clock: Callable[[], float]) -> float:
    """Seconds, the opening of the session included: that is where a reader steps behind the wall."""
    start = clock()
    with opened() as session:
        ask(session)
        session.info.clear()  # what was noted for the audit trail is not what is measured
    return clock() - start


@contextmanager
def _without_policy(database: Database) -> Iterator[Session]:
    """The filter is taken out of every query; nowhere but here."""
    real = visibility.visible
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("kentongan.services.")]
    patches = [
        patch.object(each, "visible", lambda *_: true()) for each in modules if vars(each).get("visible") is real
    ]
    for each in patches:
        each.start()
    try:
        with database.reading() as session:
            yield session
    finally:
        for each in patches:
            each.stop()
