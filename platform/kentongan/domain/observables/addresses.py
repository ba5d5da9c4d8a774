"""Addresses of machines: IPv4, IPv6, networks, MAC addresses, autonomous systems."""

from __future__ import annotations

import ipaddress
import re

from kentongan.domain.incident import Observable
from kentongan.domain.observables.defang import host_refanged, refanged

_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}")
_PORT = re.compile(r"(?P<host>[0-9.]{7,15}|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
_MAC = re.compile(r"[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}(?:[0-9a-f]{2}\1[0-9a-f]{2}\1)?[0-9a-f]{2}", re.IGNORECASE)
_MAC_DOTTED = re.compile(r"[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}", re.IGNORECASE)
_MAC_BARE = re.compile(r"[0-9a-f]{12}", re.IGNORECASE)
_ASN = re.compile(r"(?:ASN?\s*)?([0-9]{1,10})(?:\.([0-9]{1,5}))?", re.IGNORECASE)
_LARGEST_ASN = 2**32 - 1


def address(raw: str) -> Observable | None:
    """An IPv4 or IPv6 address or a network, in one spelling.

    `1.2.3.4/32` and `::ffff:1.2.3.4` are `1.2.3.4`; `2001:DB8:0::1` is `2001:db8::1`; `10.1.2.3/8` is the network
    `10.0.0.0/8`; a port is dropped. Octets with leading zeros are refused: readers disagree whether they are octal.
    """
    if _IPV4.fullmatch(raw):
        return Observable("ipv4", raw)
    text = refanged(raw)
    if text is None:
        return None
    text = host_refanged(text)
    port = _PORT.fullmatch(text)
    if port:
        text = port.group("host")
    return _network(text) if "/" in text else _single(text.strip("[]").rstrip("."))


def _single(text: str) -> Observable | None:
    if _IPV4.fullmatch(text):
        return Observable("ipv4", text)
    if ":" not in text or not text.isascii():
        return None
    try:
        found = ipaddress.IPv6Address(text.split("%", 1)[0])
    except ValueError:
        return None
    return Observable("ipv4", str(found.ipv4_mapped)) if found.ipv4_mapped else Observable("ipv6", str(found))


def _network(text: str) -> Observable | None:
    host, _, length = text.partition("/")
    whole = _single(host.strip("[]"))
    if whole is None or not length.isascii() or not length.isdecimal() or len(length) > 3:
        return None
    mapped = 96 if whole.kind == "ipv4" and ":" in host else 0
    bits = int(length) - mapped
    most = 32 if whole.kind == "ipv4" else 128
    if not 0 <= bits <= most:
        return None
    return whole if bits == most else Observable("cidr", str(ipaddress.ip_network((whole.value, bits), strict=False)))


def mac(raw: str) -> Observable | None:
    """A MAC address with lower-case pairs and colons. Example: `00-1B-44-11-3A-B7` is `00:1b:44:11:3a:b7`."""
    text = refanged(raw)
    if text is None or not (_MAC.fullmatch(text) or _MAC_DOTTED.fullmatch(text) or _MAC_BARE.fullmatch(text)):
        return None
    digits = text.translate({ord(mark): None for mark in ":-."}).lower()
    return Observable("mac", ":".join(digits[at : at + 2] for at in range(0, len(digits), 2)))


def mac_with_marks(raw: str) -> Observable | None:
    """A MAC address that shows itself by its colons, dashes or dots: twelve bare digits may be anything."""
    return None if _MAC_BARE.fullmatch(raw.strip()) else mac(raw)


def asn(raw: str) -> Observable | None:
    """An autonomous system. Example: `asn 64500`, `64500` and `AS64500` are `AS64500`; `AS1.10` (RFC 5396) is `AS65546`."""
    text = refanged(raw)
    found = _ASN.fullmatch(text) if text is not None and text.isascii() else None
    if found is None:
        return None
    number = int(found.group(1)) if found.group(2) is None else int(found.group(1)) * 65536 + int(found.group(2))
    return Observable("asn", f"AS{number}") if number <= _LARGEST_ASN else None
