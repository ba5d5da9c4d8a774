"""Organizations and the tokens their machines and people show."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, bindparam, select
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from kentongan.domain.identity import Identity, OrganizationKind, Scope
from kentongan.storage.base import Base, BigId, Instant, Json, new_stix_identity


class Organization(Base):
    """A member CERT, a subscriber or the coordinator's office."""

    __tablename__ = "organization"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    stix_id: Mapped[str] = mapped_column(String(46), unique=True, default=new_stix_identity)
    """Names the organization as a recipient in markings."""
    name: Mapped[str] = mapped_column(String(200), unique=True)
    country: Mapped[str | None] = mapped_column(String(2))
    kind: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(Instant)

    def identity(self, scopes: frozenset[Scope] = frozenset()) -> Identity:
        """This organization as somebody who asks."""
        return Identity(self.id, self.name, OrganizationKind(self.kind), scopes)


class Token(Base):
    """A bearer token, of which only the hash is kept."""

    __tablename__ = "token"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    prefix: Mapped[str] = mapped_column(String(16))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    scopes: Mapped[list[str]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
    organization: Mapped[Organization] = relationship()


def token_digest(secret: str) -> bytes:
    """SHA-256 of a token: enough for 256 random bits, and fast on every request (a password hash would cost 100 ms)."""
    return hashlib.sha256(secret.encode()).digest()


def token_with_secret(session: Session, secret: str) -> Token | None:
    """The token whose secret this is, whatever its state."""
    return session.scalars(_WITH_DIGEST, {"digest": token_digest(secret)}).one_or_none()


_WITH_DIGEST = (
    select(Token).where(Token.digest == bindparam("digest")).options(joinedload(Token.organization, innerjoin=True))
)
"""Built once, and with the organization in one statement: every request asks."""


def organization_named(session: Session, name: str) -> Organization | None:
    """The organization of exactly this name."""
    return session.scalars(select(Organization).where(Organization.name == name)).one_or_none()
