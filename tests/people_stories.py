"""People to tell stories of accounts with: they join, knock, sign in, and show codes, on any database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pyotp

from kentongan.domain.attempts import Where
from kentongan.domain.identity import OrganizationKind, Role
from kentongan.services.organizations import Organizations
from kentongan.services.passwords import is_password
from kentongan.services.people import People
from kentongan.services.person_sessions import Opened, PersonSessions, Present
from kentongan.services.sealing import Seal
from kentongan.services.second_factor import Enrolled, SecondFactors, Shown
from kentongan.services.sign_in import Knocked, PasswordSignIn
from kentongan.storage.database import Database
from kentongan.storage.organizations import organization_named
from portal_stories import PASSWORD, QUICK_HASH
from stories import CONSOLE, NOON

HOME = Where("198.51.100.7", "Firefox")
SEAL = Seal("a key for tests alone")


@dataclass
class Desk:
    """Where people sign in. `now` is what its clock says."""

    database: Database
    now: datetime = NOON

    def clock(self) -> datetime:
        """The moment that the story is at."""
        return self.now

    def joins(self, name: str, kind: OrganizationKind = OrganizationKind.MEMBER) -> None:
        """An organization is let in."""
        with self.database.writing() as session:
            Organizations(session, self.clock, CONSOLE).add(name, kind)

    def person(self, organization: str, email: str, *roles: Role) -> int:
        """Somebody of it, who has the password PASSWORD; the number."""
        with self.database.writing() as session:
            belongs = organization_named(session, organization)
            assert belongs is not None
            made = People(session, self.clock).add(
                CONSOLE, belongs, email=email, name="Siti", roles=roles or (Role.ANALYST,), kept=QUICK_HASH
            )
            return made.id

    def knocks(self, name: str, where: Where = HOME) -> Knocked:
        """The first step."""
        with self.database.writing() as session:
            return PasswordSignIn(session, self.clock).knock(name, where)

    def answers(self, knocked: Knocked, password: str, where: Where = HOME) -> Opened | None:
        """The last step."""
        right = is_password(knocked.kept, password)
        with self.database.writing() as session:
            return PasswordSignIn(session, self.clock).answer(knocked, right=right, where=where)

    def signs_in(self, name: str, where: Where = HOME, password: str = PASSWORD) -> Opened | None:
        """All of it; None also where it is too many."""
        knocked = self.knocks(name, where)
        return None if knocked.counted.wait is not None else self.answers(knocked, password, where)

    def present(self, opened: Opened | None) -> Present:
        """Who that session belongs to."""
        assert opened is not None
        with self.database.reading() as session:
            found = PersonSessions(session, self.clock).present(opened.secret, HOME.address)
        assert found is not None
        return found

    def is_present(self, opened: Opened) -> bool:
        """Whether the session opens anything."""
        with self.database.reading() as session:
            return PersonSessions(session, self.clock).present(opened.secret, HOME.address) is not None

    def enrols_app(self, present: Present) -> tuple[str, Enrolled]:
        """An app's secret, and what came of its first code."""
        with self.database.writing() as session:
            factors = SecondFactors(session, self.clock, SEAL)
            factors.begin_app(present.person_id)
            waiting = factors.waiting_app(present)
            assert waiting is not None
            enrolled = factors.confirm_app(present, pyotp.TOTP(waiting.secret).at(self.now), HOME)
            assert enrolled is not None
            return waiting.secret, enrolled

    def shows(self, present: Present, code: str, where: Where = HOME) -> Shown:
        """A code at the second step."""
        with self.database.writing() as session:
            return SecondFactors(session, self.clock, SEAL).show_code(present, code, where)
