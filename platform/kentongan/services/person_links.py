"""Links by which somebody takes up their account, or chooses a new password: made, opened, used once."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from kentongan.domain.accounts import INVITATION_LASTS, RESET_LASTS, Purpose, sought_name
from kentongan.domain.attempts import Try, Where
from kentongan.domain.audit import Act
from kentongan.domain.oidc import Subject
from kentongan.services.errors import NotFound
from kentongan.services.foreign_accounts import ForeignAccounts
from kentongan.services.letters import NewLink
from kentongan.services.person_sessions import Opened, PersonSessions, identity_of, nobody
from kentongan.services.sign_in import Attempts
from kentongan.storage import audit
from kentongan.storage.credentials import Password
from kentongan.storage.person_links import PersonLink, end_links, link_with_secret, use_link
from kentongan.storage.person_sessions import end_sessions, forget_devices, secret_digest
from kentongan.storage.persons import Person, person_named

Clock = Callable[[], datetime]

_LASTS = {Purpose.JOIN: INVITATION_LASTS, Purpose.RESET: RESET_LASTS}


@dataclass(frozen=True, slots=True)
class LinkView:
    """What the page behind a link says, and `about`: the words that the new password must not be made of."""

    name: str
    email: str
    organization: str
    purpose: Purpose

    @property
    def about(self) -> tuple[str, ...]:
        """Everything that who knows the person would try first."""
        return self.name, self.email, self.organization


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What came of a wish for a new password. The page says the same for all of it."""

    link: NewLink | None
    wait: timedelta | None = None


class PersonLinks:
    """What becomes of links."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def make(self, person: Person, purpose: Purpose) -> NewLink:
        """A new link for this person; earlier ones open nothing any more."""
        now, secret = self._clock(), secrets.token_urlsafe(32)
        end_links(self._session, person.id, now)
        expires_at = now + _LASTS[purpose]
        link = PersonLink(
            person_id=person.id,
            purpose=purpose.value,
            digest=secret_digest(secret),
            created_at=now,
            expires_at=expires_at,
        )
        self._session.add(link)
        self._session.flush()
        return NewLink(person.email, person.name, person.organization.name, purpose, expires_at, secret)

    def forgotten(self, name: str, where: Where) -> Forgotten:
        """Somebody asks for a new password for this name. Counted, and only for who has an account that was taken up."""
        name = sought_name(name)
        person = person_named(self._session, name)
        counted = Attempts(self._session, self._clock).count(Try.LETTER, name, person, where)
        if counted.wait is not None or person is None or person.has_left or person.taken_up_at is None:
            audit.note(self._session, nobody(where.address), Act.SIGN_IN_REFUSED, "wish for a new password")
            return Forgotten(None, counted.wait)
        who = nobody(where.address)
        subject = f"person {person.stix_id}"
        audit.note(
            self._session, who, Act.ADDED, subject, about_id=person.organization_id, what="link to a new password"
        )
        return Forgotten(self.make(person, Purpose.RESET))

    def opened(self, secret: str) -> LinkView:
        """What the link is for. Raises NotFound: unknown, used and expired are the same."""
        link = self._living(secret)
        person = link.person
        return LinkView(person.name, person.email, person.organization.name, Purpose(link.purpose))

    def choose_password(self, secret: str, kept: str, where: Where) -> Opened:
        """Use the link up, keep the hash of the new password, and open a session, which owes a second factor where the person
        has one or needs one. Raises NotFound."""
        person = self._use(secret)
        now = self._clock()
        keep_password(self._session, person.id, kept, now)
        self._taken_up(person, where, "password chosen by a link")
        return PersonSessions(self._session, self._clock).open(person, where, "link")

    def choose_account_elsewhere(self, secret: str, subject: Subject, where: Where) -> Opened:
        """The same with an account at the identity provider instead of a password. Raises NotFound, and Refused if that account
        is somebody else's."""
        person = self._use(secret)
        self._taken_up(person, where, "account elsewhere chosen by a link")
        ForeignAccounts(self._session, self._clock).bind(person, subject, where)
        return PersonSessions(self._session, self._clock).open(person, where, "link")

    def _living(self, secret: str) -> PersonLink:
        if (found := link_with_secret(self._session, secret, self._clock())) is None:
            raise NotFound("this link opens nothing (any more)")
        return found

    def _use(self, secret: str) -> Person:
        link = self._living(secret)
        if not use_link(self._session, link.id, self._clock()):
            raise NotFound("this link opens nothing (any more)")
        return link.person

    def _taken_up(self, person: Person, where: Where, how: str) -> None:
        now = self._clock()
        if person.taken_up_at is None:
            person.taken_up_at = now
        end_sessions(self._session, person.id, now)
        forget_devices(self._session, person.id)
        who = identity_of(self._session, person, now, where.address)
        audit.note(
            self._session, who, Act.CHANGED, f"person {person.stix_id}", about_id=person.organization_id, what=how
        )


def keep_password(session: Session, person_id: int, kept: str, now: datetime) -> None:
    """Keep the hash of a person's new password."""
    password = session.get(Password, person_id) or Password(person_id=person_id)
    password.hash, password.changed_at = kept, now
    session.add(password)
    session.flush()
