"""The egress guard: what somebody else wrote as an address is asked only if it leads out into the internet.

A name is resolved once, every address it stands for is judged, and the connection goes to one of the very addresses that
were judged: a name that answers differently the next time (DNS rebinding) gains nothing. The certificate and the Host header
are still those of the name. No redirect is followed, no proxy of the environment is used, and everything ends at a deadline.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address
from typing import Any, Final, TypeVar

import httpcore2
import httpx2

from kentongan.domain.target import Address, Network, WrongTarget, may_be_plain, refusal, webhook_target

CONNECT_SECONDS: Final = 3.0
TOTAL_SECONDS: Final = 10.0
MOST_ANSWER_BYTES: Final = 64 * 1024
_MOST_ADDRESSES: Final = 4

Said = TypeVar("Said")

Resolver = Callable[[str, int], Sequence[str]]
"""All addresses a name stands for. Raises OSError when it stands for none."""


class EgressRefused(Exception):
    """The guard lets nothing be sent there; the message says why. Trying again changes nothing as long as the address stays."""


class NotReached(Exception):
    """There was no answer: the name is unknown, nobody listens, it took too long, or what came was no HTTP."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said: its status, and the beginning of its body (at most 64 KiB of it were read)."""

    status: int
    body: bytes
    location: str | None = None


class TooMuch(Exception):
    """The answer is larger than what was wanted of it; the rest was not read."""


@dataclass(frozen=True, slots=True)
class Document:
    """A whole answer: `body` as it was sent, still compressed if it was; names of `headers` in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str]


def resolve(name: str, port: int) -> list[str]:
    """Ask the system's resolver."""
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@cache
def _trusting() -> ssl.SSLContext:
    """One for each process: reading the authorities that are trusted takes longer than most of what is done here."""
    return httpx2.create_ssl_context(trust_env=False)


@dataclass(frozen=True)
class Egress:
    """The one way to make a request to an address that somebody else wrote."""

    allowed: Sequence[Network] = ()
    resolver: Resolver = resolve
    tls: ssl.SSLContext = field(default_factory=_trusting)
    connect_seconds: float = CONNECT_SECONDS
    total_seconds: float = TOTAL_SECONDS

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        """POST and read the answer. Raises EgressRefused or NotReached, nothing else."""
        return self._ask("POST", url, body, headers, _answer)

    def get(self, url: str, headers: dict[str, str]) -> Answer:
        """GET and read the answer. Raises EgressRefused or NotReached, nothing else."""
        return self._ask("GET", url, None, headers, _answer)

    def fetch(self, url: str, headers: dict[str, str], most_bytes: int) -> Document:
        """GET and read all of the answer. Raises EgressRefused, NotReached (also where the answer ends before its stated
        length) and TooMuch; a redirect is an answer like any other."""
        return self._ask("GET", url, None, headers, lambda answer: _whole(answer, most_bytes))

    def _ask(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: dict[str, str],
        hear: Callable[[httpx2.Response], Said],
    ) -> Said:
        target = self._checked(url)
        deadline = time.monotonic() + self.total_seconds
        backend = _Pinned(
            lambda: self._addresses(target.scheme, target.host, target.port), self.connect_seconds, deadline
        )
        try:
            with self._client(backend) as client, client.stream(method, url, content=body, headers=headers) as answer:
                return hear(answer)
        except httpx2.InvalidURL as error:
            raise EgressRefused(str(error)) from None
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            raise NotReached(_in_words(error)) from None

    def _checked(self, url: str) -> Any:
        try:
            return webhook_target(url, self.allowed)
        except WrongTarget as error:
            raise EgressRefused(error.reason) from None

    def _client(self, backend: httpcore2.NetworkBackend) -> httpx2.Client:
        return httpx2.Client(
            transport=_Transport(self.tls, backend),
            timeout=self.total_seconds,
            follow_redirects=False,
            trust_env=False,
        )

    def _addresses(self, scheme: str, host: str, port: int) -> list[str]:
        """The judged addresses of a host. One bad address among good ones refuses the name: who mixes them means no good."""
        found = self._resolved(host, port)
        for address in found:
            if (why := refusal(address, self.allowed)) is not None:
                raise EgressRefused(why)
        if scheme == "http" and not may_be_plain(found, self.allowed):
            raise EgressRefused("http is not encrypted and is allowed only inside networks that the operator opened")
        return [str(address) for address in found[:_MOST_ADDRESSES]]

    def _resolved(self, host: str, port: int) -> list[Address]:
        try:
            found = _within(self.connect_seconds, lambda: self.resolver(host, port))
        except (OSError, UnicodeError, TimeoutError) as error:
            raise NotReached(f"the name {host} could not be resolved: {error}") from None
        if not found:
            raise NotReached(f"the name {host} stands for no address")
        return [ip_address(one) for one in found]


class _Transport(httpx2.HTTPTransport):
    """httpx2's transport over a connection pool that connects through the guard."""

    def __init__(self, tls: ssl.SSLContext, backend: httpcore2.NetworkBackend) -> None:
        super().__init__(verify=tls, trust_env=False)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=tls, network_backend=backend, max_connections=1, max_keepalive_connections=0, retries=0
        )


class _Pinned(httpcore2.NetworkBackend):
    """Connects to judged addresses only, whatever host it is asked for, and gives up at the deadline."""

    def __init__(self, addresses: Callable[[], list[str]], connect_seconds: float, deadline: float) -> None:
        self._addresses = addresses
        self._connect_seconds = connect_seconds
        self._deadline = deadline
        self._real = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002  # that is the point: the addresses were judged, the name is not asked again
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """To the first judged address that answers."""
        failure: Exception = httpcore2.ConnectError("no address")
        for address in self._addresses():
            seconds = min(self._connect_seconds, _left(self._deadline))
            try:
                stream = self._real.connect_tcp(address, port, seconds, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
                continue
            return _Bounded(stream, self._deadline)
        raise failure


class _Bounded(httpcore2.NetworkStream):
    """A connection on which no waiting lasts beyond the deadline, however slowly the other side drips its bytes."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """At most what is left of the time."""
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """At most what is left of the time."""
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        """Hang up."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore2.NetworkStream:
        """The certificate must be that of the name, not of the address."""
        secured = self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline))
        return _Bounded(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """As the connection itself tells."""
        return self._stream.get_extra_info(info)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout("the time was up")
    return left


def _answer(answer: httpx2.Response) -> Answer:
    return Answer(answer.status_code, _beginning(answer), answer.headers.get("location"))


def _whole(answer: httpx2.Response, most_bytes: int) -> Document:
    stated = answer.headers.get("content-length", "")
    if stated.isdigit() and int(stated) > most_bytes:
        raise TooMuch(f"it says that it has {stated[:20]} bytes; at most {most_bytes} are taken")
    parts: list[bytes] = []
    length = 0
    for part in answer.iter_raw(chunk_size=64 * 1024):
        length += len(part)
        if length > most_bytes:
            raise TooMuch(f"it has more than {most_bytes} bytes")
        parts.append(part)
    return Document(
        answer.status_code, b"".join(parts), {name.lower(): value for name, value in answer.headers.items()}
    )


def _beginning(answer: httpx2.Response) -> bytes:
    """What was sent, undecoded: a compressed answer could unfold without end."""
    body = b""
    for part in answer.iter_raw(chunk_size=4096):
        body += part
        if len(body) >= MOST_ANSWER_BYTES:
            break
    return body[:MOST_ANSWER_BYTES]


def _within(seconds: float, ask: Callable[[], Sequence[str]]) -> Sequence[str]:
    """The system's resolver knows no deadline: it is asked in a thread that is left behind when it takes too long."""
    answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put(ask())
        except Exception as error:  # it is raised again where it is waited for
            answers.put(error)

    threading.Thread(target=run, daemon=True, name="egress-resolver").start()
    try:
        found = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError("no answer in time") from None
    if isinstance(found, Exception):
        raise found
    return found


def _in_words(error: Exception) -> str:
    said = str(error) or type(error).__name__
    return f"no answer in time ({said})" if isinstance(error, httpx2.TimeoutException) else said
