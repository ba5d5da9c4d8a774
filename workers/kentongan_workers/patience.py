"""Celery's consumer and scheduler, made to come back quickly to a broker that was restarted."""

from __future__ import annotations

from typing import Any

import structlog
from celery.beat import Scheduler
from celery.worker.consumer import Consumer

_PAUSES = {"interval_start": 0.2, "interval_step": 0.2, "interval_max": 1.0}
"""Seconds between two tries, for ever; Celery itself would soon wait 30 s."""

_log = structlog.get_logger(__name__)


class PatientConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """Takes wake-ups again within a second of the broker's return."""

    def ensure_connected(self, conn: Any) -> Any:  # a kombu Connection, which has no types
        """The connection, as soon as there is one."""
        return conn.ensure_connection(_say, None, callback=self._stop_if_asked, **_PAUSES)

    def _stop_if_asked(self) -> None:
        from celery.worker import state  # noqa: PLC0415  # Celery binds it late, and so must we

        state.maybe_shutdown()


class PatientScheduler(Scheduler):  # type: ignore[misc]  # Celery has no types
    """Sweeps again within a second of the broker's return. Keeps its schedule in memory: there is nothing to remember."""

    def _ensure_connected(self) -> Any:  # a kombu Connection, which has no types
        return self.connection.ensure_connection(_say, None, **_PAUSES)


def _say(error: BaseException, _interval: float) -> None:
    _log.warning("no broker", error=type(error).__name__)
