"""How often an address may try to sign in."""

from __future__ import annotations

from datetime import timedelta

from kentongan.portal.throttle import Throttle
from stories import NOON

MINUTE = timedelta(minutes=1)


def test_an_address_waits_after_too_many_failures() -> None:
    throttle = Throttle(most=3, window=5 * MINUTE)

    for _ in range(3):
        throttle.failed("192.0.2.1", NOON)

    assert throttle.wait("192.0.2.1", NOON + MINUTE) == 4 * MINUTE


def test_waiting_ends_when_the_first_failure_grows_old() -> None:
    throttle = Throttle(most=3, window=5 * MINUTE)

    for minute in range(3):
        throttle.failed("192.0.2.1", NOON + minute * MINUTE)

    assert throttle.wait("192.0.2.1", NOON + 4 * MINUTE) == MINUTE
    assert throttle.wait("192.0.2.1", NOON + 5 * MINUTE) is None


def test_one_address_does_not_stop_another() -> None:
    throttle = Throttle(most=1)

    throttle.failed("192.0.2.1", NOON)

    assert throttle.wait("192.0.2.2", NOON) is None


def test_a_whole_ipv6_network_counts_as_one() -> None:
    throttle = Throttle(most=1)

    throttle.failed("2001:db8:1:2::1", NOON)

    assert throttle.wait("2001:db8:1:2:ffff::9", NOON) is not None
    assert throttle.wait("2001:db8:1:3::1", NOON) is None


def test_a_flood_of_addresses_does_not_fill_the_memory() -> None:
    throttle = Throttle(most=1)

    for number in range(10_050):
        throttle.failed(f"10.{number // 65536}.{number // 256 % 256}.{number % 256}", NOON)

    assert len(throttle._failures) == 10_000
