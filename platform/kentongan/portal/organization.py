"""One's own organization: what it tells of itself, and what it told before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from kentongan.domain.identity import Identity, Scope
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.session import require
from kentongan.services.errors import Refused
from kentongan.services.organizations import Organizations, WrongValue
from kentongan.storage.organizations import Organization

ATTRIBUTES: Final = {
    "host-agency": "Host agency",
    "time-zone": "Time zone",
    "languages": "Languages",
    "contact-address": "Contact address",
    "phone": "Phone",
    "pgp-key": "PGP key",
}
"""What an organization tells of itself, in words."""

Page = tuple[str, int]


@portal.get("/organization")
def organization() -> str:
    """What it tells; for its administrators also what it told before, and the form."""
    return _page(require(Scope.READ))


@portal.post("/organization")
def tell() -> Response | Page:
    """From now on it tells this."""
    who, form = require(Scope.ADMIN), request.form
    try:
        expires_at = day_of(form.get("expires", ""))
        with kentongan().database.writing() as db:
            told = form.get("value", "").strip() or None
            _service(db, who).tell(own(db, who), form.get("name", ""), told, expires_at)
    except WrongValue as refusal:
        return _page(who, f"{ATTRIBUTES[refusal.name]}: {refusal.reason}. {refusal.hint}"), 422
    except Refused as refusal:
        return _page(who, str(refusal)), 422
    flash("Told from now on. What was told before stays in the history.", "good")
    return redirect(url_for("portal.organization"), 303)


def own(db: Session, who: Identity) -> Organization:
    """The organization that who asks is of."""
    return db.get_one(Organization, who.organization_id)


def day_of(text: str) -> datetime | None:
    """The beginning of a day (UTC) as a form gives it; None for an empty one. Raises Refused."""
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise Refused(f"'{text[:40]}' is no day: write it so: 2027-06-30") from None


def _service(db: Session, who: Identity) -> Organizations:
    return Organizations(db, kentongan().clock, who)


def _page(who: Identity, error: str | None = None) -> str:
    with kentongan().database.reading() as db:
        mine, service = own(db, who), _service(db, who)
        return render_template(
            "portal/organization.html",
            room="portal.organization",
            profile=service.profile(mine),
            history=service.history(mine) if who.may(Scope.ADMIN) else (),
            attributes=ATTRIBUTES,
            form=request.form,
            error=error,
        )
