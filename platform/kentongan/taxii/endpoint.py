"""One endpoint: who may use it, in which media type it answers, and how it refuses; said once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final

import orjson
from flask import Blueprint, Response, request
from werkzeug.exceptions import NotAcceptable

from kentongan.domain.identity import Scope
from kentongan.services.errors import NotFound
from kentongan.taxii import errors
from kentongan.taxii.media import TAXII, accepts
from kentongan.threshold.auth import signed_in

View = Callable[..., Response]

taxii: Final = Blueprint("taxii", __name__, url_prefix="/taxii2")
_PATH_ID: Final = re.compile(r"[A-Za-z0-9-]{1,255}", re.ASCII)
ROOT: Final = "/taxii2/kentongan/"
"""The API root; relative, since clients come by whatever name a proxy has."""


def endpoint(method: str, path: str) -> Callable[[View], View]:
    """Make a view the endpoint of `method` and `path` (as Flask writes it, below /taxii2).

    The view is given the Identity that asks, then by name the parts of the path. A path without its last slash is the same one.
    """

    def attach(view: View) -> View:
        taxii.add_url_rule(path, view.__name__, _answering(view), methods=[method], strict_slashes=False)
        return view

    return attach


def answer(resource: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A resource of TAXII: moments as RFC 3339 in UTC."""
    return raw_answer(orjson.dumps(resource, option=orjson.OPT_UTC_Z), status, headers)


def raw_answer(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The same of what is JSON already. Nobody keeps it, for it is one reader's own."""
    response = Response(body, status=status, content_type=TAXII)
    response.headers.update({"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})})
    return response


def _answering(view: View) -> View:
    @wraps(view)
    def ask(**path: str) -> Response:
        try:
            asker = signed_in(Scope.TAXII, by_password=True)
            if not accepts(request.headers.get("Accept")):
                raise NotAcceptable(f"Answers are {TAXII}.")
            if not all(_PATH_ID.fullmatch(part) for part in path.values()):
                raise NotFound("no id of ours looks like this")
            return view(asker, **path)
        except Exception as error:
            return errors.told(error)

    return ask


def refuse_unknown_addresses() -> Response | None:
    """Before any view: an address or method of this door that no endpoint has is answered here, not by a page for people."""
    error = request.routing_exception
    if error is None or not (request.path == "/taxii2" or request.path.startswith("/taxii2/")):
        return None
    return errors.from_http(error)
