"""Whether this installation lives, is ready for work, and how it fares in numbers."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from flask import Blueprint, Flask, Response, current_app, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess
from prometheus_client.core import REGISTRY, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from kentongan.bootstrap import Kentongan
from kentongan.broker import NoBroker, ping
from kentongan.storage import jobs
from kentongan.storage.incidents import Incident
from kentongan.storage.migrate import is_current
from kentongan.storage.submissions import Submission

LONGEST_WAIT = timedelta(minutes=5)
"""A promise that is older than this, and not put off for another reason, means that no worker works."""

_log = structlog.get_logger(__name__)
_blueprint = Blueprint("health", __name__)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be so; `problem` says in words how it is not, and is empty when it is."""

    name: str
    problem: str = ""


def register(app: Flask) -> None:
    """Add `/healthz`, `/readyz` and `/metrics`."""
    app.register_blueprint(_blueprint)


@_blueprint.get("/healthz")
def healthz() -> Response:
    """This process answers. Touches nothing else, so that a slow database does not get the web killed."""
    return jsonify(status="ok")


@_blueprint.get("/readyz")
def readyz() -> Response:
    """Database, broker and workers do their part: 200; else 503 and a problem document (RFC 9457) that names what does not."""
    failing = [check for check in checks(_kentongan()) if check.problem]
    if not failing:
        return jsonify(status="ready")
    detail = "; ".join(f"{check.name}: {check.problem}" for check in failing)
    return _unavailable("Not ready", detail, failing=[check.name for check in failing])


@_blueprint.get("/metrics")
def metrics() -> Response:
    """Prometheus text, for the operator only: its counts include what most readers may not see. Others find no such page."""
    if not _may_read_metrics():
        return Response(status=404)
    registry = CollectorRegistry()
    registry.register(InstallationNumbers(_kentongan()))
    try:
        installation = generate_latest(registry)
    except SQLAlchemyError as error:
        _log.error("the database does not answer", exc_info=error)
        return _unavailable("No numbers", "The database does not answer.")
    return Response(_requests_in_all_processes() + installation, content_type=CONTENT_TYPE_LATEST)


def checks(kentongan: Kentongan) -> list[Check]:
    """What must be so for this installation to be ready. The problems name no address and no content."""
    return [_database(kentongan), _broker(kentongan), _workers(kentongan)]


class InstallationNumbers(Collector):
    """Reads the numbers when they are asked for."""

    def __init__(self, kentongan: Kentongan) -> None:
        self._kentongan = kentongan

    def collect(self) -> Iterable[Metric]:
        """Jobs by stage, the age of the oldest, and how much is stored."""
        with self._kentongan.database.reading() as session:
            waiting = jobs.counts(session)
            oldest = jobs.oldest_waiting(session)
            submissions = session.scalar(select(func.count()).select_from(Submission)) or 0
            incidents = session.scalar(select(func.count()).select_from(Incident)) or 0
        yield from self._jobs(waiting, oldest)
        yield GaugeMetricFamily("kentongan_submissions", "Submissions stored", value=submissions)
        yield GaugeMetricFamily("kentongan_incidents", "Incidents stored", value=incidents)

    def _jobs(self, waiting: dict[str, int], oldest: datetime | None) -> Iterator[Metric]:
        failed = GaugeMetricFamily(
            "kentongan_jobs_failed", "Jobs that wait for an operator", value=waiting.pop("failed")
        )
        by_stage = GaugeMetricFamily("kentongan_jobs_waiting", "Jobs still to be done", labels=["stage"])
        for stage in jobs.Stage:
            by_stage.add_metric([stage.value], waiting.get(stage.value, 0))
        age = (self._kentongan.clock() - oldest).total_seconds() if oldest else 0.0
        yield failed
        yield by_stage
        yield GaugeMetricFamily("kentongan_oldest_job_seconds", "Age of the oldest job still to be done", value=age)


def _unavailable(title: str, detail: str, **more: list[str]) -> Response:
    """503 and a problem document (RFC 9457)."""
    response = jsonify(type="about:blank", title=title, status=503, detail=detail, **more)
    response.status_code = 503
    response.content_type = "application/problem+json"
    response.headers["Retry-After"] = "10"
    return response


def _kentongan() -> Kentongan:
    found = current_app.extensions["kentongan"]
    assert isinstance(found, Kentongan)
    return found


def _database(kentongan: Kentongan) -> Check:
    try:
        return Check("database", "" if is_current(kentongan.database) else "not migrated; run: kentongan migrate")
    except SQLAlchemyError as error:
        _log.error("the database does not answer", exc_info=error)
        return Check("database", "does not answer")


def _broker(kentongan: Kentongan) -> Check:
    try:
        ping(kentongan.settings)
    except NoBroker:
        return Check("broker", "does not answer")
    return Check("broker")


def _workers(kentongan: Kentongan) -> Check:
    """Looks at the jobs that are due: one that was put off until later is no sign of idle workers."""
    try:
        with kentongan.database.reading() as session:
            longest_due = jobs.longest_due(session, kentongan.clock())
    except SQLAlchemyError:
        return Check("workers", "cannot be judged without the database")
    if longest_due is None or kentongan.clock() - longest_due < LONGEST_WAIT:
        return Check("workers")
    return Check("workers", "a job has been due for more than five minutes")


def _may_read_metrics() -> bool:
    """By the address of the connection; a proxy on this machine would lend everybody its own, so what it forwards is refused."""
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        client = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return False
    networks = _kentongan().settings.metrics_networks.split(",")
    return any(client in ipaddress.ip_network(network.strip()) for network in networks if network.strip())


def _requests_in_all_processes() -> bytes:
    """The counters of requests_seen.py: of this process, or added up over all web processes where there are several."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # it is untyped in the library
    return generate_latest(registry)
