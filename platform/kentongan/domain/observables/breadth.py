"""What contains a value: the host of a URL, the domain someone registered."""

from __future__ import annotations

from kentongan.domain import warninglists  # the module, not its names: it imports from this package itself
from kentongan.domain.incident import Observable
from kentongan.domain.observables.suffixes import registered_domain, url_host


def broader(observable: Observable) -> tuple[Observable, ...]:
    """What contains this value, nearest first: a URL's host, a host's registered domain, a mailbox's domain.

    `http://a.evil.example.com/x` leads to the host a.evil.example.com and to example.com. What serves everybody
    contains nothing: public suffixes, shared hosting, mail providers, top sites are left out.
    """
    lists = warninglists.WarningLists.load()
    found = [one for one in _containers(observable) if one != observable]
    return tuple(one for one in found if not lists.serves_everyone(one.value) and not lists.never_evidence(one))


def _containers(observable: Observable) -> tuple[Observable, ...]:
    if observable.kind == "url":
        host = url_host(observable.value)
        return _with_registered(warninglists.host_of(host)) if host else ()
    if observable.kind == "email":
        return _with_registered(warninglists.host_of(observable.value.rpartition("@")[2]))
    return _with_registered(observable) if observable.kind == "domain" else ()


def _with_registered(host: Observable) -> tuple[Observable, ...]:
    owner = registered_domain(host.value) if host.kind == "domain" else None
    return (host,) if owner is None else (host, Observable("domain", owner))
