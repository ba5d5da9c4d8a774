"""What stands behind each task: the services of the stages, given what they need. The road can be read here from top to bottom."""

from __future__ import annotations

from importlib import import_module

from celery import Celery
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection

from kentongan.bootstrap import Kentongan, assemble, broker_nudge, deliverer
from kentongan.services.correlate import Correlate
from kentongan.services.deduplicate import Deduplicate
from kentongan.services.index import Index
from kentongan.services.match import Match
from kentongan.services.meet import Meet
from kentongan.services.publish import Publish
from kentongan.settings import Settings
from kentongan.storage.database import Database
from kentongan.storage.jobs import Stage
from kentongan_workers.broker import celery_app
from kentongan_workers.dispatch import StageServices
from kentongan_workers.tasks import (
    add_deliver_task,
    add_expire_task,
    add_fetch_task,
    add_head_task,
    add_stage_tasks,
)


def stage_services(kentongan: Kentongan) -> StageServices:
    """The service of each stage, for one transaction."""
    clock, veil = kentongan.clock, kentongan.veil
    return {
        Stage.INDEX: lambda session: Index(session, clock),
        Stage.DEDUPLICATE: lambda session: Deduplicate(session, clock),
        Stage.CORRELATE: lambda session: Correlate(session, clock),
        Stage.MATCH: lambda session: Match(session, clock),
        Stage.PUBLISH: lambda session: Publish(session, clock),
        Stage.MEET: lambda session: Meet(session, clock, veil),
    }


def stages_app(settings: Settings) -> Celery:
    """A Celery that can walk the road."""
    kentongan = assemble(settings, nudge=broker_nudge(settings))
    commit_without_waiting(kentongan.database)
    app = celery_app(settings)
    add_stage_tasks(app, kentongan, stage_services(kentongan))
    add_expire_task(app, kentongan)
    return app


def deliver_app(settings: Settings) -> Celery:
    """A Celery that can send."""
    kentongan = assemble(settings, nudge=broker_nudge(settings))
    app = celery_app(settings)
    add_deliver_task(app, kentongan, deliverer(kentongan))
    add_head_task(app, kentongan)
    add_fetch_task(app, kentongan)
    return app


def read_in(settings: Settings) -> None:
    """Load what the stages, the sending and the scheduler need, before they are forked from this process; open nothing."""
    for module in ("celery.apps.worker", "celery.apps.beat", "celery.worker.consumer", "kombu.transport.redis"):
        import_module(module)
    kentongan = assemble(settings)
    deliverer(kentongan)
    kentongan.database.close()


def commit_without_waiting(database: Database) -> None:
    """Let the stages' commits reach the disk a moment later, with the next one that waits for it.

    A power cut then takes the newest results together with their jobs done, so they are worked out again; what was accepted
    is not touched, because submitting waits for the disk. Nor can a message have been sent about something that is lost: the
    process that sends waits for the disk when it claims, and with its own commit all earlier ones are written.
    Sources: SQLite, PRAGMA synchronous (WAL and NORMAL); PostgreSQL, synchronous_commit.
    """
    setting = "PRAGMA synchronous=NORMAL" if database.is_sqlite else "SET synchronous_commit TO off"

    def relax(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(setting)
        cursor.close()
        connection.commit()

    event.listen(database.engine, "connect", relax)
