"""The feeds that bring something in for one's own organization: set up, changed, read, tried out and removed."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from flask import Response
from pydantic import Field
from sqlalchemy.orm import Session

from kentongan.api.asked import PRINTABLE, Asked, Flag, Limit, Line, body_as
from kentongan.api.foreseen_items import ForeseenItem, shown
from kentongan.api.operation import Answer, RequestBody, answer, operation, with_headers
from kentongan.api.organizations import own
from kentongan.domain.feeding import (
    MOST_OPTION_CHARACTERS,
    Fetched,
    KindOfFeed,
    WrongFeed,
    duration,
    pushed_only,
)
from kentongan.domain.gate import Unreadable
from kentongan.domain.identity import Identity, Scope
from kentongan.domain.target import LONGEST_TARGET
from kentongan.services.converting import prepare
from kentongan.services.feeds import Feeds, FeedWish
from kentongan.services.foresee_feed import converted_alone, refused_as_a_whole
from kentongan.services.read_feeds import FeedView, ItemView, ReadFeeds, RunView
from kentongan.storage.feeds import MOST_RUNS
from kentongan.threshold.body import small_json
from kentongan.threshold.installation import installation
from kentongan.threshold.refusals import Refusal

Option = Annotated[str, Field(max_length=MOST_OPTION_CHARACTERS)] | dict[str, Any]
"""Text, or JSON that stands for it, such as a mapping of columns."""
Options = Annotated[dict[str, Option], Field(max_length=20)]
Source = Annotated[str, Field(max_length=LONGEST_TARGET, pattern=PRINTABLE)]
Pause = Annotated[str, Field(max_length=20, pattern=r"^[0-9]+[mhdMHD]$")]
Secret = Annotated[str, Field(max_length=2_000, pattern=PRINTABLE)]
_WRITES = ("unreadable", "too-large", "wrong-type", "refused")


class FeedWished(Asked):
    """A feed to set up."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=PRINTABLE)]
    """A name of your own."""
    kind: Line
    """One of the names of `GET /api/v1/feeds/kinds`."""
    source: Source = ""
    """The https address that is fetched; left out, the feed is only pushed."""
    options: Options = Field(default_factory=dict)
    """What can be chosen for the kind, by name; what is JSON may be given as JSON."""
    every: Pause | None = None
    """The pause between fetches, such as 15m, 6h or 1d; null: it is fetched when it is asked to be."""
    secret: Secret = ""
    """What the source wants to be shown: a token, or name:password. It is kept sealed and never shown."""


class FeedChanged(Asked):
    """What to change of a feed; what is left out stays."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=PRINTABLE)] | None = None
    """Another name."""
    source: Source | None = None
    """Another https address; empty: it is only pushed from now on. A secret has to be given again with it."""
    options: Options | None = None
    """All options as they are from now on; everything is looked at again with them."""
    every: Pause | None = None
    """Another pause; null: it is fetched when it is asked to be."""
    secret: Secret | None = None
    """Another secret; empty: none."""


class SampleToTry(Asked):
    """A document to try a feed's settings on, before there is the feed."""

    kind: Line
    """One of the names of `GET /api/v1/feeds/kinds`."""
    options: Options = Field(default_factory=dict)
    """As the feed would have them."""
    sample: Annotated[str, Field(min_length=1)]
    """Some of what the source has, as text."""


class WhichItems(Asked):
    """Which items are asked for."""

    limit: Limit = 50
    """How many at most."""
    name: Annotated[str, Field(min_length=1, max_length=4_000)] | None = None
    """This one alone."""
    refused: Flag = False
    """Only those of which something was refused."""


@operation(
    "GET",
    "/feeds",
    "List your feeds",
    scope=Scope.READ,
    answers={200: Answer("All of them, by name, with their last fetch and push.", tuple[FeedView, ...])},
)
def list_feeds(asker: Identity) -> Response:
    """What brings something in for your organization. What it gives out is at /feeds/index.json."""
    with installation().database.reading_for(asker) as session:
        found = ReadFeeds(session, asker).all()
    return answer(found)


@operation(
    "GET",
    "/feeds/kinds",
    "List the kinds of feeds",
    scope=Scope.READ,
    answers={200: Answer("What each reads, what can be chosen, and as what it is pushed.", tuple[KindOfFeed, ...])},
)
def list_feed_kinds(asker: Identity) -> Response:  # noqa: ARG001  # the same for everybody
    """A kind without content types is only fetched."""
    return answer(installation().inbound.kinds())


@operation(
    "POST",
    "/feeds",
    "Set up a feed",
    scope=Scope.ADMIN,
    body=RequestBody("The feed.", model=FeedWished),
    answers={
        201: Answer("Set up; what has a pause is fetched at once.", FeedView, headers={"Location": "Its address."})
    },
    refuses=_WRITES,
)
def create_feed(asker: Identity) -> Response:
    """Folders are set up at the console, by who runs the platform: they are read with its rights."""
    asked = body_as(FeedWished, small_json())
    try:
        pause = duration(asked.every) if asked.every else None
        wish = FeedWish(asked.name, asked.kind, asked.source.strip(), _as_text(asked.options), pause, asked.secret)
        with installation().database.writing() as session:
            made = _feeds(session, asker).add(own(session, asker), wish)
    except WrongFeed as error:
        raise Refusal("refused", str(error)) from None
    return answer(made, 201, {"Location": f"/api/v1/feeds/{made.id}"})


@operation(
    "POST",
    "/feeds/preview",
    "Try a feed's settings on a sample",
    scope=Scope.ADMIN,
    body=RequestBody("The settings and the sample.", model=SampleToTry),
    answers={200: Answer("What the sample would come to, if nothing were stored yet.", ForeseenItem)},
    refuses=_WRITES,
)
def preview_feed(asker: Identity) -> Response:
    """Nothing is stored. Of CSV, this shows what a mapping of columns makes of each row."""
    asked, place = body_as(SampleToTry, small_json()), installation()
    item = Fetched("sample", asked.sample.encode("utf-8", "surrogatepass"))
    try:
        feed = place.inbound.build(asked.kind, pushed_only("sample"), _as_text(asked.options), "")
        foreseen = converted_alone(item.name, prepare(feed, item, place.limits, place.book_of(asker)))
    except WrongFeed as error:
        raise Refusal("refused", str(error)) from None
    except Unreadable as error:
        foreseen = refused_as_a_whole(item.name, error)
    return answer(shown(foreseen))


@operation(
    "GET",
    "/feeds/<feed_id>",
    "Read one feed",
    scope=Scope.READ,
    answers={200: Answer("The feed, without its secret.", FeedView)},
    refuses=("not-found",),
)
def read_feed(asker: Identity, feed_id: str) -> Response:
    """Only for the organization whose it is."""
    with installation().database.reading_for(asker) as session:
        found = ReadFeeds(session, asker).view(feed_id)
    return answer(found)


@operation(
    "PATCH",
    "/feeds/<feed_id>",
    "Change a feed",
    scope=Scope.ADMIN,
    body=RequestBody("What to change.", model=FeedChanged),
    answers={200: Answer("As it is now.", FeedView)},
    refuses=("not-found", *_WRITES),
)
def change_feed(asker: Identity, feed_id: str) -> Response:
    """The kind stays. Another source or other options have everything looked at again; what was kept is not kept twice."""
    asked = body_as(FeedChanged, small_json())
    changes: dict[str, Any] = {name: getattr(asked, name) for name in asked.model_fields_set}
    changes = {name: value for name, value in changes.items() if value is not None or name == "every"}
    try:
        if isinstance(asked.every, str):
            changes["every"] = duration(asked.every)
        if asked.options is not None:
            changes["options"] = _as_text(asked.options)
        with installation().database.writing() as session:
            changed = _feeds(session, asker).change(feed_id, **changes)
    except WrongFeed as error:
        raise Refusal("refused", str(error)) from None
    return answer(changed)


@operation(
    "DELETE",
    "/feeds/<feed_id>",
    "Remove a feed",
    scope=Scope.ADMIN,
    answers={204: Answer("Removed: it takes nothing more, and has forgotten what it took.")},
    refuses=("not-found",),
)
def remove_feed(asker: Identity, feed_id: str) -> Response:
    """What it brought stays."""
    with installation().database.writing() as session:
        _feeds(session, asker).remove(feed_id)
    return with_headers(Response(status=204))


@operation(
    "POST",
    "/feeds/<feed_id>/run",
    "Fetch a feed now",
    scope=Scope.ADMIN,
    answers={202: Answer("Workers fetch it at their next turn; its runs say what became of it.", FeedView)},
    refuses=("not-found", "refused"),
)
def run_feed(asker: Identity, feed_id: str) -> Response:
    """Whatever its schedule says. Where it is being fetched just now, it is fetched again after that."""
    with installation().database.writing() as session:
        soon = _feeds(session, asker).fetch_soon(feed_id)
    return answer(soon, 202)


@operation(
    "GET",
    "/feeds/<feed_id>/runs",
    "List the fetches and pushes of a feed",
    scope=Scope.READ,
    answers={200: Answer(f"The newest first, at most {MOST_RUNS} of each.", tuple[RunView, ...])},
    refuses=("not-found",),
)
def list_feed_runs(asker: Identity, feed_id: str) -> Response:
    """How many items were new, changed, unchanged and refused, or why the source could not be read."""
    with installation().database.reading_for(asker) as session:
        found = ReadFeeds(session, asker).runs(feed_id, 2 * MOST_RUNS)
    return answer(found)


@operation(
    "GET",
    "/feeds/<feed_id>/items",
    "List what became of the items of a feed",
    scope=Scope.READ,
    query=WhichItems,
    answers={200: Answer("Those that came last first.", tuple[ItemView, ...])},
    refuses=("not-found",),
)
def list_feed_items(asker: Identity, query: WhichItems, feed_id: str) -> Response:
    """What of each was kept, changed and refused, and why. An item that never came is a 404."""
    with installation().database.reading_for(asker) as session:
        found = ReadFeeds(session, asker).items(feed_id, query.limit, name=query.name, only_refused=query.refused)
    return answer(found)


def _feeds(session: Session, asker: Identity) -> Feeds:
    place = installation()
    return Feeds(session, place.clock, asker, place.inbound, place.seal)


def _as_text(options: dict[str, Option]) -> dict[str, str]:
    """As a feed keeps them: JSON as text."""
    return {name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in options.items()}
