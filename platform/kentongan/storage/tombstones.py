"""What is left of what was erased: that it was here, whose it was, and who wanted it gone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, Text, UniqueConstraint, func, select, text
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from kentongan.storage.base import Base, BigId, Instant
from kentongan.storage.objects import StixObject
from kentongan.storage.organizations import Organization

SUBMISSION = "submission"
INCIDENT = "incident"
OBJECT = "object"

_ERASE_ORDER = 0x65726173  # "eras": shared by who indexes, held alone by who erases


class Tombstone(Base):
    """One submission, one incident with all its versions, or versions of one object, that was erased. Never deleted itself.

    The hash of a submission's bytes stays. Nobody gets from it to the bytes, and only the owner is shown it; but whoever still
    holds the document can see that it is this one that was erased, and after a restored backup it can be found and erased again.
    """

    __tablename__ = "tombstone"
    __table_args__ = (UniqueConstraint("kind", "public_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    """submission, incident, or object: of what was deleted over TAXII."""
    public_id: Mapped[str] = mapped_column(String(36))
    """Under which it was known; of an object one of its own, for that may come and go again."""
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)
    received_at: Mapped[datetime] = mapped_column(Instant)
    sha256: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """Of a submission's bytes as they were received."""
    erased_at: Mapped[datetime] = mapped_column(Instant)
    who: Mapped[str] = mapped_column(String(500))
    reason: Mapped[str] = mapped_column(Text)
    recalls: Mapped[bool] = mapped_column(default=True)
    """Whether who was told of it is told that it is gone; not where only its time was over."""
    highest_object: Mapped[int] = mapped_column(BigId)
    """The highest number that an object had had by then: the numbers of erased objects are given to no other."""
    organization: Mapped[Organization] = relationship()


def tombstone_of(session: Session, kind: str, public_id: str, organization_id: int) -> Tombstone | None:
    """What this organization erased under this id."""
    mine = Tombstone.organization_id == organization_id
    # Behind the wall a reader may not read an organization's other columns.
    named = joinedload(Tombstone.organization, innerjoin=True).load_only(Organization.name)
    query = select(Tombstone).where(Tombstone.kind == kind, Tombstone.public_id == public_id, mine).options(named)
    return session.scalars(query).one_or_none()


def last_erasure(session: Session) -> int:
    """Grows with every erasure: who read something before and writes it now must look again where it has grown."""
    return session.scalar(_LAST) or 0


_LAST = select(func.max(Tombstone.id))
"""Built once: every batch of a stage asks."""


def highest_number(session: Session) -> int:
    """The highest number that an object has or had; hold the accept lock to rely on it."""
    stored, erased = session.connection().execute(_HIGHEST).one()
    return max(stored or 0, erased or 0)


_HIGHEST = select(
    select(func.max(StixObject.id)).scalar_subquery(), select(func.max(Tombstone.highest_object)).scalar_subquery()
)


def keep_while_nobody_erases(session: Session) -> None:
    """Until this transaction ends nothing is erased. Many may hold this at once; SQLite's write lock does the same."""
    _lock(session, "pg_advisory_xact_lock_shared")


def erase_alone(session: Session) -> None:
    """Until this transaction ends nobody makes anything findable that is being erased."""
    _lock(session, "pg_advisory_xact_lock")


def _lock(session: Session, function: str) -> None:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"SELECT {function}(:number)"), {"number": _ERASE_ORDER})
