"""Signing in with a name and a password, and how often that may be tried.

In three steps, so that the slow comparison holds up nobody who writes: `knock` counts the attempt and looks up the hash, the edge
compares it (services/passwords.py), `answer` opens the session or notes the refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from kentongan.domain.accounts import sought_name
from kentongan.domain.attempts import KNOWN_FOR, Try, Where, counts_for
from kentongan.domain.audit import Act
from kentongan.services.person_sessions import Opened, PersonSessions, identity_of, nobody
from kentongan.storage import audit
from kentongan.storage.attempts import Attempt, forget_old_attempts, name_digest, take_back, wait_for
from kentongan.storage.credentials import Password, has_second_factor
from kentongan.storage.database import count_attempts_in_order
from kentongan.storage.person_sessions import device_of, was_seen_from
from kentongan.storage.persons import Person, person_named

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Counted:
    """An attempt that was written down. `wait`: it is one too many, and the next may come after so long."""

    attempt_id: int
    wait: timedelta | None


@dataclass(frozen=True, slots=True)
class Knocked:
    """Somebody gave a name. Whether it is anybody's shows nowhere but in here."""

    counted: Counted
    person_id: int | None
    kept: str | None = field(repr=False)
    """The hash to compare the password with; None for nobody, and for who has no password."""


class Attempts:
    """Counts attempts, and says when it is too many."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def count(self, tried: Try, name: str, person: Person | None, where: Where) -> Counted:
        """Write an attempt down, and measure it together with those before. Whoever is refused waits and is not counted: who
        goes on trying does not wait longer for it."""
        count_attempts_in_order(self._session)
        now = self._clock()
        forget_old_attempts(self._session, now)
        attempt = self._attempt(tried, name, person, where, now)
        bounds = counts_for(tried, known=attempt.known)
        waits = [wait_for(self._session, attempt, count, bound) for count, bound in bounds.items()]
        if wait := max(filter(None, waits), default=None):
            return Counted(0, wait)
        self._session.add(attempt)
        self._session.flush()
        return Counted(attempt.id, None)

    def take_back(self, counted: Counted) -> None:
        """The attempt succeeded."""
        take_back(self._session, counted.attempt_id)

    def _attempt(self, tried: Try, name: str, person: Person | None, where: Where, now: datetime) -> Attempt:
        place, known = self._place(person, where)
        return Attempt(
            kind=tried.value,
            name_digest=name_digest(name),
            place=place,
            network=where.network,
            known=known,
            at=now,
        )

    def _place(self, person: Person | None, where: Where) -> tuple[str, bool]:
        if person is None:
            return where.network, False
        if (device := device_of(self._session, person.id, where.device)) is not None:
            return f"device {device.id}", True
        enrolled = has_second_factor(self._session, person.id)
        since = self._clock() - KNOWN_FOR
        return where.network, was_seen_from(self._session, person.id, where.network, since, with_factor=enrolled)


class PasswordSignIn:
    """From a name and a password to a session, which may still owe a second factor."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        self._attempts = Attempts(session, clock)

    def knock(self, name: str, where: Where) -> Knocked:
        """Count this attempt and look up what the password is to be compared with."""
        name = sought_name(name)
        person = person_named(self._session, name)
        counted = self._attempts.count(Try.PASSWORD, name, person, where)
        if counted.wait is not None:
            self._refused(person, where, "too many attempts")
        if person is None or person.has_left:
            return Knocked(counted, None, None)
        kept = self._session.get(Password, person.id)
        return Knocked(counted, person.id, kept.hash if kept else None)

    def answer(self, knocked: Knocked, *, right: bool, where: Where) -> Opened | None:
        """Open a session if the password was `right` and still is the person's; else note the refusal."""
        person = self._session.get(Person, knocked.person_id) if knocked.person_id is not None else None
        if person is None or not right or not self._still(person, knocked.kept):
            self._refused(person, where, "wrong name or password")
            return None
        self._attempts.take_back(knocked.counted)
        return PersonSessions(self._session, self._clock).open(person, where, "password")

    def _still(self, person: Person, kept: str | None) -> bool:
        now = self._session.get(Password, person.id)
        return not person.has_left and now is not None and now.hash == kept

    def _refused(self, person: Person | None, where: Where, why: str) -> None:
        if person is None:
            audit.note(self._session, nobody(where.address), Act.SIGN_IN_REFUSED, "sign-in of nobody known", why=why)
            return
        who = identity_of(self._session, person, self._clock(), where.address)
        subject = f"person {person.stix_id}"
        audit.note(self._session, who, Act.SIGN_IN_REFUSED, subject, about_id=person.organization_id, why=why)
