"""What stands behind each task: the services of the stages, given what they need. The road can be read here from top to bottom."""

from __future__ import annotations

from importlib import import_module

from celery import Celery

from kentongan.bootstrap import Kentongan, assemble, broker_nudge, deliverer
from kentongan.services.correlate import Correlate
from kentongan.services.deduplicate import Deduplicate
from kentongan.services.index import Index
from kentongan.services.match import Match
from kentongan.settings import Settings
from kentongan.storage.jobs import Stage
from kentongan_workers.broker import celery_app
from kentongan_workers.dispatch import StageServices
from kentongan_workers.tasks import add_deliver_task, add_stage_tasks


def stage_services(kentongan: Kentongan) -> StageServices:
    """The service of each stage, for one transaction."""
    clock = kentongan.clock
    return {
        Stage.INDEX: lambda session: Index(session, clock),
        Stage.DEDUPLICATE: lambda session: Deduplicate(session, clock),
        Stage.CORRELATE: lambda session: Correlate(session, clock),
        Stage.MATCH: lambda session: Match(session, clock),
    }


def stages_app(settings: Settings) -> Celery:
    """A Celery that can walk the road."""
    kentongan = assemble(settings, nudge=broker_nudge(settings))
    app = celery_app(settings)
    add_stage_tasks(app, kentongan, stage_services(kentongan))
    return app


def deliver_app(settings: Settings) -> Celery:
    """A Celery that can send."""
    kentongan = assemble(settings, nudge=broker_nudge(settings))
    app = celery_app(settings)
    add_deliver_task(app, kentongan, deliverer(kentongan))
    return app


def read_in(settings: Settings) -> None:
    """Load what the stages, the sending and the scheduler need, before they are forked from this process; open nothing."""
    for module in ("celery.apps.worker", "celery.apps.beat", "celery.worker.consumer", "kombu.transport.redis"):
        import_module(module)
    kentongan = assemble(settings)
    deliverer(kentongan)
    kentongan.database.close()
