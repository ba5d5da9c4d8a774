"""Taking back what one's own organization sent: asked once more before it is done, for it cannot be undone."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from kentongan.domain.identity import Scope
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.session import require
from kentongan.services.erase import LONGEST_REASON, Erase
from kentongan.services.receipts import Receipts
from kentongan.storage.jobs import Stage


@portal.get("/submissions/<public_id>/erase")
def before_erasing(public_id: str) -> str:
    """What would go, and the question."""
    identity = require(Scope.SUBMIT)
    with kentongan().database.reading() as db:
        found = Receipts(db).receipt(identity, public_id)
    return render_template("portal/erase.html", room="portal.submissions", receipt=found, longest=LONGEST_REASON)


@portal.post("/submissions/<public_id>/erase")
def erase(public_id: str) -> Response:
    """Erase it."""
    identity = require(Scope.SUBMIT)
    with kentongan().database.writing() as db:
        Erase(db, kentongan().clock).submission(
            identity, identity.organization_id, public_id, request.form.get("reason", "")
        )
    kentongan().nudge(Stage.DEDUPLICATE)
    kentongan().nudge(Stage.DELIVER)
    flash("The submission is erased. Who was sent an alert about it is being told.", "good")
    return redirect(url_for("portal.submissions"), 303)
