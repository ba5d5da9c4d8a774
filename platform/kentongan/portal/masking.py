"""What of one's own organization takes part in linking by keyed hash only."""

from __future__ import annotations

from typing import Final

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from kentongan.domain.identity import Scope
from kentongan.domain.masking import MaskingWish
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.session import require
from kentongan.services.maskings import Maskings
from kentongan.storage.jobs import Stage

_FIELDS: Final = {
    "red": "What we mark TLP:RED takes part by keyed hash only. Its recipients read it as before.",
    "personal": "Mail addresses and the names of who was hit are masked in all we send from now on, in free text too. We read "
    "them as before; they still link, by keyed hash.",
    "tell_others": "Others may be told that something related to it exists, and that the coordinator can be asked.",
}


@portal.get("/masking")
def masking() -> str:
    """The wish as it is."""
    identity = require(Scope.ADMIN)
    with kentongan().database.reading() as db:
        wish = Maskings(db, kentongan().clock).of(identity.organization_id)
    return render_template("portal/masking.html", room="portal.masking", fields=_FIELDS, wish=wish)


@portal.post("/masking")
def change_masking() -> Response:
    """Another wish: what is ticked is so from now on, also for what was sent before."""
    identity = require(Scope.ADMIN)
    wish = MaskingWish(**{name: name in request.form for name in _FIELDS})
    with kentongan().database.writing() as db:
        Maskings(db, kentongan().clock).change(identity, identity.organization_id, wish)
    kentongan().nudge(Stage.INDEX)
    flash("So it is from now on. What was sent before follows within minutes.", "good")
    return redirect(url_for("portal.masking"), 303)
