"""Tokens: made, listed, revoked, and shown at the door."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address, ip_network

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from kentongan.domain.audit import Act
from kentongan.domain.identity import Identity, OrganizationKind, Scope
from kentongan.domain.permissions import OF_TOKENS
from kentongan.domain.target import Network
from kentongan.services.errors import NotFound, Refused
from kentongan.services.organizations import Organizations
from kentongan.storage.audit import note
from kentongan.storage.organizations import (
    USED_TO_THE_MINUTE,
    Organization,
    ShownToken,
    Token,
    token_digest,
    token_used,
    token_with_secret,
)

Clock = Callable[[], datetime]

TOKEN_PREFIX = "kt_"  # noqa: S105  # how every token starts, so that a leaked one is recognised; not a secret
MOST_TOKENS = 200
MOST_NETWORKS = 50


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token as its organization's administrators see it: never the secret, only how it begins."""

    id: str
    label: str
    prefix: str
    scopes: tuple[str, ...]
    networks: tuple[str, ...] | None
    read_only: bool
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked: bool


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made; the secret is shown this once."""

    token: TokenView
    secret: str


class Tokens:
    """The tokens of organizations. `who` asks."""

    def __init__(self, session: Session, clock: Clock, who: Identity) -> None:
        self._session = session
        self._clock = clock
        self._who = who
        self._organizations = Organizations(session, clock, self._who)

    def create(
        self,
        organization: Organization,
        scopes: frozenset[Scope],
        *,
        label: str = "",
        expires_at: datetime | None = None,
        networks: Sequence[str] | None = None,
        read_only: bool = False,
    ) -> NewToken:
        """A token with 256 random bits. A token makes none that may more than itself: neither in scopes nor in time nor in place.

        Raises Refused without a scope, with one that no token may carry, with a moment that is over or no network; NotFound for
        who may not.
        """
        self._organizations.require_right(organization)
        self._check(organization, scopes, label, expires_at)
        kept = _networks(networks)
        self._require_no_more_than_own(scopes, expires_at, kept)
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        token = Token(
            organization_id=organization.id,
            label=label.strip(),
            prefix=secret[:8],
            digest=token_digest(secret),
            scopes=sorted(scope.value for scope in scopes),
            networks=kept,
            read_only=read_only or self._who.read_only,
            created_at=self._clock(),
            expires_at=expires_at,
        )
        self._session.add(token)
        self._session.flush()
        self._note(Act.ADDED, token)
        return NewToken(_view(token), secret)

    def all(self, organization: Organization) -> tuple[TokenView, ...]:
        """Those of an organization, the newest first. Raises NotFound for who may not."""
        self._organizations.require_right(organization)
        rows = select(Token).where(Token.organization_id == organization.id).order_by(Token.id.desc())
        return tuple(_view(token) for token in self._session.scalars(rows))

    def revoke(self, organization: Organization, public_id: str) -> None:
        """It opens nothing from now on. Raises NotFound."""
        self._organizations.require_right(organization)
        token = self._session.scalars(
            select(Token).where(Token.public_id == public_id, Token.organization_id == organization.id)
        ).one_or_none()
        if token is None:
            raise NotFound("there is no such token")
        if token.revoked_at is None:
            token.revoked_at = self._clock()
            self._session.flush()
            self._note(Act.ENDED, token)

    def _check(
        self, organization: Organization, scopes: frozenset[Scope], label: str, expires_at: datetime | None
    ) -> None:
        if not scopes:
            raise Refused("a token needs at least one scope")
        if beyond := sorted(scope.value for scope in scopes - OF_TOKENS):
            raise Refused(f"no token may carry the scope {', '.join(beyond)}: that takes a person")
        if len(label) > 200 or not label.isprintable():
            raise Refused("a label has at most 200 characters, none of them invisible")
        if expires_at is not None and expires_at <= self._clock():
            raise Refused("the token would have expired already")
        living = select(Token.id).where(Token.organization_id == organization.id, Token.revoked_at.is_(None))
        if len(self._session.scalars(living).all()) >= MOST_TOKENS:
            raise Refused(f"an organization has at most {MOST_TOKENS} tokens: revoke one first")

    def _require_no_more_than_own(
        self, scopes: frozenset[Scope], expires_at: datetime | None, networks: list[str] | None
    ) -> None:
        """Otherwise whoever found a token that ends soon, or opens from one place, could make one that does not."""
        if self._who.token_id is None:
            return
        own = self._session.get_one(Token, self._who.token_id)
        if not scopes <= self._who.scopes:
            raise Refused("a token makes no token that may more than itself")
        if own.expires_at is not None and (expires_at is None or expires_at > own.expires_at):
            raise Refused(f"a token makes no token that outlives it: it expires at {own.expires_at.isoformat()}")
        if own.networks is not None and not (networks and _all_within(networks, own.networks)):
            raise Refused(f"a token makes no token for other networks than its own: {', '.join(own.networks)}")

    def _note(self, act: Act, token: Token) -> None:
        told = {"prefix": token.prefix, "label": token.label, "scopes": token.scopes, "read_only": token.read_only}
        subject = f"token {token.public_id}"
        note(self._session, self._who, act, subject, about_id=token.organization_id, **told)


class SignIn:
    """From a token to the Identity that asks. What is wrong with one that does not open is not told.

    It takes a connection: who asks is asked in each request, by one statement.
    """

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def identity(self, secret: str, address: str) -> tuple[Identity, bool] | None:
        """Who shows this secret from this address, and whether its use is to be noted (`used`); None if it opens nothing."""
        if not secret.startswith(TOKEN_PREFIX):
            return None
        token = token_with_secret(self._connection, secret)
        if token is None or not self._opens(token, address):
            return None
        last = token.last_used_at
        return _identity(token, address), last is None or last <= self._clock() - USED_TO_THE_MINUTE

    def used(self, who: Identity) -> None:
        """Note that a token was used just now."""
        assert who.token_id is not None, "a token was shown"
        token_used(self._connection, who.token_id, self._clock())

    def _opens(self, token: ShownToken, address: str) -> bool:
        if token.revoked_at is not None or token.ended_at is not None:
            return False
        if token.expires_at is not None and token.expires_at <= self._clock():
            return False
        return token.networks is None or _within(address, token.networks)


def _identity(token: ShownToken, address: str) -> Identity:
    return Identity(
        token.organization_id,
        token.name,
        OrganizationKind(token.kind),
        frozenset(Scope(name) for name in token.scopes),
        token_id=token.id,
        name=token.prefix,
        address=address,
        read_only=token.read_only,
    )


def _within(address: str, networks: Sequence[str]) -> bool:
    try:
        asked = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(asked, "ipv4_mapped", None)
    return any((mapped or asked) in ip_network(each) for each in networks)


def _all_within(networks: Sequence[str], others: Sequence[str]) -> bool:
    """Whether each of these networks lies in one of the others."""
    return all(any(_lies_in(ip_network(one), ip_network(other)) for other in others) for one in networks)


def _lies_in(one: Network, other: Network) -> bool:
    return one.version == other.version and one.subnet_of(other)  # type: ignore[arg-type]  # of the same version, as it asks


def _networks(told: Sequence[str] | None) -> list[str] | None:
    if told is None:
        return None
    if not 1 <= len(told) <= MOST_NETWORKS:
        raise Refused(f"a token is bound to 1 to {MOST_NETWORKS} networks, or to none at all")
    try:
        return [str(ip_network(each.strip(), strict=False)) for each in told]
    except ValueError:
        raise Refused("one of the networks is none: write them so: 192.0.2.0/24, 2001:db8::/32") from None


def _view(token: Token) -> TokenView:
    return TokenView(
        id=token.public_id,
        label=token.label,
        prefix=token.prefix,
        scopes=tuple(token.scopes),
        networks=tuple(token.networks) if token.networks is not None else None,
        read_only=token.read_only,
        created_at=token.created_at,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
        revoked=token.revoked_at is not None,
    )
