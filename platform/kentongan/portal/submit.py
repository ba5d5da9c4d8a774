"""Handing in a document: from a file, or pasted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flask import redirect, render_template, request, url_for
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response

from kentongan.domain.gate import Problem, Unreadable
from kentongan.domain.gate.inflating import gunzip
from kentongan.domain.identity import Identity, Scope
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.session import require
from kentongan.services.examine import Examined, examine
from kentongan.services.preview import Preview, Previews
from kentongan.services.receipts import Receipt
from kentongan.services.submit import Rejected, Submit
from kentongan.storage.jobs import Stage

_GZIP: Final = b"\x1f\x8b"
_SHOWN_AGAIN: Final = 1_000_000
"""A pasted text longer than this many characters is not sent back with its problems: the browser has it still."""

Page = tuple[str, int]


@dataclass(frozen=True, slots=True)
class _HandedIn:
    """The form as it was filled in."""

    raw: bytes
    pasted: str
    file_name: str
    atomic: bool
    dry_run: bool


@portal.get("/submit")
def submit() -> str:
    """The form."""
    require(Scope.SUBMIT)
    return _form(_HandedIn(b"", "", "", atomic=False, dry_run=False))


@portal.post("/submit")
def hand_in() -> Response | Page:
    """Keep the document and lead to its receipt; one that is only tried, or refused, is answered here."""
    identity = require(Scope.SUBMIT)
    form = _HandedIn(b"", request.form.get("pasted", ""), "", "atomic" in request.form, "dry_run" in request.form)
    try:
        form = _with_document(form)
        if not form.raw.strip():
            return _form(form, empty=True), 400
        examined = examine(form.raw, kentongan().limits, kentongan().book_of(identity))
    except Unreadable as refusal:
        return _form(form, refusal.problems), 413 if refusal.too_large else 400
    try:
        return _try_out(identity, examined, form) if form.dry_run else _keep(identity, examined, form)
    except Rejected as rejection:
        return _answer(rejection.receipt, form), 422


def _keep(identity: Identity, examined: Examined, form: _HandedIn) -> Response:
    with kentongan().database.writing() as db:
        receipt = Submit(db, kentongan().clock).submit(identity, examined, atomic=form.atomic)
    kentongan().nudge(Stage.INDEX)
    repeated = 1 if receipt.repeated else None
    return redirect(url_for("portal.receipt", public_id=receipt.id, repeated=repeated), 303)


def _try_out(identity: Identity, examined: Examined, form: _HandedIn) -> Page:
    with kentongan().database.trying() as db:
        preview = Previews(db, kentongan().clock).preview(identity, examined, atomic=form.atomic)
    return _answer(preview.receipt, form, preview), 200


def _with_document(form: _HandedIn) -> _HandedIn:
    """The document of the form: a chosen file wins over pasted text. Raises Unreadable on a broken gzip file."""
    chosen = request.files.get("file")
    if chosen is None or not chosen.filename:
        return _HandedIn(form.pasted.encode("utf-8", "surrogatepass"), form.pasted, "", form.atomic, form.dry_run)
    return _HandedIn(_content(chosen), form.pasted, chosen.filename, form.atomic, form.dry_run)


def _content(chosen: FileStorage) -> bytes:
    raw = chosen.read()
    return gunzip(raw, kentongan().limits.max_bytes) if raw.startswith(_GZIP) else raw


def _form(form: _HandedIn, problems: tuple[Problem, ...] = (), *, empty: bool = False) -> str:
    pasted = form.pasted if len(form.pasted) <= _SHOWN_AGAIN else ""
    return render_template(
        "portal/submit.html",
        room="portal.submit",
        form=form,
        pasted=pasted,
        problems=problems,
        empty=empty,
        limits=kentongan().limits,
    )


def _answer(receipt: Receipt, form: _HandedIn, preview: Preview | None = None) -> str:
    return render_template("portal/tried.html", room="portal.submit", receipt=receipt, form=form, preview=preview)
