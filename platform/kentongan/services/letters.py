"""What people are written about their accounts: plain text with one link, and nothing of what they may read here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from kentongan.domain.accounts import Purpose


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link just made for somebody. The secret is in the letter alone, or shown once where there is no mail server."""

    email: str
    name: str
    organization: str
    purpose: Purpose
    expires_at: datetime
    secret: str = field(repr=False)

    def address(self, portal: str) -> str:
        """Where it leads; `portal` is the installation's own address."""
        return f"{portal.rstrip('/')}/link/{self.secret}"


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail to be sent."""

    to: str
    subject: str
    text: str = field(repr=False)


def letter(link: NewLink, portal: str) -> Letter:
    """The letter that carries a link."""
    until = f"The link works once, until {link.expires_at:%-d %B %Y, %H:%M} UTC."
    if link.purpose is Purpose.JOIN:
        subject = "You are invited to Kentongan"
        about = (
            f"You are invited to Kentongan as somebody of {_on_one_line(link.organization)}. Open this link to begin:"
        )
        otherwise = "If you did not expect this, leave it alone: nothing happens then."
    else:
        subject = "A new password for Kentongan"
        about = "Somebody, perhaps you, asked for a new password for your account. Open this link to choose one:"
        otherwise = "If that was not you, leave it alone: your password stays as it is."
    greeting = f"Dear {_on_one_line(link.name)},"
    return Letter(link.email, subject, "\n\n".join((greeting, about, link.address(portal), until, otherwise)) + "\n")


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
