"""Signing in at an identity provider, and coming back."""

from __future__ import annotations

import hmac
from dataclasses import asdict
from typing import Any

import structlog
from flask import flash, redirect, render_template, request, session, url_for
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response

from kentongan.domain.accounts import Standing
from kentongan.domain.oidc import Asked, NotProven, Provider, Subject
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.session import freshly_signed_in, leave, where
from kentongan.portal.sign_in import Refusal, sign_in_page, signed_in
from kentongan.services.foreign_accounts import ForeignAccounts
from kentongan.services.person_links import PersonLinks
from kentongan.services.person_sessions import Opened

_log = structlog.get_logger(__name__)

UNKNOWN = (
    "That account opens nothing here yet. Sign in with your password and connect it under “Your account”, "
    "or follow the link of your invitation."
)
NOT_PROVEN = "The other side did not confirm who you are. Try again, or sign in with your password."


@portal.get("/sign-in/elsewhere")
def go_elsewhere() -> Response | Refusal:
    """Send the browser to the provider, and remember what must come back and what it is for."""
    try:
        asked = _provider().ask(_return_address())
    except NotProven as why:
        return _not_proven(why)
    purpose = session.pop("elsewhere", {"purpose": "sign in"})
    session["asked"] = {**asdict(asked), **purpose, "next": request.args.get("next", "")[:2000]}
    return redirect(asked.url)


@portal.get("/sign-in/elsewhere/return")
def come_back() -> Response | Refusal:
    """The browser comes back with a code; what it is worth the provider tells us itself."""
    asked: dict[str, Any] = session.pop("asked", {})
    if not asked or not hmac.compare_digest(asked["state"].encode(), request.args.get("state", "").encode()):
        raise BadRequest("This answer belongs to no question of this browser. Begin at the sign-in page.")
    try:
        if not (code := request.args.get("code", "")):
            raise NotProven("the provider gave no code")
        question = Asked(asked["url"], asked["state"], asked["nonce"], asked["verifier"])
        subject = _provider().answered(question, code, _return_address())
    except NotProven as why:
        return _not_proven(why)
    return _go_on(asked, subject)


@portal.post("/account/elsewhere")
def connect_elsewhere() -> str:
    """Let an account elsewhere open one's own. A link leads there: forms of ours are sent to nobody else."""
    freshly_signed_in()
    _provider()
    session["elsewhere"] = {"purpose": "bind"}
    return render_template("portal/elsewhere.html", label=kentongan().settings.oidc_label)


@portal.post("/account/elsewhere/remove")
def remove_elsewhere() -> Response:
    """Let none open it any more."""
    found = freshly_signed_in()
    with kentongan().database.writing() as db:
        ForeignAccounts(db, kentongan().clock).remove_all(found)
    flash("No account elsewhere opens yours any more.", "good")
    return redirect(url_for("portal.account"), 303)


def _go_on(asked: dict[str, Any], subject: Subject) -> Response | Refusal:
    if asked["purpose"] == "bind":
        return _bind(subject)
    clock = kentongan().clock
    with kentongan().database.writing() as db:
        opened: Opened | None
        if asked["purpose"] == "link":
            opened = PersonLinks(db, clock).choose_account_elsewhere(asked["link"], subject, where())
        else:
            opened = ForeignAccounts(db, clock).sign_in(subject, where())
        if opened is not None:
            leave(db)
    return (sign_in_page(UNKNOWN), 403) if opened is None else signed_in(opened, asked["next"])


def _bind(subject: Subject) -> Response:
    found = freshly_signed_in()
    if found.standing is not Standing.WHOLE:
        raise BadRequest("Finish signing in first.")
    with kentongan().database.writing() as db:
        ForeignAccounts(db, kentongan().clock).bind_mine(found, subject, where())
    flash("That account opens yours from now on.", "good")
    return redirect(url_for("portal.account"), 303)


def _not_proven(why: NotProven) -> Refusal:
    _log.warning("an identity provider proved nobody", reason=str(why))
    return sign_in_page(NOT_PROVEN), 502


def _provider() -> Provider:
    if (known := kentongan().provider) is None:
        raise NotFound
    return known


def _return_address() -> str:
    home = kentongan().settings.public_url or request.host_url
    return f"{home.rstrip('/')}{url_for('portal.come_back')}"
