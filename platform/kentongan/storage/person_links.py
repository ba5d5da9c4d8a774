"""Links in letters that let somebody choose a password: invitations, and for those who forgot theirs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, select, update
from sqlalchemy.orm import Mapped, Session, contains_eager, mapped_column, relationship

from kentongan.storage.base import Base, BigId, Instant
from kentongan.storage.credentials import changed
from kentongan.storage.person_sessions import secret_digest
from kentongan.storage.persons import Person


class PersonLink(Base):
    """One link, of whose secret only the hash is kept; good for one time and until it expires."""

    __tablename__ = "person_link"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    purpose: Mapped[str] = mapped_column(String(10))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)
    person: Mapped[Person] = relationship()


def link_with_secret(session: Session, secret: str, now: datetime) -> PersonLink | None:
    """The link with this secret, if it still opens anything."""
    return session.scalars(
        select(PersonLink)
        .join(PersonLink.person)
        .join(Person.organization)
        .where(PersonLink.digest == secret_digest(secret), PersonLink.used_at.is_(None))
        .where(PersonLink.expires_at > now, Person.ended_at.is_(None))
        .options(contains_eager(PersonLink.person).contains_eager(Person.organization))
    ).one_or_none()


def use_link(session: Session, link_id: int, now: datetime) -> bool:
    """Use the link up: of two requests at once only one gets True."""
    used = session.execute(
        update(PersonLink).where(PersonLink.id == link_id, PersonLink.used_at.is_(None)).values(used_at=now)
    )
    return changed(used) == 1


def end_links(session: Session, person_id: int, now: datetime) -> None:
    """Let no link that this person was sent open anything any more."""
    session.execute(
        update(PersonLink).where(PersonLink.person_id == person_id, PersonLink.used_at.is_(None)).values(used_at=now)
    )
