"""The second step of signing in: a code of the authenticator app, a recovery code, or a passkey."""

from __future__ import annotations

from flask import jsonify, render_template, request
from werkzeug.wrappers import Response

from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.relying_party import party, relying_party
from kentongan.portal.session import owing_a_factor, where
from kentongan.portal.sign_in import Refusal, signed_in, too_many
from kentongan.services.passkeys import LONGEST_ANSWER, Passkeys
from kentongan.services.person_sessions import Present
from kentongan.services.second_factor import SecondFactors


@portal.get("/sign-in/second-factor")
def second_factor() -> str:
    """The page that asks for it."""
    return _page(owing_a_factor())


@portal.post("/sign-in/second-factor")
def show_code() -> Response | Refusal:
    """A code from the form."""
    found, kampung = owing_a_factor(), kentongan()
    with kampung.database.writing() as db:
        shown = SecondFactors(db, kampung.clock, kampung.seal).show_code(
            found, request.form.get("code", "")[:100], where()
        )
    if shown.wait is not None:
        return too_many(shown.wait)
    if shown.opened is None:
        return _page(found, "This code does not hold. A code works once; wait for the next one and type that."), 401
    return signed_in(shown.opened, request.form.get("next"))


@portal.post("/sign-in/passkey/question")
def passkey_question() -> Response:
    """What the browser needs to show a passkey, for static/passkeys.js."""
    found, kampung = owing_a_factor(), kentongan()
    with kampung.database.writing() as db:
        return jsonify(Passkeys(db, kampung.clock, kampung.seal, party()).sign_in_options(found))


@portal.post("/sign-in/passkey")
def show_passkey() -> Response | Refusal:
    """What the browser made of it."""
    found, kampung = owing_a_factor(), kentongan()
    answer = request.form.get("answer", "")[:LONGEST_ANSWER]
    with kampung.database.writing() as db:
        opened = Passkeys(db, kampung.clock, kampung.seal, party()).show(found, answer, where())
    if opened is None:
        return _page(found, "This passkey does not hold. Try again, or type a code."), 401
    return signed_in(opened, request.form.get("next"))


def _page(found: Present, error: str | None = None) -> str:
    kampung = kentongan()
    with kampung.database.reading() as db:
        factors = SecondFactors(db, kampung.clock, kampung.seal).of(found.person_id)
    return render_template(
        "portal/second_factor.html",
        error=error,
        next=request.values.get("next", ""),
        name=found.name,
        passkeys=bool(factors.passkeys) and relying_party() is not None,
    )
