"""Signing in with a name and a password, and signing out."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from flask import redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from kentongan.domain.accounts import Standing
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.session import carry_on, leave, page_for, present, where
from kentongan.services.passwords import is_password
from kentongan.services.person_sessions import Opened
from kentongan.services.sign_in import PasswordSignIn

Refusal = tuple[str, int] | tuple[str, int, dict[str, str]]

WRONG: Final = (
    "This name and password do not open the portal. Check both; if you forgot the password, ask for a new one below."
)


@portal.get("/sign-in")
def sign_in() -> str | Response:
    """The sign-in page; `again` shows it to who is signed in already, to prove that it is still them."""
    found = present()
    if found is not None and "again" not in request.args:
        return redirect(page_for(found.standing))
    return sign_in_page()


@portal.post("/sign-in")
def open_session() -> Response | Refusal:
    """Sign in with the name and password in the form. Every refusal says the same, and takes as long."""
    kampung, here = kentongan(), where()
    with kampung.database.writing() as db:
        knocked = PasswordSignIn(db, kampung.clock).knock(request.form.get("name", ""), here)
    if knocked.counted.wait is not None:
        return too_many(knocked.counted.wait)
    right = is_password(knocked.kept, request.form.get("password", ""))
    with kampung.database.writing() as db:
        opened = PasswordSignIn(db, kampung.clock).answer(knocked, right=right, where=here)
        if opened is not None:
            leave(db)
    return (sign_in_page(WRONG), 401) if opened is None else signed_in(opened, request.form.get("next"))


@portal.post("/sign-out")
def sign_out() -> Response:
    """End the session and forget who was signed in."""
    with kentongan().database.writing() as db:
        leave(db)
    session.clear()
    return redirect(url_for("portal.sign_in"))


def signed_in(opened: Opened, wanted: str | None) -> Response:
    """Go on with a session just opened: to the page that was asked for, or to what is still owed."""
    return carry_on(
        opened, redirect(page_for(opened.standing, wanted), 302 if opened.standing is Standing.WHOLE else 303)
    )


def sign_in_page(error: str | None = None) -> str:
    """The page with its forms."""
    return render_template(
        "portal/sign_in.html",
        error=error,
        next=request.values.get("next", ""),
        elsewhere=kentongan().settings.oidc_label if kentongan().settings.oidc_issuer else None,
    )


def too_many(wait: timedelta) -> Refusal:
    """The answer to one attempt too many, whoever the name belongs to."""
    seconds = max(1, int(wait.total_seconds()))
    minutes = -(-seconds // 60)
    page = sign_in_page(f"Too many attempts. Try again in {minutes} minute{'s' if minutes != 1 else ''}.")
    return page, 429, {"Retry-After": str(seconds)}
