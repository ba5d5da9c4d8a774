"""How long from submitting to hearing: the median and 99th percentile to the arrival of a webhook.

The floor is the least that this road could take: an empty Celery task on the same broker that makes one HTTP POST.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson

from kentongan.bench.material import Maker
from kentongan.bench.measure import Report, percentiles
from kentongan.bench.stage import BenchFailed, admit, post_all
from kentongan.bootstrap import assemble
from kentongan.domain.identity import OrganizationKind, Scope, at_the_console
from kentongan.domain.target import networks
from kentongan.services.organizations import Organizations
from kentongan.services.subscriptions import Subscriptions
from kentongan.supervisor.parts import environment
from kentongan.trial import Trial
from kentongan.trial.receivers import LOOPBACK, Arrivals, WebhookReceiver

_PATIENCE = 20.0
_LISTENER = "listener"


def latency(database_url: str = "", *, incidents: int = 200) -> Report:
    """One incident at a time, each waited for."""
    kind = "PostgreSQL" if database_url else "SQLite"
    report = Report(f"submit to webhook ({kind})")
    arrivals = Arrivals()
    with (
        tempfile.TemporaryDirectory(prefix="kentongan-bench-") as folder,
        WebhookReceiver(arrivals) as receiver,
        Trial(Path(folder), egress_allow=f"{LOOPBACK}/32", database_url=database_url) as trial,
    ):
        token = admit(trial.settings(), "CERT-BENCH", Scope.SUBMIT)
        _subscribe(trial, receiver)
        ours = _one_by_one(trial.url, token, arrivals, incidents)
        floor = _floor(trial, incidents)
    (p50, p99), (floor50, floor99) = percentiles(ours), percentiles(floor)
    report.add("submit to webhook, median", p50, "ms", f"{p50 / floor50:.1f} x floor")
    report.add("submit to webhook, 99th percentile", p99, "ms", f"{p99 / floor99:.1f} x floor")
    report.add("empty task and POST, median", floor50, "ms", "floor")
    report.add("empty task and POST, 99th percentile", floor99, "ms", "floor")
    return report


def _subscribe(trial: Trial, receiver: WebhookReceiver) -> None:
    kentongan = assemble(trial.settings())
    with kentongan.database.writing() as session:
        bank = Organizations(session, kentongan.clock, at_the_console("benchmark")).add(
            "Bank", OrganizationKind.SUBSCRIBER, "ID"
        )
        made = Subscriptions(session, kentongan.clock, networks(kentongan.settings.egress_allow)).create(
            bank.identity(frozenset(Scope)),
            name="everything",
            channel="webhook",
            target=receiver.url_for(_LISTENER),
            filter={},
        )
        receiver.secrets[_LISTENER] = made.secret or ""
    kentongan.database.close()


def _one_by_one(url: str, token: str, arrivals: Arrivals, incidents: int) -> list[float]:
    maker, times = Maker(), []
    for number in range(incidents + 5):
        body = orjson.dumps(maker.incident())
        started = time.monotonic()
        post_all(url, token, [body], connections=1)
        if not arrivals.wait_for(lambda all_, wanted=number + 1: len(all_) >= wanted, _PATIENCE):  # type: ignore[misc]
            raise BenchFailed("an alert did not arrive")
        times.append(arrivals.all()[-1].at - started)
    return times[5:]  # the first few wake everything up


def _floor(trial: Trial, count: int) -> list[float]:
    """The workers know Celery: they measure their own floor, as a program, on the same broker."""
    command = [sys.executable, "-m", "kentongan_workers.floor", str(count)]
    measured = subprocess.run(command, env=environment(trial.settings()), capture_output=True, timeout=300, check=False)
    if measured.returncode:
        raise BenchFailed(f"the floor could not be measured: {measured.stderr.decode(errors='replace')[-500:]}")
    return [float(line) for line in measured.stdout.split()]
