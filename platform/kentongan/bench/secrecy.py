"""Whether the time of a 404 tells what is hidden from what never was: both asked for in turn, through the whole application."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan import log
from kentongan.app import create_app
from kentongan.bench.growth import Store
from kentongan.bench.measure import Report, stopwatch
from kentongan.bench.region import fill
from kentongan.bench.stage import BenchFailed
from kentongan.bootstrap import assemble
from kentongan.domain.identity import Identity, at_the_console
from kentongan.domain.marking import Level
from kentongan.domain.naming import case_id
from kentongan.domain.permissions import OF_TOKENS
from kentongan.services.tokens import Tokens
from kentongan.settings import load_settings
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan.storage.observables import Posting, StoredObservable
from kentongan.storage.organizations import Organization
from kentongan.storage.submissions import Submission
from kentongan.storage.visibility import AudienceRow, visible

_RESAMPLES = 200
_STORED = 4_000


def secrecy(database_url: str = "", *, requests: int = 500) -> Report:
    """For each kind of id the median of what is unknown, that of what is hidden, and how often the hidden took longer: 0.5 is
    a coin's toss. The interval is of 95 in 100 bootstrap samples."""
    log.configure("ERROR")  # a line for each request is no part of the report
    report = Report(f"secrecy ({'PostgreSQL' if database_url else 'SQLite'}, {requests} requests of each)")
    with tempfile.TemporaryDirectory(prefix="kentongan-bench-") as folder:
        settings = load_settings(
            data_dir=Path(folder), database_url=database_url or f"sqlite:///{Path(folder) / 'secrecy.sqlite'}"
        )
        store = Store(Database(settings.database))
        reader = fill(store, _STORED).subscriber
        client = create_app(assemble(settings)).test_client()
        secret = _token(store.database, reader)
        with store.database.reading() as session:
            pairs = dict(_pairs(session, reader))
        for what, (hidden, unknown) in pairs.items():
            _compare(report, client, secret, what, hidden, unknown, requests)
        store.close()
    return report


def _token(database: Database, reader: Identity) -> str:
    with database.writing() as session:
        organization = session.get_one(Organization, reader.organization_id)
        return (
            Tokens(session, lambda: datetime.now(UTC), at_the_console("benchmark"))
            .create(organization, OF_TOKENS)
            .secret
        )


def _pairs(session: Session, reader: Identity) -> Iterator[tuple[str, tuple[list[str], list[str]]]]:
    """Addresses of hidden things, and of as many that never were, spelt alike."""
    hidden = (
        select(
            Incident.public_id,
            Incident.stix_id,
            Incident.id,
            Submission.public_id.label("sent"),
        )
        .join(AudienceRow, AudienceRow.id == Incident.audience_id)
        .join(Submission, Submission.id == Incident.submission_id)
        .where(AudienceRow.level == int(Level.RED), ~visible(session, Incident.audience_id, reader))
        .limit(100)
    )
    rows = session.execute(hidden).all()
    fresh = Random(7)  # noqa: S311  # ids that nothing has, no secret
    unknown = [str(UUID(int=fresh.getrandbits(128), version=4)) for _ in rows]
    yield "incident", (_each("/incidents/", (row.public_id for row in rows)), _each("/incidents/", unknown))
    named = _each("/incidents/", (row.stix_id for row in rows)), _each("/incidents/incident--", unknown)
    yield "incident by its STIX id", named
    yield "object", (_each("/objects/", (row.stix_id for row in rows)), _each("/objects/incident--", unknown))
    yield "case", (_each("/cases/", (case_id(row.public_id) for row in rows)), _each("/cases/", unknown))
    yield "submission", (_each("/submissions/", (row.sent for row in rows)), _each("/submissions/", unknown))
    values = session.scalars(
        select(StoredObservable.value)
        .join(Posting, Posting.observable_id == StoredObservable.id)
        .where(Posting.incident_id.in_([row.id for row in rows]), StoredObservable.kind == "domain")
        .where(
            ~StoredObservable.id.in_(select(Posting.observable_id).where(visible(session, Posting.audience_id, reader)))
        )
        .distinct()
        .limit(100)
    ).all()
    never = ["x" + value[1:] if value[0] != "x" else "y" + value[1:] for value in values]
    yield "value", (_each("/observables?value=", values), _each("/observables?value=", never))


def _each(address: str, ids: Iterator[str] | Sequence[str]) -> list[str]:
    return [f"/api/v1{address}{each}" for each in ids]


def _compare(
    report: Report, client: FlaskClient, secret: str, what: str, hidden: list[str], unknown: list[str], requests: int
) -> None:
    if not hidden:
        raise BenchFailed(f"nothing hidden was made for: {what}")
    turns: Random = Random(1)  # noqa: S311  # which of the two is asked first, no secret
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for number in range(requests + 20):
        order = [True, False] if turns.random() < 0.5 else [False, True]
        for is_hidden in order:
            address = (hidden if is_hidden else unknown)[number % len(hidden)]
            with stopwatch() as taken:
                client.get(address, headers={"Authorization": f"Bearer {secret}"})
            if number >= 20:  # the first ones fill caches
                seconds[is_hidden].append(taken())
    slower, low, high = _longer(seconds[True], seconds[False])
    report.add(
        f"{what}, hidden",
        median(seconds[True]) * 1000,
        "ms",
        f"unknown {median(seconds[False]) * 1000:.2f} ms; hidden took longer in {slower:.3f} ({low:.3f} to {high:.3f})",
    )


def _longer(one: list[float], other: list[float]) -> tuple[float, float, float]:
    """How likely one of the first is longer than one of the second (Mann and Whitney's U over the number of pairs), and the
    bounds of 95 in 100 bootstrap samples."""
    sampled = Random(2)  # noqa: S311  # a bootstrap, no secret
    again = sorted(
        _above(sampled.choices(one, k=len(one)), sampled.choices(other, k=len(other))) for _ in range(_RESAMPLES)
    )
    return _above(one, other), again[int(0.025 * _RESAMPLES)], again[int(0.975 * _RESAMPLES) - 1]


def _above(one: list[float], other: list[float]) -> float:
    """By ranks; of equals each counts half."""
    both = sorted([(value, True) for value in one] + [(value, False) for value in other])
    ranks, place = 0.0, 0
    while place < len(both):
        end = place
        while end < len(both) and both[end][0] == both[place][0]:
            end += 1
        ranks += sum(first for _, first in both[place:end]) * (place + end + 1) / 2
        place = end
    return (ranks - len(one) * (len(one) + 1) / 2) / (len(one) * len(other))
