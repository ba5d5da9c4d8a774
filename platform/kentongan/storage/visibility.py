"""The sharing policy as a query filter: the same decision as domain/policy.py, taken once per policy class.

Every readable row carries the id of an audience: few rows (organizations times levels) that many things share. A reader's
audiences are one small subquery, so that no read asks per row and none can forget a clause.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Select, SmallInteger, UniqueConstraint, and_, bindparam, or_, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from kentongan.domain.identity import Identity
from kentongan.domain.marking import Level
from kentongan.domain.policy import READERS, Audience
from kentongan.storage.base import Base, BigId
from kentongan.storage.organizations import Organization


class AudienceRow(Base):
    """One policy class: the organization that made things and the level it marked them with."""

    __tablename__ = "audience"
    __table_args__ = (UniqueConstraint("owner_id", "level"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    level: Mapped[int] = mapped_column(SmallInteger)

    def audience(self) -> Audience:
        """As the domain's rule takes it."""
        return Audience(self.owner_id, Level(self.level))


def readable_levels(reader: Identity) -> list[int]:
    """The levels at which this reader may see what others made."""
    return [int(level) for level, kinds in READERS.items() if reader.kind in kinds]


def audiences_of(reader: Identity) -> Select[int]:
    """The ids of all audiences this reader belongs to, as a subquery."""
    return select(AudienceRow.id).where(
        or_(AudienceRow.owner_id == reader.organization_id, AudienceRow.level.in_(readable_levels(reader)))
    )


def visible(audience_id: InstrumentedAttribute[int] | ColumnElement[int], reader: Identity) -> ColumnElement[bool]:
    """The clause that lets only rows through whose audience the reader belongs to."""
    return audience_id.in_(audiences_of(reader))


def audience_ids(session: Session, reader: Identity) -> frozenset[int]:
    """The same as a set, for what is filtered after it was read (evidence inside a link)."""
    return frozenset(session.scalars(audiences_of(reader)))


def belongs() -> ColumnElement[bool]:
    """The other direction, to join on: the `Organization` belongs to the audience of the `AudienceRow`."""
    by_level = (
        and_(AudienceRow.level == int(level), Organization.kind.in_([kind.value for kind in kinds]))
        for level, kinds in READERS.items()
        if kinds
    )
    return or_(AudienceRow.owner_id == Organization.id, *by_level)


def all_audiences(session: Session) -> dict[int, Audience]:
    """Every policy class there is, by its id, for who decides for many readers at once; they are few."""
    return {row.id: row.audience() for row in session.scalars(select(AudienceRow))}


_THIS_AUDIENCE = select(AudienceRow.id).where(
    AudienceRow.owner_id == bindparam("owner_id"), AudienceRow.level == bindparam("level")
)


def audience_id(session: Session, audience: Audience) -> int:
    """The id of this policy class, made if it is new; safe when two transactions make it at once."""
    asked = {"owner_id": audience.owner_id, "level": int(audience.level)}
    if (found := session.scalar(_THIS_AUDIENCE, asked)) is not None:
        return found
    insert: Any = postgresql_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    session.execute(insert(AudienceRow).values(asked).on_conflict_do_nothing(index_elements=["owner_id", "level"]))
    return session.execute(_THIS_AUDIENCE, asked).scalar_one()
