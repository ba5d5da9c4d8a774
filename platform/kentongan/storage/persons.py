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
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    organization: Mapped[Organization] = relationship()

    def holds(self) -> frozenset[Role]:
        """The roles as the domain knows them."""
        return frozenset(Role(name) for name in self.roles)


def is_administered(session: Session, organization_id: int) -> bool:
    """Whether the organization has an administrator who has not left."""
    living = select(Person).where(Person.organization_id == organization_id, Person.ended_at.is_(None))
    return any(Role.ADMINISTRATOR in person.holds() for person in session.scalars(living))
