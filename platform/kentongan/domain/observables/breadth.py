"""What contains a value: the host of a URL, the domain someone registered, the network of an address."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Final

from kentongan.domain import warninglists  # the module, not its names: it imports from this package itself
from kentongan.domain.incident import Observable
from kentongan.domain.observables.suffixes import registered_domain, url_host

_NETWORK: Final = {"ipv4": 24, "ipv6": 48}
"""How many bits name the smallest network that is announced to others, and so often belongs to one customer."""


def broader(observable: Observable) -> tuple[Observable, ...]:
    """What contains this value, nearest first: a URL's host, a host's registered domain, an address's network, a mailbox's domain.

    `http://a.evil.example.com/x` leads to the host a.evil.example.com and to example.com. What serves everybody
    contains nothing: public suffixes, shared hosting, mail providers, top sites, the networks of clouds are left out.
    """
    lists = warninglists.WarningLists.load()
    if observable.kind in _NETWORK and lists.never_evidence(observable):
        return ()
    found = [one for one in _containers(observable) if one != observable]
    return tuple(one for one in found if not lists.serves_everyone(one.value) and not lists.never_evidence(one))


def _containers(observable: Observable) -> tuple[Observable, ...]:
    if observable.kind == "url":
        host = url_host(observable.value)
        return _with_what_is_around(warninglists.host_of(host)) if host else ()
    if observable.kind == "email":
        return _with_what_is_around(warninglists.host_of(observable.value.rpartition("@")[2]))
    return _with_what_is_around(observable) if observable.kind in {"domain", *_NETWORK} else ()


def _with_what_is_around(host: Observable) -> tuple[Observable, ...]:
    if length := _NETWORK.get(host.kind):
        return host, Observable("cidr", str(ip_network((host.value, length), strict=False)))
    owner = registered_domain(host.value) if host.kind == "domain" else None
    return (host,) if owner is None else (host, Observable("domain", owner))
