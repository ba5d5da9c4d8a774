"""Atom (RFC 4287): the newest incidents, for people with a feed reader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

from kentongan.domain.feeds import FeedHead, FeedIncident, Rows
from kentongan.domain.pap import Use
from kentongan_feeds.outbound.formats.telling import address_of, categories, description, title
from kentongan_feeds.outbound.formats.text import one_line, writable


@dataclass(frozen=True, slots=True)
class Atom:
    """One entry for each incident; its id never changes, so that an amended one is the same entry."""

    name: str = "incidents.atom"
    says: str = "The newest 200 incidents, for a feed reader."
    media_type: str = "application/atom+xml; charset=utf-8"
    rows: Rows = Rows.INCIDENTS
    use: Use = Use.READ
    kinds: None = None
    newest: int = 200

    def lines(self, head: FeedHead, rows: Iterable[FeedIncident]) -> Iterator[str]:
        """All text is plain text: markup that somebody sent is shown as it was written."""
        yield '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n'
        yield f"<id>{escape(writable(head.address))}</id>\n<title>{escape(one_line(head.title))}</title>\n"
        yield f"<updated>{_moment(head.changed_at)}</updated>\n<author><name>Kentongan</name></author>\n"
        yield f'<link rel="self" href={quoteattr(writable(head.address))}/>\n'
        yield f'<link rel="alternate" href={quoteattr(writable(head.site))}/>\n'
        for incident in rows:
            yield _entry(head, incident)
        yield "</feed>\n"


def _entry(head: FeedHead, incident: FeedIncident) -> str:
    terms = "".join(f"<category term={quoteattr(term)}/>" for term in categories(incident))
    return (
        f'<entry><id>urn:uuid:{incident.id}</id><title type="text">{escape(title(incident))}</title>'
        f'<link rel="alternate" href={quoteattr(address_of(head, incident))}/>'
        f"<published>{_moment(incident.received_at)}</published><updated>{_moment(incident.amended_at)}</updated>"
        f"<author><name>{escape(one_line(incident.reporter) or 'unknown')}</name></author>{terms}"
        f'<content type="text">{escape(description(incident))}</content></entry>\n'
    )


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
