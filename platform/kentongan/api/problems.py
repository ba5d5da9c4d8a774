"""Every refusal is a problem document (RFC 9457), and unknown and forbidden are the same one, byte by byte."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import orjson
import structlog
from flask import Response
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from kentongan.services.errors import Erased
from kentongan.storage.database import is_away
from kentongan.threshold.refusals import KINDS, NOT_FOUND, RETRY_AFTER, Fault, Kind, Refusal

CONTENT_TYPE: Final = "application/problem+json"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ProblemDocument:
    """Why a request was refused (RFC 9457).

    `type` is the address of the sentence in the readable page that explains it. `instance` is there for errors on our side
    only, and is the id under which they stand in our log.
    """

    type: str
    title: str
    status: int
    detail: str
    problems: tuple[Fault, ...] = ()
    instance: str | None = None


def refused(error: Refusal) -> Response:
    """As it is answered."""
    return _response(error.kind, error.detail, error.faults, error.headers, error.more)


def not_found() -> Response:
    """For what is not there and for what is not to be known of."""
    return _response(KINDS["not-found"], NOT_FOUND)


def erased(error: Erased) -> Response:
    """For what was the asker's own; `tombstone` is what is left of it."""
    words = str(error)
    more = {"tombstone": error.stone} if error.stone else {}
    return _response(KINDS["erased"], f"{words[:1].upper()}{words[1:]}.", more=more)


def from_http(error: HTTPException) -> Response:
    """What the framework refused: an unknown address, a method, a malformed request."""
    if error.code in (404, None) or (error.code or 0) < 400:
        return not_found()
    kind = next((kind for kind in KINDS.values() if kind.status == error.code), KINDS["wrong-request"])
    kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    return _response(kind, f"{HTTPStatus(kind.status).phrase}.", (), kept)


def database_failed(error: SQLAlchemyError) -> Response:
    """A database that is away is no fault of the request and may be back soon; any other error of it is our own."""
    if not is_away(error):
        return our_fault(error)
    _log.error("the database does not answer", reason=str(error.__cause__ or error))
    detail = "The database does not answer. Nothing was stored; send the same again later."
    return _response(KINDS["unavailable"], detail, headers={"Retry-After": RETRY_AFTER})


def our_fault(error: Exception) -> Response:
    """For what should not happen: it is logged with an id that the answer names, and says nothing else."""
    number = uuid.uuid4()
    _log.error("request failed", error_id=str(number), exc_info=error)
    detail = "It was noted for the operator, who finds it by the id. Trying again later may help."
    return _response(KINDS["our-fault"], detail, more={"instance": f"urn:uuid:{number}"})


def _response(
    kind: Kind,
    detail: str,
    faults: tuple[Fault, ...] = (),
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    told: dict[str, Any] = {
        "type": f"/api/v1/docs#problem-{kind.name}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "problems": faults,
        **(more or {}),
    }
    response = Response(orjson.dumps(told, option=orjson.OPT_UTC_Z), status=kind.status, content_type=CONTENT_TYPE)
    response.headers.update({"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})})
    return response
