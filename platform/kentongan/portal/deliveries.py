"""What was told to one's own organization, and what became of it."""

from __future__ import annotations

from typing import Final

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from kentongan.domain.alert import AlertKind
from kentongan.domain.identity import Scope
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.paging import PER_PAGE, asked_cursor, page_links
from kentongan.portal.session import require
from kentongan.services.deliveries import STATES, Deliveries
from kentongan.services.errors import Refused
from kentongan.storage.jobs import Stage

KINDS: Final = {
    AlertKind.NEW_CASE: "New case",
    AlertKind.NEW_REPORT: "Another report",
    AlertKind.CAMPAIGN_GREW: "Campaign grew",
    AlertKind.UPDATE: "Update",
    AlertKind.RECALL: "Recall",
}
"""The kinds of alert in words."""


@portal.get("/deliveries")
def deliveries() -> str:
    """The list, newest first, or only those in one state."""
    reader = require(Scope.SUBSCRIPTIONS)
    state = request.args.get("state")
    asked = state if state in STATES else None
    with kentongan().database.reading_for(reader) as db:
        page = Deliveries(db, kentongan().clock).page(reader, limit=PER_PAGE, cursor=asked_cursor(), state=asked)
    return render_template(
        "portal/deliveries.html",
        room="portal.deliveries",
        deliveries=page.items,
        pages=page_links(page),
        kinds=KINDS,
        states=STATES,
        asked=asked,
    )


@portal.post("/deliveries/<public_id>/replay")
def replay(public_id: str) -> Response:
    """Send it once more."""
    reader = require(Scope.SUBSCRIPTIONS)
    try:
        with kentongan().database.writing() as db:
            Deliveries(db, kentongan().clock).replay(reader, public_id)
    except Refused as refusal:
        flash(f"It was not sent again: {refusal}.", "bad")
    else:
        kentongan().nudge(Stage.DELIVER)
        flash("It is being sent again.", "good")
    return redirect(url_for("portal.deliveries"), 303)
