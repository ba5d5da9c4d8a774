"""How Celery talks to the broker, which may lose everything at any moment: a message only wakes a worker."""

from __future__ import annotations

from typing import Any

from celery import Celery
from kombu.entity import Queue

from kentongan.broker import broker_url
from kentongan.settings import Settings
from kentongan.storage.jobs import Stage

STAGES = "stages"
DELIVER = "deliver"
"""A queue and a process of its own, so that slow receivers never hold up the stages."""

EXPIRE = "kentongan.expire"
"""The task that removes what organizations wanted kept no longer."""

_EXPIRE_SECONDS = 600.0
"""Days are counted: ten minutes more do not matter, and a scheduler that is started anew begins to count anew."""

DRAIN_SECONDS = 20.0
"""How long one task works at most before it gives way to the next."""

_VISIBILITY_SECONDS = 120
"""After this a message that nobody acknowledged is handed out again; a task that took longer would run twice."""

_MESSAGE_SECONDS = 30.0
"""A wake-up that nobody heard by then is worth nothing: the sweep has sent others."""

_ENOUGH_MESSAGES = 100

HEAD = "kentongan.head"
"""The task that signs the head of the audit trail, when the last one is an hour old."""

FETCH = "kentongan.fetch"
"""The task that has the feeds fetched that are due. It only starts a thread of the process that sends, and is over at once."""

FETCH_SECONDS = 300.0
"""How long feeds are fetched in one turn; what is not at its end by then goes on in the next."""

_FETCHING: dict[str, Any] = {
    "fetch": {"task": FETCH, "schedule": 15.0, "options": {"expires": _MESSAGE_SECONDS, "queue": DELIVER}},
}

_SIGNING = {
    HEAD: {"task": HEAD, "schedule": 300.0, "options": {"expires": _MESSAGE_SECONDS, "queue": DELIVER}},
}


def task_name(stage: Stage) -> str:
    """`kentongan.index` and so on."""
    return f"kentongan.{stage.value}"


def queue_of(stage: Stage) -> str:
    """The queue a stage's wake-ups go to."""
    return DELIVER if stage is Stage.DELIVER else STAGES


class WakingCelery(Celery):  # type: ignore[misc]  # Celery has no types
    """Sends no wake-up where enough of them lie unheard: while the workers are away, their queues stay short."""

    def send_task(self, name: str, *args: Any, **options: Any) -> Any:  # as Celery has it
        """As Celery does it, or nothing: then the answer is None."""
        with self.pool.acquire(block=True) as connection:
            if connection.default_channel.client.llen(options["queue"]) >= _ENOUGH_MESSAGES:
                return None
        return super().send_task(name, *args, **options)


def celery_app(settings: Settings, *, socket_timeout: float | None = None) -> Celery:
    """A Celery that knows the broker and no task yet. `socket_timeout`, in seconds, is for senders: a worker waits in its reads."""
    app = WakingCelery("kentongan", broker=broker_url(settings), set_as_current=False)
    app.conf.update(
        _NEVER_LOSE_A_WAKE_UP,
        task_queues=[Queue(STAGES), Queue(DELIVER)],  # type: ignore[no-untyped-call]  # kombu has no types
        task_routes={task_name(stage): {"queue": queue_of(stage)} for stage in Stage}
        | {EXPIRE: {"queue": STAGES}, HEAD: {"queue": DELIVER}, FETCH: {"queue": DELIVER}},
        broker_transport_options=_transport_options(socket_timeout),
        beat_schedule=_sweeps(settings.sweep_seconds) | _EXPIRY | _SIGNING | _FETCHING,
    )
    return app


_NEVER_LOSE_A_WAKE_UP: dict[str, Any] = {  # Celery's settings are of many types
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,
    "task_ignore_result": True,
    "task_publish_retry": False,
    "task_serializer": "json",
    "accept_content": ["json"],
    "worker_enable_remote_control": False,
    "worker_send_task_events": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_consumer": "kentongan_workers.patience:PatientConsumer",
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "broker_connection_retry": True,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_pool_limit": 2,
    "beat_max_loop_interval": 1,
}


def _transport_options(socket_timeout: float | None) -> dict[str, Any]:
    options: dict[str, Any] = {
        "visibility_timeout": _VISIBILITY_SECONDS,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "priority_steps": [0],
        "socket_connect_timeout": 1.0,
        "interval_start": 0.1,
        "interval_step": 0.2,
        "interval_max": 1.0,
    }
    return options | ({"socket_timeout": socket_timeout, "max_retries": 0} if socket_timeout else {})


def _sweeps(seconds: float) -> dict[str, Any]:
    """One for each queue: the road is walked from its first stage on."""
    return {
        f"sweep {queue_of(stage)}": {
            "task": task_name(stage),
            "schedule": seconds,
            "options": {"expires": _MESSAGE_SECONDS, "queue": queue_of(stage)},
        }
        for stage in (Stage.INDEX, Stage.DELIVER)
    }


_EXPIRY: dict[str, Any] = {
    "expire": {
        "task": EXPIRE,
        "schedule": _EXPIRE_SECONDS,
        "options": {"expires": _EXPIRE_SECONDS, "queue": STAGES},
    }
}


def wake(app: Celery, stage: Stage) -> None:
    """Send one wake-up. Raises what the broker's client raises; never tries twice."""
    app.send_task(task_name(stage), queue=queue_of(stage), expires=_MESSAGE_SECONDS, retry=False, ignore_result=True)
