"""One thin task per stage: it drains what is due, whichever message woke it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import structlog
from celery import Celery
from celery.worker import state

from kentongan.bootstrap import Kentongan
from kentongan.fetching import run_due
from kentongan.keys import audit_key
from kentongan.services.audit_heads import SignHeads
from kentongan.services.retention import Expire
from kentongan.storage.jobs import Stage
from kentongan_workers.broker import DRAIN_SECONDS, EXPIRE, FETCH, FETCH_SECONDS, HEAD, task_name
from kentongan_workers.deliveries import Deliveries, DeliveryService
from kentongan_workers.dispatch import ROAD, Dispatch, KeepOn, StageServices

_log = structlog.get_logger(__name__)

Drain = Callable[[KeepOn], int]


def add_stage_tasks(app: Celery, kentongan: Kentongan, services: StageServices) -> None:
    """`kentongan.index`, `.deduplicate`, `.correlate`, `.match` and `.publish`."""
    lease = timedelta(seconds=kentongan.settings.lease_seconds)
    dispatch = Dispatch(kentongan.database, kentongan.clock, lease, services, kentongan.nudge)
    for stage in ROAD:
        _add(app, stage, partial(dispatch.drain, stage))


def add_deliver_task(app: Celery, kentongan: Kentongan, service: DeliveryService) -> None:
    """`kentongan.deliver`."""
    lease = timedelta(seconds=kentongan.settings.lease_seconds)
    deliveries = Deliveries(kentongan.database, kentongan.clock, lease, service)
    _add(app, Stage.DELIVER, deliveries.drain)


def add_head_task(app: Celery, kentongan: Kentongan) -> None:
    """`kentongan.head`: the audit trail's head is signed now and then, for organizations to fetch and keep."""

    @app.task(name=HEAD)  # type: ignore[untyped-decorator]  # Celery has no types
    def task() -> None:
        try:
            sign_head_if_due(kentongan)
        except Exception:
            _log.exception("the head of the audit trail was not signed; the next turn tries again")


def sign_head_if_due(kentongan: Kentongan) -> None:
    """Must run where commits wait for the disk: nothing that a signed head covers may be lost."""
    with kentongan.database.writing() as session:
        heads = SignHeads(session, kentongan.clock, audit_key(kentongan.settings), kentongan.settings.address)
        if heads.is_due() and (signed := heads.sign()) is not None:
            _log.info("the head of the audit trail was signed", number=signed.number, hash=signed.hash)


def add_expire_task(app: Celery, kentongan: Kentongan) -> None:
    """`kentongan.expire`."""

    @app.task(name=EXPIRE)  # type: ignore[untyped-decorator]  # Celery has no types
    def task() -> None:
        _drain("expire", partial(expire, kentongan))


def expire(kentongan: Kentongan, keep_on: KeepOn) -> int:
    """Remove what is over, each batch in a transaction of its own, until nothing is or `keep_on` says no; counts the things."""
    removed = 0
    while keep_on() and (some := _expire_some(kentongan)):
        removed += some
    if removed:
        kentongan.nudge(Stage.DEDUPLICATE)  # who was compared with what is gone is compared anew
    return removed


def _expire_some(kentongan: Kentongan) -> int:
    with kentongan.database.reading() as session:
        if not Expire(session, kentongan.clock).is_wanted():
            return 0
    with kentongan.database.writing() as session:
        return Expire(session, kentongan.clock).batch()


def add_fetch_task(app: Celery, kentongan: Kentongan) -> None:
    """`kentongan.fetch`: a source may take a minute to answer, and nobody's alert waits for it."""
    turns = fetching_turns(kentongan)

    @app.task(name=FETCH)  # type: ignore[untyped-decorator]  # Celery has no types
    def task() -> None:
        turns.start()


def fetching_turns(kentongan: Kentongan) -> Turns:
    """Turns in which the feeds are fetched that are due."""
    return Turns(lambda: _drain("fetch", partial(run_due, kentongan), FETCH_SECONDS))


class Turns:
    """Something done in a thread of its own, one turn at a time: who asks for a turn during one gets none."""

    def __init__(self, turn: Callable[[], None]) -> None:
        self._turn = turn
        self._thread: threading.Thread | None = None

    def start(self) -> threading.Thread | None:
        """Begin a turn, unless one is under way. The thread ends with its process, at whatever point: feeds go on after that."""
        if self._thread is not None and self._thread.is_alive():
            return None
        self._thread = threading.Thread(target=self._turn, daemon=True, name="fetch")
        self._thread.start()
        return self._thread


def _add(app: Celery, stage: Stage, drain: Drain) -> None:
    @app.task(name=task_name(stage))  # type: ignore[untyped-decorator]  # Celery has no types
    def task() -> None:
        _drain(stage.value, drain)


def _drain(name: str, drain: Drain, seconds: float = DRAIN_SECONDS) -> None:
    """What goes wrong is logged here, by type and place; Celery would log the text, which quotes what was worked on."""
    started = time.monotonic()
    try:
        kept = drain(lambda: time.monotonic() - started < seconds and not _asked_to_stop())
    except Exception:
        _log.exception("draining was broken off; the next sweep takes it up", stage=name)
        return
    if kept:
        _log.info("drained", stage=name, jobs=kept, seconds=round(time.monotonic() - started, 4))


def _asked_to_stop() -> bool:
    return state.should_stop is not None or state.should_terminate is not None
