"""A response policy zone (draft-vixie-dnsop-dns-rpz): names and addresses that a resolver does not answer with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final

from kentongan.domain.feeds import FeedHead, FeedValue, Rows
from kentongan.domain.pap import Use

LONGEST: Final = 180
"""Signs of a name that is taken: what the zone's own name adds must not make it longer than DNS allows, or no name would load."""


@dataclass(frozen=True, slots=True)
class Rpz:
    """`CNAME .` answers that there is no such name, for the name and all below it."""

    name: str = "rpz.zone"
    says: str = "A response policy zone for BIND, Unbound, Knot and PowerDNS: domain names and addresses."
    media_type: str = "text/dns; charset=utf-8"
    rows: Rows = Rows.VALUES
    use: Use = Use.BLOCK
    kinds: frozenset[str] = frozenset({"domain", "ipv4", "ipv6", "cidr"})
    newest: None = None

    def lines(self, head: FeedHead, rows: Iterable[FeedValue]) -> Iterator[str]:
        """All names are below the zone's own, which whoever loads it chooses. The serial grows with every change."""
        serial = int(head.changed_at.timestamp())
        yield f"$TTL 300\n@ SOA localhost. hostmaster.localhost. {serial} 3600 600 86400 300\n@ NS localhost.\n"
        for one in rows:
            kind, value = one.observable.kind, one.observable.value
            if kind != "domain":
                yield f"{trigger(value)}.rpz-ip CNAME .\n"
            elif len(value) <= LONGEST:
                yield f"{value} CNAME .\n*.{value} CNAME .\n"


def trigger(network: str) -> str:
    """An address or network as a policy zone names it: the prefix's length, then the parts backwards; `zz` is IPv6's `::`.

    Examples: `203.0.113.7` is `32.7.113.0.203`; `2001:db8::1` is `128.1.zz.db8.2001`.
    """
    found = ip_network(network)
    text = str(found.network_address)
    parts = text.replace("::", ":zz:").strip(":").split(":") if found.version == 6 else text.split(".")
    return ".".join([str(found.prefixlen), *reversed(parts)])
