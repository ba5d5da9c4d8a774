"""One endpoint: what it takes, who may use it and what it answers, said once, for the request and for the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Final

import orjson
from flask import Blueprint, Response, request
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from kentongan.api import problems
from kentongan.api.asked import no_query, query_as
from kentongan.domain.identity import Scope
from kentongan.services.errors import Erased, NotFound, Refused
from kentongan.services.paging import WrongCursor
from kentongan.threshold.auth import signed_in
from kentongan.threshold.refusals import Fault, Refusal

View = Callable[..., Response]
JSON: Final = "application/json"

api: Final = Blueprint("api", __name__, url_prefix="/api/v1", template_folder="templates")
_PATH_ID: Final = re.compile(r"[A-Za-z0-9-]{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """One way an endpoint answers: in words, and the type of its JSON (None: no JSON)."""

    says: str
    shape: Any = None  # a type, as pydantic's TypeAdapter takes it
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    """What further headers say, by name."""


@dataclass(frozen=True, slots=True)
class RequestBody:
    """What an endpoint takes as its body: in words, as a model or as a JSON schema, under these content types."""

    says: str
    model: type[BaseModel] | None = None
    schema: Mapping[str, Any] = field(default_factory=dict)
    content_types: tuple[str, ...] = (JSON,)
    required: bool = True


@dataclass(frozen=True, slots=True)
class Operation:
    """One endpoint. `refuses` are the names of the kinds of problems it may answer with, beside those that all may."""

    method: str
    path: str
    name: str
    summary: str
    description: str
    tag: str
    scope: Scope
    answers: Mapping[int, Answer]
    query: type[BaseModel] | None = None
    body: RequestBody | None = None
    refuses: tuple[str, ...] = ()
    request_headers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


OPERATIONS: Final[list[Operation]] = []


def operation(method: str, path: str, summary: str, *, scope: Scope, **how: Any) -> Callable[[View], View]:
    """Make a view the endpoint of `method` and `path` (as Flask writes it, below /api/v1).

    The view is given the Identity that asks, then by name `query` (where the operation has a model for it) and the parts of
    the path. `how` are further fields of Operation. The view's docstring is the description.
    """

    def attach(view: View) -> View:
        description = " ".join((view.__doc__ or "").split())
        tag = path.strip("/").split("/", 1)[0]
        made = Operation(method, path, view.__name__, summary, description, tag, scope, **how)
        OPERATIONS.append(made)
        api.add_url_rule(path, view.__name__, _answering(made, view), methods=[method])
        return view

    return attach


def answer(shown: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A view of a service as JSON: dataclasses by their fields, moments as RFC 3339 in UTC."""
    body = orjson.dumps(shown, option=orjson.OPT_UTC_Z)
    return with_headers(Response(body, status=status, content_type=JSON), headers)


def with_headers(response: Response, headers: Mapping[str, str] | None = None) -> Response:
    """What every answer with somebody's content carries: nobody keeps it, nobody guesses its type."""
    response.headers.update({"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})})
    return response


def guarded(view: View) -> View:
    """A view whose every refusal and every error is a problem document."""

    @wraps(view)
    def answering(**path: str) -> Response:
        try:
            return view(**path)
        except Exception as error:
            return next(told(error) for kind, told in _TOLD if isinstance(error, kind))

    return answering


def _wrong_cursor(error: WrongCursor) -> Response:
    fault = Fault("query", "cursor", "wrong-cursor", str(error), "Ask without a cursor.")
    return problems.refused(Refusal("wrong-request", "Nothing was read.", [fault]))


_TOLD: Final[tuple[tuple[type[Exception], Callable[[Any], Response]], ...]] = (
    (Refusal, problems.refused),
    (NotFound, lambda _error: problems.not_found()),
    (Erased, problems.erased),
    (WrongCursor, _wrong_cursor),
    (Refused, lambda error: problems.refused(Refusal("refused", str(error)))),
    (HTTPException, problems.from_http),
    (SQLAlchemyError, problems.database_failed),
    (Exception, problems.our_fault),
)
"""How each error is told, the first that fits."""


def _answering(made: Operation, view: View) -> View:
    def ask(**path: str) -> Response:
        asker = signed_in(made.scope)
        asked = {}
        if made.query is not None:
            asked["query"] = query_as(made.query)
        else:
            no_query()
        if not all(_PATH_ID.fullmatch(part) for part in path.values()):
            raise NotFound("no id of ours looks like this")
        return view(asker, **asked, **path)

    return guarded(ask)


def belongs_to_the_api(path: str) -> bool:
    """Whether an address is the API's, known or not."""
    return path == "/api" or path.startswith(("/api/", "/feeds/"))


def refuse_unknown_addresses() -> Response | None:
    """Before any view: an address or method that no endpoint has is answered here, not by a page for people."""
    error = request.routing_exception
    return problems.from_http(error) if error is not None and belongs_to_the_api(request.path) else None
