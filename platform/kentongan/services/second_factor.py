"""Authenticator apps and recovery codes: enrolled, shown at the sign-in, removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from kentongan.domain.accounts import needs_second_factor
from kentongan.domain.attempts import Try, Where
from kentongan.domain.audit import Act
from kentongan.domain.one_time_codes import (
    new_recovery_codes,
    new_secret,
    provisioning_uri,
    recovery_digest,
    step_of,
)
from kentongan.services.errors import Refused
from kentongan.services.person_sessions import Opened, PersonSessions, Present
from kentongan.services.sealing import Broken, Seal
from kentongan.services.sign_in import Attempts
from kentongan.storage import audit
from kentongan.storage.credentials import (
    AuthenticatorApp,
    Passkey,
    RecoveryCode,
    use_recovery_code,
    use_step,
)
from kentongan.storage.persons import Person

Clock = Callable[[], datetime]

APP = "app"
RECOVERY = "recovery code"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A secret on its way into an app."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Factors:
    """What a person could show."""

    app: bool
    passkeys: tuple[Passkey, ...]
    recovery_codes: int
    """How many are left."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What became of a code: a session that is whole, or how long to wait; neither if it was wrong."""

    opened: Opened | None = None
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A factor is in use. `codes` are the recovery codes that came with the first one, to be shown this once."""

    opened: Opened
    codes: tuple[str, ...] = field(repr=False)


class SecondFactors:
    """What a person may wish about their second factors."""

    def __init__(self, session: Session, clock: Clock, seal: Seal) -> None:
        self._session = session
        self._clock = clock
        self._seal = seal

    def of(self, person_id: int) -> Factors:
        """What this person enrolled."""
        app = self._session.get(AuthenticatorApp, person_id)
        keys = self._session.scalars(select(Passkey).where(Passkey.person_id == person_id).order_by(Passkey.id))
        left = select(func.count()).where(RecoveryCode.person_id == person_id, RecoveryCode.used_at.is_(None))
        return Factors(app is not None and app.sealed is not None, tuple(keys), self._session.scalar(left) or 0)

    def begin_app(self, person_id: int) -> None:
        """Make a secret that waits for its first code; an app that is in use stays in use until then."""
        app = self._session.get(AuthenticatorApp, person_id)
        if app is None:
            app = AuthenticatorApp(person_id=person_id, created_at=self._clock())
            self._session.add(app)
        app.waiting = self._seal.closed(new_secret(), _about(person_id))
        self._session.flush()

    def waiting_app(self, present: Present) -> Enrolment | None:
        """The secret that waits, for the person's own eyes; None if none does."""
        app = self._session.get(AuthenticatorApp, present.person_id)
        secret = self._opened(app.waiting, present.person_id) if app is not None else None
        return Enrolment(secret, provisioning_uri(secret, present.email)) if secret else None

    def confirm_app(self, present: Present, code: str, where: Where) -> Enrolled | None:
        """The first code of the secret that waits: from now on the app counts. None if the code is wrong."""
        app = self._session.get(AuthenticatorApp, present.person_id)
        secret = self._opened(app.waiting, present.person_id) if app is not None else None
        step = step_of(secret, code, self._clock(), None) if secret else None
        if app is None or step is None:
            return None
        app.sealed, app.waiting, app.last_step, app.created_at = app.waiting, None, step, self._clock()
        self._session.flush()
        self._note(present, Act.ADDED, "authenticator app")
        return self.enrolled(present, APP, where)

    def enrolled(self, present: Present, factor: str, where: Where) -> Enrolled:
        """A factor was just enrolled, and with that shown: the session is whole. The first one brings recovery codes."""
        codes = () if self.of(present.person_id).recovery_codes else self._fresh_codes(present)
        opened = PersonSessions(self._session, self._clock).prove(present.session_id, factor, where)
        return Enrolled(opened, codes)

    def show_code(self, present: Present, code: str, where: Where) -> Shown:
        """A code of the app, or a recovery code. A wrong one is counted, and noted."""
        person = self._session.get_one(Person, present.person_id)
        counted = Attempts(self._session, self._clock).count(Try.CODE, present.email, person, where)
        if counted.wait is not None:
            self._note(present, Act.SIGN_IN_REFUSED, "second factor", why="too many attempts")
            return Shown(wait=counted.wait)
        factor = self._factor_of(present.person_id, code)
        if factor is None:
            self._note(present, Act.SIGN_IN_REFUSED, "second factor", why="wrong code")
            return Shown()
        Attempts(self._session, self._clock).take_back(counted)
        return Shown(PersonSessions(self._session, self._clock).prove(present.session_id, factor, where))

    def remove_app(self, present: Present) -> None:
        """Forget the app. Raises Refused where it is the last factor of somebody who needs one."""
        factors = self.of(present.person_id)
        self.refuse_the_last(present, int(factors.app) + len(factors.passkeys))
        self._session.execute(delete(AuthenticatorApp).where(AuthenticatorApp.person_id == present.person_id))
        self._note(present, Act.ENDED, "authenticator app")

    def new_codes(self, present: Present) -> tuple[str, ...]:
        """Ten new recovery codes, to be shown this once; the earlier ones end. Raises Refused without a factor to recover."""
        factors = self.of(present.person_id)
        if not factors.app and not factors.passkeys:
            raise Refused("recovery codes stand in for a second factor: set one up first")
        return self._fresh_codes(present)

    @staticmethod
    def refuse_the_last(present: Present, factors: int) -> None:
        """Raises Refused if one factor fewer would leave somebody without who needs one."""
        if factors == 1 and needs_second_factor(present.identity.roles):
            raise Refused("your role needs a second factor, and this is your only one: set up another one first")

    def _factor_of(self, person_id: int, code: str) -> str | None:
        app = self._session.get(AuthenticatorApp, person_id)
        secret = self._opened(app.sealed, person_id) if app is not None else None
        step = step_of(secret, code, self._clock(), app.last_step) if app is not None and secret else None
        if step is not None and use_step(self._session, person_id, step):
            return APP
        if use_recovery_code(self._session, person_id, recovery_digest(code), self._clock()):
            return RECOVERY
        return None

    def _fresh_codes(self, present: Present) -> tuple[str, ...]:
        codes = new_recovery_codes()
        self._session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == present.person_id))
        digests = map(recovery_digest, codes)
        self._session.add_all(RecoveryCode(person_id=present.person_id, digest=digest) for digest in digests)
        self._session.flush()
        self._note(present, Act.ADDED, "recovery codes")
        return tuple(codes)

    def _opened(self, sealed: bytes | None, person_id: int) -> str | None:
        """None where there is nothing, and where the installation's key has changed since: then recovery codes still work."""
        try:
            return self._seal.opened(sealed, _about(person_id)) if sealed is not None else None
        except Broken:
            return None

    def _note(self, present: Present, act: Act, what: str, **details: str) -> None:
        about = present.identity.organization_id
        audit.note(self._session, present.identity, act, what, about_id=about, **details)


def _about(person_id: int) -> str:
    return f"authenticator app of person {person_id}"
