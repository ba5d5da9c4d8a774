"""Sharing groups: founded by a member CERT, known to who is in them and to nobody else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from kentongan.domain.audit import Act
from kentongan.domain.identity import NO_ORGANIZATION, Identity, OrganizationKind, Scope
from kentongan.domain.marking import Level
from kentongan.domain.permissions import may_administer
from kentongan.services.collection_entries import what_they_see_changes
from kentongan.services.errors import NotFound, Refused
from kentongan.storage.audit import note
from kentongan.storage.groups import GroupMember, SharingGroup
from kentongan.storage.organizations import Organization
from kentongan.storage.persons import is_administered

Clock = Callable[[], datetime]
MOST_MEMBERS = 500
_NOT_THERE = "there is no such sharing group"


@dataclass(frozen=True, slots=True)
class GroupMemberView:
    """An organization in a group. A constituent is no member CERT: it reads AMBER for the group and nothing stricter
    unless RED names it. `strictest` is the strictest TLP level that reaches it through the group."""

    id: str
    name: str
    constituent: bool
    strictest: str


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group as who is in it sees it. `id` is its STIX id, by which markings name it."""

    id: str
    name: str
    owner: str
    ended: bool
    organizations: tuple[GroupMemberView, ...]


class Groups:
    """What may be wished about sharing groups. `who` asks."""

    def __init__(self, session: Session, clock: Clock, who: Identity) -> None:
        self._session = session
        self._clock = clock
        self._who = who

    def create(self, owner: Organization, name: str) -> GroupView:
        """A group of this member CERT, which is in it from the start. Raises Refused, NotFound for who may not."""
        if not self._may_change(owner.id):
            raise NotFound("there is no such organization")
        if owner.kind != OrganizationKind.MEMBER:
            raise Refused("only a member CERT founds sharing groups")
        group = SharingGroup(name=self._free_name(owner.id, name), owner_id=owner.id, created_at=self._clock())
        self._session.add(group)
        self._session.flush()
        self._session.add(GroupMember(group_id=group.id, organization_id=owner.id, strictest=int(Level.RED)))
        self._session.flush()
        self._note(Act.ADDED, group)
        return self._view(group)

    def all(self) -> tuple[GroupView, ...]:
        """Those that who asks is in; at the machine, all."""
        query = select(SharingGroup).order_by(SharingGroup.name, SharingGroup.id)
        return tuple(self._view(group) for group in self._session.scalars(query.where(self._known())))

    def group(self, stix_id: str) -> GroupView:
        """One of them. Raises NotFound for one that is not there and for one that who asks is not in alike."""
        return self._view(self._found(stix_id))

    def rename(self, stix_id: str, name: str) -> GroupView:
        """Call it otherwise. Raises NotFound, Refused."""
        group = self._mine(stix_id)
        before, group.name = group.name, self._free_name(group.owner_id, name, group.id)
        self._session.flush()
        self._note(Act.CHANGED, group, called=before)
        return self._view(group)

    def admit(self, stix_id: str, organization: Organization, strictest: Level = Level.RED) -> GroupView:
        """Let an organization in, or change up to which level things reach it. Raises NotFound, Refused."""
        group = self._mine(stix_id)
        if strictest < Level.AMBER:
            raise Refused("AMBER, AMBER+STRICT or RED: below that a group decides nothing")
        if organization.ended_at is not None:
            raise Refused("this organization has left the platform")
        member = self._session.get(GroupMember, (group.id, organization.id))
        if member is None and len(self._members(group)) >= MOST_MEMBERS:
            raise Refused(f"a group has at most {MOST_MEMBERS} organizations")
        with what_they_see_changes(self._session, [organization], self._clock()):
            if member is None:
                member = GroupMember(group_id=group.id, organization_id=organization.id)
                self._session.add(member)
            member.strictest = int(strictest)
        self._note(Act.CHANGED, group, admitted=organization.name, strictest=strictest.label)
        return self._view(group)

    def dismiss(self, stix_id: str, organization: Organization) -> GroupView:
        """Let an organization go: it reads nothing through the group any more. Raises NotFound; Refused for the owner."""
        group = self._mine(stix_id)
        if organization.id == group.owner_id:
            raise Refused("the owner stays in its group: end the group instead")
        if (member := self._session.get(GroupMember, (group.id, organization.id))) is None:
            raise NotFound("this organization is not in the group")
        with what_they_see_changes(self._session, [organization], self._clock()):
            self._session.delete(member)
        self._note(Act.CHANGED, group, dismissed=organization.name)
        return self._view(group)

    def end(self, stix_id: str) -> None:
        """Nobody reads anything through it any more. Raises NotFound."""
        group = self._mine(stix_id)
        readers = [organization for organization, _ in self._members(group)]
        with what_they_see_changes(self._session, readers, self._clock()):
            group.ended_at = group.ended_at or self._clock()
        self._note(Act.ENDED, group)

    def may_change(self, stix_id: str) -> bool:
        """Whether who asks may change this group. Raises NotFound."""
        group = self._found(stix_id)
        return group.ended_at is None and self._may_change(group.owner_id)

    def _found(self, stix_id: str) -> SharingGroup:
        query = select(SharingGroup).where(SharingGroup.stix_id == stix_id, self._known())
        found: SharingGroup | None = self._session.scalars(query).one_or_none()
        if found is None:
            raise NotFound(_NOT_THERE)
        return found

    def _mine(self, stix_id: str) -> SharingGroup:
        if not self.may_change(stix_id):
            raise NotFound(_NOT_THERE)
        return self._found(stix_id)

    def _known(self) -> ColumnElement[bool]:
        """The clause for groups that who asks is in. An ended one is known to its owner alone."""
        if self._who.organization_id == NO_ORGANIZATION and self._who.may(Scope.OPERATE):
            return SharingGroup.id.is_not(None)
        me = self._who.organization_id
        mine = select(GroupMember.group_id).where(GroupMember.organization_id == me)
        return or_(SharingGroup.owner_id == me, SharingGroup.id.in_(mine) & SharingGroup.ended_at.is_(None))

    def _may_change(self, owner_id: int) -> bool:
        return may_administer(self._who, owner_id, administered=is_administered(self._session, owner_id))

    def _free_name(self, owner_id: int, name: str, own_id: int | None = None) -> str:
        name = name.strip()
        if not 1 <= len(name) <= 200 or not name.isprintable():
            raise Refused("a group's name has 1 to 200 characters, none of them invisible")
        # Only its owner's own groups count: a refusal because of somebody else's would tell that it is there.
        own = select(SharingGroup.id).where(SharingGroup.owner_id == owner_id, SharingGroup.name == name)
        if self._session.scalar(own) not in (None, own_id):
            raise Refused("its owner has a group of this name already, or had one: choose another")
        return name

    def _members(self, group: SharingGroup) -> list[tuple[Organization, int]]:
        rows = self._session.execute(
            select(Organization, GroupMember.strictest)
            .join(GroupMember, GroupMember.organization_id == Organization.id)
            .where(GroupMember.group_id == group.id)
            .order_by(Organization.name)
        )
        return [(row[0], row[1]) for row in rows]

    def _view(self, group: SharingGroup) -> GroupView:
        owner = self._session.get_one(Organization, group.owner_id)
        return GroupView(
            group.stix_id,
            group.name,
            owner.name,
            group.ended_at is not None,
            tuple(
                GroupMemberView(one.stix_id, one.name, one.kind != OrganizationKind.MEMBER, Level(strictest).label)
                for one, strictest in self._members(group)
            ),
        )

    def _note(self, act: Act, group: SharingGroup, **details: str) -> None:
        subject = f"sharing group {group.name}"
        note(self._session, self._who, act, subject, about_id=group.owner_id, **details)
