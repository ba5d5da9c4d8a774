"""Setting up and removing what one shows besides the password. Open to who is signed in, and to who owes just this."""

from __future__ import annotations

import io

import segno
from flask import flash, jsonify, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from kentongan.domain.accounts import Standing
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.relying_party import party, relying_party
from kentongan.portal.session import carry_on, freshly_signed_in, where
from kentongan.portal.sign_in import Refusal
from kentongan.services.passkeys import LONGEST_ANSWER, Passkeys
from kentongan.services.person_sessions import Present
from kentongan.services.second_factor import Enrolled, Enrolment, SecondFactors


@portal.get("/account/second-factor")
def factors() -> str:
    """What there is, and what can be added."""
    found, kampung = freshly_signed_in(), kentongan()
    with kampung.database.reading() as db:
        mine = SecondFactors(db, kampung.clock, kampung.seal).of(found.person_id)
    return render_template(
        "portal/factors.html",
        room="portal.account",
        factors=mine,
        owed=found.standing is Standing.OWES_ENROLMENT,
        passkeys_work=relying_party() is not None,
    )


@portal.post("/account/app")
def begin_app() -> Response:
    """Make a secret for an authenticator app."""
    found, kampung = freshly_signed_in(), kentongan()
    with kampung.database.writing() as db:
        SecondFactors(db, kampung.clock, kampung.seal).begin_app(found.person_id)
    return redirect(url_for("portal.app_secret"), 303)


@portal.get("/account/app")
def app_secret() -> str | Response:
    """The secret, to be taken into the app, and the form for its first code."""
    found = freshly_signed_in()
    enrolment = _waiting(found)
    return _app_page(enrolment) if enrolment else redirect(url_for("portal.factors"))


@portal.get("/account/app.svg")
def app_qr() -> Response:
    """The secret as a QR code."""
    enrolment = _waiting(freshly_signed_in())
    if enrolment is None:
        raise NotFound
    drawn = io.BytesIO()
    segno.make(enrolment.uri, error="m").save(drawn, kind="svg", scale=5, border=4, dark="#000", light="#fff")
    return Response(drawn.getvalue(), mimetype="image/svg+xml")


@portal.post("/account/app/code")
def confirm_app() -> Response | Refusal:
    """The first code of the app: it arrived, and counts from now on."""
    found, kampung = freshly_signed_in(), kentongan()
    with kampung.database.writing() as db:
        service = SecondFactors(db, kampung.clock, kampung.seal)
        enrolled = service.confirm_app(found, request.form.get("code", "")[:100], where())
    if enrolled is not None:
        return _enrolled(enrolled)
    enrolment = _waiting(found)
    if enrolment is None:
        return redirect(url_for("portal.factors"), 303)
    return _app_page(enrolment, "This code does not fit. Type the one that the app shows now."), 422


@portal.post("/account/app/remove")
def remove_app() -> Response:
    """Forget the app."""
    found, kampung = freshly_signed_in(), kentongan()
    with kampung.database.writing() as db:
        SecondFactors(db, kampung.clock, kampung.seal).remove_app(found)
    flash("The authenticator app counts no more.", "good")
    return redirect(url_for("portal.factors"), 303)


@portal.post("/account/passkeys/question")
def new_passkey_question() -> Response:
    """What the browser needs to make a passkey, for static/passkeys.js."""
    found, kampung = freshly_signed_in(), kentongan()
    with kampung.database.writing() as db:
        return jsonify(Passkeys(db, kampung.clock, kampung.seal, party()).enrolment_options(found))


@portal.post("/account/passkeys")
def enrol_passkey() -> Response:
    """Keep the passkey that the browser made."""
    found, kampung = freshly_signed_in(), kentongan()
    answer, name = request.form.get("answer", "")[:LONGEST_ANSWER], request.form.get("name", "")
    with kampung.database.writing() as db:
        enrolled = Passkeys(db, kampung.clock, kampung.seal, party()).enrol(found, answer, name, where())
    return _enrolled(enrolled)


@portal.post("/account/passkeys/<public_id>/remove")
def remove_passkey(public_id: str) -> Response:
    """Forget one."""
    found, kampung = freshly_signed_in(), kentongan()
    with kampung.database.writing() as db:
        Passkeys(db, kampung.clock, kampung.seal, party()).remove(found, public_id)
    flash("The passkey counts no more.", "good")
    return redirect(url_for("portal.factors"), 303)


@portal.post("/account/recovery-codes")
def new_recovery_codes() -> str:
    """Ten new ones; they are shown this once."""
    found, kampung = freshly_signed_in(), kentongan()
    with kampung.database.writing() as db:
        codes = SecondFactors(db, kampung.clock, kampung.seal).new_codes(found)
    return _codes_page(codes)


def _enrolled(enrolled: Enrolled) -> Response:
    if enrolled.codes:
        return carry_on(enrolled.opened, make_response(_codes_page(enrolled.codes)))
    answer = carry_on(enrolled.opened, redirect(url_for("portal.factors"), 303))
    flash("It counts from now on.", "good")
    return answer


def _waiting(found: Present) -> Enrolment | None:
    kampung = kentongan()
    with kampung.database.reading() as db:
        return SecondFactors(db, kampung.clock, kampung.seal).waiting_app(found)


def _app_page(enrolment: Enrolment, error: str | None = None) -> str:
    spaced = " ".join(enrolment.secret[at : at + 4] for at in range(0, len(enrolment.secret), 4))
    return render_template("portal/app.html", room="portal.account", secret=spaced, error=error)


def _codes_page(codes: tuple[str, ...]) -> str:
    return render_template("portal/recovery_codes.html", room="portal.account", codes=codes)
