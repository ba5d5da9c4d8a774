"""How the web, and a worker that has made work for another, wake a worker after their commit."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import structlog
from celery import Celery

from kentongan.settings import Settings
from kentongan.storage.jobs import Stage
from kentongan_workers.broker import celery_app, wake

_SILENCE_SECONDS = 1.0
"""After a failure nothing is sent for so long: the sweep finds what was promised meanwhile."""

_REST_SECONDS = 0.03
"""After a wake-up nothing is sent for so long: who was woken works through what comes meanwhile, and under load a message for each
submission would cost as much as a fifth of its road."""

_SOCKET_SECONDS = 1.0

_log = structlog.get_logger(__name__)


class CeleryNudge:
    """Hands stages to a thread that sends them, each at most once however often it was asked for meanwhile.

    Asking costs microseconds, whatever the state of the broker, and never raises.
    """

    def __init__(self, send: Callable[[Stage], None]) -> None:
        self._send = send
        self._wanted: set[Stage] = set()
        self._change = threading.Condition()
        self._owner: int | None = None

    def __call__(self, stage: Stage) -> None:
        """Wake a worker for this stage, soon."""
        with self._change:
            self._wanted.add(stage)
            self._have_a_thread()
            self._change.notify()

    def _have_a_thread(self) -> None:
        """A thread does not survive a fork: each process that asks starts its own."""
        if self._owner != os.getpid():
            self._owner = os.getpid()
            threading.Thread(target=self._run, name="nudge", daemon=True).start()

    def _run(self) -> None:
        while True:
            stages = self._take()
            try:
                for stage in stages:
                    self._send(stage)
                time.sleep(_REST_SECONDS)
            except Exception as error:  # whatever a broker's client can think of must not end this thread
                _log.warning("the broker was not reached; the sweep will find the work", error=type(error).__name__)
                time.sleep(_SILENCE_SECONDS)

    def _take(self) -> list[Stage]:
        with self._change:
            self._change.wait_for(lambda: self._wanted)
            stages = sorted(self._wanted, key=list(Stage).index)
            self._wanted.clear()
            return stages


def celery_nudge(settings: Settings) -> CeleryNudge:
    """The nudge over Celery. Nothing is opened until it is used."""
    made: list[Celery] = []

    def send(stage: Stage) -> None:
        if not made:
            made.append(celery_app(settings, socket_timeout=_SOCKET_SECONDS))
        wake(made[0], stage)

    return CeleryNudge(send)
