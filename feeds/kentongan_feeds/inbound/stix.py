"""STIX: bundles, lists and single objects of STIX 2.1 as they are, bundles of STIX 2.0 in the words of 2.1."""

from __future__ import annotations

from typing import ClassVar

import orjson

from kentongan.domain.feeding import Converted, Fetched
from kentongan.domain.gate import parse
from kentongan.domain.stix20 import in_stix_21, is_stix_20
from kentongan_feeds.inbound.feed import Feed


class StixFeed(Feed):
    """A folder, a file or an address with STIX."""

    kind: ClassVar[str] = "stix"
    about: ClassVar[str] = (
        "STIX 2.1 documents as they are, STIX 2.0 bundles converted: a folder, a file or an https address"
    )
    suffixes: ClassVar[frozenset[str]] = frozenset({".json", ".stix", ".stix2"})
    content_types: ClassVar[tuple[str, ...]] = ("application/json", "application/stix+json")

    def convert(self, fetched: Fetched) -> Converted:
        """What is STIX 2.1 goes in byte for byte."""
        tree = parse(fetched.raw, self.reach.limits)
        if not is_stix_20(tree):
            return Converted((fetched.raw,))
        assert isinstance(tree, dict), "is_stix_20 says so"
        bundle, changes = in_stix_21(tree)
        return Converted((orjson.dumps(bundle),), tuple(changes))
