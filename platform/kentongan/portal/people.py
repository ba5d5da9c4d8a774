"""The people of an organization, for its administrators and for operators where there is no administrator yet."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from kentongan.domain.identity import Identity, OrganizationKind, Role, Scope
from kentongan.domain.permissions import may_grant, may_hold
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.links import send
from kentongan.portal.session import reader, require
from kentongan.portal.sign_in import Refusal
from kentongan.services.errors import NotFound, Refused
from kentongan.services.letters import NewLink
from kentongan.services.people import People
from kentongan.storage.organizations import Organization

ROLE_WORDS = {
    Role.ANALYST: "Analyst: submits and reads",
    Role.SUBSCRIBER: "Subscriber: reads and is told",
    Role.COORDINATOR: "Coordinator: reviews the region while the organization coordinates it",
    Role.ADMINISTRATOR: "Administrator: looks after the organization's people and tokens",
    Role.OPERATOR: "Operator: runs the platform",
}


@portal.get("/people")
def people() -> str:
    """The list, and the form for an invitation."""
    return _page(_who())


@portal.post("/people")
def invite() -> Response | str | Refusal:
    """Invite somebody. Where there is no mail server the link is shown in the answer, this once."""
    who, form = _who(), request.form
    try:
        with kentongan().database.writing() as db:
            link = _service(db).invite(
                who, _organization(db, who), email=form.get("email", ""), name=form.get("name", ""), roles=_roles()
            )
    except Refused as refusal:
        return _page(who, str(refusal)), 422
    return _sent(link, form.get("organization", ""))


@portal.post("/people/<stix_id>/roles")
def change_roles(stix_id: str) -> Response:
    """What the person is from now on."""
    who = _who()
    with kentongan().database.writing() as db:
        person = _service(db).person(who, stix_id)
        _service(db).change_roles(who, person, _roles())
    flash(f"The roles of {person.name} are changed.", "good")
    return _back()


@portal.post("/people/<stix_id>/end")
def end_person(stix_id: str) -> Response:
    """The person leaves."""
    who = _who()
    with kentongan().database.writing() as db:
        person = _service(db).person(who, stix_id)
        _service(db).end(who, person)
    flash(f"{person.name} cannot sign in any more, and is signed out everywhere.", "good")
    return _back()


@portal.post("/people/<stix_id>/reset")
def reset_person(stix_id: str) -> Response | str:
    """Let the person begin anew, by a new link."""
    who = _who()
    with kentongan().database.writing() as db:
        link = _service(db).reset(who, _service(db).person(who, stix_id))
    return _sent(link, request.form.get("organization", ""))


def _who() -> Identity:
    return reader() if reader().may(Scope.OPERATE) else require(Scope.ADMIN)


def _service(db: Session) -> People:
    return People(db, kentongan().clock)


def _organization(db: Session, who: Identity) -> Organization:
    """The organization that was asked for, or one's own; for an operator the first that has no administrator yet."""
    if asked := request.values.get("organization", ""):
        return _service(db).organization(who, asked)
    every = _service(db).administered_by(who)
    own = next((each for each in every if each.id == who.organization_id), None)
    if (found := own or next(iter(every), None)) is None:
        raise NotFound("there is no organization to look after")
    return found


def _roles() -> list[Role]:
    known = {role.value for role in Role}
    return [Role(name) for name in request.form.getlist("role") if name in known]


def _sent(link: NewLink, organization: str) -> Response | str:
    if not kentongan().sends_letters:
        address = link.address(kentongan().settings.address)
        return render_template("portal/invited.html", room="portal.people", link=link, address=address)
    if (fault := send(link)) is not None:
        flash(f"The letter was not sent: {fault}. Mend that, then let {link.name} begin anew from the list.", "bad")
    else:
        flash(f"A letter with a link is on its way to {link.email}.", "good")
    return _back(organization)


def _back(organization: str = "") -> Response:
    chosen = organization or request.form.get("organization", "")
    return redirect(url_for("portal.people", organization=chosen or None), 303)


def _page(who: Identity, error: str | None = None) -> str:
    with kentongan().database.reading() as db:
        every = _service(db).administered_by(who)
        shown = _organization(db, who) if every else None
        kind = OrganizationKind(shown.kind) if shown else who.kind
        return render_template(
            "portal/people.html",
            room="portal.people",
            organizations=every,
            organization=shown,
            people=_service(db).all(who, shown) if shown else [],
            roles={role: words for role, words in ROLE_WORDS.items() if may_hold(role, kind) and may_grant(who, role)},
            error=error,
            form=request.form,
        )
