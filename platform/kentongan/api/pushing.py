"""Sending a document to one of the own feeds, in the format of that feed."""

from __future__ import annotations

from typing import Annotated, Final

from flask import Response
from pydantic import Field

from kentongan.api.asked import PRINTABLE, Asked, Flag
from kentongan.api.foreseen_items import ForeseenItem, shown
from kentongan.api.operation import Answer, RequestBody, answer, operation
from kentongan.domain.feeding import Fetched, Inbound, item_name
from kentongan.domain.gate import Unreadable
from kentongan.domain.identity import Identity, Scope
from kentongan.services.converting import Prepared, prepare
from kentongan.services.foresee_feed import refused_as_a_whole, try_out
from kentongan.services.push import Push, Pushed, PushTarget
from kentongan.storage.jobs import Stage
from kentongan.threshold.body import document, refusal_of
from kentongan.threshold.installation import installation
from kentongan.threshold.refusals import Fault, Refusal, faults_of

CONTENT_TYPES: Final = (
    "application/json",
    "application/stix+json",
    "application/jsonl",
    "application/x-ndjson",
    "text/csv",
    "text/tab-separated-values",
    "message/rfc822",
)
"""Those of all kinds together; each feed takes those of its own."""


class HowToPush(Asked):
    """How the document is to be taken."""

    name: Annotated[str, Field(min_length=1, max_length=1_000, pattern=PRINTABLE)] | None = None
    """What the item is called at its source, such as the path of a file: under the same name it is the same item, changed or not.
    Left out, it is called by the hash of its content."""
    dry_run: Flag = False
    """Only say what would become of it; nothing is stored, and the push is not accounted."""


@operation(
    "POST",
    "/feeds/<feed_id>/push",
    "Push a document to a feed",
    scope=Scope.SUBMIT,
    query=HowToPush,
    body=RequestBody(
        "One document of the feed's format: a STIX 2.1 or 2.0 bundle, MISP events, a table, IntelMQ events, a mail; also with "
        "Content-Encoding: gzip.",
        content_types=CONTENT_TYPES,
    ),
    answers={
        200: Answer("A dry run: what would become of it.", ForeseenItem),
        202: Answer("Kept for good, or known already; what became of it.", Pushed),
    },
    refuses=("unreadable", "not-found", "too-large", "wrong-type", "refused", "rejected"),
)
def push_to_feed(sender: Identity, query: HowToPush, feed_id: str) -> Response:
    """It goes the road of what is fetched: the same checks, the same accounting, and the same again changes nothing. A document
    that is refused is accounted with its reasons; one past the limit, or of another content type, is not read."""
    place = installation()
    with place.database.reading_for(sender) as session:
        target = Push(session, place.clock, sender).target(feed_id)
    feed = _feed(target)
    raw = document(place.limits.max_bytes, feed.content_types)
    item = Fetched(query.name or item_name(raw), raw)
    try:
        prepared = prepare(feed, item, place.limits, place.book_of(sender))
    except Unreadable as error:
        if query.dry_run:
            return answer(shown(refused_as_a_whole(item.name, error)))
        with place.database.writing() as session:
            Push(session, place.clock, sender).take(target, feed, item, error.problems)
        raise refusal_of(error) from None
    if query.dry_run:
        with place.database.trying() as session:
            return answer(shown(try_out(session, place.clock, sender, item.name, prepared)))
    return _taken(sender, target, feed, item, prepared)


def _taken(sender: Identity, target: PushTarget, feed: Inbound, item: Fetched, prepared: Prepared) -> Response:
    place = installation()
    with place.database.writing() as session:
        pushed = Push(session, place.clock, sender).take(target, feed, item, prepared)
    if pushed.outcome == "refused":
        raise Refusal("rejected", "Nothing of the document was stored.", faults_of(pushed.item.problems))
    if not feed.drafts:
        place.nudge(Stage.INDEX)
    return answer(pushed, 202)


def _feed(target: PushTarget) -> Inbound:
    feed = installation().inbound.build(target.kind, target.source, target.options, "")
    if not feed.content_types:
        fault = Fault(
            "path", "feed_id", "only-fetched", f"a {target.kind} feed is only fetched", "Push to another feed."
        )
        raise Refusal("refused", "Nothing was stored.", [fault])
    return feed
