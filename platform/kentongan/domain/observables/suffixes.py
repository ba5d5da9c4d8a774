"""Who owns a name: the public suffix list, as bundled with tldextract; never fetched."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit

import tldextract

from kentongan.domain.incident import Observable

_EXTRACT = tldextract.TLDExtract(
    cache_dir=None, suffix_list_urls=(), fallback_to_snapshot=True, include_psl_private_domains=True
)
_SPECIAL_USE = frozenset({"onion", "i2p", "bit", "eth", "lib", "bazar", "emc", "coin"})
"""Names outside the public root that attackers use all the same: Tor, I2P, alternative roots."""


@lru_cache(maxsize=65536)
def registered_domain(host: str) -> str | None:
    """The name someone registered or rented: `a.b.evil.co.id` is `evil.co.id`, `x.y.github.io` is `y.github.io`.

    None for a public suffix itself (also a hosting service's, such as github.io) and for names under no known suffix.
    """
    special = host.rsplit(".", 1)[-1]
    if special in _SPECIAL_USE:
        return ".".join(host.split(".")[-2:]) if "." in host else None
    return _EXTRACT(host).top_domain_under_public_suffix or None


def known_top_level(host: str) -> bool:
    """Does the name end in a suffix that exists (public, or one of the special roots)?"""
    return registered_domain(host) is not None or bool(_EXTRACT(host).suffix)


def url_host(url: str) -> str | None:
    """The host of a URL in normal form, without brackets; None for URLs without a host."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def broader(observable: Observable) -> tuple[Observable, ...]:
    """What contains this value, nearest first: a URL's host, a host's registered domain, a mailbox's domain.

    `http://a.evil.example/x` leads to the host a.evil.example and to evil.example. A public suffix, a shared hosting
    service or an address contains nothing more.
    """
    if observable.kind == "url":
        host = url_host(observable.value)
        return () if not host else _with_registered(_host(host))
    if observable.kind == "email":
        return _with_registered(_host(observable.value.rpartition("@")[2]))
    return _with_registered(observable)[1:] if observable.kind == "domain" else ()


def _host(host: str) -> Observable:
    if ":" in host:
        return Observable("ipv6", host)
    return Observable("ipv4" if host.replace(".", "").isdecimal() else "domain", host)


def _with_registered(host: Observable) -> tuple[Observable, ...]:
    owner = registered_domain(host.value) if host.kind == "domain" else None
    return (host,) if owner is None or owner == host.value else (host, Observable("domain", owner))
