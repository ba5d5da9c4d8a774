"""Drafts that feeds brought, to be looked at, mended, submitted or thrown away."""

from __future__ import annotations

from typing import Final

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from kentongan.domain.gate import Problem, Unreadable
from kentongan.domain.identity import Identity, Scope
from kentongan.domain.marking import Level
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.session import require
from kentongan.services.drafts import LONGEST_DESCRIPTION, LONGEST_TITLE, Drafts, DraftView, Edited, made_of
from kentongan.services.errors import Refused
from kentongan.services.examine import examine
from kentongan.services.submit import Rejected
from kentongan.storage.jobs import Stage

LEVELS: Final = {level.label: level for level in Level}

Page = tuple[str, int]


@portal.get("/drafts")
def drafts() -> str:
    """The list, oldest first."""
    identity = require(Scope.SUBMIT)
    with kentongan().database.reading_for(identity) as db:
        found = Drafts(db, kentongan().clock).open(identity)
    return render_template("portal/drafts.html", room="portal.drafts", drafts=found)


@portal.get("/drafts/<public_id>")
def draft(public_id: str) -> str:
    """One draft, as a form."""
    identity = require(Scope.SUBMIT)
    found = _read(identity, public_id)
    kept = frozenset(thing["id"] for thing in found.things)
    return _form(found, Edited(found.summary.title, found.description, Level.AMBER, kept))


@portal.post("/drafts/<public_id>/submit")
def submit_draft(public_id: str) -> Response | Page:
    """Submit what somebody made of it, and lead to the receipt."""
    identity, form = require(Scope.SUBMIT), request.form
    found = _read(identity, public_id)
    level = LEVELS.get(form.get("level", ""), Level.RED)  # what is none of ours is not shared further than it must be
    kept = frozenset(form.getlist("kept"))
    edited = Edited(form.get("title", ""), form.get("description", "").replace("\r\n", "\n"), level, kept)
    try:
        raw = made_of(found, edited, kentongan().clock())
        examined = examine(raw, kentongan().limits, kentongan().book_of(identity))
        with kentongan().database.writing() as db:
            receipt = Drafts(db, kentongan().clock).submit(identity, public_id, examined)
    except Refused as refusal:
        return _form(found, edited, str(refusal)), 422
    except Unreadable as refusal:
        return _form(found, edited, "It was refused.", refusal.problems), 422
    except Rejected as rejection:
        problems = tuple(problem for each in rejection.receipt.objects for problem in each.problems)
        return _form(found, edited, "It was refused.", problems), 422
    kentongan().nudge(Stage.INDEX)
    return redirect(url_for("portal.receipt", public_id=receipt.id), 303)


@portal.post("/drafts/<public_id>/discard")
def discard_draft(public_id: str) -> Response:
    """Throw it away."""
    identity = require(Scope.SUBMIT)
    with kentongan().database.writing() as db:
        Drafts(db, kentongan().clock).discard(identity, public_id)
    flash("The draft is thrown away.", "good")
    return redirect(url_for("portal.drafts"), 303)


def _read(identity: Identity, public_id: str) -> DraftView:
    with kentongan().database.reading_for(identity) as db:
        return Drafts(db, kentongan().clock).draft(identity, public_id)


def _form(found: DraftView, edited: Edited, error: str = "", problems: tuple[Problem, ...] = ()) -> str:
    return render_template(
        "portal/draft.html",
        room="portal.drafts",
        draft=found,
        edited=edited,
        levels=tuple(LEVELS),
        longest_title=LONGEST_TITLE,
        longest_description=LONGEST_DESCRIPTION,
        error=error,
        problems=problems,
    )
