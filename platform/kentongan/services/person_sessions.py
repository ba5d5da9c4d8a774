"""Sessions of people: opened at the sign-in, looked up at every request, listed and ended."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from kentongan.domain.accounts import FRESH_FOR, HALF_SESSION_LASTS, SESSION_LASTS, Standing, standing
from kentongan.domain.attempts import KNOWN_FOR, Where
from kentongan.domain.audit import Act
from kentongan.domain.identity import NO_ORGANIZATION, Identity, OrganizationKind, Role
from kentongan.domain.permissions import scopes_of
from kentongan.services.errors import NotFound
from kentongan.storage import audit
from kentongan.storage.coordination import coordinator_at
from kentongan.storage.credentials import has_second_factor
from kentongan.storage.person_sessions import (
    Device,
    PersonSession,
    device_of,
    end_sessions,
    forget_old_sessions,
    living_sessions,
    secret_digest,
    session_with_secret,
)
from kentongan.storage.persons import Person

Clock = Callable[[], datetime]

_LONGEST_AGENT: Final = 200
_SEEN_ANEW_AFTER: Final = timedelta(minutes=5)
"""How exact `last_seen_at` is: a reader does not make the database write at every page."""


@dataclass(frozen=True, slots=True)
class Present:
    """Somebody whose browser showed the secret of a living session, and what that session may be used for now."""

    identity: Identity
    standing: Standing
    person_id: int
    email: str
    name: str
    session_id: int
    began_at: datetime
    stale: bool
    """Whether `seen` should be called: it was last seen some minutes ago."""

    def is_fresh(self, now: datetime) -> bool:
        """Whether the person signed in a short while ago, as one must have to change how one signs in."""
        return now - self.began_at <= FRESH_FOR


@dataclass(frozen=True, slots=True)
class Opened:
    """A session just opened or carried on. Both secrets are for the browser alone."""

    secret: str
    standing: Standing
    device: str | None
    """A new cookie by which this browser is known from now on; None if it is known, or the person not wholly signed in."""


@dataclass(frozen=True, slots=True)
class SessionView:
    """One of a person's sessions, as that person sees it."""

    id: str
    address: str
    agent: str
    began_at: datetime
    last_seen_at: datetime
    factor: str | None
    here: bool


class PersonSessions:
    """What becomes of sessions."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def present(self, secret: str, address: str) -> Present | None:
        """Who shows this secret from this address; None if it opens nothing (any more)."""
        now = self._clock()
        found = session_with_secret(self._session, secret, now)
        if found is None:
            return None
        return Present(
            identity_of(self._session, found.person, now, address),
            self._standing(found),
            found.person_id,
            found.person.email,
            found.person.name,
            found.id,
            found.created_at,
            now - found.last_seen_at > _SEEN_ANEW_AFTER,
        )

    def seen(self, session_id: int, address: str) -> None:
        """Note that this session was used just now, and from where."""
        if (found := self._session.get(PersonSession, session_id)) is not None:
            found.last_seen_at = self._clock()
            found.address = address[:45]

    def open(self, person: Person, where: Where, how: str) -> Opened:
        """A new session for somebody who proved to be this person. `how`, for the audit trail: `password`, for example."""
        now, secret = self._clock(), secrets.token_urlsafe(32)
        forget_old_sessions(self._session, person.id, now - KNOWN_FOR)
        made = PersonSession(
            person=person,
            digest=secret_digest(secret),
            address=where.address[:45],
            network=where.network,
            agent=where.agent[:_LONGEST_AGENT],
            created_at=now,
            last_seen_at=now,
            expires_at=now + HALF_SESSION_LASTS,
        )
        self._session.add(made)
        self._session.flush()
        stands = self._standing(made)
        if stands is Standing.WHOLE:
            made.expires_at = now + SESSION_LASTS
        self._note(person, Act.SIGNED_IN, where, how=how, standing=stands.value)
        return Opened(secret, stands, self._device(person, where, stands))

    def prove(self, session_id: int, factor: str, where: Where) -> Opened:
        """A second factor was shown in this session: it becomes whole, under a new secret. The old one opens nothing any more."""
        now, secret = self._clock(), secrets.token_urlsafe(32)
        found = self._session.get_one(PersonSession, session_id)
        found.digest, found.factor, found.challenge = secret_digest(secret), factor, None
        found.expires_at = max(found.expires_at, now + SESSION_LASTS)
        self._session.flush()
        self._note(found.person, Act.SIGNED_IN, where, how=factor, standing=Standing.WHOLE.value)
        return Opened(secret, Standing.WHOLE, self._device(found.person, where, Standing.WHOLE))

    def close(self, present: Present) -> None:
        """The person signs out."""
        self._session.get_one(PersonSession, present.session_id).ended_at = self._clock()
        audit.note(
            self._session, present.identity, Act.SIGNED_OUT, "session", about_id=present.identity.organization_id
        )

    def mine(self, present: Present) -> list[SessionView]:
        """The person's living sessions, the newest first."""
        return [
            _view(each, present.session_id) for each in living_sessions(self._session, present.person_id, self._clock())
        ]

    def end(self, present: Present, public_id: str) -> None:
        """End one of the person's own sessions. Raises NotFound."""
        mine = living_sessions(self._session, present.person_id, self._clock())
        found = next((each for each in mine if each.public_id == public_id), None)
        if found is None:
            raise NotFound("there is no such session")
        found.ended_at = self._clock()
        self._note_ended(present, "one")

    def end_others(self, present: Present) -> None:
        """End all of the person's sessions but this one."""
        end_sessions(self._session, present.person_id, self._clock(), but=present.session_id)
        self._note_ended(present, "all others")

    def _note_ended(self, present: Present, which: str) -> None:
        about = present.identity.organization_id
        audit.note(self._session, present.identity, Act.ENDED, "session", about_id=about, which=which)

    def _standing(self, found: PersonSession) -> Standing:
        enrolled = has_second_factor(self._session, found.person_id)
        return standing(found.person.holds(), proven=found.factor is not None, enrolled=enrolled)

    def _device(self, person: Person, where: Where, stands: Standing) -> str | None:
        if stands is not Standing.WHOLE or device_of(self._session, person.id, where.device) is not None:
            return None
        secret = secrets.token_urlsafe(32)
        self._session.add(Device(person_id=person.id, digest=secret_digest(secret), created_at=self._clock()))
        return secret

    def _note(self, person: Person, act: Act, where: Where, **details: str) -> None:
        who = identity_of(self._session, person, self._clock(), where.address)
        audit.note(self._session, who, act, f"person {person.stix_id}", about_id=person.organization_id, **details)


def identity_of(session: Session, person: Person, now: datetime, address: str) -> Identity:
    """Who this person is when they ask, with what their roles let them do at this moment."""
    roles = person.holds()
    coordinates = Role.COORDINATOR in roles and coordinator_at(session, now) == person.organization_id
    return Identity(
        organization_id=person.organization_id,
        organization_name=person.organization.name,
        kind=OrganizationKind(person.organization.kind),
        scopes=scopes_of(roles, coordinates=coordinates),
        roles=roles,
        person_id=person.id,
        name=person.name,
        address=address,
    )


def nobody(address: str) -> Identity:
    """Who asks before it is known who that is, for the audit trail."""
    return Identity(NO_ORGANIZATION, "", OrganizationKind.SUBSCRIBER, name="not signed in", address=address)


def _view(found: PersonSession, here: int) -> SessionView:
    return SessionView(
        found.public_id,
        found.address,
        found.agent,
        found.created_at,
        found.last_seen_at,
        found.factor,
        found.id == here,
    )
