"""Alerts by e-mail: plain text, one recipient, nothing in it that a mail program would make a link of but our own pages."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from kentongan.domain.alert import Outgoing, Receipt
from kentongan.domain.target import WrongTarget, mail_target

LONGEST_ANSWER: Final = 500
SECONDS: Final = 10.0


@dataclass(frozen=True)
class MailChannel:
    """Hands one alert to the mail server that the operator named."""

    host: str
    port: int = 25
    sender: str = "kentongan@localhost"
    starttls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)
    seconds: float = SECONDS

    def send(self, outgoing: Outgoing) -> Receipt:
        """Try once. Without a mail server nothing is sent, and the receipt says so."""
        if not self.host:
            return Receipt(False, "not sent: this installation has no mail server; set KENTONGAN_SMTP_HOST")
        try:
            message = self._message(outgoing)
        except WrongTarget as error:
            return Receipt(False, f"not sent: {error.reason}", permanent=True)
        except ValueError as error:
            return Receipt(False, f"not sent: {error}; check KENTONGAN_MAIL_FROM")
        return self._handed_over(message)

    def _handed_over(self, message: EmailMessage) -> Receipt:
        try:
            return self._hand_over(message)
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            return Receipt(False, _told(code, said), permanent=500 <= code < 600)
        except smtplib.SMTPResponseException as error:
            return Receipt(False, _told(error.smtp_code, error.smtp_error))
        except (smtplib.SMTPException, OSError) as error:
            return Receipt(False, f"the mail server was not reached: {error}"[:LONGEST_ANSWER])

    def _hand_over(self, message: EmailMessage) -> Receipt:
        with smtplib.SMTP(self.host, self.port, timeout=self.seconds) as server:
            if self.starttls:
                server.starttls(context=ssl.create_default_context())
            if self.user:
                server.login(self.user, self.password)
            server.send_message(message)
        return Receipt(True, f"accepted by {self.host}")

    def _message(self, outgoing: Outgoing) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["From"] = Address("Kentongan", addr_spec=self.sender)
        message["To"] = Address(addr_spec=mail_target(outgoing.target))
        message["Subject"] = " ".join(outgoing.subject.split())
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = f"<{outgoing.message_id}@{self.sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(outgoing.text, cte="quoted-printable")
        return message


def _told(code: int, said: bytes | str) -> str:
    words = said.decode(errors="replace") if isinstance(said, bytes) else said
    return f"SMTP {code}: {words}"[:LONGEST_ANSWER]
