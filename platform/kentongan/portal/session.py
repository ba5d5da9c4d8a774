"""Signing in with a token, staying signed in, signing out.

The cookie is signed and holds the token's number, never the token; every request asks again whether that token still holds.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final, cast
from urllib.parse import urlsplit

from flask import Flask, current_app, redirect, render_template, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from flask_login import LoginManager, current_user, login_user, logout_user
from flask_login.utils import login_url
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response

from kentongan.domain.identity import Identity, Scope
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.throttle import Throttle
from kentongan.services.tokens import SignIn

_STAY_SIGNED_IN: Final = timedelta(hours=12)
_LONGEST_TOKEN: Final = 200
_THROTTLE: Final = "kentongan.portal.throttle"


class Reader:
    """Who is signed in, as Flask-Login wants to see it."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, identity: Identity) -> None:
        self.identity = identity

    def get_id(self) -> str:
        """What the cookie holds."""
        return str(self.identity.token_id)

    def may(self, scope: str) -> bool:
        """Whether the token carries this scope, for templates."""
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
        PERMANENT_SESSION_LIFETIME=_STAY_SIGNED_IN,
    )
    app.extensions[_THROTTLE] = Throttle()
    logins = LoginManager(app)
    logins.user_loader(_again)
    logins.login_view = "portal.sign_in"
    # The message that Flask-Login would flash says nothing that the sign-in page does not say.
    logins.login_message = None


def reader() -> Identity:
    """Who is signed in. Only for views behind the sign-in."""
    return cast("Reader", current_user).identity


def require(scope: Scope) -> Identity:
    """Who is signed in, if the token may be used for this. Raises Forbidden (403) otherwise."""
    identity = reader()
    if not identity.may(scope):
        raise Forbidden(f"Your token may not be used for this: it lacks the scope “{scope.value}”.")
    return identity


def ask_to_sign_in() -> Response:
    """Lead to the sign-in page, and from there back to the page that was asked for."""
    asked_for = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(login_url("portal.sign_in", next_url=asked_for))


@portal.get("/sign-in")
def sign_in() -> str | Response:
    """The sign-in page."""
    if current_user.is_authenticated:
        return redirect(url_for("portal.overview"))
    return _page()


@portal.post("/sign-in")
def open_session() -> Response | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Sign in with the token in the form."""
    throttle: Throttle = current_app.extensions[_THROTTLE]
    now = kentongan().clock()
    if (wait := throttle.wait(request.remote_addr, now)) is not None:
        seconds = max(1, int(wait.total_seconds()))
        return (
            _page(f"Too many attempts from your address. Try again in {seconds} seconds."),
            429,
            {"Retry-After": str(seconds)},
        )
    if (signed_in := _with_secret(request.form.get("token", ""))) is None:
        throttle.failed(request.remote_addr, now)
        return _page("This token does not open the portal. Check that it is complete and has not ended."), 401
    session.clear()  # nothing from before the sign-in survives it
    login_user(Reader(signed_in))
    return redirect(_own_page(request.form.get("next")))


@portal.post("/sign-out")
def sign_out() -> Response:
    """Forget who was signed in."""
    logout_user()
    session.clear()
    return redirect(url_for("portal.sign_in"))


def _page(error: str | None = None) -> str:
    return render_template("portal/sign_in.html", error=error, next=request.values.get("next", ""))


def _again(token_id: str) -> Reader | None:
    with kentongan().database.reading() as db:
        address = request.remote_addr or ""
        signed_in = SignIn(db, kentongan().clock).again(int(token_id), address) if token_id.isdecimal() else None
    return Reader(signed_in) if signed_in else None


def _with_secret(secret: str) -> Identity | None:
    secret = secret.strip()
    if not secret.isascii() or len(secret) > _LONGEST_TOKEN:
        return None
    with kentongan().database.reading() as db:
        found = SignIn(db, kentongan().clock).identity(secret, request.remote_addr or "")
        return found[0] if found else None


def _own_page(wanted: str | None) -> str:
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
