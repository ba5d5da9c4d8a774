"""Every refusal is an error resource (TAXII 2.1 section 3.6.1), and unknown and forbidden are the same one, byte by byte."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
import structlog
from flask import Response
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from kentongan.domain.object_filter import WrongQuestion
from kentongan.services.errors import Erased, NotFound, NotYours, Refused
from kentongan.services.paging import WrongCursor
from kentongan.storage.database import is_away
from kentongan.taxii.media import TAXII
from kentongan.threshold.refusals import KINDS, NOT_FOUND, RETRY_AFTER, Fault, Refusal

NO_RIGHT: Final = "Your account may not do this in this collection; can_read and can_write say what it may."
_log = structlog.get_logger(__name__)


def no_right() -> Refusal:
    """For what a collection does not let who asks do, though they may know of it."""
    return Refusal("missing-scope", NO_RIGHT)


def told(error: Exception) -> Response:
    """Any error as it is answered."""
    answered: Response = next(tell(error) for kind, tell in _TOLD if isinstance(error, kind))
    return answered


def from_http(error: HTTPException) -> Response:
    """What the framework refused: an unknown address, a method, a malformed request, an Accept that we do not speak."""
    status = error.code or 404
    if status == 404 or status < 400:
        return _not_found()
    kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    return _answer(status, HTTPStatus(status).phrase, error.description or "", headers=kept)


def _refused(error: Refusal) -> Response:
    return _answer(error.kind.status, error.kind.title, error.detail, error.faults, error.headers)


def _wrong_question(error: WrongQuestion) -> Response:
    fault = Fault("query", error.parameter, "filter", error.reason, error.hint)
    return _answer(400, KINDS["wrong-request"].title, f"The parameter {error.parameter} {error.reason}.", [fault])


def _wrong_cursor(error: WrongCursor) -> Response:
    fault = Fault(
        "query", "next", "wrong-cursor", str(error), "Begin again, or send added_after; keep the filters with next."
    )
    return _answer(400, KINDS["wrong-request"].title, "The parameter next is none that goes on here.", [fault])


def _not_found() -> Response:
    return _answer(404, KINDS["not-found"].title, NOT_FOUND)


def _database_failed(error: SQLAlchemyError) -> Response:
    if not is_away(error):
        return _our_fault(error)
    _log.error("the database does not answer", reason=str(error.__cause__ or error))
    detail = "The database does not answer. Nothing was stored; send the same again later."
    return _answer(503, KINDS["unavailable"].title, detail, headers={"Retry-After": RETRY_AFTER})


def _our_fault(error: Exception) -> Response:
    number = str(uuid.uuid4())
    _log.error("request failed", error_id=number, exc_info=error)
    return _answer(
        500, KINDS["our-fault"].title, "It was noted for the operator, who finds it by the id.", error_id=number
    )


_TOLD: Final[tuple[tuple[type[Exception], Any], ...]] = (
    (Refusal, _refused),
    (NotFound, lambda _error: _not_found()),
    (Erased, lambda _error: _not_found()),
    (NotYours, lambda _error: _refused(no_right())),
    (WrongQuestion, _wrong_question),
    (WrongCursor, _wrong_cursor),
    (Refused, lambda error: _answer(422, KINDS["refused"].title, str(error))),
    (HTTPException, from_http),
    (SQLAlchemyError, _database_failed),
    (Exception, _our_fault),
)
"""How each error is told, the first that fits."""


def _answer(
    status: int,
    title: str,
    description: str,
    faults: Iterable[Fault] = (),
    headers: Mapping[str, str] | None = None,
    error_id: str | None = None,
) -> Response:
    resource: dict[str, Any] = {"title": title, "description": description, "http_status": str(status)}
    if error_id is not None:
        resource["error_id"] = error_id
    if faults := tuple(faults):
        resource["details"] = {"problems": faults}
    response = Response(orjson.dumps(resource), status=status, content_type=TAXII)
    response.headers.update({"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})})
    return response
