"""What one's own organization sent, and the receipts that fill as the stages go on."""

from __future__ import annotations

from flask import Response, render_template, request

from kentongan.domain.identity import Scope
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.paging import PER_PAGE, asked_cursor, page_links
from kentongan.portal.session import require
from kentongan.services.read_overview import OwnSubmissions
from kentongan.services.receipts import Receipts


@portal.get("/submissions")
def submissions() -> str:
    """The list, newest first."""
    identity = require(Scope.SUBMIT)
    with kentongan().database.reading() as db:
        page = OwnSubmissions(db).page(identity, asked_cursor(), PER_PAGE)
    return render_template(
        "submissions.html", room="portal.submissions", submissions=page.items, pages=page_links(page)
    )


@portal.get("/submissions/<public_id>")
def receipt(public_id: str) -> str:
    """One receipt, with what came of its incidents so far."""
    identity = require(Scope.SUBMIT)
    with kentongan().database.reading() as db:
        found = Receipts(db).receipt(identity, public_id)
    return render_template(
        "receipt.html", room="portal.submissions", receipt=found, repeated="repeated" in request.args
    )


@portal.get("/submissions/<public_id>/document")
def document(public_id: str) -> Response:
    """The document as it was received, byte for byte, to save."""
    identity = require(Scope.SUBMIT)
    with kentongan().database.reading() as db:
        content = Receipts(db).content(identity, public_id)
    answer = Response(content, mimetype="application/json")
    answer.headers["Content-Disposition"] = f'attachment; filename="submission-{public_id}.json"'
    return answer
