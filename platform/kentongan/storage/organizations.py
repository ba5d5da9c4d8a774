"""Organizations, what they tell of themselves, and the tokens their machines show."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, ForeignKey, Index, LargeBinary, String, Text, bindparam, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from kentongan.domain.identity import Identity, OrganizationKind, Scope
from kentongan.storage.base import Base, BigId, Instant, Json, new_public_id, new_stix_identity


class Organization(Base):
    """A member CERT, a subscriber or the coordinator's office. One that has left is ended: what it sent stays."""

    __tablename__ = "organization"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    stix_id: Mapped[str] = mapped_column(String(46), unique=True, default=new_stix_identity)
    """Names the organization as a recipient in markings."""
    name: Mapped[str] = mapped_column(String(200), unique=True)
    folded_name: Mapped[str] = mapped_column(
        String(600), unique=True, default=lambda context: folded(context.get_current_parameters()["name"])
    )
    """The name without its case: no two organizations differ by that alone."""
    country: Mapped[str | None] = mapped_column(String(2))
    kind: Mapped[str] = mapped_column(String(20))
    vouched_by_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    """Of a subscriber: the member that vouches for it."""
    created_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)

    def identity(self, scopes: frozenset[Scope] = frozenset()) -> Identity:
        """This organization as somebody who asks."""
        return Identity(self.id, self.name, OrganizationKind(self.kind), scopes)


def folded(name: str) -> str:
    """A name without its case, alike on every database. Example: `CERT-ID` is `cert-id`."""
    return name.casefold()


class OrganizationAttribute(Base):
    """One thing an organization tells of itself, from one moment on; what it told before stays beside it."""

    __tablename__ = "organization_attribute"
    __table_args__ = (Index("ix_organization_attribute_organization_id_name", "organization_id", "name", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    name: Mapped[str] = mapped_column(String(30))
    """One of domain/profile.py."""
    value: Mapped[str | None] = mapped_column(Text)
    """None: from this moment on it is told no more."""
    valid_from: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    set_by: Mapped[str] = mapped_column(String(400), default="")
    """Who said so, as they were called then."""


class Token(Base):
    """A bearer token of a machine, of which only the hash is kept."""

    __tablename__ = "token"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(36), unique=True, default=new_public_id)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)
    label: Mapped[str] = mapped_column(String(200), default="")
    prefix: Mapped[str] = mapped_column(String(16))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    scopes: Mapped[list[str]] = mapped_column(Json)
    networks: Mapped[list[str] | None] = mapped_column(Json)
    """From where it may be used; None: from everywhere."""
    read_only: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)
    """To the minute."""
    organization: Mapped[Organization] = relationship()


def token_digest(secret: str) -> bytes:
    """SHA-256 of a token: enough for 256 random bits, and fast on every request (a password hash would cost 100 ms)."""
    return hashlib.sha256(secret.encode()).digest()


class ShownToken(NamedTuple):
    """A token as the door needs it, with the organization whose it is."""

    id: int
    prefix: str
    scopes: list[str]
    networks: list[str] | None
    read_only: bool
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    organization_id: int
    name: str
    kind: str
    ended_at: datetime | None
    """When the organization left."""


def token_with_secret(connection: Connection, secret: str) -> ShownToken | None:
    """The token whose secret this is, whatever its state."""
    found = connection.execute(_WITH_DIGEST, {"digest": token_digest(secret)}).one_or_none()
    return None if found is None else ShownToken._make(found)


_WITH_DIGEST = (
    select(
        Token.id,
        Token.prefix,
        Token.scopes,
        Token.networks,
        Token.read_only,
        Token.expires_at,
        Token.revoked_at,
        Token.last_used_at,
        Token.organization_id,
        Organization.name,
        Organization.kind,
        Organization.ended_at,
    )
    .join(Organization, Organization.id == Token.organization_id)
    .where(Token.digest == bindparam("digest"))
)
"""Built once, with the organization in one statement, and past the work of making objects of rows: every request asks."""

USED_TO_THE_MINUTE = timedelta(minutes=1)


def token_used(connection: Connection, token_id: int, at: datetime) -> None:
    """Note that a token was used, unless that was noted within the last minute."""
    long_ago = or_(Token.last_used_at.is_(None), Token.last_used_at <= at - USED_TO_THE_MINUTE)
    connection.execute(update(Token).where(Token.id == token_id, long_ago).values(last_used_at=at))


def organization_named(session: Session, name: str) -> Organization | None:
    """The organization of exactly this name."""
    return session.scalars(select(Organization).where(Organization.name == name)).one_or_none()
