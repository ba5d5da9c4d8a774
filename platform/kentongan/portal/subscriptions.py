"""What one's own organization wants to hear, and over which channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from kentongan.domain.gate import Problem
from kentongan.domain.identity import Scope
from kentongan.domain.marking import Level
from kentongan.domain.target import networks
from kentongan.domain.vocabulary import RSIT
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.deliveries import KINDS
from kentongan.portal.incidents import SEVERITIES
from kentongan.portal.presenting import COUNTRIES
from kentongan.portal.session import require
from kentongan.services.errors import Refused
from kentongan.services.subscriptions import EMAIL, WEBHOOK, InvalidSubscription, Subscriptions

CHANNELS: Final = {WEBHOOK: "Webhook, signed (Standard Webhooks)", EMAIL: "E-mail"}
CHOICES: Final[dict[str, tuple[str, Mapping[str, str]]]] = {
    "countries": ("Countries", COUNTRIES),
    "rsit_classes": ("Classes (RSIT)", {name: name for name in RSIT}),
    "severities": ("Severities", SEVERITIES),
    "kinds": ("Kinds of alert", {kind.value: words for kind, words in KINDS.items()}),
}
"""Parts of a filter that are ticked: the name of the group, and value to words."""

_NAMES: Final = {
    **{part: words for part, (words, _) in CHOICES.items()},
    "sectors": "Sectors",
    "rsit_types": "Types (RSIT)",
    "tlp_min": "From",
    "tlp_max": "Up to",
    "observables": "Values",
    "text": "Words",
    "own": "Own reports too",
}
_LEVELS: Final = tuple(level.label for level in Level)

Page = tuple[str, int]


@portal.get("/subscriptions")
def subscriptions() -> str:
    """The list, and the form for a new one."""
    require(Scope.SUBSCRIPTIONS)
    return _page(MultiDict({"channel": WEBHOOK}))


@portal.post("/subscriptions")
def subscribe() -> Response | Page:
    """Make one. A webhook's secret is shown in the answer, this once; it is kept in no cookie and no cache."""
    identity, form = require(Scope.SUBSCRIPTIONS), request.form
    try:
        with kentongan().database.writing() as db:
            made = _service(db).create(
                identity,
                channel=form.get("channel", ""),
                target=form.get("target", "").strip(),
                filter=filter_of(form),
                name=form.get("name", ""),
            )
    except InvalidSubscription as refusal:
        return _page(form, refusal.problems), 422
    except Refused as refusal:
        flash(f"Nothing was made: {refusal}.", "bad")
        return redirect(url_for("portal.subscriptions"), 303)
    if made.secret:
        return render_template("portal/subscribed.html", room="portal.deliveries", made=made), 201
    flash("Subscribed.", "good")
    return redirect(url_for("portal.subscriptions"), 303)


@portal.post("/subscriptions/<public_id>/end")
def end_subscription(public_id: str) -> Response:
    """Send nothing more to it."""
    identity = require(Scope.SUBSCRIPTIONS)
    with kentongan().database.writing() as db:
        _service(db).end(identity, public_id)
    flash("The subscription has ended. What was sent to it stays in the list of deliveries.", "good")
    return redirect(url_for("portal.subscriptions"), 303)


def filter_of(form: MultiDict[str, str]) -> dict[str, Any]:
    """The filter that a form asks for, as JSON; what was left empty is not part of it."""
    asked: dict[str, Any] = {part: form.getlist(part) for part in CHOICES}
    asked["sectors"] = [word for word in (part.strip() for part in form.get("sectors", "").split(",")) if word]
    asked["observables"] = form.get("observables", "").split()
    asked["text"] = form.get("text", "").strip()
    asked["tlp_max"] = form.get("tlp_max", "")
    asked["own"] = "own" in form
    return {part: value for part, value in asked.items() if value}


@portal.app_template_filter()
def filter_in_words(wanted: Mapping[str, Any]) -> list[str]:
    """A stored filter, part by part. Example: `Countries: Indonesia, Thailand`."""
    return [f"{_NAMES.get(part, part)}: {_in_words(part, value)}" for part, value in wanted.items()]


def _in_words(part: str, value: Any) -> str:  # Any: one part of a filter as JSON
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, list):
        return str(value)
    words = CHOICES[part][1] if part in CHOICES else {}
    named = [one["value"] if isinstance(one, dict) else words.get(one, words.get(one.upper(), one)) for one in value]
    return ", ".join(named[:8]) + (f" and {len(named) - 8} more" if len(named) > 8 else "")


def _page(form: MultiDict[str, str], problems: Sequence[Problem] = ()) -> str:
    identity = require(Scope.SUBSCRIPTIONS)
    with kentongan().database.reading_for(identity) as db:
        mine = _service(db).all(identity)
    return render_template(
        "portal/subscriptions.html",
        room="portal.deliveries",
        subscriptions=mine,
        form=form,
        problems=problems,
        wrong={_field(problem): problem for problem in reversed(problems)},
        field_of=_field,
        channels=CHANNELS,
        choices=CHOICES,
        levels=_LEVELS,
    )


def _service(db: Session) -> Subscriptions:
    return Subscriptions(db, kentongan().clock, networks(kentongan().settings.egress_allow))


def _field(problem: Problem) -> str:
    """Which field of the form a problem is about. Example: `$.filter.countries[2]` is `countries`."""
    return problem.path.removeprefix("$.").removeprefix("filter.").partition("[")[0].partition(".")[0]
