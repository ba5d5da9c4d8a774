"""Links in letters: an invitation, or a new password for who forgot theirs."""

from __future__ import annotations

from threading import Thread

import structlog
from flask import render_template, request, session
from werkzeug.wrappers import Response

from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.session import leave, where
from kentongan.portal.sign_in import Refusal, signed_in, too_many
from kentongan.services.letters import NewLink, letter
from kentongan.services.passwords import UnfitPassword, fit_password
from kentongan.services.person_links import LinkView, PersonLinks

_log = structlog.get_logger(__name__)


@portal.get("/link/<secret>")
def follow_link(secret: str) -> str:
    """What the link is for, and the form. Opening it uses nothing up: mail programs look at links before people do."""
    return _page(secret, _opened(secret))


@portal.post("/link/<secret>")
def choose_password(secret: str) -> Response | Refusal:
    """Choose the password, and go on as somebody who showed it."""
    view, password = _opened(secret), request.form.get("password", "")
    if password != request.form.get("again", ""):
        return _page(secret, view, "The two passwords are not the same."), 422
    try:
        kept = fit_password(password, view.about)
    except UnfitPassword as unfit:
        return _page(secret, view, str(unfit)), 422
    with kentongan().database.writing() as db:
        opened = PersonLinks(db, kentongan().clock).choose_password(secret, kept, where())
        leave(db)
    return signed_in(opened, None)


@portal.post("/link/<secret>/elsewhere")
def choose_elsewhere(secret: str) -> str:
    """Take the account up with one at the identity provider. A link leads there: forms of ours are sent to nobody else."""
    _opened(secret)
    session["elsewhere"] = {"purpose": "link", "link": secret}
    return render_template("portal/elsewhere.html", label=kentongan().settings.oidc_label)


@portal.get("/forgotten")
def forgotten() -> str:
    """The form of somebody who forgot their password."""
    return render_template("portal/forgotten.html", sent=False, letters=kentongan().sends_letters)


@portal.post("/forgotten")
def ask_for_letter() -> str | Refusal:
    """Send a letter, if there is somebody to send it to; the answer is the same either way, and does not wait for the mail."""
    kampung = kentongan()
    if not kampung.sends_letters:
        return render_template("portal/forgotten.html", sent=False, letters=False), 503
    with kampung.database.writing() as db:
        asked = PersonLinks(db, kampung.clock).forgotten(request.form.get("name", ""), where())
    if asked.wait is not None:
        return too_many(asked.wait)
    if asked.link is not None:
        _in_background(asked.link)
    return render_template("portal/forgotten.html", sent=True, letters=True)


def send(link: NewLink) -> str | None:
    """Send the letter with this link, and say what went wrong, if anything did."""
    receipt = kentongan().send(letter(link, kentongan().settings.address))
    return None if receipt.ok else receipt.answer


def _in_background(link: NewLink) -> None:
    kampung = kentongan()
    written = letter(link, kampung.settings.address)

    def go() -> None:
        if not (receipt := kampung.send(written)).ok:
            _log.warning("a letter was not sent", permanent=receipt.permanent)

    Thread(target=go, daemon=True, name="letter").start()


def _opened(secret: str) -> LinkView:
    with kentongan().database.reading() as db:
        return PersonLinks(db, kentongan().clock).opened(secret)


def _page(secret: str, view: LinkView, error: str | None = None) -> str:
    label = kentongan().settings.oidc_label if kentongan().settings.oidc_issuer else None
    return render_template("portal/link.html", secret=secret, view=view, error=error, elsewhere=label)
