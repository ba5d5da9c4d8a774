"""Rules for Suricata 6 and later."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from kentongan.domain.feeds import FeedHead, FeedValue, Rows
from kentongan.domain.incident import Observable
from kentongan.domain.pap import Use

_PLAIN: Final = re.compile(r"[A-Za-z0-9._/-]+")
_FIRST_GROUP: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Suricata:
    """`alert` rules: what they do is for whoever loads them to change. They may stand in traffic's way, so they count as blocking.

    A rule's group and number follow from the value, so that it is the same rule tomorrow and suppressions hold.
    """

    name: str = "suricata.rules"
    says: str = "Suricata rules for addresses, networks, domain names and URLs."
    media_type: str = "text/plain; charset=utf-8"
    rows: Rows = Rows.VALUES
    use: Use = Use.BLOCK
    kinds: frozenset[str] = frozenset({"ipv4", "ipv6", "cidr", "domain", "url"})
    newest: None = None

    def lines(self, _head: FeedHead, rows: Iterable[FeedValue]) -> Iterator[str]:
        """One rule a line; of a name one each for DNS and TLS."""
        for one in rows:
            yield from _rules(one)


def _rules(one: FeedValue) -> Iterator[str]:
    kind, value = one.observable.kind, one.observable.value
    if kind == "domain":
        below = f'dotprefix; content:"{content("." + value)}"; nocase; endswith;'
        yield _rule("dns", "$HOME_NET any -> any any", one, f"dns.query; {below}")
        yield _rule("tls", "$HOME_NET any -> $EXTERNAL_NET any", one, f"tls.sni; {below}")
    elif kind == "url":
        yield from _of_url(one)
    else:
        yield _rule("ip", f"$HOME_NET any -> [{value}] any", one, "")


def _of_url(one: FeedValue) -> Iterator[str]:
    """Only what is not encrypted can be seen by its path; an encrypted page cannot be told from its whole site."""
    parts = urlsplit(one.observable.value)
    if parts.scheme != "http" or not parts.hostname:
        return
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = f'http.host; content:"{content(parts.hostname)}"; startswith; endswith;'
    page = f'http.uri.raw; content:"{content(path)}"; startswith; endswith;'
    yield _rule("http", "$HOME_NET any -> $EXTERNAL_NET any", one, f"{host} {page}")


def _rule(protocol: str, flow: str, one: FeedValue, match: str) -> str:
    group, number = _numbers(protocol, one.observable)
    said = f"Kentongan {one.observable.kind} {one.tlp.label}".replace(":", " ")
    options = (
        f'msg:"{said}"; {match + " " if match else ""}classtype:trojan-activity; gid:{group}; sid:{number}; rev:1;'
    )
    return f"alert {protocol} {flow} ({options})\n"


def content(text: str) -> str:
    """As `content` takes it: every sign that could mean something is written as its number.

    Example: `/a;b` is `/a|3b|b`.
    """
    return "".join(
        piece if _PLAIN.fullmatch(piece) else f"|{piece.encode().hex(' ')}|"
        for piece in re.findall(r"[A-Za-z0-9._/-]+|[^A-Za-z0-9._/-]+", text)
    )


def _numbers(protocol: str, observable: Observable) -> tuple[int, int]:
    """51 bits of a hash: of fifty thousand rules no two are likely to meet, and none tells how many there are."""
    told = hashlib.blake2b(f"{protocol}\n{observable.kind}\n{observable.value}".encode(), digest_size=8).digest()
    number = int.from_bytes(told, "big")
    return _FIRST_GROUP + number % 1_048_576, 1 + (number >> 20) % 2_147_483_646
