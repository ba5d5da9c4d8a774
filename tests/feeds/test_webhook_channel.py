"""Webhooks are signed after Standard Webhooks, and every answer becomes a receipt."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from kentongan.domain.alert import Outgoing, Receipt
from kentongan.domain.target import networks
from kentongan_feeds.egress import Egress
from kentongan_feeds.outbound.webhook import WebhookChannel

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="


class Receiver:
    """A subscriber's endpoint: keeps what it got, and answers with `status` and `body`."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        self.body = b""
        self.headers: dict[str, str] = {}
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(receiver.body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/in"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def message(target: str) -> Outgoing:
    payload = {"kind": "new-case", "incident": {"title": "ราชการ 🥁"}}
    return Outgoing(1, "msg_" + "0" * 32, "webhook", target, SECRET, "subject", "text", payload)


def channel(clock: datetime | None = None) -> WebhookChannel:
    return WebhookChannel(Egress(networks("127.0.0.0/8")), (lambda: clock) if clock else lambda: datetime.now(UTC))


def test_the_receiver_can_verify_who_sent_it(receiver: Receiver) -> None:
    receipt = channel().send(message(receiver.url))

    assert receipt == Receipt(True, "HTTP 204")
    headers, body = receiver.got[0]
    assert Webhook(SECRET).verify(body, headers) == message("").payload
    assert headers["webhook-id"] == "msg_" + "0" * 32
    assert headers["user-agent"].startswith("Kentongan/")
    assert headers["content-type"] == "application/json"


def test_another_secret_another_body_or_another_day_does_not_verify(receiver: Receiver) -> None:
    channel().send(message(receiver.url))
    channel(datetime.now(UTC) - timedelta(minutes=6)).send(message(receiver.url))
    (headers, body), (old_headers, old_body) = receiver.got

    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"new-case", b"update"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(old_body, old_headers)


def test_a_repeat_has_the_same_id_and_body_and_a_signature_of_its_own_time(receiver: Receiver) -> None:
    now = datetime.now(UTC)

    channel(now - timedelta(minutes=1)).send(message(receiver.url))
    channel(now).send(message(receiver.url))

    (first, body), (second, again) = receiver.got
    assert first["webhook-id"] == second["webhook-id"]
    assert body == again
    assert first["webhook-signature"] != second["webhook-signature"]
    assert Webhook(SECRET).verify(again, second)


@pytest.mark.parametrize(
    ("status", "ok", "permanent"),
    [
        (200, True, False),
        (202, True, False),
        (299, True, False),
        (400, False, False),
        (401, False, False),
        (404, False, False),
        (410, False, True),
        (429, False, False),
        (503, False, False),
    ],
)
def test_an_answer_becomes_a_receipt(receiver: Receiver, status: int, ok: bool, permanent: bool) -> None:
    receiver.status, receiver.body = status, b"why: \x00<b>" + b"y" * 1000

    receipt = channel().send(message(receiver.url))

    assert (receipt.ok, receipt.permanent) == (ok, permanent)
    assert receipt.answer.startswith(f"HTTP {status}: why: \ufffd<b>y")
    assert len(receipt.answer) == 500


def test_a_redirect_is_a_failure_that_says_what_to_do(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 301, {"location": "https://elsewhere.example/"}

    receipt = channel().send(message(receiver.url))

    assert (receipt.ok, receipt.permanent) == (False, False)
    assert "redirects to https://elsewhere.example/ are not followed" in receipt.answer


def test_what_the_guard_refuses_is_not_tried_again(receiver: Receiver) -> None:
    receipt = WebhookChannel(Egress()).send(message(receiver.url))

    assert (receipt.ok, receipt.permanent) == (False, True)
    assert receipt.answer.startswith("not sent: 127.0.0.1 is loopback")
    assert receiver.got == []


def test_who_does_not_answer_is_tried_again(receiver: Receiver) -> None:
    receiver.server.shutdown()
    receiver.server.server_close()

    receipt = channel().send(message(receiver.url))

    assert (receipt.ok, receipt.permanent) == (False, False)
    assert receipt.answer.startswith("not reached: ")


def test_the_payload_is_json_that_everybody_reads(receiver: Receiver) -> None:
    channel().send(message(receiver.url))

    assert json.loads(receiver.got[0][1].decode("utf-8")) == message("").payload
