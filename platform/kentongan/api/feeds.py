"""Feeds: everything of one kind that a reader may see, in the format that a tool loads, under an address that stays.

`/feeds/<name>` for who shows a token of the scope `read`, as a bearer or as the password of HTTP Basic; `/feeds/public/<name>` for
anybody, where the operator wants it. docs/feeds.md says how tools are pointed at them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from flask import Blueprint, Response
from pydantic import AfterValidator
from sqlalchemy.orm import Session

from kentongan.api.asked import Line, no_query, query_as
from kentongan.api.feed_answers import answered, answered_whole, parts, reading_feeds, standing
from kentongan.api.incidents_wanted import IncidentsWanted
from kentongan.api.operation import answer, guarded
from kentongan.domain.feeds import EVERYBODY, FeedFormat, FeedHead, FeedIncident, Rows
from kentongan.domain.identity import Identity, Scope
from kentongan.domain.observables.kinds import KINDS
from kentongan.domain.pap import Use
from kentongan.services.errors import NotFound
from kentongan.services.feed_state import INCIDENTS, VALUES, as_of
from kentongan.services.read_bundle import AT_ONCE, BundleStart, ReadBundle
from kentongan.services.read_feed import EVENTS_AT_ONCE, INCIDENTS_AT_ONCE, Export, ReadFeed, WantedRows
from kentongan.services.read_incidents import IncidentFilter
from kentongan.threshold.auth import refuse_token_in_address, signed_in
from kentongan.threshold.installation import installation

feeds: Final = Blueprint("api_feeds", __name__, url_prefix="/feeds")
_STIX: Final = "application/stix+json;version=2.1"
_SHAPE: Final = "1"
"""Goes up when a format is written otherwise: what clients keep of before is then no longer what they would get."""


def _known_kind(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"is no kind of value; there are {', '.join(sorted(KINDS))}")
    return kind


class ValuesOfFeed(IncidentsWanted):
    """Values, of which incidents."""

    kind: Annotated[Line, AfterValidator(_known_kind)] | None = None
    """One kind of values: domain, ipv4, url, sha256, ..."""


View = Callable[..., Response]


def _address(rule: str) -> Callable[[View], View]:
    """Make a view the answer at `/feeds<rule>` for who shows a token, and at `/feeds/public<rule>` for everybody."""

    def attach(view: View) -> View:
        name = view.__name__
        feeds.add_url_rule(rule, name, guarded(lambda **path: view(signed_in(Scope.READ, by_password=True), **path)))
        feeds.add_url_rule(f"/public{rule}", f"public_{name}", guarded(lambda **path: view(_everybody(), **path)))
        return view

    return attach


def _everybody() -> Identity:
    """Raises NotFound where the operator wants no public feeds."""
    refuse_token_in_address()
    if not installation().settings.public_feeds:
        raise NotFound("there are no public feeds here")
    return EVERYBODY


@_address("/index.json")
def feed_index(reader: Identity) -> Response:
    """Which feeds there are."""
    no_query()
    lists = installation().feed_formats.lists.values()
    return answer({"feeds": [{"url": _own_address(reader, one.name), "description": one.says} for one in lists]})


@_address("/<path:name>")
def read_feed(reader: Identity, name: str) -> Response:
    """One feed. Raises NotFound for a name that is none."""
    made = installation().feed_formats.lists.get(name)
    if made is None:
        raise NotFound("there is no such feed")
    of_values = made.rows is Rows.VALUES
    asked = query_as(ValuesOfFeed) if of_values else query_as(IncidentsWanted)
    kind = VALUES if made.rows is not Rows.INCIDENTS else INCIDENTS
    stands = standing(reader, kind, _SHAPE, _own_address(reader, name), asked.model_dump_json())
    head = FeedHead(_title(reader, made), _own_address(reader, name), installation().settings.address, stands.since)
    return answered(
        reader, stands, made.media_type, lambda: made.lines(head, _rows(reader, made, _wanted(asked, made)))
    )


@_address("/misp/<uuid:event_id>.json")
def read_misp_event(reader: Identity, event_id: UUID) -> Response:
    """One incident as a MISP event. Raises NotFound."""
    no_query()
    event = str(event_id)
    wanted = WantedRows(IncidentFilter(), None, Use.READ, as_of(installation().clock()))
    # Before it is read: what is read then is never older than what its tag says.
    stands = standing(reader, VALUES, _SHAPE, "misp", event)
    with reading_feeds(reader) as session:
        found = ReadFeed(session, reader, wanted, Export(f"misp/{event}.json")).event(event)
    if found is None:
        raise NotFound("there is no such event")
    return answered(reader, stands, "application/json", lambda: iter([installation().feed_formats.event(found)]))


@_address("/cases/<uuid:case_id>.json")
def read_case_bundle(reader: Identity, case_id: UUID) -> Response:
    """A case as STIX. Raises NotFound."""
    return _bundle(reader, f"case {case_id}", lambda bundles: bundles.case(reader, str(case_id)))


@_address("/campaigns/<uuid:campaign_id>.json")
def read_campaign_bundle(reader: Identity, campaign_id: UUID) -> Response:
    """A campaign as STIX. Raises NotFound."""
    return _bundle(reader, f"campaign {campaign_id}", lambda bundles: bundles.campaign(reader, str(campaign_id)))


def _bundle(reader: Identity, name: str, begin: Callable[[ReadBundle], BundleStart]) -> Response:
    no_query()
    place = installation()
    with reading_feeds(reader) as session:
        start = begin(ReadBundle(session, place.cursor_key))
    return answered_whole(reader, name, _STIX, place.feed_formats.bundle(name, _closure(reader, start)))


def _closure(reader: Identity, start: BundleStart) -> Iterator[str]:
    """Everything that a bundle begins with and all that it names, as far as the reader sees it, each once."""
    key = installation().cursor_key
    met = {str(orjson.loads(text)["id"]) for text in start.findings}
    yield from start.findings
    waiting = [one for one in dict.fromkeys(start.ids) if one not in met]
    met |= set(waiting)
    while waiting:
        some, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
        with reading_feeds(reader) as session:
            bodies, named = ReadBundle(session, key).part(reader, some)
        yield from bodies
        fresh = sorted(named - met)
        met |= set(fresh)
        waiting += fresh


def _rows(reader: Identity, made: FeedFormat, wanted: WantedRows) -> Iterator[Any]:
    """The rows that a format takes, part by part."""
    most, export = made.newest, Export(made.name)

    def values(session: Session, after: Any) -> tuple[Any, Any]:
        return ReadFeed(session, reader, wanted, export).values(after)

    def incidents(session: Session, place: Any) -> tuple[tuple[FeedIncident, ...], Any]:
        return ReadFeed(session, reader, wanted, export).incidents(place or None, most or INCIDENTS_AT_ONCE)

    def events(session: Session, place: Any) -> tuple[tuple[FeedIncident, ...], Any]:
        return ReadFeed(session, reader, wanted, export).events(place or None, EVENTS_AT_ONCE)

    if made.rows is Rows.VALUES:
        return parts(values, reader, b"")
    return islice(parts(incidents if made.rows is Rows.INCIDENTS else events, reader, ()), most)


def _wanted(asked: IncidentsWanted, made: FeedFormat) -> WantedRows:
    kinds = made.kinds
    if isinstance(asked, ValuesOfFeed) and asked.kind is not None:
        kinds = frozenset({asked.kind}) if kinds is None else kinds & {asked.kind}
    return WantedRows(asked.wanted(), kinds, made.use, as_of(installation().clock()))


def _title(reader: Identity, made: FeedFormat) -> str:
    return f"Kentongan for {reader.organization_name}: {made.name.rpartition('.')[0]}"


def _own_address(reader: Identity, name: str) -> str:
    """The address of a feed as people write it down."""
    return f"{installation().settings.address.rstrip('/')}/feeds/{'public/' if reader is EVERYBODY else ''}{name}"
