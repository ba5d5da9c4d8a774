"""What every feed is derived from. docs/feeds.md walks through writing one."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from kentongan.domain.feeding import Converted, Fetched, FetchFailed, Found, Known, WrongFeed, is_pushed_only
from kentongan.domain.gate import Limits
from kentongan.domain.target import LONGEST_TARGET, WrongTarget, webhook_target
from kentongan_feeds.egress import Egress
from kentongan_feeds.inbound import sources

SECONDS_OF_A_REQUEST: Final = 60.0
"""A source has so long for one answer, however slowly it drips."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a feed may reach: through the guard only, and no further than the limits of a submission."""

    egress: Egress
    limits: Limits


class Feed(ABC):
    """One feed. A subclass says its `kind` and converts; where its items come from it may leave to this class."""

    kind: ClassVar[str]
    """How it is named, e.g. `stix`."""
    about: ClassVar[str]
    """What it reads, in a line."""
    options: ClassVar[Mapping[str, str]] = {}
    """What can be chosen, and what each choice means."""
    suffixes: ClassVar[frozenset[str]] = frozenset({".json"})
    """Of a folder the files that end so are read, also with .gz behind it."""
    content_types: ClassVar[tuple[str, ...]] = ("application/json",)
    """As what a document may be pushed; none: it cannot be."""
    remembers: ClassVar[bool] = True
    """Whether items come again under the same name, so that each has to be remembered."""

    drafts: ClassVar[bool] = False
    """Whether what it brings is only drafted, for somebody to look at; then each document holds one incident."""

    def __init__(self, source: str, options: Mapping[str, str], secret: str, reach: Reach) -> None:
        """Raises WrongFeed where the source or an option cannot be."""
        if unknown := sorted(set(options) - set(self.options)):
            known = ", ".join(self.options) or "none"
            raise WrongFeed(f"a {self.kind} feed has no option '{unknown[0][:40]}'; it has: {known}")
        self.source = source
        self.chosen = options
        self.secret = secret
        self.reach = reach
        self._check_source()
        self.check()

    @property
    def is_remote(self) -> bool:
        """Whether the source is an address, not a folder or a file."""
        return "://" in self.source

    def check(self) -> None:  # noqa: B027  # a feed without options has nothing to look at
        """Look at the options. Raises WrongFeed."""

    def fetch(self, known: Known) -> Iterator[Found]:
        """The file, the files of the folder in order of their names, or what the address answers. Raises FetchFailed."""
        if is_pushed_only(self.source):
            raise FetchFailed("nothing is fetched for this feed: what it takes is sent to it")
        if self.is_remote:
            return sources.at_address(self.source, self.headers(), self.reach.egress, self.reach.limits, known)
        return sources.in_files(Path(self.source), self.suffixes, self.reach.limits.max_bytes, known)

    @abstractmethod
    def convert(self, fetched: Fetched) -> Converted:
        """The item in STIX 2.1, the same bytes whenever it is asked. Raises gate.Unreadable with every problem there is."""

    def headers(self) -> dict[str, str]:
        """What an address is asked with: the secret as a bearer token, or as name and password where it is `name:password`."""
        if not self.secret:
            return {}
        if ":" in self.secret:
            return {"Authorization": "Basic " + base64.b64encode(self.secret.encode()).decode()}
        return {"Authorization": f"Bearer {self.secret}"}

    def _check_source(self) -> None:
        if not 1 <= len(self.source) <= LONGEST_TARGET or not self.source.isprintable():
            raise WrongFeed(f"a source has 1 to {LONGEST_TARGET} characters, none of them invisible")
        if any(not char.isprintable() or not char.isascii() for char in self.secret):
            raise WrongFeed("a secret has printable ASCII characters only")
        if is_pushed_only(self.source):
            return
        if not self.is_remote:
            if not Path(self.source).is_absolute():
                raise WrongFeed(
                    "write a folder or a file from the root on, such as /srv/feeds/partner, or an https address"
                )
            return
        try:
            webhook_target(self.source, self.reach.egress.allowed)
        except WrongTarget as error:
            raise WrongFeed(f"{error.reason}. {error.hint.replace('; the signature proves who we are', '')}") from None
