"""The tokens of one's own organization, for its administrators."""

from __future__ import annotations

from typing import Final

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from kentongan.domain.identity import Identity, Scope
from kentongan.domain.permissions import OF_TOKENS
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.organization import day_of, own
from kentongan.portal.session import require
from kentongan.services.errors import Refused
from kentongan.services.tokens import Tokens

SCOPES: Final = {
    Scope.SUBMIT: "Submit: send incidents, and read one's own submissions",
    Scope.READ: "Read: incidents, cases, campaigns, objects",
    Scope.TAXII: "TAXII: read collections with a TAXII client",
    Scope.SUBSCRIPTIONS: "Subscriptions: choose what is told, and see what became of it",
    Scope.DECIDE: "Decide: say of two incidents whether they belong together",
    Scope.ADMIN: "Administer: tokens, groups, what the organization tells of itself",
}
"""What a token may be used for, in words."""

Page = tuple[str, int]


@portal.get("/tokens")
def tokens() -> str:
    """The list, and the form for a new one."""
    return _page(require(Scope.ADMIN))


@portal.post("/tokens")
def create_token() -> Page:
    """Make one. Its secret is shown in the answer, this once; it is kept in no cookie and no cache."""
    who, form = require(Scope.ADMIN), request.form
    try:
        expires_at = day_of(form.get("expires", ""))
        with kentongan().database.writing() as db:
            made = _service(db, who).create(
                own(db, who),
                _scopes(),
                label=form.get("label", ""),
                expires_at=expires_at,
                networks=form.get("networks", "").split() or None,
                read_only="read_only" in form,
            )
    except Refused as refusal:
        return _page(who, str(refusal)), 422
    return render_template("portal/token_made.html", room="portal.organization", made=made), 201


@portal.post("/tokens/<public_id>/revoke")
def revoke_token(public_id: str) -> Response:
    """It opens nothing from now on."""
    who = require(Scope.ADMIN)
    with kentongan().database.writing() as db:
        _service(db, who).revoke(own(db, who), public_id)
    flash("The token is revoked: it opens nothing any more.", "good")
    return redirect(url_for("portal.tokens"), 303)


def _scopes() -> frozenset[Scope]:
    known = {scope.value for scope in OF_TOKENS}
    return frozenset(Scope(name) for name in request.form.getlist("scope") if name in known)


def _service(db: Session, who: Identity) -> Tokens:
    return Tokens(db, kentongan().clock, who)


def _page(who: Identity, error: str | None = None) -> str:
    now = kentongan().clock()
    with kentongan().database.reading() as db:
        return render_template(
            "portal/tokens.html",
            room="portal.organization",
            tokens=_service(db, who).all(own(db, who)),
            scopes=SCOPES,
            now=now,
            form=request.form,
            error=error,
        )
