"""Submitting, and reading one's own receipts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from flask import Response, request

from kentongan.api.asked import Asked, Flag, Paged
from kentongan.api.operation import Answer, RequestBody, answer, operation, with_headers
from kentongan.domain.gate import Unreadable
from kentongan.domain.identity import Identity, Scope
from kentongan.services.already_had import AlreadyHad, already_had
from kentongan.services.examine import examine
from kentongan.services.paging import Page
from kentongan.services.preview import ForeseenAlert, Preview, Previews, Readers
from kentongan.services.progress import Progress, ReadProgress
from kentongan.services.read_overview import OwnSubmissions, SubmissionSummary
from kentongan.services.receipts import ObjectOutcome, Receipt, Receipts
from kentongan.services.submit import KeyReused, Rejected, Submit
from kentongan.storage.jobs import Stage
from kentongan.threshold.body import check_content_type, document, refusal_of
from kentongan.threshold.installation import installation
from kentongan.threshold.refusals import Fault, Refusal, faults_of

CONTENT_TYPES: Final = ("application/json", "application/stix+json", "application/taxii+json")
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_KEY_HEADER: Final = {
    "Idempotency-Key": {
        "description": "A key of your own for this document: sent again with the same bytes it gives the same receipt.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
    }
}
_BODY: Final = RequestBody(
    "A STIX 2.1 bundle, one object, or a list of objects; also with Content-Encoding: gzip.",
    schema={
        "title": "StixDocument",
        "anyOf": [
            {
                "type": "object",
                "description": "A bundle.",
                "required": ["type", "id", "objects"],
                "properties": {
                    "type": {"const": "bundle"},
                    "id": {"type": "string", "pattern": "^bundle--"},
                    "objects": {"type": "array", "minItems": 1, "items": {"type": "object"}},
                },
            },
            {
                "type": "object",
                "description": "One object.",
                "required": ["type", "id"],
                "properties": {"type": {"type": "string"}, "id": {"type": "string"}},
            },
            {"type": "array", "description": "A list of objects.", "minItems": 1, "items": {"type": "object"}},
        ],
    },
    content_types=CONTENT_TYPES,
)


@dataclass(frozen=True, slots=True)
class ReceiptAnswer:
    """The proof of a submission: what was sent, and what became of each object in it.

    `id` is null where nothing was stored (`dry_run`). `size` and `sha256` are of the document after decompression.
    `counts` says how many objects came to each outcome. `repeated`: the same bytes were sent before, and this is the receipt
    they got then. `progress` says how far the platform has come; null where nothing was stored.
    """

    id: str | None
    organization: str
    received_at: datetime
    sha256: str
    size: int
    accepted: int
    refused: int
    counts: dict[str, int]
    repeated: bool
    objects: tuple[ObjectOutcome, ...]
    progress: Progress | None
    readers: tuple[Readers, ...] = ()
    """Of a dry run: who would see which of the objects."""
    alerts: tuple[ForeseenAlert, ...] = ()
    """Of a dry run: the alerts that would go out."""
    already_had: tuple[AlreadyHad, ...] = ()
    """Who was sent an amended incident or read it before, and may not see it any more."""


class HowToSubmit(Asked):
    """How the document is to be taken."""

    atomic: Flag = False
    """Take all objects or none."""
    dry_run: Flag = False
    """Only say what would become of it, who would see it and who would be alerted; nothing is stored."""


@operation(
    "POST",
    "/submissions",
    "Submit a STIX document",
    scope=Scope.SUBMIT,
    query=HowToSubmit,
    body=_BODY,
    request_headers=_KEY_HEADER,
    answers={
        200: Answer("A dry run: what would become of it, who would see it, who would be alerted.", ReceiptAnswer),
        202: Answer("Kept for good; the receipt.", ReceiptAnswer, headers={"Location": "Where to ask how far it is."}),
    },
    refuses=("unreadable", "key-reused", "too-large", "wrong-type", "rejected"),
)
def submit(sender: Identity, query: HowToSubmit) -> Response:
    """The valid part of a partly valid document is taken, unless `atomic` is asked for; the receipt says what became of each
    object, with every problem at once. The same bytes from the same organization give the same receipt."""
    check_content_type(CONTENT_TYPES)
    key = _idempotency_key()
    place = installation()
    raw = document(place.limits.max_bytes, CONTENT_TYPES)
    try:
        examined = examine(raw, place.limits, place.book_of(sender))
        if query.dry_run:
            with place.database.trying() as session:
                return answer(_preview(Previews(session, place.clock).preview(sender, examined, atomic=query.atomic)))
        with place.database.writing() as session:
            receipt = Submit(session, place.clock).submit(sender, examined, atomic=query.atomic, idempotency_key=key)
    except Unreadable as error:
        raise refusal_of(error) from None
    except Rejected as error:
        raise _rejected(error.receipt) from None
    except KeyReused as error:
        raise Refusal("key-reused", str(error)) from None
    place.nudge(Stage.INDEX)
    return answer(_receipt(receipt), 202, {"Location": f"/api/v1/submissions/{receipt.id}"})


@operation(
    "GET",
    "/submissions",
    "List your submissions",
    scope=Scope.SUBMIT,
    query=Paged,
    answers={200: Answer("A page, newest first.", Page[SubmissionSummary])},
)
def list_submissions(sender: Identity, query: Paged) -> Response:
    """What your organization sent. Nobody else is told of it."""
    with installation().database.reading_for(sender) as session:
        page = OwnSubmissions(session).page(sender, query.cursor, query.limit)
    return answer(page)


@operation(
    "GET",
    "/submissions/<submission_id>",
    "Read one receipt",
    scope=Scope.SUBMIT,
    answers={200: Answer("The receipt, and how far the platform has come.", ReceiptAnswer)},
    refuses=("not-found", "erased"),
)
def read_submission(sender: Identity, submission_id: str) -> Response:
    """Only for the organization that sent it. `already_had` follows the newest version, once the platform has read it."""
    with installation().database.reading_for(sender) as session:
        receipt = Receipts(session).receipt(sender, submission_id)
        progress = ReadProgress(session).progress(sender, submission_id)
    with installation().database.reading() as session:
        had = already_had(session, sender, receipt)
    return answer(replace(_receipt(receipt, progress), already_had=had))


@operation(
    "GET",
    "/submissions/<submission_id>/content",
    "Read a document back as it was received",
    scope=Scope.SUBMIT,
    answers={
        200: Answer(
            "The bytes as received, after any Content-Encoding was undone.",
            dict[str, Any] | list[Any],
            headers={"Content-Disposition": "A file to save."},
        )
    },
    refuses=("not-found", "erased"),
)
def read_content(sender: Identity, submission_id: str) -> Response:
    """Only for the organization that sent it."""
    with installation().database.reading_for(sender) as session:
        content = Receipts(session).content(sender, submission_id)
    named = {"Content-Disposition": f'attachment; filename="submission-{submission_id}.json"'}
    return with_headers(Response(content, content_type="application/json"), named)


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        fault = Fault(
            "header", "Idempotency-Key", "idempotency-key", "has no 1 to 255 visible ASCII characters", "Use a UUID."
        )
        raise Refusal("wrong-request", "Nothing was stored.", [fault])
    return key


def _receipt(receipt: Receipt, progress: Progress | None = None) -> ReceiptAnswer:
    return ReceiptAnswer(
        id=receipt.id,
        organization=receipt.organization,
        received_at=receipt.received_at,
        sha256=receipt.sha256,
        size=receipt.size,
        accepted=receipt.accepted,
        refused=receipt.refused,
        counts=receipt.count(),
        repeated=receipt.repeated,
        objects=receipt.objects,
        progress=progress,
    )


def _preview(preview: Preview) -> ReceiptAnswer:
    return replace(_receipt(preview.receipt), readers=preview.readers, alerts=preview.alerts)


def _rejected(receipt: Receipt) -> Refusal:
    faults = [fault for outcome in receipt.objects for fault in faults_of(outcome.problems)]
    counted: Mapping[str, Any] = {
        "accepted": receipt.accepted,
        "refused": receipt.refused,
        "counts": receipt.count(),
        "objects": receipt.objects,
    }
    return Refusal("rejected", "Nothing of the document was stored.", faults, more=counted)
