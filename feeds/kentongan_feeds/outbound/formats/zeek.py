"""Zeek's intelligence framework: values that a passive sensor looks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from kentongan.domain.feeds import FeedHead, FeedValue, Rows
from kentongan.domain.pap import Use
from kentongan_feeds.outbound.formats.text import one_line

TYPES: Final = {
    "ipv4": "Intel::ADDR",
    "ipv6": "Intel::ADDR",
    "cidr": "Intel::SUBNET",
    "domain": "Intel::DOMAIN",
    "url": "Intel::URL",
    **dict.fromkeys(("md5", "sha1", "sha256", "sha512"), "Intel::FILE_HASH"),
}
FIELDS: Final = ("indicator", "indicator_type", "meta.source", "meta.desc", "meta.url")


@dataclass(frozen=True, slots=True)
class ZeekIntel:
    """Zeek only listens, so that PAP:AMBER may be among them."""

    name: str = "zeek.intel"
    says: str = "Zeek intelligence: addresses, networks, domain names, URLs and hashes of files."
    media_type: str = "text/plain; charset=utf-8"
    rows: Rows = Rows.VALUES
    use: Use = Use.DETECT
    kinds: frozenset[str] = frozenset(TYPES)
    newest: None = None

    def lines(self, head: FeedHead, rows: Iterable[FeedValue]) -> Iterator[str]:
        """Fields with a tab between them; a URL without its scheme, as Zeek logs them."""
        yield "#fields\t" + "\t".join(FIELDS) + "\n"
        for one in rows:
            kind, value = one.observable.kind, one.observable.value
            value = value.partition("://")[2] if kind == "url" else value
            pap = f" {one.pap.label}" if one.pap is not None else ""
            said = f"{one.tlp.label}{pap} reports: {one.reports}"
            yield "\t".join(one_line(part, 4_000) for part in (value, TYPES[kind], "Kentongan", said, head.site)) + "\n"
