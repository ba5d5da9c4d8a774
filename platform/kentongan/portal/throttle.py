"""How often an address may try to sign in.

Kept in the memory of one web process: a restart forgets, and several processes count each for itself. Tokens carry 256 random
bits, so this is no defence against guessing but against a flood of attempts; a shared count comes with the accounts.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from threading import Lock

_MOST_ADDRESSES = 10_000
_COMMON_BITS_V6 = 64  # one household or server has a whole /64


class Throttle:
    """At most `most` failures of one address within `window`."""

    def __init__(self, most: int = 10, window: timedelta = timedelta(minutes=5)) -> None:
        self._most = most
        self._window = window
        self._failures: OrderedDict[str, deque[datetime]] = OrderedDict()
        self._lock = Lock()

    def wait(self, address: str | None, now: datetime) -> timedelta | None:
        """How long this address has to wait before its next attempt; None if it may try now."""
        with self._lock:
            failures = self._failures.get(_network(address))
            if failures is None:
                return None
            self._forget_old(failures, now)
            return failures[0] + self._window - now if len(failures) >= self._most else None

    def failed(self, address: str | None, now: datetime) -> None:
        """An attempt from this address failed."""
        with self._lock:
            network = _network(address)
            failures = self._failures.setdefault(network, deque(maxlen=self._most))
            self._failures.move_to_end(network)
            failures.append(now)
            while len(self._failures) > _MOST_ADDRESSES:
                self._failures.popitem(last=False)

    def _forget_old(self, failures: deque[datetime], now: datetime) -> None:
        while failures and failures[0] + self._window <= now:
            failures.popleft()


def _network(address: str | None) -> str:
    """What counts as one address. Example: every address of 2001:db8:1:2::/64 is `2001:db8:1:2::`."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(parsed, IPv6Address):
        return str(IPv6Address(int(parsed) >> (128 - _COMMON_BITS_V6) << (128 - _COMMON_BITS_V6)))
    return str(parsed)
