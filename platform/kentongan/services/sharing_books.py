"""What an organization's markings may refer to: sharing groups, recipients, and marking-definitions of earlier submissions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from functools import reduce
from operator import and_

import orjson
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from kentongan.domain.identity import Identity
from kentongan.domain.marking import UNMARKED, Terms, terms_of_definition
from kentongan.domain.sharing import NO_BOOK, Names, SharingBook
from kentongan.storage.groups import GroupMember, SharingGroup
from kentongan.storage.objects import ObjectCarrier, StixObject
from kentongan.storage.organizations import Organization
from kentongan.storage.persons import Person
from kentongan.storage.visibility import visible


class SharingBooks:
    """Looks up what the markings of a document name."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def book(self, sender: Identity, names: Names) -> SharingBook:
        """What the sender may refer to of these names; what it may not is not there, whether it exists or not."""
        if not names:
            return NO_BOOK
        definitions = self._definitions(sender, names.definitions)
        stored = definitions.values()
        groups = names.groups.union(*(terms.groups for terms in stored))
        recipients = names.recipients.union(*(terms.recipients or () for terms in stored))
        return SharingBook(
            definitions, self._groups(sender, groups), self._organizations(recipients), self._persons(recipients)
        )

    def _definitions(self, sender: Identity, ids: Collection[str]) -> dict[str, Terms]:
        """Of several contents under one id, which nobody should make, all count: the strictest wins."""
        bodies = self._session.execute(
            select(StixObject.stix_id, StixObject.body)
            .join(ObjectCarrier, ObjectCarrier.object_id == StixObject.id)
            .where(
                StixObject.stix_id.in_(ids),
                StixObject.type == "marking-definition",
                visible(self._session, ObjectCarrier.audience_id, sender),
            )
        )
        found: dict[str, list[Terms]] = defaultdict(list)
        for stix_id, body in bodies:
            found[stix_id].append(terms_of_definition(orjson.loads(body)))
        return {stix_id: reduce(and_, terms, UNMARKED) for stix_id, terms in found.items()}

    def _groups(self, sender: Identity, ids: Collection[str]) -> dict[str, int]:
        mine = select(GroupMember.group_id).where(GroupMember.organization_id == sender.organization_id)
        query = select(SharingGroup.stix_id, SharingGroup.id).where(
            SharingGroup.stix_id.in_(ids),
            SharingGroup.ended_at.is_(None),
            or_(SharingGroup.owner_id == sender.organization_id, SharingGroup.id.in_(mine)),
        )
        return {row[0]: row[1] for row in self._session.execute(query)}

    def _organizations(self, ids: Collection[str]) -> dict[str, int]:
        query = select(Organization.stix_id, Organization.id).where(Organization.stix_id.in_(ids))
        return {row[0]: row[1] for row in self._session.execute(query)}

    def _persons(self, ids: Collection[str]) -> dict[str, int]:
        query = select(Person.stix_id, Person.id).where(Person.stix_id.in_(ids), Person.ended_at.is_(None))
        return {row[0]: row[1] for row in self._session.execute(query)}
