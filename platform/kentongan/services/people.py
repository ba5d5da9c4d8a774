"""The people of an organization: invited, given roles, ended. The same for the pages and the command line."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from kentongan.domain.accounts import Purpose, WrongName, canonical_name
from kentongan.domain.audit import Act
from kentongan.domain.identity import Identity, OrganizationKind, Role, Scope
from kentongan.domain.permissions import may_administer, may_grant, may_hold
from kentongan.services.errors import NotFound, Refused
from kentongan.services.letters import NewLink
from kentongan.services.person_links import PersonLinks, keep_password
from kentongan.storage import audit
from kentongan.storage.credentials import ForeignAccount, Password, forget_second_factors
from kentongan.storage.organizations import Organization
from kentongan.storage.person_links import end_links
from kentongan.storage.person_sessions import end_sessions, forget_devices
from kentongan.storage.persons import Person, is_administered, people_of, person_named

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person as who administers them sees them."""

    id: str
    name: str
    email: str
    roles: tuple[Role, ...]
    state: str
    """`invited`, `active` or `ended`."""


class People:
    """What may be wished about the people of an organization, by its administrators and those who help it.

    Every wish raises NotFound where `who` may not administer the organization: it then knows nothing of its people.
    """

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def administered_by(self, who: Identity) -> list[Organization]:
        """The organizations whose people `who` may change, by name."""
        every = self._session.scalars(select(Organization).order_by(Organization.name))
        return [each for each in every if self._may(who, each.id)]

    def organization(self, who: Identity, stix_id: str) -> Organization:
        """One of them. Raises NotFound."""
        found = self._session.scalars(select(Organization).where(Organization.stix_id == stix_id)).one_or_none()
        if found is None or not self._may(who, found.id):
            raise NotFound("there is no such organization")
        return found

    def all(self, who: Identity, organization: Organization) -> list[PersonView]:
        """Everybody of the organization, who left at the end. Raises NotFound."""
        self._check(who, organization.id)
        return [_view(each) for each in people_of(self._session, organization.id)]

    def person(self, who: Identity, stix_id: str) -> Person:
        """One person, by public id. Raises NotFound, for one of an organization that `who` may not administer too."""
        found = self._session.scalars(select(Person).where(Person.stix_id == stix_id)).one_or_none()
        if found is None or not self._may(who, found.organization_id):
            raise NotFound("there is no such person")
        return found

    def named(self, who: Identity, email: str) -> Person:
        """One person, by the name they sign in with. Raises NotFound."""
        try:
            found = person_named(self._session, canonical_name(email))
        except WrongName:
            found = None
        if found is None or not self._may(who, found.organization_id):
            raise NotFound(f"there is nobody named '{email}'; `kentongan person list` shows everybody")
        return found

    def invite(
        self, who: Identity, organization: Organization, *, email: str, name: str, roles: Collection[Role]
    ) -> NewLink:
        """A new person, who takes up the account by the link. Raises Refused and NotFound."""
        person = self._add(who, organization, email, name, roles)
        self._note(who, Act.ADDED, person, what="invitation", roles=person.roles)
        return PersonLinks(self._session, self._clock).make(person, Purpose.JOIN)

    def add(
        self, who: Identity, organization: Organization, *, email: str, name: str, roles: Collection[Role], kept: str
    ) -> Person:
        """A new person with a password, by its hash: for whoever sets up an installation. Raises Refused and NotFound."""
        person = self._add(who, organization, email, name, roles)
        person.taken_up_at = self._clock()
        keep_password(self._session, person.id, kept, self._clock())
        self._note(who, Act.ADDED, person, what="person with a password", roles=person.roles)
        return person

    def change_roles(self, who: Identity, person: Person, roles: Collection[Role]) -> None:
        """What the person is from now on, also in sessions that go on. Raises Refused and NotFound."""
        self._check(who, person.organization_id)
        self._check_living(person)
        before, after = person.holds(), frozenset(roles)
        self._check_roles(who, person.organization, after, changed=before ^ after)
        if who.person_id == person.id and Role.ADMINISTRATOR in before - after:
            raise Refused("you cannot take the administrator's role from yourself: let another administrator do it")
        person.roles = sorted(role.value for role in after)
        self._note(who, Act.CHANGED, person, what="roles", before=sorted(before), after=person.roles)

    def end(self, who: Identity, person: Person) -> None:
        """The person leaves: sessions end at once, links open nothing, and nobody signs in as them. Raises Refused."""
        self._check(who, person.organization_id)
        if who.person_id == person.id:
            raise Refused("you cannot end your own account: let another administrator do it")
        self._check_grants(who, person.holds())
        if person.ended_at is None:
            person.ended_at = self._clock()
            self._shut(person)
            self._note(who, Act.ENDED, person)

    def reset(self, who: Identity, person: Person) -> NewLink:
        """Take back everything the person signs in with, and let them begin anew by a link: for a lost phone, a stolen
        password, an invitation that expired. Raises Refused."""
        self._check(who, person.organization_id)
        self._check_living(person)
        self._check_grants(who, person.holds())
        self._shut(person)
        for table in (Password, ForeignAccount):
            self._session.execute(delete(table).where(table.person_id == person.id))
        forget_second_factors(self._session, person.id)
        self._note(who, Act.CHANGED, person, what="begins anew by a link")
        return PersonLinks(self._session, self._clock).make(person, Purpose.JOIN)

    def _add(self, who: Identity, organization: Organization, email: str, name: str, roles: Collection[Role]) -> Person:
        self._check(who, organization.id)
        name = " ".join(name.split())
        if not 1 <= len(name) <= 200 or not name.isprintable():
            raise Refused("a person's name has 1 to 200 characters, none of them invisible")
        self._check_roles(who, organization, frozenset(roles), changed=frozenset(roles))
        made = Person(
            organization=organization,
            email=self._free(email),
            name=name,
            roles=sorted(role.value for role in set(roles)),
            created_at=self._clock(),
        )
        self._session.add(made)
        self._session.flush()
        return made

    def _free(self, email: str) -> str:
        try:
            canonical = canonical_name(email)
        except WrongName as error:
            raise Refused(str(error)) from None
        if person_named(self._session, canonical) is not None:
            raise Refused("somebody already signs in, or once signed in, with this address: use another one")
        return canonical

    def _shut(self, person: Person) -> None:
        now = self._clock()
        end_sessions(self._session, person.id, now)
        forget_devices(self._session, person.id)
        end_links(self._session, person.id, now)

    def _may(self, who: Identity, organization_id: int) -> bool:
        if not (who.may(Scope.ADMIN) or who.may(Scope.OPERATE)):
            return False
        return may_administer(who, organization_id, administered=is_administered(self._session, organization_id))

    def _check(self, who: Identity, organization_id: int) -> None:
        if not self._may(who, organization_id):
            raise NotFound("there is no such organization")

    def _check_roles(
        self, who: Identity, organization: Organization, roles: frozenset[Role], *, changed: frozenset[Role]
    ) -> None:
        if not roles:
            raise Refused("a person has at least one role")
        kind = OrganizationKind(organization.kind)
        if wrong := sorted(role for role in roles if not may_hold(role, kind)):
            raise Refused(f"nobody of a {kind.value} can be {wrong[0].value}: choose subscriber or administrator")
        self._check_grants(who, changed)

    @staticmethod
    def _check_grants(who: Identity, roles: Collection[Role]) -> None:
        if not all(may_grant(who, role) for role in roles):
            raise Refused("operators are made, changed and ended by operators alone")

    @staticmethod
    def _check_living(person: Person) -> None:
        if person.ended_at is not None:
            raise Refused("this person has left; invite them anew with another address")

    def _note(self, who: Identity, act: Act, person: Person, **details: str | list[str]) -> None:
        about = person.organization_id
        audit.note(self._session, who, act, f"person {person.stix_id}", about_id=about, **details)


def _view(person: Person) -> PersonView:
    state = "ended" if person.ended_at else "active" if person.taken_up_at else "invited"
    return PersonView(person.stix_id, person.name, person.email, tuple(sorted(person.holds())), state)
