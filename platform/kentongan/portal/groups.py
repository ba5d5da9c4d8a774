"""Sharing groups that one's own organization is in or owns."""

from __future__ import annotations

from typing import Final

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from kentongan.domain.identity import Identity, OrganizationKind, Scope
from kentongan.domain.marking import Level
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.organization import own
from kentongan.portal.session import require
from kentongan.services.errors import Refused
from kentongan.services.groups import Groups
from kentongan.services.organizations import Organizations

LEVELS: Final = {level.label: level for level in (Level.RED, Level.AMBER_STRICT, Level.AMBER)}
"""Up to where things may reach an organization through a group."""

Page = tuple[str, int]


@portal.get("/groups")
def groups() -> str:
    """The list, and the form for a new one."""
    return _list(require(Scope.READ))


@portal.post("/groups")
def found_group() -> Response | Page:
    """A group of one's own organization."""
    who = require(Scope.ADMIN)
    try:
        with kentongan().database.writing() as db:
            made = _service(db, who).create(own(db, who), request.form.get("name", ""))
    except Refused as refusal:
        return _list(who, str(refusal)), 422
    flash("The group is founded, and your organization is in it.", "good")
    return redirect(url_for("portal.group", stix_id=made.id), 303)


@portal.get("/groups/<stix_id>")
def group(stix_id: str) -> str:
    """Who is in it; for its owner's administrators also the forms."""
    return _one(require(Scope.READ), stix_id)


@portal.post("/groups/<stix_id>/name")
def rename_group(stix_id: str) -> Response | Page:
    """Call it otherwise."""
    who = require(Scope.ADMIN)
    try:
        with kentongan().database.writing() as db:
            _service(db, who).rename(stix_id, request.form.get("name", ""))
    except Refused as refusal:
        return _one(who, stix_id, str(refusal)), 422
    flash("The group is renamed. Markings go on naming it by the same id.", "good")
    return _back(stix_id)


@portal.post("/groups/<stix_id>/organizations")
def admit_to_group(stix_id: str) -> Response | Page:
    """Let an organization in, or change up to which level things reach it."""
    who, form = require(Scope.ADMIN), request.form
    level = LEVELS.get(form.get("strictest", ""), Level.CLEAR)  # what is none of ours the service refuses
    try:
        with kentongan().database.writing() as db:
            one = Organizations(db, kentongan().clock, who).with_stix_id(form.get("organization", ""))
            _service(db, who).admit(stix_id, one, level)
    except Refused as refusal:
        return _one(who, stix_id, str(refusal)), 422
    flash("It is in the group, also for what was shared before.", "good")
    return _back(stix_id)


@portal.post("/groups/<stix_id>/organizations/<organization_id>/dismiss")
def dismiss_from_group(stix_id: str, organization_id: str) -> Response | Page:
    """Let an organization go."""
    who = require(Scope.ADMIN)
    try:
        with kentongan().database.writing() as db:
            one = Organizations(db, kentongan().clock, who).with_stix_id(organization_id)
            _service(db, who).dismiss(stix_id, one)
    except Refused as refusal:
        return _one(who, stix_id, str(refusal)), 422
    flash("It is no more in the group, and reads nothing through it from now on.", "good")
    return _back(stix_id)


@portal.post("/groups/<stix_id>/end")
def end_group(stix_id: str) -> Response:
    """Nobody reads anything through it any more."""
    who = require(Scope.ADMIN)
    with kentongan().database.writing() as db:
        _service(db, who).end(stix_id)
    flash("The group has ended. What was marked for it is read by who sent it alone.", "good")
    return redirect(url_for("portal.groups"), 303)


def _service(db: Session, who: Identity) -> Groups:
    return Groups(db, kentongan().clock, who)


def _back(stix_id: str) -> Response:
    return redirect(url_for("portal.group", stix_id=stix_id), 303)


def _list(who: Identity, error: str | None = None) -> str:
    with kentongan().database.reading() as db:
        found = _service(db, who).all()
    founds = who.may(Scope.ADMIN) and who.kind is OrganizationKind.MEMBER
    return render_template(
        "portal/groups.html", room="portal.organization", groups=found, founds=founds, form=request.form, error=error
    )


def _one(who: Identity, stix_id: str, error: str | None = None) -> str:
    with kentongan().database.reading() as db:
        service = _service(db, who)
        shown = service.group(stix_id)
        return render_template(
            "portal/group.html",
            room="portal.organization",
            group=shown,
            changes=service.may_change(stix_id),
            directory=Organizations(db, kentongan().clock, who).directory(),
            levels=tuple(LEVELS),
            error=error,
        )
