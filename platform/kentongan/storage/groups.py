"""Sharing groups: named sets of organizations that AMBER, AMBER+STRICT and RED markings may refer to."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from sqlalchemy import ForeignKey, SmallInteger, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from kentongan.domain.marking import Level
from kentongan.domain.policy import Memberships
from kentongan.storage.base import Base, BigId, Instant, new_stix_identity
from kentongan.storage.organizations import Organization


class SharingGroup(Base):
    """A named set of organizations. One that was ended admits nobody; its row stays, since markings name it."""

    __tablename__ = "sharing_group"
    __table_args__ = (UniqueConstraint("owner_id", "name"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    stix_id: Mapped[str] = mapped_column(String(46), unique=True, default=new_stix_identity)
    """Names the group in markings."""
    name: Mapped[str] = mapped_column(String(200))
    """Its owner's own: two owners may use one name, or a name that is refused would tell that a group is there."""
    owner_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    created_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    owner: Mapped[Organization] = relationship()


class GroupMember(Base):
    """An organization in a group: a member CERT as a member, any other as a constituent, which AMBER+STRICT leaves out."""

    __tablename__ = "sharing_group_member"
    __table_args__ = ({"sqlite_with_rowid": False},)

    group_id: Mapped[int] = mapped_column(ForeignKey("sharing_group.id"), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), primary_key=True, index=True)
    strictest: Mapped[int] = mapped_column(SmallInteger, default=int(Level.RED))
    """The strictest TLP level that reaches this organization through the group."""


def memberships(session: Session) -> Memberships:
    """Who is in which living group, and up to which level; they are few."""
    found: dict[int, dict[int, Level]] = defaultdict(dict)
    rows = session.execute(
        select(GroupMember.group_id, GroupMember.organization_id, GroupMember.strictest)
        .join(SharingGroup, SharingGroup.id == GroupMember.group_id)
        .where(SharingGroup.ended_at.is_(None))
    )
    for group_id, organization_id, strictest in rows:
        found[group_id][organization_id] = Level(strictest)
    return found
