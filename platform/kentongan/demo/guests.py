"""People to look around the demonstration as, with passwords and secrets made for this one run."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from kentongan.bootstrap import Kentongan
from kentongan.demo.cast import Guest
from kentongan.domain.accounts import needs_second_factor
from kentongan.domain.attempts import Where
from kentongan.domain.identity import at_the_console
from kentongan.domain.one_time_codes import code_at
from kentongan.services.organizations import Organizations
from kentongan.services.passwords import fit_password
from kentongan.services.people import People
from kentongan.services.person_sessions import PersonSessions
from kentongan.services.second_factor import SecondFactors
from kentongan.storage.persons import Person

_HERE = Where("command line")


@dataclass(frozen=True, slots=True)
class Key:
    """How a guest signs in. `uri`: what an authenticator app takes, for who needs a second factor; else empty."""

    guest: Guest
    password: str = field(repr=False)
    uri: str = field(default="", repr=False)


def let_in(session: Session, kentongan: Kentongan, guest: Guest) -> Key:
    """Add a guest, and enrol an app where the role needs one."""
    password = secrets.token_urlsafe(15)
    organization = Organizations(session, kentongan.clock, at_the_console("demonstration")).named(guest.organization)
    person = People(session, kentongan.clock).add(
        at_the_console("demonstration"),
        organization,
        email=guest.email,
        name=guest.name,
        roles=[guest.role],
        kept=fit_password(password, ()),
    )
    uri = _enrol_app(session, kentongan, person) if needs_second_factor([guest.role]) else ""
    return Key(guest, password, uri)


def _enrol_app(session: Session, kentongan: Kentongan, person: Person) -> str:
    """As the person would: sign in, take the secret, show the first code, sign out."""
    sessions, factors = (
        PersonSessions(session, kentongan.clock),
        SecondFactors(session, kentongan.clock, kentongan.seal),
    )
    present = sessions.present(sessions.open(person, _HERE, "demonstration").secret, _HERE.address)
    assert present is not None
    factors.begin_app(person.id)
    waiting = factors.waiting_app(present)
    assert waiting is not None
    assert factors.confirm_app(present, code_at(waiting.secret, kentongan.clock()), _HERE) is not None
    sessions.close(present)
    return waiting.uri
