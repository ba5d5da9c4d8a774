"""What an identity provider tells us about somebody, and what one is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class NotProven(Exception):
    """The identity provider did not answer, or its answer does not hold; the message says why, and quotes no secret."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One account of one provider. A mail address is no part of it: that may pass to another person, a `sub` never does
    (OpenID Connect Core 1.0 section 5.7)."""

    issuer: str
    sub: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that waits for its answer: what must come back, and the proof of who asked (RFC 7636)."""

    url: str
    state: str
    nonce: str
    verifier: str = field(repr=False)


class Provider(Protocol):
    """An identity provider that the operator named."""

    def ask(self, redirect_uri: str) -> Asked:
        """Where to send the person. Raises NotProven."""

    def answered(self, asked: Asked, code: str, redirect_uri: str) -> Subject:
        """Who that was. Raises NotProven."""
