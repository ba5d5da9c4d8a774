"""The people of the organizations."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from kentongan.domain.identity import Role
from kentongan.storage.base import Base, BigId, Instant, Json, new_stix_identity
from kentongan.storage.organizations import Organization


class Person(Base):
    """One person of one organization. Who leaves is ended, never deleted: the audit trail names them."""

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    stix_id: Mapped[str] = mapped_column(String(46), unique=True, default=new_stix_identity)
    """Names the person as a recipient in markings."""
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    """In canonical form (domain/accounts.py): the name a person signs in with."""
    name: Mapped[str] = mapped_column(String(200))
    roles: Mapped[list[str]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(Instant)
    taken_up_at: Mapped[datetime | None] = mapped_column(Instant)
    """When the person accepted the invitation; until then nobody can sign in as them."""
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    organization: Mapped[Organization] = relationship()

    def holds(self) -> frozenset[Role]:
        """The roles as the domain knows them."""
        return frozenset(Role(name) for name in self.roles)

    @property
    def has_left(self) -> bool:
        """Whether nobody signs in as this person any more, because they or their organization left."""
        return self.ended_at is not None or self.organization.ended_at is not None


def person_named(session: Session, email: str) -> Person | None:
    """The person who signs in with this name, given in canonical form."""
    return session.scalars(select(Person).where(Person.email == email)).one_or_none()


def people_of(session: Session, organization_id: int) -> list[Person]:
    """Everybody of an organization, by name; those who left too."""
    mine = select(Person).where(Person.organization_id == organization_id)
    return list(session.scalars(mine.order_by(Person.ended_at.is_not(None), Person.name, Person.id)))


def is_administered(session: Session, organization_id: int) -> bool:
    """Whether the organization has an administrator who took up their account and did not leave."""
    active = (
        person
        for person in people_of(session, organization_id)
        if person.ended_at is None and person.taken_up_at is not None
    )
    return any(Role.ADMINISTRATOR in person.holds() for person in active)
