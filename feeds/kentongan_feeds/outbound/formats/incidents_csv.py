"""All incidents as CSV, a line for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kentongan.domain.feeds import FeedHead, FeedIncident, Rows
from kentongan.domain.pap import Use
from kentongan_feeds.outbound.formats.comma_separated import row_of

COLUMNS = (
    *("id", "stix_id", "title", "reporter", "tlp", "pap", "received_at", "amended_at", "happened_at", "rsit_class"),
    *("rsit_type", "severity", "status", "withdrawn", "countries", "sectors", "malware", "actors", "vulnerabilities"),
)


@dataclass(frozen=True, slots=True)
class IncidentsCsv:
    """For spreadsheets and scripts."""

    name: str = "incidents.csv"
    says: str = "All incidents, a line for each, for spreadsheets and scripts."
    media_type: str = "text/csv; charset=utf-8; header=present"
    rows: Rows = Rows.INCIDENTS
    use: Use = Use.READ
    kinds: None = None
    newest: None = None

    def lines(self, _head: FeedHead, rows: Iterable[FeedIncident]) -> Iterator[str]:
        """The names of the columns first."""
        yield row_of(COLUMNS)
        for one in rows:
            facts = one.facts
            yield row_of(
                (
                    *(
                        one.id,
                        one.stix_id,
                        facts.title,
                        one.reporter,
                        one.tlp.label,
                        one.pap.label if one.pap is not None else "",
                    ),
                    *(one.received_at, one.amended_at, facts.happened.at if facts.happened else None, facts.rsit_class),
                    *(facts.rsit_type, facts.severity, facts.status, one.revoked, facts.countries, facts.sectors),
                    *(facts.malware, facts.actors, facts.vulnerabilities),
                )
            )
