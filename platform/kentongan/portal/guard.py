"""What every request to the portal passes before its view: size, sign-in, and that the form came from our own page."""

from __future__ import annotations

from typing import Final

from flask import Flask, request
from flask_login import current_user
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response

from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.session import ask_to_sign_in

_OPEN: Final = frozenset(
    f"portal.{name}"
    for name in (
        "static",
        "sign_in",
        "open_session",
        "sign_out",
        "forgotten",
        "ask_for_letter",
        "follow_link",
        "choose_password",
        "choose_elsewhere",
        "go_elsewhere",
        "come_back",
    )
)
"""What strangers may ask for."""

_CHECKS_ITSELF: Final = frozenset(
    f"portal.{name}"
    for name in (
        "second_factor",
        "show_code",
        "passkey_question",
        "show_passkey",
        "factors",
        "begin_app",
        "app_secret",
        "app_qr",
        "confirm_app",
        "new_passkey_question",
        "enrol_passkey",
    )
)
"""The pages of who showed a password and owes a second factor, or its enrolment: each asks session.py for who may be there."""

_TAKES_DOCUMENTS: Final = frozenset({"portal.hand_in"})
_TAKES_LONG_TEXTS: Final = frozenset({"portal.submit_draft", "portal.set_up_feed", "portal.change_incoming_feed"})
_SMALL_FORM: Final = 64 * 1024
_LONG_FORM: Final = 400 * 1024
_STRANGERS_FORM: Final = 8 * 1024
_ROOM_AROUND_A_DOCUMENT: Final = 64 * 1024
_OURS: Final = frozenset({"same-origin", "none"})  # "none": the reader's own doing, such as loading the page again
_csrf = CSRFProtect()


def guard(app: Flask) -> None:
    """Put the guard before every view of the portal, and the form check before every view that is not of an API.

    Flask-WTF's own hook is off because it reads the form of a request before it is known who asks and how much may be read.
    Its check of the Referer is off because our pages send none; `Sec-Fetch-Site` says the same, and cannot be forged by a page.
    """
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_SSL_STRICT=False, WTF_CSRF_TIME_LIMIT=None)
    _csrf.init_app(app)
    app.before_request(_check)


def _check() -> Response | None:
    if _belongs_to_an_api():
        return None
    _limit_size()
    if _needs_sign_in() and not current_user.is_authenticated:
        return ask_to_sign_in()
    if "\0" in request.path:
        raise NotFound  # no id has one, and PostgreSQL does not even take it in a question
    if request.endpoint is not None:
        _refuse_other_sites()
        _csrf.protect()
    return None


def _belongs_to_an_api() -> bool:
    """APIs take a bearer token in a header, which no page of another site can make a browser send. TAXII takes it as a password
    too, which a browser may remember: but no page can send it a content type or a method that changes anything there."""
    return request.blueprint is not None and request.blueprint.startswith(("api", "taxii"))


def _needs_sign_in() -> bool:
    return request.blueprint == portal.name and request.endpoint not in _OPEN | _CHECKS_ITSELF


def _limit_size() -> None:
    most = _SMALL_FORM
    if request.endpoint in _TAKES_DOCUMENTS:
        most = kentongan().limits.max_bytes + _ROOM_AROUND_A_DOCUMENT
    elif request.endpoint in _TAKES_LONG_TEXTS:
        most = _LONG_FORM
    elif request.endpoint in _OPEN:
        most = _STRANGERS_FORM
    request.max_content_length = most
    request.max_form_memory_size = most


def _refuse_other_sites() -> None:
    if request.method not in ("GET", "HEAD") and request.headers.get("Sec-Fetch-Site", "none") not in _OURS:
        raise BadRequest("This form was sent from another site.")
