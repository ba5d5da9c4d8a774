"""The sharing policy as a query filter: the same decision as domain/policy.py, taken once per policy class.

Every readable row carries the id of an audience: few rows (organizations times levels times groups) that many things share.
A reader's audiences are asked for once in a request and compared with a column, so that no read asks the policy of each row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Select,
    SmallInteger,
    String,
    UniqueConstraint,
    and_,
    bindparam,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from kentongan.domain.identity import Identity, OrganizationKind, Role
from kentongan.domain.marking import Level, Mask
from kentongan.domain.policy import CONSTITUENTS, MEMBERS, OUT_OF_REACH, READERS, Audience, Policy
from kentongan.storage.base import Base, BigId, is_one_of
from kentongan.storage.groups import GroupMember, SharingGroup, memberships
from kentongan.storage.organizations import Organization

ASKED_ONCE: Final = "kentongan_audiences"
"""Where a session that only reads keeps what was asked of its readers."""


class AudienceRow(Base):
    """One policy class: who made things, the level they marked them with, and the groups and recipients they named."""

    __tablename__ = "audience"
    __table_args__ = (UniqueConstraint("owner_id", "level", "named", "for_members"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    level: Mapped[int] = mapped_column(SmallInteger)
    named: Mapped[str] = mapped_column(String(32), default="")
    """Stands for the groups, organizations and persons named, which the tables below hold, and the mask; empty where none is."""
    for_members: Mapped[bool] = mapped_column(default=False)
    mask: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    """A Mask of domain/marking.py."""


class AudienceGroup(Base):
    """A reader of this audience must be in this group."""

    __tablename__ = "audience_group"
    __table_args__ = ({"sqlite_with_rowid": False},)

    audience_id: Mapped[int] = mapped_column(ForeignKey("audience.id"), primary_key=True)
    group_id: Mapped[int] = mapped_column(BigId, primary_key=True)
    """Of a sharing_group, or policy.NOBODY."""


class AudienceOrganization(Base):
    """This organization is a named recipient."""

    __tablename__ = "audience_organization"
    __table_args__ = ({"sqlite_with_rowid": False},)

    audience_id: Mapped[int] = mapped_column(ForeignKey("audience.id"), primary_key=True)
    organization_id: Mapped[int] = mapped_column(BigId, primary_key=True)


class AudiencePerson(Base):
    """This person is a named recipient."""

    __tablename__ = "audience_person"
    __table_args__ = ({"sqlite_with_rowid": False},)

    audience_id: Mapped[int] = mapped_column(ForeignKey("audience.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(BigId, primary_key=True)


def audiences_of(reader: Identity) -> Select[int]:
    """The ids of all audiences this reader belongs to, as a subquery."""
    return _audiences_of(reader.organization_id, reader.kind, reader.person_id, Role.OPERATOR in reader.roles)


@lru_cache(maxsize=4096)
def _audiences_of(
    organization_id: int, kind: OrganizationKind, person_id: int | None, is_operator: bool
) -> Select[int]:
    """Kept ready: to build it takes longer than the database needs to run it, and a read may need it five times.

    It holds nothing but the question; who may see what is looked up each time.
    """
    return select(AudienceRow.id).where(
        or_(
            AudienceRow.owner_id == organization_id,
            and_(
                _UNMASKED,
                _open_to(kind, is_operator),
                _named(organization_id, person_id),
                _in_all_groups(organization_id),
            ),
        )
    )


def visible(
    session: Session, audience_id: InstrumentedAttribute[int] | ColumnElement[int], reader: Identity
) -> ColumnElement[bool]:
    """The clause that lets only rows through whose audience the reader belongs to.

    The statement carries the numbers of the reader's audiences and not the question: a database would answer it anew in every
    statement, and plan it as part of each.
    """
    return is_one_of(session, audience_id, audience_ids(session, reader))


def audience_ids(session: Session, reader: Identity) -> frozenset[int]:
    """The ids of all audiences this reader belongs to.

    Of a session that only reads they are asked once: what it shows is shown as of one moment. One that writes may make an audience
    or a member itself, and asks each time.
    """
    known: dict[Select[int], frozenset[int]] | None = session.info.get(ASKED_ONCE)
    question = audiences_of(reader)
    if known is None:
        return frozenset(session.connection().scalars(question))
    if question not in known:
        known[question] = frozenset(session.connection().scalars(question))
    return known[question]


def read_no_further(session: Session, reader: Identity, strictest: Level, *, unmasked: bool = False) -> None:
    """From here on this session, which only reads, shows `reader` nothing stricter than that, though it may see more.

    On PostgreSQL the second wall is drawn in as well. `unmasked`: nor what is masked, which is its owner's alone.
    """
    narrower = [AudienceRow.level <= int(strictest), *([_UNMASKED] if unmasked else [])]
    mine = audience_ids(session, reader)
    left = frozenset(session.scalars(select(AudienceRow.id).where(is_one_of(session, AudienceRow.id, mine), *narrower)))
    session.info[ASKED_ONCE][audiences_of(reader)] = left
    if session.get_bind().dialect.name == "postgresql":
        numbers = "{" + ",".join(str(number) for number in sorted(left)) + "}"
        session.execute(select(func.set_config("kentongan.audiences", numbers, True)))


def belongs() -> ColumnElement[bool]:
    """The other direction, to join on: the `Organization`, asking with a token, belongs to the audience of the `AudienceRow`."""
    for_its_kind = or_(
        *(_is_for(level, Organization.kind.in_([kind.value for kind in READERS[level]])) for level in Level)
    )
    named = or_(AudienceRow.level != int(Level.RED), _names_organization(Organization.id))
    kind_is_right = or_(~AudienceRow.for_members, Organization.kind.in_([kind.value for kind in MEMBERS]))
    return or_(
        AudienceRow.owner_id == Organization.id,
        and_(_UNMASKED, for_its_kind, kind_is_right, named, _in_all_groups(Organization.id)),
    )


_UNMASKED = AudienceRow.mask == int(Mask.NONE)


def _open_to(kind: OrganizationKind, is_operator: bool) -> ColumnElement[bool]:
    """The levels that are for this kind of reader at all."""
    kind_is_right = literal(kind in MEMBERS) | ~AudienceRow.for_members
    levels = [level for level in Level if not (is_operator and level >= OUT_OF_REACH)]
    return and_(kind_is_right, or_(*(_is_for(level, literal(kind in READERS[level])) for level in levels)))


def _is_for(level: Level, kind_is_right: ColumnElement[bool]) -> ColumnElement[bool]:
    if level is CONSTITUENTS:
        kind_is_right = or_(kind_is_right, AudienceRow.id.in_(select(AudienceGroup.audience_id)))
    return and_(AudienceRow.level == int(level), kind_is_right)


def _named(organization_id: int, person_id: int | None) -> ColumnElement[bool]:
    """RED is for who is named."""
    as_person = select(AudiencePerson.audience_id).where(AudiencePerson.person_id == person_id)
    named = [_names_organization(organization_id)]
    if person_id is not None:
        named.append(AudienceRow.id.in_(as_person))
    return or_(AudienceRow.level != int(Level.RED), *named)


def _names_organization(organization_id: int | InstrumentedAttribute[int]) -> ColumnElement[bool]:
    named = exists().where(
        AudienceOrganization.audience_id == AudienceRow.id, AudienceOrganization.organization_id == organization_id
    )
    return named.correlate(AudienceRow, Organization)


def _in_all_groups(organization_id: int | InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """No group of the audience leaves the organization out."""
    admitted = exists().where(
        GroupMember.group_id == AudienceGroup.group_id,
        GroupMember.organization_id == organization_id,
        GroupMember.strictest >= AudienceRow.level,
        SharingGroup.id == GroupMember.group_id,
        SharingGroup.ended_at.is_(None),
    )
    # What stands outside is named: SQLAlchemy finds out by itself only for the nearest level.
    left_out = exists().where(
        AudienceGroup.audience_id == AudienceRow.id, ~admitted.correlate(AudienceGroup, AudienceRow, Organization)
    )
    return ~left_out.correlate(AudienceRow, Organization)


def policy(session: Session) -> Policy:
    """Every policy class there is, for who decides for many readers at once; they are few."""
    return Policy(audiences(session), memberships(session))


def audiences(session: Session, wanted: Collection[int] | None = None) -> dict[int, Audience]:
    """These policy classes by their ids, or all of them."""
    columns = select(AudienceRow.id, AudienceRow.owner_id, AudienceRow.level, AudienceRow.for_members, AudienceRow.mask)
    rows = session.execute(_of(wanted, columns))
    named: dict[tuple[str, int], frozenset[int]] = defaultdict(frozenset)
    for what, audience_number, number in session.execute(union_all(*(_of(wanted, each) for each in _NAMED))):
        named[what, audience_number] |= {number}
    return {
        row.id: Audience(
            row.owner_id,
            Level(row.level),
            named[_GROUP, row.id],
            named[_ORGANIZATION, row.id],
            named[_PERSON, row.id],
            row.for_members,
            Mask(row.mask),
        )
        for row in rows
    }


_GROUP, _ORGANIZATION, _PERSON = "group", "organization", "person"
_NAMED: tuple[Select[str, int, int], ...] = (
    select(literal(_GROUP), AudienceGroup.audience_id, AudienceGroup.group_id),
    select(literal(_ORGANIZATION), AudienceOrganization.audience_id, AudienceOrganization.organization_id),
    select(literal(_PERSON), AudiencePerson.audience_id, AudiencePerson.person_id),
)


def _of(wanted: Collection[int] | None, query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    key = next(column for column in query.selected_columns if column.key in ("id", "audience_id"))
    return query if wanted is None else query.where(key.in_(sorted(set(wanted))))


_THIS_AUDIENCE = select(AudienceRow.id).where(
    AudienceRow.owner_id == bindparam("owner_id"),
    AudienceRow.level == bindparam("level"),
    AudienceRow.named == bindparam("named"),
    AudienceRow.for_members == bindparam("for_members"),
)


def audience_id(session: Session, audience: Audience) -> int:
    """The id of this policy class, made if it is new; safe when two transactions make it at once."""
    asked = {
        "owner_id": audience.owner_id,
        "level": int(audience.level),
        "named": _digest(audience),
        "for_members": audience.for_members,
    }
    if (found := session.connection().scalar(_THIS_AUDIENCE, asked)) is not None:
        return int(found)
    insert: Any = postgresql_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    session.execute(insert(AudienceRow).values({**asked, "mask": int(audience.mask)}).on_conflict_do_nothing())
    found = session.execute(_THIS_AUDIENCE, asked).scalar_one()
    # Whoever made the row a moment earlier wrote the same: nobody sees the row without what it names.
    for table, column, numbers in (
        (AudienceGroup, "group_id", audience.groups),
        (AudienceOrganization, "organization_id", audience.organizations),
        (AudiencePerson, "person_id", audience.persons),
    ):
        if numbers:
            rows = [{"audience_id": found, column: number} for number in sorted(numbers)]
            session.execute(insert(table).on_conflict_do_nothing(), rows)
    return found


def _digest(audience: Audience) -> str:
    """The same for the same names, and as short for a thousand recipients as for one."""
    named = (audience.groups, audience.organizations, audience.persons)
    if not any(named) and not audience.mask:
        return ""
    told = repr([sorted(numbers) for numbers in named])
    if audience.mask:
        told += audience.mask.name
    return blake2b(told.encode(), digest_size=16).hexdigest()
