"""No test reaches the world: a connection or look-up that would leave this machine is refused and remembered."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

import pytest


class ReachedOutside(OSError):
    """A test tried to reach something that is not on this machine. An OSError, as an unplugged network gives."""


class NetworkGuard:
    """Stands in front of Python's sockets. `attempts` holds what was refused, in words."""

    def __init__(self) -> None:
        self.attempts: list[str] = []

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Replace what connects, sends or resolves, until `patch` is undone."""
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, self._guarded_connect(getattr(socket.socket, name)))
        patch.setattr(socket.socket, "sendto", self._guarded_sendto(socket.socket.sendto))
        for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr"):
            patch.setattr(socket, name, self._guarded_lookup(name, getattr(socket, name)))

    def _guarded_connect(self, connect: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(sock: socket.socket, address: Any) -> Any:
            self._check(sock, address, "connect to")
            return connect(sock, address)

        return guarded

    def _guarded_sendto(self, sendto: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(sock: socket.socket, content: Any, *rest: Any) -> Any:
            self._check(sock, rest[-1], "send to")
            return sendto(sock, content, *rest)

        return guarded

    def _guarded_lookup(self, name: str, look_up: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(host: Any, *rest: Any, **named: Any) -> Any:
            if not _needs_no_network(host):
                self._refuse(f"{name} of {host!r}")
            return look_up(host, *rest, **named)

        return guarded

    def _check(self, sock: socket.socket, address: Any, verb: str) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not _is_this_machine(address[0]):
            self._refuse(f"{verb} {address!r}")

    def _refuse(self, attempt: str) -> None:
        self.attempts.append(attempt)
        raise ReachedOutside(f"a test may not leave this machine: {attempt}")


def _is_this_machine(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return _is_own_name(host)
    return address.is_loopback or address.is_unspecified


def _needs_no_network(host: Any) -> bool:
    """An address is its own answer; of names only this machine's are known without asking anybody."""
    if host is None:
        return True
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return _is_own_name(name)
    return True


def _is_own_name(name: str) -> bool:
    own = ("", "localhost", "localhost.localdomain", "ip6-localhost", socket.gethostname().lower())
    return name.lower().rstrip(".") in own
