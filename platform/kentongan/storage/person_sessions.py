"""Who is signed in, from where and since when; and the browsers that people signed in with before."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, delete, select, update
from sqlalchemy.orm import Mapped, Session, contains_eager, mapped_column, relationship

from kentongan.storage.base import Base, BigId, Instant, new_public_id
from kentongan.storage.organizations import Organization
from kentongan.storage.persons import Person


class PersonSession(Base):
    """One person signed in, or on the way. The browser holds a random secret, of which only the hash is kept."""

    __tablename__ = "person_session"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(36), unique=True, default=new_public_id)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    factor: Mapped[str | None] = mapped_column(String(20))
    """The second factor that was shown; None if none was."""
    challenge: Mapped[bytes | None] = mapped_column(LargeBinary(64))
    """What a passkey is to sign next, good for one answer."""
    address: Mapped[str] = mapped_column(String(45))
    network: Mapped[str] = mapped_column(String(45))
    agent: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(Instant)
    last_seen_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    person: Mapped[Person] = relationship()


class Device(Base):
    """A browser that a person signed in with: it is known by a cookie of its own, of which only the hash is kept."""

    __tablename__ = "device"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[datetime] = mapped_column(Instant)


def secret_digest(secret: str) -> bytes:
    """SHA-256 of a random secret: enough for 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def session_with_secret(session: Session, secret: str, now: datetime) -> PersonSession | None:
    """The living session whose secret this is, with its person and organization in the same statement."""
    return session.scalars(
        select(PersonSession)
        .join(PersonSession.person)
        .join(Person.organization)
        .where(PersonSession.digest == secret_digest(secret), PersonSession.ended_at.is_(None))
        .where(PersonSession.expires_at > now, Person.ended_at.is_(None), Organization.ended_at.is_(None))
        .options(contains_eager(PersonSession.person).contains_eager(Person.organization))
    ).one_or_none()


def living_sessions(session: Session, person_id: int, now: datetime) -> list[PersonSession]:
    """A person's sessions that go on, the newest first."""
    return list(
        session.scalars(
            select(PersonSession)
            .where(PersonSession.person_id == person_id, PersonSession.ended_at.is_(None))
            .where(PersonSession.expires_at > now)
            .order_by(PersonSession.created_at.desc(), PersonSession.id.desc())
        )
    )


def end_sessions(session: Session, person_id: int, now: datetime, *, but: int | None = None) -> None:
    """End every session of this person, except the one of number `but`."""
    ending = update(PersonSession).where(PersonSession.person_id == person_id, PersonSession.ended_at.is_(None))
    if but is not None:
        ending = ending.where(PersonSession.id != but)
    session.execute(ending.values(ended_at=now))


def forget_devices(session: Session, person_id: int) -> None:
    """Let no browser count as known to this person."""
    session.execute(delete(Device).where(Device.person_id == person_id))


def device_of(session: Session, person_id: int, secret: str) -> Device | None:
    """The browser with this cookie, if this person signed in with it before."""
    if not secret:
        return None
    wanted = select(Device).where(Device.person_id == person_id, Device.digest == secret_digest(secret))
    return session.scalars(wanted).one_or_none()


def was_seen_from(session: Session, person_id: int, network: str, since: datetime, *, with_factor: bool) -> bool:
    """Whether this person signed in from this network since then, `with_factor` where they have one: a password alone, which
    somebody else may know, makes no network theirs. Ended sessions count."""
    seen = (
        select(PersonSession.id)
        .where(PersonSession.person_id == person_id, PersonSession.network == network)
        .where(PersonSession.created_at > since)
    )
    if with_factor:
        seen = seen.where(PersonSession.factor.is_not(None))
    return bool(session.scalar(select(seen.exists())))


def forget_old_sessions(session: Session, person_id: int, before: datetime) -> None:
    """Remove this person's sessions that began before that; the audit trail keeps what happened in them."""
    session.execute(
        delete(PersonSession).where(PersonSession.person_id == person_id, PersonSession.created_at < before)
    )
