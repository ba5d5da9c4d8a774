"""What stands behind each task: the services of the stages, given what they need. The road can be read here from top to bottom."""

from __future__ import annotations

from celery import Celery

from kentongan.bootstrap import Kentongan, assemble, broker_nudge
from kentongan.domain.alert import Channel
from kentongan.domain.target import networks
from kentongan.services.correlate import Correlate
from kentongan.services.deduplicate import Deduplicate
from kentongan.services.deliver import Deliver, Retries
from kentongan.services.index import Index
from kentongan.services.match import Match
from kentongan.settings import Settings
from kentongan.storage.jobs import Stage
from kentongan.supervisor.parts import url_of
from kentongan_feeds.outbound.egress import Egress
from kentongan_feeds.outbound.mail import MailChannel
from kentongan_feeds.outbound.webhook import WebhookChannel
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


def delivery_service(kentongan: Kentongan) -> Deliver:
    """The service that sends, with its channels."""
    settings = kentongan.settings
    channels: dict[str, Channel] = {
        "webhook": WebhookChannel(Egress(networks(settings.egress_allow)), kentongan.clock),
        "email": MailChannel(
            host=settings.smtp_host,
            port=settings.smtp_port,
            sender=settings.mail_from,
            starttls=settings.smtp_starttls,
            user=settings.smtp_user,
            password=settings.smtp_password,
        ),
    }
    return Deliver(kentongan.clock, channels, settings.public_url or url_of(settings), Retries.of(settings))


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
    add_deliver_task(app, kentongan, delivery_service(kentongan))
    return app
