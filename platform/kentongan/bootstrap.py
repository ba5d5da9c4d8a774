"""The one place where implementations are chosen, the same for web, workers, command line and tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from kentongan.domain.gate import Limits
from kentongan.domain.identity import Identity
from kentongan.domain.sharing import Names, SharingBook
from kentongan.services.sharing_books import SharingBooks
from kentongan.settings import Settings
from kentongan.storage.database import Database
from kentongan.storage.jobs import Stage

if TYPE_CHECKING:
    from kentongan.domain.alert import Channel
    from kentongan.services.deliver import Deliver

Clock = Callable[[], datetime]
Nudge = Callable[[Stage], None]


@dataclass(frozen=True, slots=True)
class Kentongan:
    """One running installation: its settings and the ports that everything else is given."""

    settings: Settings
    database: Database
    clock: Clock
    nudge: Nudge
    """Wakes a worker for a stage after a commit. Never raises and never blocks: the sweep finds what no nudge reached."""

    @property
    def limits(self) -> Limits:
        """What the gate accepts at most."""
        return Limits(max_bytes=self.settings.max_bytes, max_objects=self.settings.max_objects)

    def book_of(self, sender: Identity) -> Callable[[Names], SharingBook]:
        """Looks up what the markings of a document that this organization sends may refer to."""

        def look_up(names: Names) -> SharingBook:
            with self.database.reading() as session:
                return SharingBooks(session).book(sender, names)

        return look_up


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def no_nudge(_stage: Stage) -> None:
    """For commands and tests that run the stages themselves."""


def broker_nudge(settings: Settings) -> Nudge:
    """The nudge that the workers' distribution offers under the entry point `kentongan.nudge`.

    The core does not know Celery: the workers know the core, and tell it here how they are woken.
    """
    (offer,) = entry_points(group="kentongan.nudge")
    make: Callable[[Settings], Nudge] = offer.load()
    return make(settings)


def assemble(settings: Settings, *, clock: Clock = now, nudge: Nudge = no_nudge) -> Kentongan:
    """Choose the parts for these settings. Nothing is opened until it is used."""
    return Kentongan(settings, Database(settings.database, clock), clock, nudge)


def deliverer(kentongan: Kentongan) -> Deliver:
    """What sends alerts, with the real ways out."""
    from kentongan.domain.target import networks  # noqa: PLC0415  # only who sends pays for what these import
    from kentongan.services.deliver import Deliver, Retries  # noqa: PLC0415
    from kentongan_feeds.outbound.egress import Egress  # noqa: PLC0415
    from kentongan_feeds.outbound.mail import MailChannel  # noqa: PLC0415
    from kentongan_feeds.outbound.webhook import WebhookChannel  # noqa: PLC0415

    settings = kentongan.settings
    mail = MailChannel(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.mail_from,
        starttls=settings.smtp_starttls,
        user=settings.smtp_user,
        password=settings.smtp_password,
    )
    webhook = WebhookChannel(Egress(networks(settings.egress_allow)), kentongan.clock)
    channels: dict[str, Channel] = {"webhook": webhook, "email": mail}
    return Deliver(kentongan.clock, channels, settings.address, Retries.of(settings))
