"""All values as CSV, a line for each, with whether a machine may act on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kentongan.domain.feeds import FeedHead, FeedValue, Rows
from kentongan.domain.pap import Use
from kentongan_feeds.outbound.formats.comma_separated import row_of

COLUMNS = ("kind", "value", "tlp", "pap", "may_block", "reports", "first_seen", "last_seen")


@dataclass(frozen=True, slots=True)
class ValuesCsv:
    """Every value that an incident carries, popular ones too: `may_block` says which of them blocklists hold."""

    name: str = "values.csv"
    says: str = "All values that incidents carry, with how they are marked and whether they may be blocked."
    media_type: str = "text/csv; charset=utf-8; header=present"
    rows: Rows = Rows.VALUES
    use: Use = Use.READ
    kinds: None = None
    newest: None = None

    def lines(self, _head: FeedHead, rows: Iterable[FeedValue]) -> Iterator[str]:
        """The names of the columns first."""
        yield row_of(COLUMNS)
        for one in rows:
            pap = one.pap.label if one.pap is not None else ""
            seen = (one.reports, one.first_seen, one.last_seen)
            yield row_of((one.observable.kind, one.observable.value, one.tlp.label, pap, one.may_block, *seen))
