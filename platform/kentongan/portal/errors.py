"""What went wrong, in plain words. Unknown and forbidden are the same page."""

from __future__ import annotations

from typing import Any, Final

import structlog
from flask import Flask, current_app, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import BadRequest, HTTPException, ServiceUnavailable
from werkzeug.exceptions import NotFound as NoSuchPage
from werkzeug.wrappers import Response

from kentongan.portal.blueprint import portal
from kentongan.services.errors import Erased, NotFound, Refused
from kentongan.storage.database import is_away

_log = structlog.get_logger(__name__)
_RETRY_SECONDS: Final = 10

_WORDS: Final[dict[int, tuple[str, str]]] = {
    400: (
        "This could not be read",
        "Something in the address or the form is not as it should be. Go back and try again.",
    ),
    403: ("This is not open to you", "Your roles do not open this."),
    404: ("Nothing here", "There is no such page, or it is not shared with you."),
    405: ("Not like this", "This address does not take that kind of request."),
    408: ("Too slow", "What you sent did not arrive in time. Try again; a smaller bundle arrives sooner."),
    413: ("Too large", "This is more than the platform takes at once. Send it in smaller bundles."),
    500: ("Something broke on our side", "It was noted for the operator. Try again in a moment."),
    503: (
        "Not available just now",
        "The platform is overloaded or cannot reach its database. Nothing of what you sent was stored. "
        "Try again in a minute.",
    ),
}
_OLD_FORM: Final = (
    "This form is no longer valid, because you signed in or out since it was opened. "
    "Go back, load it again and send it once more."
)

Page = tuple[str, int, dict[str, str]]


def plain_errors(app: Flask) -> None:
    """Show errors at addresses that belong to no door as pages too; an address of the API answers for itself."""
    app.register_error_handler(HTTPException, _unless_an_api_answers)
    app.register_error_handler(SQLAlchemyError, _database_failed)


@portal.errorhandler(HTTPException)
def error_page(error: HTTPException) -> Page | HTTPException:
    """The page for an error; redirects and the like pass as they are."""
    code = error.code or 500
    if code < 400:
        return error
    heading, words = _WORDS.get(code, _WORDS[500 if code >= 500 else 400])
    told = {"code": code, "heading": heading, "words": _own_words(error) or words, "plain": code >= 500}
    page = _without_a_reader(told) if code >= 500 else render_template("portal/error.html", **told)
    return page, code, {name: value for name, value in error.get_headers() if name == "Retry-After"}


def _without_a_reader(told: dict[str, Any]) -> str:
    # The ordinary way asks who is signed in, and so the database, which may be the very thing that broke.
    return current_app.jinja_env.get_template("portal/error.html").render(told)


@portal.errorhandler(NotFound)
def nothing_here(_error: NotFound) -> Page | HTTPException:
    """A service found nothing that this reader may see."""
    return error_page(NoSuchPage())


@portal.errorhandler(Erased)
def erased(error: Erased) -> tuple[str, int]:
    """Something of the reader's own that is gone: what is left of it."""
    return render_template("portal/erased.html", stone=error.stone, words=str(error)), 410


@portal.errorhandler(Refused)
def refused(refusal: Refused) -> Page | HTTPException:
    """A service could not grant the wish as it was put: a cursor of another list, for example."""
    words = str(refusal)
    return error_page(BadRequest(f"{words[:1].upper()}{words[1:]}."))


def _database_failed(error: SQLAlchemyError) -> Page | HTTPException:
    """A database that is away may be back soon; any other error of it is our own, and goes on to be logged as one."""
    if not is_away(error):
        raise error
    _log.error("the database does not answer", reason=str(error.__cause__ or error))
    return error_page(ServiceUnavailable(retry_after=_RETRY_SECONDS))


def _own_words(error: HTTPException) -> str | None:
    """What our own code said about this error; the library's standard sentences are not for readers."""
    if isinstance(error, CSRFError):
        return _OLD_FORM
    said = error.description
    return said if error.code in (400, 403) and said and said != type(error).description else None


def _unless_an_api_answers(error: HTTPException) -> Page | HTTPException | Response:
    return error if request.path.startswith(("/api/", "/taxii2/", "/feeds/")) else error_page(error)
