"""Mail for feeds, received by SMTP: what is answered with 250 is kept, what is for nobody here is refused, nothing is passed on.

aiosmtpd speaks the protocol (RFC 5321, RFC 1870 for SIZE, RFC 3207 for STARTTLS); here is who a mail is for and what becomes of it.
A sender that got no 250 sends again: a mail is known by its content, so that this changes nothing.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from kentongan.bootstrap import Kentongan
from kentongan.domain.feeding import Fetched, Inbound, feed_of_address, item_name
from kentongan.domain.gate import Problem, Unreadable
from kentongan.services.converting import Prepared, prepare
from kentongan.services.errors import NotFound
from kentongan.services.mailboxes import Mailbox, Mailboxes
from kentongan.services.push import Push, Pushed

_log = structlog.get_logger(__name__)
T = TypeVar("T")

MOST_CONNECTIONS: Final = 16
"""Each may hold one mail of the largest size in memory."""
MOST_RECIPIENTS: Final = 10
SECONDS_OF_SILENCE: Final = 300.0  # RFC 5321 section 4.5.3.2.7 has a server wait five minutes for a command
_LEFT_BEHIND_SECONDS: Final = 10.0
_SLACK: Final = 1024 * 1024

KEPT: Final = "250 2.0.0 Kept"
UNKNOWN: Final = "550 5.1.1 There is no such mailbox here"
NO_RELAY: Final = "550 5.7.1 Nothing is passed on to other domains"
TOO_MANY: Final = "452 4.5.3 Too many recipients, send the others another mail"
LATER: Final = "451 4.3.0 It could not be kept just now, send it again later"
BUSY: Final = b"421 4.3.2 Too many connections, come back later\r\n"


class Reception:
    """What aiosmtpd asks: whether a recipient is taken, and what became of a mail. The database is asked in threads of its own."""

    def __init__(self, kentongan: Kentongan) -> None:
        self._kentongan = kentongan
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="mail")
        self._under_way = 0

    async def handle_RCPT(  # noqa: N802  # aiosmtpd names it
        self,
        server: SMTP,  # noqa: ARG002
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],  # noqa: ARG002
    ) -> str:
        """Only mailboxes of feeds are taken."""
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return TOO_MANY
        if (feed_id := feed_of_address(address, self._kentongan.settings.mail_domain)) is None:
            return UNKNOWN if address.lower().endswith(f"@{self._kentongan.settings.mail_domain}") else NO_RELAY
        try:
            await self._in_thread(lambda: self._mailbox(feed_id, _peer(session)))
        except NotFound:
            return UNKNOWN
        envelope.rcpt_tos.append(feed_id)
        return "250 2.1.5 It is for a feed"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802
        """Kept for every recipient, or for none that was not told so."""
        raw, feeds, peer = (
            bytes(envelope.original_content or b""),
            tuple(dict.fromkeys(envelope.rcpt_tos)),
            _peer(session),
        )
        self._under_way += 1
        try:
            return await self._in_thread(lambda: _answer([self._keep(feed_id, raw, peer) for feed_id in feeds]))
        finally:
            self._under_way -= 1

    async def handle_exception(self, error: Exception) -> str:
        """Whatever goes wrong here is ours, and may go right later: a sender must not give the mail up."""
        _log.error("a mail could not be taken", error=type(error).__name__)
        return LATER

    async def come_to_rest(self) -> None:
        """Wait for what is being kept, and for its answer to leave."""
        until = asyncio.get_running_loop().time() + _LEFT_BEHIND_SECONDS
        while self._under_way and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.05)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _mailbox(self, feed_id: str, peer: str) -> Mailbox:
        place = self._kentongan
        with place.database.reading() as session:
            return Mailboxes(session, place.clock, place.inbound).of(feed_id, peer)

    def _keep(self, feed_id: str, raw: bytes, peer: str) -> Pushed | None:
        """None: the feed is gone since."""
        place = self._kentongan
        try:
            box = self._mailbox(feed_id, peer)
            feed = place.inbound.build(box.target.kind, box.target.source, box.target.options, "")
            item = Fetched(item_name(raw), raw)
            came = self._prepared(box, feed, item)
            with place.database.writing() as session:
                pushed = Push(session, place.clock, box.sender).take(box.target, feed, item, came)
        except NotFound:
            return None
        _log.info("a mail came", feed=feed_id, outcome=pushed.outcome)
        return pushed

    def _prepared(self, box: Mailbox, feed: Inbound, item: Fetched) -> Prepared | Sequence[Problem]:
        try:
            return prepare(feed, item, self._kentongan.limits, self._kentongan.book_of(box.sender))
        except Unreadable as error:
            return error.problems

    def _in_thread(self, act: Callable[[], T]) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, act)


class Speaker(SMTP):
    """One connection: not one too many, and never more bytes than a mail of the largest size and what is said around it."""

    connections = 0

    def __init__(self, *given: Any, **named: Any) -> None:  # as aiosmtpd takes them
        self._read = 0
        self._counted = False
        super().__init__(*given, **named)

    def connection_made(self, transport: Any) -> None:  # Any: as asyncio hands it in, for TLS a class of its own
        """Turn away whoever is one too many."""
        if not self._counted:
            Speaker.connections += 1
            self._counted = True
        super().connection_made(transport)
        if Speaker.connections > MOST_CONNECTIONS:
            transport.write(BUSY)
            transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Make room."""
        if self._counted:
            Speaker.connections -= 1
            self._counted = False
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """aiosmtpd waits for the end of a line however far it is: whoever sends none is cut off instead."""
        self._read += len(data)
        if self._read > 2 * (self.data_size_limit or 0) + _SLACK and self.transport is not None:
            _log.warning("a connection that never ends its mail was cut off")
            self.transport.abort()  # type: ignore[attr-defined]  # a transport over TCP or TLS has it
            return
        super().data_received(data)

    def _set_post_data_state(self) -> None:
        self._read = 0
        super()._set_post_data_state()  # type: ignore[no-untyped-call]  # aiosmtpd's


async def receive(
    kentongan: Kentongan, host: str, port: int, stop: asyncio.Event, ready: Callable[[int], None]
) -> None:
    """Receive mail until `stop`; `ready` is told the port. Raises OSError where the address cannot be listened on."""
    settings, reception = kentongan.settings, Reception(kentongan)
    tls = tls_of(settings.mail_in_certificate, settings.mail_in_key) if settings.mail_in_certificate else None
    server = await asyncio.get_running_loop().create_server(
        lambda: Speaker(
            reception,
            data_size_limit=kentongan.limits.max_bytes,
            hostname=settings.mail_domain,
            ident="Kentongan",
            tls_context=tls,
            timeout=SECONDS_OF_SILENCE,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
        ),
        host,
        port,
    )
    ready(server.sockets[0].getsockname()[1])
    await stop.wait()
    server.close()
    await reception.come_to_rest()


def tls_of(certificate: str, key: str) -> ssl.SSLContext:
    """What STARTTLS is offered with. Raises OSError where the files cannot be read or do not belong together."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_cert_chain(certificate, key)
    return made


def run(kentongan: Kentongan, ready: Callable[[int], None]) -> None:
    """Receive mail until SIGTERM or Ctrl-C. Raises OSError where the address cannot be listened on, or TLS not be offered."""

    async def until_told() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        host, port = kentongan.settings.mail_address
        await receive(kentongan, host, port, stop, ready)

    asyncio.run(until_told())


def _answer(kept: list[Pushed | None]) -> str:
    """250 where it was kept for somebody; else why not, to be read by who sent it."""
    told = [pushed for pushed in kept if pushed is not None]
    if any(pushed.outcome != "refused" for pushed in told):
        return KEPT
    if not told:
        return UNKNOWN
    problem = told[0].item.problems[0]
    reason = f"{problem.reason}. {problem.hint}".encode("ascii", "replace").decode()
    return f"554 5.6.0 {' '.join(reason.split())[:400]}"


def _peer(session: Session) -> str:
    return str(session.peer[0]) if isinstance(session.peer, tuple) else ""
