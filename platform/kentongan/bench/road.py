"""How fast the whole road is: incidents and observables through index, deduplicate, correlate and match."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

import orjson
from sqlalchemy import func, select

from kentongan.bench.material import Maker
from kentongan.bench.measure import Report, descendants, proportional_memory, stopwatch
from kentongan.bench.stage import admit, opened, post_all, wait_until_done
from kentongan.domain.identity import Scope
from kentongan.storage.observables import Posting
from kentongan.trial import Trial


def road(database_url: str = "", *, rounds: int = 3, incidents: int = 600, indicators: int = 10) -> Report:
    """Submit incidents of some indicators each over HTTP to a whole installation; the clock stops when no job is open."""
    kind = "PostgreSQL" if database_url else "SQLite"
    report = Report(f"whole road ({kind})")
    rates, values = [], []
    with (
        tempfile.TemporaryDirectory(prefix="kentongan-bench-") as folder,
        Trial(Path(folder), database_url=database_url) as trial,
    ):
        settings = trial.settings()
        token = admit(settings, "CERT-BENCH", Scope.SUBMIT)
        idle = proportional_memory(descendants(trial.pid))
        maker = Maker()
        for _ in range(rounds):
            sent = _incidents(maker, incidents, indicators)
            before = _postings(trial)
            with stopwatch() as seconds:
                post_all(trial.url, token, sent)
                wait_until_done(settings)
            rates.append(incidents / seconds())
            values.append((_postings(trial) - before) / seconds())
        loaded = proportional_memory(descendants(trial.pid))
    report.add("incidents, HTTP to matched", median(rates), "incidents/s", f"{indicators} indicators each")
    report.add("indicators, HTTP to matched", median(rates) * indicators, "indicators/s", "target 1,000")
    report.add("observables, HTTP to matched", median(values), "observables/s", "with the hosts that URLs lie under")
    report.add("memory of the whole installation, idle", idle, "MiB", "PSS of all processes, embedded Valkey included")
    report.add("memory after this load", loaded, "MiB", "the same processes")
    return report


def _incidents(maker: Maker, count: int, indicators: int) -> list[bytes]:
    """A fifth of them share a domain with four others, so that there is something to find."""
    shared = [maker.domain() for _ in range(max(1, count // 25))]
    return [
        orjson.dumps(
            maker.incident(shared=shared[number % len(shared)] if number % 5 == 0 else None, indicators=indicators)
        )
        for number in range(count)
    ]


def _postings(trial: Trial) -> int:
    with opened(trial.settings()) as database, database.reading() as session:
        return session.scalar(select(func.count()).select_from(Posting)) or 0
