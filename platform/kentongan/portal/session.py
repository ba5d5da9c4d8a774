"""Who is signed in, as pages ask for it. How one signs in stands in sign_in.py, second_factor.py, elsewhere.py and links.py.

The cookie is signed and holds the secret of a session in the database; every request asks again what that session is worth. Only
one that is worth everything makes somebody a reader: one that still owes a second factor opens no page but those that ask for it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final, cast
from urllib.parse import urlsplit

from flask import Flask, abort, flash, g, redirect, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from flask_login import LoginManager, current_user
from sqlalchemy.orm import Session
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Request, Response

from kentongan.domain.accounts import SESSION_LASTS, Standing
from kentongan.domain.attempts import Where
from kentongan.domain.identity import Identity, Scope
from kentongan.portal.blueprint import kentongan
from kentongan.services.person_sessions import Opened, PersonSessions, Present

_SECRET: Final = "who"  # noqa: S105  # the name under which the cookie holds it
_DEVICE: Final = "kentongan_device"
_DEVICE_LASTS: Final = timedelta(days=365)
_LONGEST_SECRET: Final = 100


class Reader:
    """Who is wholly signed in, as Flask-Login wants to see it."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, present: Present) -> None:
        self.identity = present.identity

    def get_id(self) -> str:
        """Flask-Login's own cookie is not used."""
        return str(self.identity.person_id)

    def may(self, scope: str) -> bool:
        """Whether the person's roles bring this scope, for templates."""
        return self.identity.may(Scope(scope))


class HonestCookies(SecureCookieSessionInterface):
    """Session cookies that are `Secure` exactly when the request, or the address the installation is known by, is https."""

    def get_cookie_secure(self, app: Flask) -> bool:
        """Plain http happens on the loopback address only; there a `Secure` cookie would never come back."""
        known_as = app.extensions["kentongan"].settings.public_url
        return request.is_secure or str(known_as).startswith("https:")


def sign_in_with_sessions(app: Flask) -> None:
    """Let this application keep sessions. It must have a secret key that all its processes share."""
    app.session_interface = HonestCookies()
    app.config.update(
        SESSION_COOKIE_NAME="kentongan",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=SESSION_LASTS,
    )
    logins = LoginManager(app)
    logins.request_loader(_reader)


def where() -> Where:
    """Where this request comes from."""
    return Where(
        request.remote_addr or "", request.user_agent.string, request.cookies.get(_DEVICE, "")[:_LONGEST_SECRET]
    )


def present() -> Present | None:
    """Who showed the secret of a living session, whatever that is worth; asked once for each request."""
    if "present" not in g:
        g.present = _look()
    found: Present | None = g.present
    return found


def reader() -> Identity:
    """Who is signed in. Only for views behind the sign-in."""
    return cast("Reader", current_user).identity


def require(scope: Scope) -> Identity:
    """Who is signed in, if their roles open this. Raises Forbidden (403) otherwise."""
    identity = reader()
    if not identity.may(scope):
        raise Forbidden(f"Your roles do not open this: they lack the scope “{scope.value}”.")
    return identity


def owing_a_factor() -> Present:
    """Who showed a password and now owes a second factor; leads everybody else where they belong."""
    found = present()
    if found is None or found.standing is not Standing.OWES_FACTOR:
        abort(ask_to_sign_in() if found is None else redirect(page_for(found.standing)))
    return found


def freshly_signed_in() -> Present:
    """Who may change how they sign in: wholly signed in, or owing only the enrolment, and a short while ago. Leads everybody
    else to the sign-in: a browser left open must not be enough to take an account over."""
    found = present()
    if found is None or found.standing is Standing.OWES_FACTOR:
        abort(ask_to_sign_in())
    if not found.is_fresh(kentongan().clock()):
        flash("To change how you sign in, sign in again first.", "warn")
        abort(redirect(url_for("portal.sign_in", again=1, next=url_for("portal.account")), 303))
    return found


def ask_to_sign_in() -> Response:
    """Lead to what is still to be shown, and from there back to the page that was asked for."""
    asked_for = request.full_path.rstrip("?") if request.method == "GET" else None
    found = present()
    stands = found.standing if found is not None else None
    return redirect(page_for(stands, asked_for))


def page_for(standing: Standing | None, wanted: str | None = None) -> str:
    """Where somebody goes whose session is worth this: the page they wanted, or what they owe first."""
    if standing is Standing.WHOLE:
        return own_page(wanted)
    if standing is Standing.OWES_ENROLMENT:
        return url_for("portal.factors")
    return url_for(
        "portal.second_factor" if standing is Standing.OWES_FACTOR else "portal.sign_in", next=wanted or None
    )


def carry_on(opened: Opened, answer: Response) -> Response:
    """Give the browser the secret of a session just opened; nothing from before survives in its cookie."""
    session.clear()
    session[_SECRET] = opened.secret
    g.pop("present", None)
    if opened.device is not None:
        answer.set_cookie(
            _DEVICE,
            opened.device,
            max_age=_DEVICE_LASTS,
            httponly=True,
            samesite="Lax",
            secure=request.is_secure or kentongan().settings.public_url.startswith("https:"),
        )
    return answer


def leave(db: Session) -> None:
    """End the session this browser was in, if it was in one: signing in again leaves none behind."""
    if (found := present()) is not None:
        PersonSessions(db, kentongan().clock).close(found)


def own_page(wanted: str | None) -> str:
    """The page to go to after signing in; an address of somebody else's site leads to the overview.

    A browser reads `//host`, `/\\host` and a tab or line break before them as another site, so only `/` and a plain path pass.
    """
    home = url_for("portal.overview")
    if (
        not wanted
        or not wanted.isprintable()
        or "\\" in wanted
        or not wanted.startswith("/")
        or wanted.startswith("//")
    ):
        return home
    parts = urlsplit(wanted)
    return home if parts.scheme or parts.netloc else wanted


def _reader(_request: Request) -> Reader | None:
    found = present()
    if found is None or found.standing is not Standing.WHOLE:
        return None
    if found.stale:
        with kentongan().database.writing() as db:
            PersonSessions(db, kentongan().clock).seen(found.session_id, found.identity.address)
    return Reader(found)


def _look() -> Present | None:
    secret, address = session.get(_SECRET), request.remote_addr or ""
    if not isinstance(secret, str) or len(secret) > _LONGEST_SECRET:
        return None
    with kentongan().database.reading() as db:
        return PersonSessions(db, kentongan().clock).present(secret, address)
