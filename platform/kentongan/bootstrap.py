"""The one place where implementations are chosen, the same for web, workers, command line and tests."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING
from uuid import uuid4

from kentongan.domain.alert import Outgoing, Receipt
from kentongan.domain.gate import Limits
from kentongan.domain.identity import Identity
from kentongan.domain.sharing import Names, SharingBook
from kentongan.keys import secret_key
from kentongan.services.sharing_books import SharingBooks
from kentongan.services.veil import Veil
from kentongan.settings import Settings
from kentongan.storage.database import Database
from kentongan.storage.jobs import Stage

if TYPE_CHECKING:
    from kentongan.domain.alert import Channel
    from kentongan.domain.feeding import InboundFeeds
    from kentongan.domain.feeds import FeedFormats
    from kentongan.domain.oidc import Provider
    from kentongan.services.deliver import Deliver
    from kentongan.services.letters import Letter
    from kentongan.services.sealing import Seal
    from kentongan_feeds.inbound.feed import Reach
    from kentongan_feeds.outbound.mail import MailChannel

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

    @property
    def cursor_key(self) -> bytes:
        """Signs the places to go on at that TAXII clients are given; all processes of an installation have the same."""
        return _cursor_key(self.settings)

    @property
    def feed_formats(self) -> FeedFormats:
        """The formats of outbound feeds."""
        from kentongan_feeds.outbound.formats import OutboundFormats  # noqa: PLC0415  # only who gives out feeds pays for it

        return OutboundFormats()

    @property
    def inbound(self) -> InboundFeeds:
        """The kinds of feeds that bring something in."""
        from kentongan_feeds.inbound import InboundKinds  # noqa: PLC0415  # only who takes feeds in pays for it

        return InboundKinds(feed_reach(self))

    @property
    def seal(self) -> Seal:
        """Closes and opens the secrets of people's authenticator apps, and those of feeds."""
        from kentongan.services.sealing import Seal  # noqa: PLC0415  # only the doors of people pay for cryptography

        return Seal(secret_key(self.settings))

    @property
    def veil(self) -> Veil:
        """Makes the keyed hashes by which masked values are compared."""
        return Veil(secret_key(self.settings))

    @property
    def sends_letters(self) -> bool:
        """Whether there is a mail server: without one a link is shown, once, to who made it."""
        return bool(self.settings.smtp_host)

    def send(self, letter: Letter) -> Receipt:
        """Send a letter about somebody's account. Raises nothing; it may take as long as the mail server does."""
        outgoing = Outgoing(
            delivery_id=0,
            message_id=str(uuid4()),
            channel="email",
            target=letter.to,
            secret="",
            subject=letter.subject,
            text=letter.text,
            payload={},
        )
        return mail_channel(self.settings).send(outgoing)

    @property
    def provider(self) -> Provider | None:
        """The identity provider that the operator named, if there is one."""
        settings = self.settings
        if not settings.oidc_issuer:
            return None
        return _provider(settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret)


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
    from kentongan_feeds.egress import Egress  # noqa: PLC0415
    from kentongan_feeds.outbound.webhook import WebhookChannel  # noqa: PLC0415

    settings = kentongan.settings
    webhook = WebhookChannel(Egress(networks(settings.egress_allow)), kentongan.clock)
    channels: dict[str, Channel] = {"webhook": webhook, "email": mail_channel(settings)}
    return Deliver(kentongan.clock, channels, settings.address, Retries.of(settings))


def feed_reach(kentongan: Kentongan) -> Reach:
    """How far feeds may reach to fetch something: through the egress guard, and no more at once than anybody may submit."""
    from kentongan.domain.target import networks  # noqa: PLC0415  # only who fetches pays for what these import
    from kentongan_feeds.egress import Egress  # noqa: PLC0415
    from kentongan_feeds.inbound.feed import SECONDS_OF_A_REQUEST, Reach  # noqa: PLC0415

    guard = Egress(networks(kentongan.settings.egress_allow), total_seconds=SECONDS_OF_A_REQUEST)
    return Reach(guard, kentongan.limits)


def mail_channel(settings: Settings) -> MailChannel:
    """The way out for mail, by the server that the operator named."""
    from kentongan_feeds.outbound.mail import MailChannel  # noqa: PLC0415  # only who sends pays for it

    return MailChannel(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.mail_from,
        starttls=settings.smtp_starttls,
        user=settings.smtp_user,
        password=settings.smtp_password,
    )


@cache
def _cursor_key(settings: Settings) -> bytes:
    """Read once for each process: the key may lie in a file."""
    return hmac.digest(secret_key(settings).encode(), b"where a TAXII client goes on", "sha256")


@cache
def _provider(issuer: str, client_id: str, client_secret: str) -> Provider:
    """One for each process: it remembers what the provider says of itself."""
    from kentongan_feeds.outbound.issuer import Issuer  # noqa: PLC0415  # only who signs in elsewhere pays for it

    return Issuer(issuer, client_id, client_secret)
