"""Celery's consumer, made to come back quickly to a broker that was restarted."""

from __future__ import annotations

from typing import Any

import structlog
from celery.worker.consumer import Consumer

_log = structlog.get_logger(__name__)


class PatientConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """Tries again after 0.2 s and then every second, for ever; Celery itself would soon wait 30 s between two tries."""

    def ensure_connected(self, conn: Any) -> Any:  # a kombu Connection, which has no types
        """The connection, as soon as there is one."""
        return conn.ensure_connection(
            lambda error, _interval: _log.warning("no broker", error=type(error).__name__),
            None,
            interval_start=0.2,
            interval_step=0.2,
            interval_max=1.0,
            callback=self._stop_if_asked,
        )

    def _stop_if_asked(self) -> None:
        from celery.worker import state  # noqa: PLC0415  # Celery binds it late, and so must we

        state.maybe_shutdown()
