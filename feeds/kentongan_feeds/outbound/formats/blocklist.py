"""Plain blocklists: one value a line and nothing else, as firewalls, proxies and scanners load them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from kentongan.domain.feeds import FeedHead, FeedValue, Rows
from kentongan.domain.pap import Use
from kentongan_feeds.outbound.formats.text import one_line


@dataclass(frozen=True, slots=True)
class Blocklist:
    """The values of one kind. There is no line that explains anything: many devices take no comments."""

    name: str
    says: str
    kinds: frozenset[str]
    media_type: str = "text/plain; charset=utf-8"
    rows: Rows = field(default=Rows.VALUES)
    use: Use = field(default=Use.BLOCK)
    newest: None = None

    def lines(self, _head: FeedHead, rows: Iterable[FeedValue]) -> Iterator[str]:
        """The values as they are."""
        for one in rows:
            yield f"{one_line(one.observable.value, 4_000)}\n"


BLOCKLISTS = tuple(
    Blocklist(f"{name}.txt", f"{words}, one a line.", frozenset({kind}))
    for name, words, kind in (
        ("ipv4", "IPv4 addresses", "ipv4"),
        ("ipv6", "IPv6 addresses", "ipv6"),
        ("networks", "Networks in CIDR notation", "cidr"),
        ("domains", "Domain names", "domain"),
        ("urls", "URLs", "url"),
        ("md5", "MD5 hashes of files", "md5"),
        ("sha1", "SHA-1 hashes of files", "sha1"),
        ("sha256", "SHA-256 hashes of files", "sha256"),
        ("sha512", "SHA-512 hashes of files", "sha512"),
    )
)
