"""One's own account: the password, what else one signs in with, and where one is signed in."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.session import freshly_signed_in, present
from kentongan.portal.sign_in import Refusal
from kentongan.services.foreign_accounts import ForeignAccounts
from kentongan.services.own_password import OwnPassword
from kentongan.services.passwords import UnfitPassword, fit_password
from kentongan.services.person_sessions import PersonSessions, Present
from kentongan.services.second_factor import SecondFactors


@portal.get("/account")
def account() -> str:
    """Everything about it on one page."""
    return _page()


@portal.post("/account/password")
def change_password() -> Response | Refusal:
    """Choose another one; every other session ends."""
    found, password = freshly_signed_in(), request.form.get("password", "")
    if password != request.form.get("again", ""):
        return _page("The two passwords are not the same."), 422
    try:
        kept = fit_password(password, (found.name, found.email, found.identity.organization_name))
    except UnfitPassword as unfit:
        return _page(str(unfit)), 422
    with kentongan().database.writing() as db:
        OwnPassword(db, kentongan().clock).change(found, kept)
    flash("The password is changed, and you are signed out everywhere else.", "good")
    return redirect(url_for("portal.account"), 303)


@portal.post("/account/sessions/<public_id>/end")
def end_session(public_id: str) -> Response:
    """End one of one's own sessions."""
    with kentongan().database.writing() as db:
        PersonSessions(db, kentongan().clock).end(_me(), public_id)
    flash("That session has ended.", "good")
    return redirect(url_for("portal.account"), 303)


@portal.post("/account/sessions/end-others")
def end_other_sessions() -> Response:
    """End all but this one."""
    with kentongan().database.writing() as db:
        PersonSessions(db, kentongan().clock).end_others(_me())
    flash("You are signed out everywhere else.", "good")
    return redirect(url_for("portal.account"), 303)


def _me() -> Present:
    found = present()
    assert found is not None  # the guard lets nobody else come this far
    return found


def _page(error: str | None = None) -> str:
    me, kampung = _me(), kentongan()
    with kampung.database.reading() as db:
        return render_template(
            "portal/account.html",
            room="portal.account",
            me=me,
            error=error,
            has_password=OwnPassword(db, kampung.clock).exists(me.person_id),
            factors=SecondFactors(db, kampung.clock, kampung.seal).of(me.person_id),
            sessions=PersonSessions(db, kampung.clock).mine(me),
            elsewhere=kampung.settings.oidc_label if kampung.settings.oidc_issuer else None,
            connected=ForeignAccounts(db, kampung.clock).of(me.person_id),
        )
