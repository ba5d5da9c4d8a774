"""Organizations join, get tokens, and show them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain import vocabulary
from kentongan.domain.audit import Act
from kentongan.domain.identity import PLATFORM, Identity, OrganizationKind, Scope
from kentongan.services.errors import NotFound, Refused
from kentongan.storage.audit import note
from kentongan.storage.organizations import Organization, Token, organization_named, token_digest, token_with_secret

Clock = Callable[[], datetime]

TOKEN_PREFIX = "kt_"  # noqa: S105  # how every token starts, so that a leaked one is recognised; not a secret


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made; the secret is shown this once."""

    id: int
    secret: str


class Organizations:
    """The wishes of an operator who lets an organization in."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def add(
        self, name: str, kind: OrganizationKind, country: str | None = None, *, by: Identity = PLATFORM
    ) -> Organization:
        """A new organization, let in `by` somebody. Raises Refused when the name is empty, too long, not printable or taken,
        whatever its case, or the country is no two-letter code of ISO 3166-1."""
        name = name.strip()
        if not 1 <= len(name) <= 200 or not name.isprintable():
            raise Refused("an organization's name has 1 to 200 characters, none of them invisible")
        if country is not None and not vocabulary.is_country_code(country):
            raise Refused(f"'{country}' is no country code of ISO 3166-1: use two letters, such as ID")
        if (taken := self._named_alike(name)) is not None:
            raise Refused(f"an organization named '{taken}' is already there")
        country = country.upper() if country else None
        made = Organization(name=name, kind=kind.value, country=country, created_at=self._clock())
        self._session.add(made)
        self._session.flush()
        told = {"kind": made.kind, "country": made.country}
        note(self._session, by, Act.ADDED, f"organization {made.name}", about_id=made.id, **told)
        return made

    def all(self) -> list[Organization]:
        """Every organization, by name."""
        return list(self._session.scalars(select(Organization).order_by(Organization.name)))

    def named(self, name: str) -> Organization:
        """The organization of this name. Raises NotFound."""
        if (found := organization_named(self._session, name)) is None:
            raise NotFound(f"there is no organization named '{name}'; `kentongan org list` shows them")
        return found

    def _named_alike(self, name: str) -> str | None:
        """The name of this spelling but for case: compared here, since databases fold only ASCII alike."""
        folded = name.casefold()
        return next(
            (each for each in self._session.scalars(select(Organization.name)) if each.casefold() == folded), None
        )

    def new_token(self, organization: Organization, scopes: frozenset[Scope], *, by: Identity = PLATFORM) -> NewToken:
        """A token with 256 random bits for this organization. Raises Refused without a scope."""
        if not scopes:
            raise Refused("a token needs at least one scope")
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        token = Token(
            organization_id=organization.id,
            prefix=secret[:8],
            digest=token_digest(secret),
            scopes=sorted(scope.value for scope in scopes),
            created_at=self._clock(),
        )
        self._session.add(token)
        self._session.flush()
        told = {"organization": organization.name, "scopes": token.scopes}
        note(self._session, by, Act.ADDED, f"token {token.prefix}", about_id=organization.id, **told)
        return NewToken(token.id, secret)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody who showed a good token: who that is, and which token, so that it can be asked again later."""

    identity: Identity
    token_id: int


class SignIn:
    """From a token to the Identity that asks."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def with_secret(self, secret: str) -> SignedIn | None:
        """Who shows this secret; None if it is no token, or one that has ended."""
        if not secret.startswith(TOKEN_PREFIX):
            return None
        return self._if_valid(token_with_secret(self._session, secret))

    def again(self, token_id: int) -> SignedIn | None:
        """Who holds the token of a session begun earlier; None if it has ended meanwhile."""
        return self._if_valid(self._session.get(Token, token_id))

    def identity(self, secret: str) -> Identity | None:
        """The Identity alone, for doors that keep no session."""
        signed_in = self.with_secret(secret)
        return signed_in.identity if signed_in else None

    def _if_valid(self, token: Token | None) -> SignedIn | None:
        if token is None or token.revoked_at is not None:
            return None
        if token.expires_at is not None and token.expires_at <= self._clock():
            return None
        scopes = frozenset(Scope(name) for name in token.scopes)
        organization = token.organization.identity(scopes)
        return SignedIn(replace(organization, token_id=token.id, name=f"token {token.prefix}"), token.id)
