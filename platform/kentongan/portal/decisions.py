"""Two incidents side by side: why they are tied or not, what people decided of them, and the forms to decide."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from kentongan.domain.decisions import Verdict
from kentongan.domain.identity import Identity, Scope
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.session import require
from kentongan.services.decide import Decide
from kentongan.services.errors import NotFound, Refused
from kentongan.services.explain import Explain
from kentongan.services.read_decisions import DecisionView, ReadDecisions
from kentongan.services.read_incidents import ReadIncidents
from kentongan.storage.jobs import Stage

Page = tuple[str, int]


@portal.get("/incidents/<any_id>/explanation")
def compare(any_id: str) -> Response:
    """On to the page of this incident and the one that was asked for; back where there is none for the reader."""
    reader, other = require(Scope.READ), request.args.get("other", "").replace("\0", "").strip()
    with kentongan().database.reading_for(reader) as db:
        own, _ = ReadIncidents(db).both(reader, any_id, any_id)
        try:
            ReadIncidents(db).both(reader, any_id, other)
        except NotFound:
            flash("There is no incident of this id that is shared with you.", "bad")
            return redirect(url_for("portal.incident", any_id=own.row.public_id), 303)
    return _to_the_pair(own.row.public_id, other)


@portal.get("/incidents/<any_id>/explanation/<other_id>")
def explanation(any_id: str, other_id: str) -> str:
    """Why two incidents are tied or not, from what the reader sees of both."""
    return _page(require(Scope.READ), any_id, other_id)


@portal.post("/incidents/<any_id>/decisions")
def decide(any_id: str) -> Response | Page:
    """Say whether two incidents belong together."""
    who, form = require(Scope.DECIDE), request.form
    other, kind, said = (form.get(name, "").replace("\0", "") for name in ("other", "kind", "verdict"))
    try:
        verdict = _verdict(said)
        with kentongan().database.writing() as db:
            deciding = Decide(db, kentongan().clock, who)
            made = deciding.decide(any_id, other, kind, verdict, form.get("reason", ""))
    except Refused as refusal:
        return _page(who, any_id, other, str(refusal), kind), 422
    return _done(
        made, "It is shown as your opinion." if made.capacity == "opinion" else "Decided, and taken up already."
    )


@portal.post("/decisions/<public_id>/undo")
def undo_decision(public_id: str) -> Response | Page:
    """Take a decision back."""
    who = require(Scope.DECIDE)
    try:
        with kentongan().database.writing() as db:
            made = Decide(db, kentongan().clock, who).undo(public_id, request.form.get("reason", ""))
    except Refused as refusal:
        with kentongan().database.reading_for(who) as db:
            view = ReadDecisions(db).one(who, public_id)
        return _page(who, view.incident.id, view.other.id, str(refusal)), 422
    return _done(made, "Taken back: everything is as if it had never been said.")


def _verdict(said: str) -> Verdict:
    try:
        return Verdict(said)
    except ValueError:
        raise Refused("say whether they belong together or apart") from None


def _done(made: DecisionView, words: str) -> Response:
    kentongan().nudge(Stage.MATCH)
    kentongan().nudge(Stage.PUBLISH)
    flash(words, "good")
    return _to_the_pair(made.incident.id, made.other.id)


def _to_the_pair(one: str, other: str) -> Response:
    return redirect(url_for("portal.explanation", any_id=one, other_id=other), 303)


def _page(reader: Identity, one: str, other: str, error: str | None = None, kind: str = "") -> str:
    with kentongan().database.reading_for(reader) as db:
        told = Explain(db).explain(reader, one, other)
        decisions = ReadDecisions(db).between(reader, told.incident.id, told.other.id)
    return render_template(
        "portal/explanation.html", room="portal.incidents", told=told, decisions=decisions, error=error, kind=kind
    )
