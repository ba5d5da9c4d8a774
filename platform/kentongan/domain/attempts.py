"""How often somebody may try, so that guessing is hopeless and nobody can lock out somebody else.

Attempts are counted on the canonical name together with the place they come from. A place is a browser that this person signed
in with before (it shows a cookie of its own), or else the network of the address. A stranger can use up the attempts of their
own network, and those of all unknown places together; the victim's own browser, and the networks the victim used lately, are
counted apart and still let in. Source: OWASP, "Slow Down Online Guessing Attacks with Device Cookies".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from typing import Final

_COMMON_BITS_V6: Final = 64  # one household or server has a whole /64
KNOWN_FOR: Final = timedelta(days=90)
"""How long a network counts as a person's own after they signed in from it."""


class Try(StrEnum):
    """What was tried."""

    PASSWORD = "password"  # noqa: S105  # a kind of attempt
    CODE = "code"
    LETTER = "letter"


class Count(StrEnum):
    """What is counted together."""

    HERE = "this name from this place"
    STRANGERS = "this name from all unknown places"
    NETWORK = "all names from this network"


@dataclass(frozen=True, slots=True)
class Bound:
    """At most `most` attempts within `window`."""

    most: int
    window: timedelta


BOUNDS: Final[Mapping[tuple[Try, Count], Bound]] = {
    (Try.PASSWORD, Count.HERE): Bound(8, timedelta(minutes=10)),
    (Try.PASSWORD, Count.STRANGERS): Bound(60, timedelta(minutes=10)),
    (Try.PASSWORD, Count.NETWORK): Bound(60, timedelta(minutes=10)),
    (Try.CODE, Count.HERE): Bound(6, timedelta(minutes=10)),
    (Try.CODE, Count.STRANGERS): Bound(20, timedelta(hours=1)),
    (Try.CODE, Count.NETWORK): Bound(60, timedelta(minutes=10)),
    (Try.LETTER, Count.HERE): Bound(3, timedelta(hours=1)),
    (Try.LETTER, Count.STRANGERS): Bound(3, timedelta(hours=1)),
    (Try.LETTER, Count.NETWORK): Bound(20, timedelta(hours=1)),
}
LONGEST_WINDOW: Final = max(bound.window for bound in BOUNDS.values())


def counts_for(tried: Try, *, known: bool) -> Mapping[Count, Bound]:
    """What an attempt is measured by. From a place that the person is known at, strangers' attempts do not count; letters do
    always, since they cost the one who gets them."""
    passed = {Count.STRANGERS, Count.NETWORK} if known and tried is not Try.LETTER else set()
    return {count: bound for (kind, count), bound in BOUNDS.items() if kind is tried and count not in passed}


def network_of(address: str) -> str:
    """What counts as one address. Example: every address of 2001:db8:1:2::/64 is `2001:db8:1:2::`."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:45]
    if isinstance(parsed, IPv6Address):
        return str(IPv6Address(int(parsed) >> (128 - _COMMON_BITS_V6) << (128 - _COMMON_BITS_V6)))
    return str(parsed)


@dataclass(frozen=True, slots=True)
class Where:
    """Where a request comes from: address, the browser's own words about itself, and its device cookie."""

    address: str
    agent: str = ""
    device: str = ""

    @property
    def network(self) -> str:
        """What the address counts as."""
        return network_of(self.address)
