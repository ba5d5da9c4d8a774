"""What one's own organization sent, and the receipts that fill as the stages go on."""

from __future__ import annotations

from typing import Any, Final

from flask import Response, render_template, request
from sqlalchemy.orm import Session

from kentongan.domain.identity import Identity, Scope
from kentongan.domain.versions import CHANGES_NOTHING
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.paging import PER_PAGE, asked_cursor, page_links
from kentongan.portal.session import require
from kentongan.services.already_had import already_had
from kentongan.services.progress import ReadProgress
from kentongan.services.read_overview import OwnSubmissions
from kentongan.services.receipts import Receipt, Receipts

_MOST_LANDED: Final = 30


@portal.get("/submissions")
def submissions() -> str:
    """The list, newest first."""
    identity = require(Scope.SUBMIT)
    with kentongan().database.reading_for(identity) as db:
        page = OwnSubmissions(db).page(identity, asked_cursor(), PER_PAGE)
    return render_template(
        "portal/submissions.html", room="portal.submissions", submissions=page.items, pages=page_links(page)
    )


@portal.get("/submissions/<public_id>")
def receipt(public_id: str) -> str:
    """One receipt, with how far its incidents are."""
    identity = require(Scope.SUBMIT)
    with kentongan().database.reading_for(identity) as db:
        found = Receipts(db).receipt(identity, public_id)
        so_far = _so_far(db, identity, found)
    with kentongan().database.reading() as db:
        had = already_had(db, identity, found)
    return render_template(
        "portal/receipt.html",
        room="portal.submissions",
        receipt=found,
        had=had,
        repeated="repeated" in request.args,
        **so_far,
    )


@portal.get("/submissions/<public_id>/progress")
def progress(public_id: str) -> str:
    """The part of the receipt that changes, alone: static/receipt.js puts it into the page."""
    identity = require(Scope.SUBMIT)
    with kentongan().database.reading_for(identity) as db:
        found = Receipts(db).receipt(identity, public_id)
        return render_template("portal/_progress.html", receipt=found, **_so_far(db, identity, found))


@portal.get("/submissions/<public_id>/document")
def document(public_id: str) -> Response:
    """The document as it was received, byte for byte, to save."""
    identity = require(Scope.SUBMIT)
    with kentongan().database.reading_for(identity) as db:
        content = Receipts(db).content(identity, public_id)
    answer = Response(content, mimetype="application/json")
    answer.headers["Content-Disposition"] = f'attachment; filename="submission-{public_id}.json"'
    return answer


def _so_far(db: Session, identity: Identity, receipt: Receipt) -> dict[str, Any]:
    assert receipt.id is not None
    return {
        "progress": ReadProgress(db).progress(identity, receipt.id),
        "landed": OwnSubmissions(db).landed(identity, _incident_ids(receipt), _MOST_LANDED),
        "most": _MOST_LANDED,
        "incidents_sent": len(_incident_ids(receipt)),
    }


def _incident_ids(receipt: Receipt) -> list[str]:
    sent = (outcome for outcome in receipt.objects if outcome.type == "incident" and outcome.id)
    return list(dict.fromkeys(str(outcome.id) for outcome in sent if outcome.outcome not in CHANGES_NOTHING))
