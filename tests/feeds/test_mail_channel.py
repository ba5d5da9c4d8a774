"""Mail is plain, goes to one address, and cannot be turned into another mail."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from kentongan.domain.alert import Outgoing
from kentongan_feeds.outbound.mail import MailChannel

MESSAGE = Outgoing(
    delivery_id=1,
    message_id="msg_" + "0" * 32,
    channel="email",
    target="duty@cert.example",
    secret="",
    subject="[TLP:AMBER] New case: ក្រសួង",
    text="Line one\n.\nhxxp[://]evil[.]example\n",
    payload={},
)


class Sink:
    """A mail server that keeps what it gets, and answers RCPT with `answer`."""

    def __init__(self) -> None:
        self.got: list[tuple[list[str], EmailMessage, bytes]] = []
        self.answer = "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self.answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        parsed = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.got.append((list(envelope.rcpt_tos), parsed, envelope.content))
        return "250 kept"


@pytest.fixture
def sink() -> Iterator[tuple[Sink, MailChannel]]:
    handler = Sink()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, MailChannel("127.0.0.1", port, sender="kentongan@asean.example")
    controller.stop()


def test_a_mail_arrives_as_it_was_written(sink: tuple[Sink, MailChannel]) -> None:
    handler, channel = sink

    receipt = channel.send(MESSAGE)

    assert receipt.ok
    ((recipients, mail, _raw),) = handler.got
    assert recipients == ["duty@cert.example"]
    assert mail["Subject"] == MESSAGE.subject
    assert mail["Message-ID"] == f"<{MESSAGE.message_id}@asean.example>"
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().replace("\r\n", "\n") == MESSAGE.text


def test_a_title_cannot_add_a_header_or_a_recipient(sink: tuple[Sink, MailChannel]) -> None:
    handler, channel = sink
    evil = replace(MESSAGE, subject="Hello\r\nBcc: everybody@cert.example\r\n\r\nOther text")

    assert channel.send(evil).ok

    ((recipients, mail, _),) = handler.got
    assert recipients == ["duty@cert.example"]
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Hello Bcc: everybody@cert.example Other text"


@pytest.mark.parametrize(
    "target", ["a@b.example, c@d.example", "a@b.example\r\nBcc: c@d.example", "nobody", "<a@b.example>"]
)
def test_only_one_plain_address_is_a_target(sink: tuple[Sink, MailChannel], target: str) -> None:
    handler, channel = sink

    receipt = channel.send(replace(MESSAGE, target=target))

    assert (receipt.ok, receipt.permanent) == (False, True)
    assert handler.got == []


@pytest.mark.parametrize(("answer", "permanent"), [("550 unknown", True), ("450 try later", False)])
def test_a_refused_recipient_is_told(sink: tuple[Sink, MailChannel], answer: str, permanent: bool) -> None:
    handler, channel = sink
    handler.answer = answer

    receipt = channel.send(MESSAGE)

    assert (receipt.ok, receipt.permanent) == (False, permanent)
    assert receipt.answer == f"SMTP {answer[:3]}: {answer[4:]}"


def test_without_a_mail_server_the_delivery_waits_and_says_so() -> None:
    receipt = MailChannel("").send(MESSAGE)

    assert (receipt.ok, receipt.permanent) == (False, False)
    assert "KENTONGAN_SMTP_HOST" in receipt.answer


def test_a_mail_server_that_is_away_is_tried_again() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))

        receipt = MailChannel("127.0.0.1", closed.getsockname()[1]).send(MESSAGE)

    assert (receipt.ok, receipt.permanent) == (False, False)
    assert receipt.answer.startswith("the mail server was not reached")


def test_a_wrong_sender_is_the_operators_to_mend() -> None:
    receipt = MailChannel("127.0.0.1", 1, sender="no address").send(MESSAGE)

    assert (receipt.ok, receipt.permanent) == (False, False)
    assert "KENTONGAN_MAIL_FROM" in receipt.answer
