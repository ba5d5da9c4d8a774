"""The Celery processes of an installation. Each works on one task at a time: more processes, more work at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from celery import Celery
from celery.signals import setup_logging

from kentongan import log
from kentongan.settings import Settings, load_settings
from kentongan_workers.broker import DELIVER, STAGES, celery_app

QUEUES = (STAGES, DELIVER, "all")


def run(queue: str, *, with_scheduler: bool = False) -> None:
    """Be the workers of `queue` (or the scheduler) of the installation that the environment names, until told to stop."""
    settings = load_settings()
    _use_our_logs(settings)
    if queue == "scheduler":
        schedule(settings)
    else:
        _raise_workers(settings, queue, with_scheduler)


def schedule(settings: Settings) -> None:
    """Send a sweep every few seconds, until told to stop."""
    celery_app(settings, socket_timeout=2.0).Beat(
        scheduler="kentongan_workers.patience:PatientScheduler", quiet=True
    ).run()


def work(app: Celery, queue: str) -> None:
    """Take wake-ups from `queue` until a SIGTERM; then finish the batch in hand."""
    worker = app.Worker(
        pool="solo",
        concurrency=1,
        queues=[queue],
        quiet=True,
        without_mingle=True,
        without_gossip=True,
        without_heartbeat=True,
    )
    worker.start()


def _raise_workers(settings: Settings, queue: str, with_scheduler: bool) -> None:
    # A scheduler alone does without what the stages are made of, and without the memory it takes.
    from kentongan_workers import nursery, stages  # noqa: PLC0415

    stages.read_in(settings)
    roles: list[tuple[str, Callable[[], None]]] = []
    if queue != DELIVER:
        numbers = range(1, settings.stage_processes + 1)
        roles += [(f"stages-{number}", lambda: work(stages.stages_app(settings), STAGES)) for number in numbers]
    if queue != STAGES:
        roles.append(("deliver", lambda: work(stages.deliver_app(settings), DELIVER)))
    if with_scheduler:
        roles.append(("scheduler", partial(schedule, settings)))
    nursery.raise_all(roles)


def _use_our_logs(settings: Settings) -> None:
    def configured(**_about: Any) -> None:  # Celery's signal hands over settings of many types
        log.configure(settings.log_level)

    setup_logging.connect(configured, weak=False)
    log.configure(settings.log_level)
