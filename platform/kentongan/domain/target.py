"""Where an alert may be sent, as far as the address itself tells: its spelling, scheme, port and numbers.

What a name stands for is asked at every sending, by the egress guard (kentongan_feeds/egress.py); nothing is
resolved here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST_TARGET: Final = 2_000
_URL: Final = re.compile(r"[!#-;=?-Z\[\]_a-z~%]+")
_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_ENDS_IN_NUMBER: Final = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")
"""What browsers and resolvers read as an IPv4 address, however it is spelled (WHATWG URL, "ends in a number checker")."""
_MAIL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[A-Za-z0-9.-]+")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_ISATAP: Final = (0x00005EFE, 0x02005EFE)
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NOT_FOR_US: Final = tuple(
    map(
        ip_network,
        ("192.0.0.0/24", "192.88.99.0/24", "240.0.0.0/4", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
)


class WrongTarget(Exception):
    """Nothing can be sent there; `reason` says what is wrong with the address, `hint` what to do."""

    def __init__(self, reason: str, hint: str) -> None:
        self.reason = reason
        self.hint = hint
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """The parts of a webhook's address that decide whether it may be asked."""

    scheme: str
    host: str
    """A name in lower case, or an address without brackets."""
    port: int


def networks(setting: str) -> tuple[Network, ...]:
    """Read a comma-separated list of networks. Raises ValueError, naming the one that is none."""
    return tuple(ip_network(one.strip()) for one in setting.split(",") if one.strip())


def webhook_target(url: str, allowed: Sequence[Network] = ()) -> WebhookTarget:
    """Check a webhook's address, as far as that can be done without asking what its name stands for.

    `allowed` are the networks an operator opened although they are not global. Raises WrongTarget.
    """
    if not url.isascii() or len(url) > LONGEST_TARGET or not _URL.fullmatch(url):
        raise WrongTarget(
            "the address has characters that no URL has", "Write names in ASCII (xn--...), the rest as %XX."
        )
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise WrongTarget(f"this is no URL: {error}", "Use https://host/path.") from None
    _check_parts(parts.scheme, parts.netloc, url)
    target = WebhookTarget(parts.scheme, host, port if port is not None else 443 if parts.scheme == "https" else 80)
    _check_target(target, allowed)
    return target


def _check_parts(scheme: str, netloc: str, url: str) -> None:
    if scheme not in ("https", "http"):
        raise WrongTarget("only https addresses can be sent to", "Use https://host/path.")
    if "@" in netloc:
        raise WrongTarget(
            "the address carries a user name or password", "Leave it out; the signature proves who we are."
        )
    if "#" in url:
        raise WrongTarget("the address has a fragment, which is never sent", "Leave out what follows the #.")


def _check_target(target: WebhookTarget, allowed: Sequence[Network]) -> None:
    address = literal(target.host)
    if address is None and not _HOST_NAME.fullmatch(target.host):
        raise WrongTarget("the host is no name and no address", "Use https://host/path.")
    if address is None and _ENDS_IN_NUMBER.fullmatch(target.host):
        raise WrongTarget("the host is a number in an odd spelling", "Write addresses as four decimal numbers.")
    if target.port not in (443, 80) and not 1024 <= target.port <= 65535:
        raise WrongTarget(f"port {target.port} belongs to another service", "Use 443, 80 or a port above 1023.")
    if address is not None and (why := refusal(address, allowed)) is not None:
        raise WrongTarget(why, "Use an address that the internet can reach.")
    if target.scheme == "http" and not (_is_allowed(address, allowed) if address is not None else allowed):
        raise WrongTarget("http is not encrypted", "Use https://host/path.")


def literal(host: str) -> Address | None:
    """The address that a host is, if it is one. Raises nothing."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def may_be_plain(addresses: Sequence[Address], allowed: Sequence[Network]) -> bool:
    """Whether unencrypted http may be spoken with these: only inside networks that an operator opened."""
    return all(_is_allowed(address, allowed) for address in addresses)


def refusal(address: Address, allowed: Sequence[Network] = ()) -> str | None:
    """Why nothing may be sent to this address, or None. One that carries an IPv4 address inside is judged by that as well.

    6to4 and Teredo addresses, which lead to whatever they carry by way of strangers, are refused whatever that is.
    """
    if _is_allowed(address, allowed):
        return None
    inner = embedded(address)
    if inner is not None and (why := refusal(inner, allowed)) is not None:
        return f"{why} (inside {address})"
    if _is_translated(address) or _is_global(address):
        return None
    return f"{address} is {_kind(address)}, not a public address"


def embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address that one reaches through an IPv6 one: mapped, NAT64 (RFC 6052) or ISATAP (RFC 5214); else None."""
    if isinstance(address, IPv4Address):
        return None
    number = int(address)
    if _is_translated(address) or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        return IPv4Address(number & 0xFFFFFFFF)
    return None


def _is_translated(address: Address) -> bool:
    return isinstance(address, IPv6Address) and (address.ipv4_mapped is not None or address in _NAT64)


def _is_allowed(address: Address, allowed: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in allowed)


def _is_global(address: Address) -> bool:
    if any(address.version == network.version and address in network for network in _NOT_FOR_US):
        return False
    if isinstance(address, IPv6Address) and (address not in _GLOBAL_UNICAST or address.scope_id):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _kind(address: Address) -> str:
    kinds = ("unspecified", "loopback", "link_local", "multicast", "private", "reserved")
    return next((kind.replace("_", "-") for kind in kinds if getattr(address, f"is_{kind}")), "reserved")


def mail_target(address: str) -> str:
    """Check a mail address: one, in ASCII, with nothing that could start another header. Raises WrongTarget."""
    if len(address) > 254 or not _MAIL.fullmatch(address):
        raise WrongTarget("this is no mail address", "Use one address, such as duty@cert.example.")
    local, _, domain = address.rpartition("@")
    if len(local) > 64 or not _HOST_NAME.fullmatch(domain.lower()):
        raise WrongTarget("this is no mail address", "Use one address, such as duty@cert.example.")
    return address
