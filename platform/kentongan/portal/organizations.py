"""The directory: who takes part, who coordinates. Operators let organizations in and out; who coordinates hands that over."""

from __future__ import annotations

from typing import Final

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from kentongan.domain.identity import Identity, OrganizationKind, Scope
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.organization import day_of
from kentongan.portal.session import reader, require
from kentongan.services.coordination import Coordination
from kentongan.services.errors import Refused
from kentongan.services.organizations import Organizations

KINDS: Final = {"member": "Member CERT", "subscriber": "Subscriber", "coordinator": "Coordinator's office"}
"""What an organization is to the region, in words."""

Page = tuple[str, int]


@portal.get("/organizations")
def organizations() -> str:
    """Everybody who takes part."""
    return _page(require(Scope.READ))


@portal.post("/organizations")
def add_organization() -> Response | Page:
    """Let an organization in."""
    who, form = require(Scope.OPERATE), request.form
    try:
        with kentongan().database.writing() as db:
            service = _service(db, who)
            voucher = service.with_stix_id(form["vouched_by"]) if form.get("vouched_by") else None
            service.add(form.get("name", ""), _kind(), form.get("country", "").strip() or None, voucher)
    except Refused as refusal:
        return _page(who, str(refusal)), 422
    flash("The organization is in. Invite its first administrator now.", "good")
    return _back()


@portal.post("/organizations/<stix_id>/end")
def end_organization(stix_id: str) -> Response:
    """It leaves."""
    who = require(Scope.OPERATE)
    with kentongan().database.writing() as db:
        service = _service(db, who)
        service.end(service.with_stix_id(stix_id))
    flash("The organization has left: its tokens and people open nothing any more. What it sent stays.", "good")
    return _back()


@portal.post("/coordinator")
def hand_over() -> Response | Page:
    """Give the coordinator's role to another organization, from a day on."""
    who, form = reader(), request.form
    try:
        starts_at = day_of(form.get("from", "")) or kentongan().clock()
        with kentongan().database.writing() as db:
            to = _service(db, who).with_stix_id(form.get("organization", ""))
            Coordination(db, kentongan().clock, who).hand_over(to, starts_at)
    except Refused as refusal:
        return _page(who, str(refusal)), 422
    flash(f"Handed over to {to.name} from {starts_at:%Y-%m-%d} on. Until then the present coordinator stays.", "good")
    # Who hands it over from now on may not even read the directory any more; the overview is open to everybody.
    return redirect(url_for("portal.overview"), 303)


def _kind() -> OrganizationKind:
    try:
        return OrganizationKind(request.form.get("kind", ""))
    except ValueError:
        raise Refused("an organization is a member, a subscriber or the coordinator's office: choose one") from None


def _service(db: Session, who: Identity) -> Organizations:
    return Organizations(db, kentongan().clock, who)


def _back() -> Response:
    return redirect(url_for("portal.organizations"), 303)


def _page(who: Identity, error: str | None = None) -> str:
    with kentongan().database.reading() as db:
        coordination = Coordination(db, kentongan().clock, who)
        return render_template(
            "portal/organizations.html",
            room="portal.organization",
            organizations=_service(db, who).directory(),
            coordinator=coordination.now(),
            hands_over=coordination.may_hand_over(),
            kinds=KINDS,
            form=request.form,
            error=error,
        )
