"""Real receivers on loopback: a webhook endpoint that verifies signatures, and a mail server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import orjson
from aiosmtpd.controller import Controller
from standardwebhooks import Webhook, WebhookVerificationError

LOOPBACK = "127.0.0.1"
_LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Arrival:
    """One alert as it arrived. `at` is time.monotonic(); `fault` is empty, or says why it was not believed."""

    subscriber: str
    channel: str
    message_id: str
    at: float
    content: Mapping[str, Any]
    fault: str = ""


class Arrivals:
    """What arrived so far, from all receivers; safe between threads."""

    def __init__(self) -> None:
        self._all: list[Arrival] = []
        self._changed = threading.Condition()

    def add(self, arrival: Arrival) -> None:
        """Note one arrival and wake who waits."""
        with self._changed:
            self._all.append(arrival)
            self._changed.notify_all()

    def all(self) -> list[Arrival]:
        """Every arrival so far, in order."""
        with self._changed:
            return list(self._all)

    def wait_for(self, enough: Callable[[list[Arrival]], bool], timeout: float) -> bool:
        """Wait until `enough` says yes to what arrived, at most `timeout` seconds; whether it did."""
        with self._changed:
            return self._changed.wait_for(lambda: enough(self._all), timeout)


class WebhookReceiver:
    """An HTTP endpoint; each subscriber has a path of its own and the secret it verifies with (Standard Webhooks)."""

    def __init__(self, arrivals: Arrivals) -> None:
        self.secrets: dict[str, str] = {}
        self._arrivals = arrivals
        self._server = ThreadingHTTPServer((LOOPBACK, 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def url_for(self, subscriber: str) -> str:
        """Where this subscriber's alerts are to be sent."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}/{subscriber}"

    def __enter__(self) -> WebhookReceiver:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def accept(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        """Verify one request and note it; the HTTP status to answer."""
        at, subscriber = time.monotonic(), path.removeprefix("/")
        try:
            Webhook(self.secrets[subscriber]).verify(body, dict(headers))
        except (KeyError, WebhookVerificationError) as error:
            self._arrivals.add(
                Arrival(subscriber, "webhook", headers.get("webhook-id", ""), at, {}, f"signature: {error}")
            )
            return 401
        self._arrivals.add(Arrival(subscriber, "webhook", headers["webhook-id"], at, orjson.loads(body)))
        return 204

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                length = min(int(self.headers.get("content-length", "0")), _LARGEST)
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = receiver.accept(self.path, headers, self.rfile.read(length))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # the base class names it so
                """Say nothing: the demonstration prints its own table."""

        return Handler


class MailReceiver:
    """An SMTP server that keeps what it is given; the subscriber is the local part of the recipient."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self.port = _free_port()
        self._controller = Controller(self, hostname=LOOPBACK, port=self.port)

    def __enter__(self) -> MailReceiver:
        """Listen."""
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        self._controller.stop()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802, ARG002  # aiosmtpd's hook
        """Take one message."""
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        body = message.get_body(("plain",))
        content = {"subject": str(message["subject"]), "text": body.get_content() if body else ""}
        subscriber = str(envelope.rcpt_tos[0]).partition("@")[0]
        self._arrivals.add(Arrival(subscriber, "email", str(message["message-id"]), time.monotonic(), content))
        return "250 kept"


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind((LOOPBACK, 0))
        return int(trial.getsockname()[1])
