"""Values that are no evidence: public resolvers, top sites, CDN edges, sinkholes, empty files, private ranges, ...

The lists are those of the MISP project (NOTICE.md), shipped compactly by scripts/build_warninglists.py.
"""

from __future__ import annotations

import gzip
import ipaddress
import re
from collections import defaultdict
from functools import lru_cache
from importlib import resources
from typing import TypeVar

from kentongan.domain.incident import Observable
from kentongan.domain.observables.suffixes import is_address, is_public_suffix, url_host
from kentongan.domain.warninglists.everyday import EVERYDAY
from kentongan.domain.warninglists.meanings import EVERYBODYS, HOSTING, OWNERS, WHOLE_SITES

Names = tuple[str, ...]
Key = TypeVar("Key", str, int)

_ADDRESSES = frozenset({"ipv4", "ipv6", "cidr"})


class WarningLists:
    """The shipped lists, in memory. A look-up takes a few microseconds and never leaves the process."""

    def __init__(self, lines: list[str]) -> None:
        """`lines` are those of lists.txt: `=slug<TAB>type<TAB>title`, then the list's values in normal form."""
        self.titles = {"not-global": "Addresses not routed publicly", "everyday-names": "Names that every machine has"}
        self._exact: dict[str, Names] = {}
        self._below: dict[str, Names] = {}
        self._networks: dict[tuple[int, int], dict[int, Names]] = defaultdict(dict)
        self._patterns: list[tuple[re.Pattern[str], str]] = []
        self._interned: dict[Names, Names] = {}
        slug = kind = ""
        for line in lines:
            if line.startswith("="):
                slug, kind, self.titles[slug] = line[1:].split("\t")
            else:
                self._add(slug, kind, line)

    @classmethod
    def load(cls) -> WarningLists:
        """The lists shipped with the package, read once per process (a few tenths of a second, some 20 MB)."""
        return _shipped()

    def _add(self, slug: str, kind: str, value: str) -> None:
        if kind == "regex":
            self._patterns.append((re.compile(value, re.IGNORECASE), slug))
        elif kind == "cidr":
            network = ipaddress.ip_network(value)
            self._put(self._networks[network.version, network.prefixlen], int(network.network_address), slug)
        elif value.startswith("."):
            self._put(self._below, value[1:], slug)
        else:
            self._put(self._below if kind in ("hostname", "substring") else self._exact, value, slug)

    def _put(self, table: dict[Key, Names], key: Key, slug: str) -> None:
        names = (*table.get(key, ()), slug)
        table[key] = self._interned.setdefault(names, names)

    def hits(self, observable: Observable) -> Names:
        """The names of all lists the value, its host or the network around it stands on, each once."""
        return tuple(dict.fromkeys((*self._very_value(observable), *self._above(observable))))

    def never_evidence(self, observable: Observable) -> bool:
        """Is it a value that everybody has? Sharing it says nothing about two incidents.

        `github.com` is one; the page `https://github.com/evil/tool` and the name `evil.github.io` are evidence. A page
        on a site nobody rents from (a certificate authority, "what is my IP") is none.
        """
        if not EVERYBODYS.isdisjoint(self._very_value(observable)):
            return True
        if observable.kind == "domain":
            return is_public_suffix(observable.value) or not OWNERS.isdisjoint(self._owners(observable.value))
        return observable.kind == "url" and not WHOLE_SITES.isdisjoint(self._sites(observable.value))

    def serves_everyone(self, host: str) -> bool:
        """Is the host a service that rents names or pages to anybody (a public suffix, dynamic DNS, a shortener)?"""
        listed = (*self._exact.get(host, ()), *self._below.get(host, ()))
        return is_public_suffix(host) or not HOSTING.isdisjoint(listed)

    def inside(self, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
        """Does anything that stands on a list lie within this network? Looks at every listed network: some milliseconds."""
        first, last = int(network.network_address), int(network.broadcast_address)
        return any(
            first <= number <= last
            for (version, length), table in self._networks.items()
            if version == network.version and length >= network.prefixlen
            for number in table
        )

    def title(self, name: str) -> str:
        """What the publisher calls a list. Example: `public-dns-v4` is "List of known IPv4 public DNS resolvers"."""
        return self.titles.get(name, name)

    def _very_value(self, observable: Observable) -> Names:
        """Lists on which the value itself stands."""
        kind, value = observable.kind, observable.value
        if kind in _ADDRESSES:
            return self._around(value)
        if kind == "domain":
            bare = value.removeprefix("www.")
            return (
                *self._exact.get(value, ()),
                *(self._exact.get(bare, ()) if bare != value else ()),
                *self._below.get(bare, ()),
            )
        if kind == "url":
            return (*self._exact.get(value, ()), *self._front_page(value))
        if kind in EVERYDAY:
            return ("everyday-names",) if value in EVERYDAY[kind] else ()
        patterns = tuple(slug for pattern, slug in self._patterns if pattern.search(value)) if kind == "email" else ()
        return (*self._exact.get(value, ()), *patterns)

    def _front_page(self, url: str) -> Names:
        """A URL that is but a host says what the host says."""
        scheme, _, rest = url.partition("://")
        host = rest.removesuffix("/")
        return () if "/" in host or not scheme.startswith("http") else self._very_value(host_of(host.partition(":")[0]))

    def _above(self, observable: Observable) -> Names:
        """Lists that speak of what contains the value: its host, the names above it."""
        if observable.kind == "url":
            host = url_host(observable.value)
            return self.hits(host_of(host)) if host else ()
        if observable.kind == "email":
            return self.hits(host_of(observable.value.rpartition("@")[2]))
        return self._owners(observable.value) if observable.kind == "domain" else ()

    def _owners(self, host: str) -> Names:
        """Lists with an entry that speaks for the names below it; where names are rented, the walk up ends."""
        found: list[str] = []
        while host:
            found += self._below.get(host, ())
            if found and self.serves_everyone(host):
                return tuple(one for one in found if one in HOSTING)
            host = host.partition(".")[2]
        return tuple(found)

    def _sites(self, url: str) -> Names:
        host = url_host(url)
        return () if host is None else (*self._exact.get(host, ()), *self._owners(host))

    def _around(self, value: str) -> Names:
        network = ipaddress.ip_network(value)
        number, most = int(network.network_address), network.max_prefixlen
        found: list[str] = [] if network.is_global else ["not-global"]
        for (version, length), table in self._networks.items():
            if version == network.version and length <= network.prefixlen:
                found += table.get(number >> (most - length) << (most - length), ())
        return tuple(found)


def host_of(host: str) -> Observable:
    """A host that is already in normal form, with its kind."""
    kind = "domain" if not is_address(host) else "ipv6" if ":" in host else "ipv4"
    return Observable(kind, host)


@lru_cache(maxsize=1)
def _shipped() -> WarningLists:
    packed = resources.files(__package__).joinpath("lists.txt.gz").read_bytes()
    return WarningLists(gzip.decompress(packed).decode("utf-8").splitlines())
