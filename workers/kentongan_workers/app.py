"""The Celery processes of an installation. One process works on one task at a time: more processes, more work at once.

A process that forks others to work for it would hold one more copy of everything in memory, and orphans when it is killed.
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.signals import setup_logging

from kentongan import log
from kentongan.settings import Settings, load_settings
from kentongan_workers.broker import DELIVER, STAGES, celery_app

ROLES = (STAGES, DELIVER, "scheduler")


def run(role: str) -> None:
    """Be one process of the installation that the environment names, until told to stop."""
    settings = load_settings()
    _use_our_logs(settings)
    if role == "scheduler":
        celery_app(settings, socket_timeout=2.0).Beat(scheduler="celery.beat:Scheduler", quiet=True).run()
    else:
        # The scheduler does without what the stages are made of, and without the memory it takes.
        from kentongan_workers.stages import deliver_app, stages_app  # noqa: PLC0415

        work(stages_app(settings) if role == STAGES else deliver_app(settings), role)


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


def _use_our_logs(settings: Settings) -> None:
    def configured(**_about: Any) -> None:  # Celery's signal hands over settings of many types
        log.configure(settings.log_level)

    setup_logging.connect(configured, weak=False)
    log.configure(settings.log_level)
