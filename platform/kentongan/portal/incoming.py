"""The feeds that bring something in for one's own organization: everybody of it reads, its administrators set up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson
from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from kentongan.domain.feeding import RFC_822, Fetched, WrongFeed, address_of_feed, duration, pushed_only
from kentongan.domain.gate import Unreadable
from kentongan.domain.identity import Identity, OrganizationKind, Scope
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.organization import own
from kentongan.portal.session import require
from kentongan.services.converting import prepare
from kentongan.services.errors import Refused
from kentongan.services.feeds import Feeds, FeedWish
from kentongan.services.foresee_feed import Foreseen, converted_alone, refused_as_a_whole
from kentongan.services.read_feeds import FeedView, ReadFeeds

RUNS_SHOWN: Final = 30
ITEMS_SHOWN: Final = 50
_ROWS_SHOWN: Final = 50

Page = tuple[str, int]


@dataclass(frozen=True, slots=True)
class ForeseenIncident:
    """One incident that a sample would come to, with what it names."""

    title: str
    created: str
    names: tuple[str, ...]


@portal.get("/incoming")
def incoming() -> str:
    """The list, and the form for a new one."""
    return _list(require(Scope.READ))


@portal.post("/incoming")
def set_up_feed() -> Response | Page:
    """Set one up, or only try its settings on a sample."""
    who, form = require(Scope.ADMIN), request.form
    try:
        wish = FeedWish(
            form.get("name", ""),
            form.get("kind", ""),
            form.get("source", "").strip(),
            _options(form.get("kind", "")),
            duration(form["every"]) if form.get("every", "").strip() else None,
            form.get("secret", ""),
        )
        if "try" in form:
            return _list(who, foreseen=_try_out(who, wish)), 200
        with kentongan().database.writing() as db:
            made = _feeds(db, who).add(own(db, who), wish)
    except (WrongFeed, Refused) as refusal:
        return _list(who, str(refusal)), 422
    flash("The feed is set up.", "good")
    return redirect(url_for("portal.incoming_feed", public_id=made.id), 303)


@portal.get("/incoming/<public_id>")
def incoming_feed(public_id: str) -> str:
    """One feed: what was fetched and pushed, what became of each item, and how it is changed."""
    return _one(require(Scope.READ), public_id)


@portal.post("/incoming/<public_id>")
def change_incoming_feed(public_id: str) -> Response | Page:
    """Another name, source, pause, secret or other options."""
    who, form = require(Scope.ADMIN), request.form
    with kentongan().database.reading_for(who) as db:
        feed = ReadFeeds(db, who).view(public_id)
    changes: dict[str, Any] = {"name": form.get("name", ""), "options": _options(feed.kind)}
    if form.get("secret") or "no_secret" in form:
        changes["secret"] = "" if "no_secret" in form else form["secret"]
    try:
        if "source" in form:
            changes["source"] = form["source"].strip()
            changes["every"] = duration(form["every"]) if form.get("every", "").strip() else None
        with kentongan().database.writing() as db:
            _feeds(db, who).change(public_id, **changes)
    except (WrongFeed, Refused) as refusal:
        return _one(who, public_id, str(refusal)), 422
    flash("So it is from now on.", "good")
    return redirect(url_for("portal.incoming_feed", public_id=public_id), 303)


@portal.post("/incoming/<public_id>/fetch")
def fetch_incoming_feed(public_id: str) -> Response:
    """At the next turn of a worker."""
    who = require(Scope.ADMIN)
    try:
        with kentongan().database.writing() as db:
            _feeds(db, who).fetch_soon(public_id)
    except Refused as refusal:
        flash(f"Nothing is fetched: {refusal}.", "bad")
    else:
        flash("It is fetched within a minute; load this page again to see what became of it.", "good")
    return redirect(url_for("portal.incoming_feed", public_id=public_id), 303)


@portal.post("/incoming/<public_id>/remove")
def remove_incoming_feed(public_id: str) -> Response:
    """It takes nothing more."""
    who = require(Scope.ADMIN)
    with kentongan().database.writing() as db:
        _feeds(db, who).remove(public_id)
    flash("The feed is removed. What it brought stays.", "good")
    return redirect(url_for("portal.incoming"), 303)


@portal.app_template_filter()
def pause_in_words(seconds: int | None) -> str:
    """A pause as the form takes it. Examples: 900 is `15m`, 86400 is `1d`."""
    if not seconds:
        return ""
    return next(
        f"{seconds // size}{unit}" for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")) if seconds % size == 0
    )


def _options(kind: str) -> dict[str, str]:
    """Those of the kind that were filled in; the form has fields for every kind."""
    known = {option for each in kentongan().inbound.kinds() if each.name == kind for option in each.options}
    given = {option: request.form.get(f"{kind}.{option}", "").strip() for option in known}
    return {option: value for option, value in given.items() if value}


def _try_out(who: Identity, wish: FeedWish) -> Foreseen:
    """What the sample comes to. Raises WrongFeed."""
    place, item = kentongan(), Fetched("sample", request.form.get("sample", "").encode("utf-8", "surrogatepass"))
    feed = place.inbound.build(wish.kind, wish.source or pushed_only("sample"), wish.options, wish.secret)
    try:
        return converted_alone(item.name, prepare(feed, item, place.limits, place.book_of(who)))
    except Unreadable as error:
        return refused_as_a_whole(item.name, error)


def _incidents(foreseen: Foreseen) -> list[ForeseenIncident]:
    found = []
    for document in foreseen.documents:
        tree = orjson.loads(document)
        objects = (
            [obj for obj in tree.get("objects", [tree]) if isinstance(obj, dict)] if isinstance(tree, dict) else []
        )
        named = {str(obj.get("id")): str(obj.get("value") or obj.get("name") or obj.get("type")) for obj in objects}
        for obj in objects:
            if obj.get("type") == "incident":
                ties = [each for each in objects if each.get("source_ref") == obj.get("id")]
                names = tuple(named.get(str(tie.get("target_ref")), "") for tie in ties)
                found.append(ForeseenIncident(str(obj.get("name", "")), str(obj.get("created", "")), names))
    return found[:_ROWS_SHOWN]


def _feeds(db: Session, who: Identity) -> Feeds:
    return Feeds(db, kentongan().clock, who, kentongan().inbound, kentongan().seal)


def _list(who: Identity, error: str | None = None, foreseen: Foreseen | None = None) -> str:
    with kentongan().database.reading_for(who) as db:
        feeds = ReadFeeds(db, who).all()
    return render_template(
        "portal/incoming.html",
        room="portal.feeds",
        feeds=feeds,
        kinds=kentongan().inbound.kinds(),
        may_set_up=who.may(Scope.ADMIN) and who.kind is not OrganizationKind.SUBSCRIBER,
        form=request.form,
        error=error,
        foreseen=foreseen,
        incidents=_incidents(foreseen) if foreseen else (),
    )


def _one(who: Identity, public_id: str, error: str | None = None) -> str:
    refused = request.args.get("refused") == "1"
    with kentongan().database.reading_for(who) as db:
        reading = ReadFeeds(db, who)
        feed = reading.view(public_id)
        runs = reading.runs(public_id, RUNS_SHOWN)
        items = reading.items(public_id, ITEMS_SHOWN, only_refused=refused)
    kind = next((each for each in kentongan().inbound.kinds() if each.name == feed.kind), None)
    return render_template(
        "portal/incoming_feed.html",
        room="portal.feeds",
        feed=feed,
        runs=runs,
        items=items,
        only_refused=refused,
        kind=kind,
        values=_values(feed),
        mailbox=_mailbox(feed) if kind and RFC_822 in kind.content_types else "",
        push=f"{kentongan().settings.address.rstrip('/')}/api/v1/feeds/{feed.id}/push",
        error=error,
    )


def _mailbox(feed: FeedView) -> str:
    settings = kentongan().settings
    return address_of_feed(feed.id, settings.mail_domain) if settings.mail_in else ""


def _values(feed: FeedView) -> dict[str, Any]:
    """What the form holds: as it was sent, else as the feed is."""
    sent = request.form
    return {
        "name": sent.get("name", feed.name),
        "source": sent.get("source", feed.source or ""),
        "every": sent.get("every", pause_in_words(feed.every_seconds)),
        "options": {name: sent.get(f"{feed.kind}.{name}", value) for name, value in feed.options.items()},
    }
