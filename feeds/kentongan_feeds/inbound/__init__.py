"""What comes in: one file for each kind of feed, with one class. The classes are found here, and listed nowhere."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from kentongan.domain.feeding import KindOfFeed, WrongFeed
from kentongan_feeds.inbound.feed import Feed, Reach


@cache
def kinds() -> Mapping[str, type[Feed]]:
    """Every kind of feed there is, by its name."""
    found: dict[str, type[Feed]] = {}
    for module in pkgutil.iter_modules(__path__):
        for one in vars(importlib.import_module(f"{__name__}.{module.name}")).values():
            if isinstance(one, type) and issubclass(one, Feed) and "kind" in vars(one):
                found[one.kind] = one
    return dict(sorted(found.items()))


def build(kind: str, source: str, options: Mapping[str, str], secret: str, reach: Reach) -> Feed:
    """The feed of this kind. Raises WrongFeed."""
    if (made := kinds().get(kind)) is None:
        raise WrongFeed(f"there is no kind of feed '{kind[:40]}': use {', '.join(kinds())}")
    return made(source, options, secret, reach)


class InboundKinds:
    """All kinds, as doors and services are given them."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    def kinds(self) -> tuple[KindOfFeed, ...]:
        """Every kind there is, by name."""
        return tuple(
            KindOfFeed(name, kind.about, dict(kind.options), kind.content_types) for name, kind in kinds().items()
        )

    def build(self, kind: str, source: str, options: Mapping[str, str], secret: str) -> Feed:
        """The feed of this kind. Raises WrongFeed."""
        return build(kind, source, options, secret, self._reach)
