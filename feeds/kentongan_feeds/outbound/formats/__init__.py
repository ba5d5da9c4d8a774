"""The formats of outbound feeds: a new one is one file with one class, and a word in the list below."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from kentongan.domain.feeds import FeedFormat, FeedIncident
from kentongan_feeds.outbound.formats.atom import Atom
from kentongan_feeds.outbound.formats.blocklist import BLOCKLISTS
from kentongan_feeds.outbound.formats.hosts import Hosts
from kentongan_feeds.outbound.formats.incidents_csv import IncidentsCsv
from kentongan_feeds.outbound.formats.json_feed import JsonFeed
from kentongan_feeds.outbound.formats.misp import MispHashes, MispManifest, event_of
from kentongan_feeds.outbound.formats.rpz import Rpz
from kentongan_feeds.outbound.formats.stix import StixBundle
from kentongan_feeds.outbound.formats.suricata import Suricata
from kentongan_feeds.outbound.formats.values_csv import ValuesCsv
from kentongan_feeds.outbound.formats.zeek import ZeekIntel

_ALL: Final[tuple[FeedFormat, ...]] = (
    Atom(),
    JsonFeed(),
    IncidentsCsv(),
    ValuesCsv(),
    *BLOCKLISTS,
    Hosts(),
    Rpz(),
    Suricata(),
    ZeekIntel(),
    MispManifest(),
    MispHashes(),
)
LISTS: Final[Mapping[str, FeedFormat]] = MappingProxyType({one.name: one for one in _ALL})
"""In the order in which people are told of them."""


class OutboundFormats:
    """All formats, as the doors are given them."""

    @property
    def lists(self) -> Mapping[str, FeedFormat]:
        """Those of lists, by name."""
        return LISTS

    def event(self, incident: FeedIncident) -> str:
        """One incident as a MISP event."""
        return event_of(incident)

    def bundle(self, name: str, objects: Iterable[str]) -> Iterator[str]:
        """STIX objects, given as JSON, as one STIX bundle; its id follows from `name`."""
        return StixBundle().lines(name, objects)
