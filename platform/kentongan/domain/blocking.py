"""Which values a machine may act on: by their kind, by their form, and by the warning lists.

A blocklist that holds a resolver, a top site or half of a cloud does more harm than the attack. So a value is left out when in
doubt: whoever reads the incident still finds it there.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final

from kentongan.domain.incident import Observable
from kentongan.domain.observables.suffixes import known_top_level, registered_domain, url_host
from kentongan.domain.warninglists import WarningLists, host_of
from kentongan.domain.warninglists.meanings import HOSTING

HASHES: Final = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
"""Hashes that name one file alone, with their lengths in hexadecimal digits; hashes of likeness (ssdeep, tlsh) name many."""
KINDS: Final = frozenset({"ipv4", "ipv6", "cidr", "domain", "url", *HASHES})
"""The kinds that may stand in blocklists. A mailbox is often a victim's own, a file name or mutex may be anybody's."""
WIDEST: Final = {4: 22, 6: 48}
"""The shortest prefix of a network that may be blocked, by IP version: what a small provider rents to one customer."""

_ADDRESSES: Final = frozenset({"ipv4", "ipv6", "cidr"})
_HOST: Final = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_URL: Final = re.compile(r"(?:https?|ftp)://[!-~]{1,2000}")
_HEXADECIMAL: Final = re.compile(r"[0-9a-f]+")


def may_be_blocked(observable: Observable) -> bool:
    """Whether a machine may act on this value: it is of such a kind and form, and stands on no list of what everybody needs.

    A name or page under a service that rents them to anybody is the renter's alone, and may be; the service itself may not.
    """
    return observable.kind in KINDS and has_its_form(observable) and _is_nobodys_need(observable)


def has_its_form(observable: Observable) -> bool:
    """Whether a value is written as values of its kind are: whatever format it stands in, it cannot be read as anything else."""
    kind, value = observable.kind, observable.value
    if kind in HASHES:
        return len(value) == HASHES[kind] and _HEXADECIMAL.fullmatch(value) is not None
    if kind == "domain":
        return _HOST.fullmatch(value) is not None and known_top_level(value)
    if kind == "url":
        return _URL.fullmatch(value) is not None and bool(url_host(value))
    try:
        found = ip_network(value) if kind == "cidr" else ip_address(value)
    except ValueError:
        return False
    return str(found) == value and kind in ("cidr", f"ipv{found.version}")


@lru_cache(maxsize=16_384)
def _is_nobodys_need(observable: Observable) -> bool:
    lists = WarningLists.load()
    if lists.never_evidence(observable):
        return False
    if observable.kind in _ADDRESSES:
        return _is_rented(observable, lists)
    if observable.kind == "url":
        return _is_a_page_of_somebodys(observable, lists)
    if observable.kind == "domain" and lists.serves_everyone(observable.value):
        return False
    return set(lists.hits(observable)) <= HOSTING


def _is_rented(address: Observable, lists: WarningLists) -> bool:
    """An address or network that somebody has for themselves: on no list, and with nothing in it that is on one."""
    network = ip_network(address.value)
    if network.is_multicast or network.is_reserved or not network.is_global or lists.hits(address):
        return False
    return address.kind != "cidr" or (network.prefixlen >= WIDEST[network.version] and not lists.inside(network))


def _is_a_page_of_somebodys(url: Observable, lists: WarningLists) -> bool:
    """One page may be blocked on a popular site, but no front page of one, and nothing at an address that is not public."""
    host = host_of(url_host(url.value) or "")
    if host.kind != "domain":
        return _is_rented(host, lists)
    if not known_top_level(host.value) or registered_domain(host.value) is None:
        return False
    rest = url.value.partition("://")[2].partition("/")[2]
    return bool(rest) or (set(lists.hits(host)) <= HOSTING and not lists.serves_everyone(host.value))
