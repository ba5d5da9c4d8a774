"""How long one's own organization wants things kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flask import flash, redirect, render_template, request, url_for
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from kentongan.domain.identity import Scope
from kentongan.domain.retention import LEAST_DAYS, MOST_DAYS, Retention
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.session import require
from kentongan.services.retention import Retentions

_FIELDS: Final[Mapping[str, tuple[str, str]]] = {
    "incident_days": (
        "Incidents",
        "With all their versions, from the newest on; and what was sent without an incident.",
    ),
    "content_days": ("Documents as received", "The incidents and objects that were accepted of them stay."),
    "log_days": ("What became of alerts", "The answers of your receivers, and deliveries of incidents that are gone."),
}

Page = tuple[str, int]


@portal.get("/retention")
def retention() -> str:
    """The wish as it is."""
    identity = require(Scope.ADMIN)
    with kentongan().database.reading() as db:
        wish = Retentions(db, kentongan().clock).of(identity.organization_id)
    return _page({name: getattr(wish, name) for name in _FIELDS}, {})


@portal.post("/retention")
def change_retention() -> Response | Page:
    """Another wish; fields left empty mean that nothing ends by itself."""
    identity = require(Scope.ADMIN)
    given = {name: request.form.get(name, "").strip() for name in _FIELDS}
    wish = Retention(**{name: _days(text) for name, text in given.items()})
    if problems := dict(wish.problems()):
        return _page(given, problems), 422
    with kentongan().database.writing() as db:
        Retentions(db, kentongan().clock).change(identity, identity.organization_id, wish)
    flash("So it is kept from now on.", "good")
    return redirect(url_for("portal.retention"), 303)


def _days(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise BadRequest("Days are whole numbers.")
    return int(text)


def _page(given: Mapping[str, object], problems: Mapping[str, str]) -> str:
    return render_template(
        "portal/retention.html",
        room="portal.retention",
        fields=_FIELDS,
        given=given,
        problems=problems,
        least=LEAST_DAYS,
        most=MOST_DAYS,
    )
