"""Who owns a name: the public suffix list, as bundled with tldextract; never fetched."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit

import tldextract

_EXTRACT = tldextract.TLDExtract(
    cache_dir=None, suffix_list_urls=(), fallback_to_snapshot=True, include_psl_private_domains=True
)
_SPECIAL_USE = frozenset({"onion", "i2p", "bit", "eth", "lib", "bazar", "emc", "coin"})
"""Names outside the public root that attackers use all the same: Tor, I2P, alternative roots."""


@lru_cache(maxsize=16384)
def registered_domain(host: str) -> str | None:
    """The name someone registered or rented: `a.b.evil.co.id` is `evil.co.id`, `x.y.github.io` is `y.github.io`.

    None for a public suffix itself (also a hosting service's, such as github.io) and for names under no known suffix.
    """
    special = host.rsplit(".", 1)[-1]
    if special in _SPECIAL_USE:
        return ".".join(host.split(".")[-2:]) if "." in host else None
    return _EXTRACT(host).top_domain_under_public_suffix or None


@lru_cache(maxsize=16384)
def is_public_suffix(host: str) -> bool:
    """Is the name itself one below which anybody may register: `co.id`, `github.io`?"""
    found = _EXTRACT(host)
    return found.suffix == host and bool(host)


def known_top_level(host: str) -> bool:
    """Does the name end in a suffix that exists (public, or one of the special roots)?"""
    return registered_domain(host) is not None or bool(_EXTRACT(host).suffix)


def url_host(url: str) -> str | None:
    """The host of a URL in normal form, without brackets; None for URLs without a host."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def is_address(host: str) -> bool:
    """Is a host in normal form an IPv4 or IPv6 address?"""
    return ":" in host or host.replace(".", "").isdecimal()
