"""Nothing accepted is lost and nothing happens twice, whatever is killed: submit over HTTP while parts die at random moments.

Every event is reported by two organizations, so that each pair must end in one case; a subscriber's receiver verifies what
arrives. What is killed is killed by SIGKILL; the broker keeps nothing on disk, so its death wipes everything it knew.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import httpx2

from kentongan.bench import chaos_verdict
from kentongan.bench.chaos_events import Event, event
from kentongan.bench.measure import Report
from kentongan.bench.stage import BenchFailed, admit, opened
from kentongan.domain.identity import OrganizationKind, Scope
from kentongan.storage import jobs
from kentongan.storage.alerts import Subscription
from kentongan.storage.organizations import organization_named
from kentongan.supervisor.family import children, parts_under
from kentongan.trial import Trial
from kentongan.trial.receivers import LOOPBACK, Arrival, Arrivals, WebhookReceiver

REPORTERS = ("CERT-ID", "CERT-MY")
LISTENER = "CERT-TH"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  # of this trial's own receiver, which dies with it
TARGETS = ("stages-1", "broker", "web", "web worker", "deliver", "workers", "scheduler", "supervisor")
_SETTLE_SECONDS = 90.0
_ATTEMPT_SECONDS = 10.0
_PATIENCE = 8.0
_LET_RECOVER = 0.7


@dataclass(slots=True)
class Outcome:
    """What was done and what came of it. `faults` is empty when the promise held; each entry says in words how it did not."""

    accepted: list[Event] = field(default_factory=list)
    attempts: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    arrivals: list[Arrival] = field(default_factory=list)
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    @property
    def repeats(self) -> int:
        """Messages that arrived more than once, under the same id."""
        return len(self.arrivals) - len({arrival.message_id for arrival in self.arrivals})


def chaos(minutes: float = 5.0, database_url: str = "", seed: int | None = None) -> Report:
    """The benchmark. Raises BenchFailed when something was lost or happened twice."""
    seed = seed if seed is not None else int(time.time())
    with TemporaryDirectory(prefix="kentongan chaos ") as folder:
        outcome = survive(Path(folder), minutes * 60, seed, database_url)
    if outcome.faults:
        raise BenchFailed(f"seed {seed}: " + "; ".join(outcome.faults[:20]))
    report = Report("chaos")
    kills = ", ".join(f"{count} x {name}" for name, count in sorted(outcome.killed.items()))
    report.add("submissions accepted", len(outcome.accepted), "", f"of {outcome.attempts} attempts; 0 lost")
    report.add("killed by SIGKILL", sum(outcome.killed.values()), "", kills)
    report.add("alerts received", len(outcome.arrivals), "", f"{outcome.repeats} of them repeats under the same id")
    report.add("duration", outcome.seconds, "s", f"seed {seed}")
    return report


def survive(folder: Path, seconds: float, seed: int, database_url: str = "") -> Outcome:
    """Run an installation in `folder`, kill its parts for so many seconds, let it settle, and look at everything."""
    outcome = Outcome()
    arrivals = Arrivals()
    started = time.monotonic()
    with WebhookReceiver(arrivals) as receiver, Victim(folder, database_url) as victim:
        receiver.secrets[LISTENER] = SECRET
        tokens = _let_in(victim, receiver.url_for(LISTENER))
        with _submitting(victim, tokens, outcome):
            _kill_for(victim, seconds, Random(seed), outcome)  # noqa: S311  # repeatable, no secret
        _settle(victim)
        outcome.arrivals = arrivals.all()
        with opened(victim.trial.settings()) as database:
            outcome.faults += chaos_verdict.faults(database, outcome.accepted, outcome.arrivals)
    outcome.seconds = time.monotonic() - started
    return outcome


class Victim:
    """An installation that is killed and comes back, at another address each time it is started as a whole."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self._folder = folder / "data"
        self._settings: dict[str, Any] = {
            "egress_allow": "127.0.0.1/32",
            "lease_seconds": 5,
            "sweep_seconds": 1,
            "retry_base_seconds": 1,
            "retry_cap_seconds": 3,
        }
        if database_url:
            self._settings["database_url"] = database_url
        self.trial = self._new()

    def __enter__(self) -> Victim:
        """Start."""
        self.trial.__enter__()
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop."""
        self.trial.stop()

    def kill(self, target: str) -> bool:
        """SIGKILL one of TARGETS; whether it was there. A killed supervisor is started again, as an operator would."""
        if target == "supervisor":
            os.kill(self.trial.pid, signal.SIGKILL)
            self.trial.stop()
            self.trial = self._new()
            self.trial.__enter__()
            return True
        pid = self._pid_of(target)
        if pid is None:
            return False
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def _new(self) -> Trial:
        return Trial(self._folder, port=0, host=LOOPBACK, **self._settings)

    def _pid_of(self, target: str) -> int | None:
        parts = parts_under(self.trial.pid)
        if target == "web worker":
            return next(iter(children(parts["web"])), None) if "web" in parts else None
        return parts.get(target)


def _let_in(victim: Victim, target: str) -> list[str]:
    """Two who report, and one who wants to hear everything; the reporters' tokens."""
    settings = victim.trial.settings()
    tokens = [admit(settings, name, Scope.SUBMIT) for name in REPORTERS]
    admit(settings, LISTENER, Scope.READ, kind=OrganizationKind.MEMBER)
    with opened(settings) as database, database.writing() as session:
        listener = organization_named(session, LISTENER)
        assert listener is not None
        session.add(
            Subscription(
                organization_id=listener.id,
                name="Everything",
                filter={},
                channel="webhook",
                target=target,
                secret=SECRET,
                created_at=listener.created_at,
            )
        )
    return tokens


class _submitting:  # noqa: N801  # read as a word: with submitting(...)
    """One thread per reporter that submits its report of one event after the other, until the block ends."""

    def __init__(self, victim: Victim, tokens: list[str], outcome: Outcome) -> None:
        self._victim = victim
        self._outcome = outcome
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._report, args=(number, token), daemon=True)
            for number, token in enumerate(tokens)
        ]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(_SETTLE_SECONDS)

    def _report(self, reporter: int, token: str) -> None:
        number = 0
        while not self._over.is_set():
            self._until_accepted(event(number, reporter), token)
            number += 1

    def _until_accepted(self, reported: Event, token: str) -> None:
        """Try until there is a 202, as every careful client does; each try is a new connection, to wherever the web is now."""
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": reported.incident_id}
        while not self._over.is_set():
            with self._lock:
                self._outcome.attempts += 1
            status = self._post(reported, headers)
            if status == 202:
                with self._lock:
                    self._outcome.accepted.append(reported)
                return
            if 400 <= status < 500:
                self._outcome.faults.append(f"event {reported.number}: refused with {status}")
                self._over.set()
            time.sleep(0.05)

    def _post(self, reported: Event, headers: dict[str, str]) -> int:
        url = f"{self._victim.trial.url}/api/v1/submissions"
        try:
            return httpx2.post(url, json=reported.bundle, headers=headers, timeout=_ATTEMPT_SECONDS).status_code
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError):
            return 0


def _kill_for(victim: Victim, seconds: float, random: Random, outcome: Outcome) -> None:
    """Kill one after the other, all of them in random order, then all of them again, at random moments.

    On a slow machine it goes on, up to four times as long, until each was killed once.
    """
    started = time.monotonic()
    for target in _turns(random):
        took = time.monotonic() - started
        if took > seconds * _PATIENCE or (took > seconds and set(outcome.killed) == set(TARGETS)):
            return
        time.sleep(random.uniform(0.2, 2.0))
        if random.random() < _LET_RECOVER:
            _wait_for_progress(outcome)
        if victim.kill(target):
            outcome.killed[target] += 1


def _wait_for_progress(outcome: Outcome) -> None:
    """Most blows fall on an installation that works, some on one that is still coming back from the last."""
    before, until = len(outcome.accepted), time.monotonic() + _ATTEMPT_SECONDS
    while len(outcome.accepted) == before and time.monotonic() < until:
        time.sleep(0.01)


def _turns(random: Random) -> Iterator[str]:
    while True:
        yield from random.sample(TARGETS, len(TARGETS))


def _settle(victim: Victim) -> None:
    """Wait until no promise is open. Raises BenchFailed when some still are after a minute and a half."""
    until = time.monotonic() + _SETTLE_SECONDS
    with opened(victim.trial.settings()) as database:
        while True:
            with database.reading() as session:
                open_promises = {stage: count for stage, count in jobs.counts(session).items() if count}
            if not open_promises:
                return
            if time.monotonic() > until or "failed" in open_promises:
                raise BenchFailed(f"promises are still open: {open_promises}")
            time.sleep(0.1)
