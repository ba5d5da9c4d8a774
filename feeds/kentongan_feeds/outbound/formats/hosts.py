"""A hosts file: names that lead nowhere, for machines and for resolvers such as Pi-hole and dnsmasq."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kentongan.domain.feeds import FeedHead, FeedValue, Rows
from kentongan.domain.pap import Use
from kentongan_feeds.outbound.formats.text import one_line


@dataclass(frozen=True, slots=True)
class Hosts:
    """`0.0.0.0` before each name: a machine gives up at once, and asks nobody."""

    name: str = "hosts.txt"
    says: str = "Domain names as a hosts file."
    media_type: str = "text/plain; charset=utf-8"
    rows: Rows = Rows.VALUES
    use: Use = Use.BLOCK
    kinds: frozenset[str] = frozenset({"domain"})
    newest: None = None

    def lines(self, head: FeedHead, rows: Iterable[FeedValue]) -> Iterator[str]:
        """One comment, then a name a line."""
        yield f"# {one_line(head.title)}\n"
        for one in rows:
            yield f"0.0.0.0 {one_line(one.observable.value)}\n"
