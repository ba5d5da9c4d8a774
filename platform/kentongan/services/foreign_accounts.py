"""Accounts at an identity provider that open accounts here. What ties the two is issuer and `sub`, never a mail address."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from kentongan.domain.attempts import Where
from kentongan.domain.audit import Act
from kentongan.domain.oidc import Subject
from kentongan.services.errors import Refused
from kentongan.services.person_sessions import Opened, PersonSessions, Present, identity_of, nobody
from kentongan.storage import audit
from kentongan.storage.credentials import ForeignAccount, Password
from kentongan.storage.persons import Person

Clock = Callable[[], datetime]


class ForeignAccounts:
    """Bound by who is signed in, or by who follows an invitation; nobody is found by what the provider says their address is."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def bind(self, person: Person, subject: Subject, where: Where) -> None:
        """Let this account elsewhere open this person's account here. Raises Refused if it opens somebody else's."""
        found = self._found(subject)
        if found is not None and found.person_id != person.id:
            raise Refused("that account already opens another account here; ask its owner to remove it there first")
        if found is None:
            now = self._clock()
            made = ForeignAccount(issuer=subject.issuer, sub=subject.sub, person_id=person.id, created_at=now)
            self._session.add(made)
            self._session.flush()
            who = identity_of(self._session, person, now, where.address)
            audit.note(self._session, who, Act.ADDED, "account elsewhere", about_id=person.organization_id)

    def bind_mine(self, present: Present, subject: Subject, where: Where) -> None:
        """The same, for who is signed in."""
        self.bind(self._session.get_one(Person, present.person_id), subject, where)

    def of(self, person_id: int) -> list[ForeignAccount]:
        """The accounts elsewhere that open this person's account."""
        mine = select(ForeignAccount).where(ForeignAccount.person_id == person_id).order_by(ForeignAccount.id)
        return list(self._session.scalars(mine))

    def sign_in(self, subject: Subject, where: Where) -> Opened | None:
        """Open a session for whose account this is; None if it is nobody's. Like a password, it is no second factor."""
        found = self._found(subject)
        if found is None or found.person.has_left:
            who = nobody(where.address)
            audit.note(self._session, who, Act.SIGN_IN_REFUSED, "sign-in from elsewhere", why="not bound")
            return None
        return PersonSessions(self._session, self._clock).open(found.person, where, "account elsewhere")

    def remove_all(self, present: Present) -> None:
        """Let none open this account any more. Raises Refused where there is no password to sign in with instead."""
        if self._session.get(Password, present.person_id) is None:
            raise Refused("you have no password to sign in with instead: choose one first")
        self._session.execute(delete(ForeignAccount).where(ForeignAccount.person_id == present.person_id))
        about = present.identity.organization_id
        audit.note(self._session, present.identity, Act.ENDED, "account elsewhere", about_id=about)

    def _found(self, subject: Subject) -> ForeignAccount | None:
        wanted = select(ForeignAccount).where(
            ForeignAccount.issuer == subject.issuer, ForeignAccount.sub == subject.sub
        )
        return self._session.scalars(wanted).one_or_none()
