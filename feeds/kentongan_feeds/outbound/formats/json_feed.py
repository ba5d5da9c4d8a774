"""JSON Feed 1.1 (jsonfeed.org): the newest incidents, for people with a feed reader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

from kentongan.domain.feeds import FeedHead, FeedIncident, Rows
from kentongan.domain.pap import Use
from kentongan_feeds.outbound.formats.telling import address_of, categories, description, title
from kentongan_feeds.outbound.formats.text import one_line, writable


@dataclass(frozen=True, slots=True)
class JsonFeed:
    """The same as the Atom feed, as JSON."""

    name: str = "incidents.json"
    says: str = "The newest 200 incidents as JSON Feed."
    media_type: str = "application/feed+json"
    rows: Rows = Rows.INCIDENTS
    use: Use = Use.READ
    kinds: None = None
    newest: int = 200

    def lines(self, head: FeedHead, rows: Iterable[FeedIncident]) -> Iterator[str]:
        """`content_text` alone: readers show it as it was written."""
        own = {
            "version": "https://jsonfeed.org/version/1.1",
            "title": one_line(head.title),
            "home_page_url": writable(head.site),
            "feed_url": writable(head.address),
        }
        yield orjson.dumps(own).decode().removesuffix("}") + ',"items":['
        for number, incident in enumerate(rows):
            yield ("," if number else "") + "\n" + orjson.dumps(_item(head, incident), option=orjson.OPT_UTC_Z).decode()
        yield "\n]}\n"


def _item(head: FeedHead, incident: FeedIncident) -> dict[str, object]:
    return {
        "id": f"urn:uuid:{incident.id}",
        "url": address_of(head, incident),
        "title": title(incident),
        "content_text": description(incident),
        "date_published": incident.received_at,
        "date_modified": incident.amended_at,
        "authors": [{"name": one_line(incident.reporter) or "unknown"}],
        "tags": categories(incident),
    }
