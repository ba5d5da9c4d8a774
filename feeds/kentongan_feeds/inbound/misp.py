"""MISP: event files, and feeds of them behind a manifest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from kentongan.domain.feeding import (
    Change,
    Converted,
    Fetched,
    FetchFailed,
    Found,
    Known,
    PassedOver,
    Untouched,
    bundle_of,
)
from kentongan.domain.gate import Problem, Unreadable, parse
from kentongan.domain.misp import events_in, incident_of
from kentongan.domain.stix_making import bundle_id
from kentongan_feeds.inbound import sources
from kentongan_feeds.inbound.feed import Feed

MANIFEST: Final = "manifest.json"
MOST_EVENTS: Final = 100_000
_GIVEN_UP_AFTER: Final = 5
"""So many events in a row that cannot be fetched: then it is the source, not the events."""
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class MispFeed(Feed):
    """Events of a MISP, as files or as a feed."""

    kind: ClassVar[str] = "misp"
    about: ClassVar[str] = (
        "MISP events as JSON: files, one address, or the manifest.json of a feed; the secret is MISP's key"
    )

    def fetch(self, known: Known) -> Iterator[Found]:
        """The events that the manifest names, those changed first come first; else as every feed does."""
        if self.is_remote and self.source.partition("?")[0].endswith(f"/{MANIFEST}"):
            return self._named_by_the_manifest(known)
        return (found for found in super().fetch(known) if found.name.rpartition("/")[2] != MANIFEST)

    def convert(self, fetched: Fetched) -> Converted:
        """One bundle for each event."""
        events = events_in(parse(fetched.raw, self.reach.limits))
        if not events:
            raise Unreadable(
                [Problem("$.Event", "no-event", "this is no MISP event", 'An export holds {"Event": {...}}.')]
            )
        documents: list[bytes] = []
        changes: list[Change] = []
        for path, event in events:
            objects, changed = incident_of(event, path)
            documents.append(bundle_of(objects, bundle_id(fetched.raw, path.encode())))
            changes += changed
        return Converted(tuple(documents), tuple(changes))

    def headers(self) -> dict[str, str]:
        """MISP wants its key bare."""
        bare = self.secret and ":" not in self.secret
        return {"Accept": "application/json", **({"Authorization": self.secret} if bare else super().headers())}

    def _named_by_the_manifest(self, known: Known) -> Iterator[Found]:
        base = self.source.partition("?")[0].removesuffix(MANIFEST)
        failed = 0
        for uuid, changed in self._manifest():
            name = f"{uuid}.json"
            if known.stamps.get(name) == changed:
                yield Untouched(name)
                continue
            found = self._event(base + name, name, changed)
            failed = failed + 1 if isinstance(found, PassedOver) else 0
            yield found
            if failed == _GIVEN_UP_AFTER:
                raise FetchFailed(f"{failed} events in a row could not be fetched; the report says why")

    def _event(self, url: str, name: str, stamp: str) -> Found:
        try:
            return Fetched(name, self._answer(url), stamp=stamp)
        except FetchFailed as error:
            return PassedOver(name, Problem("$", "not-fetched", str(error), "It is asked for again at the next fetch."))

    def _answer(self, url: str) -> bytes:
        most = self.reach.limits.max_bytes
        answer = sources.ask(self.reach.egress, url, {"Accept-Encoding": "gzip", **self.headers()}, most)
        try:
            return sources.opened(answer.body, most)
        except Unreadable as error:
            raise FetchFailed(f"the answer cannot be unpacked: {error.problems[0].reason}") from None

    def _manifest(self) -> list[tuple[str, str]]:
        """Events with the moment of their last change, the oldest change first. Names that are no UUID lead nowhere."""
        try:
            tree = parse(self._answer(self.source), self.reach.limits)
        except Unreadable as error:
            raise FetchFailed(f"the manifest cannot be read: {error.problems[0].reason}") from None
        if not isinstance(tree, dict) or len(tree) > MOST_EVENTS:
            raise FetchFailed(f"this is no manifest of at most {MOST_EVENTS} events")
        if strange := [uuid for uuid in tree if not _UUID.fullmatch(uuid)]:
            raise FetchFailed(f"the manifest names {len(strange)} things that are no event's UUID")
        return sorted(
            ((uuid, _changed(told)) for uuid, told in tree.items()), key=lambda each: (len(each[1]), each[1], each[0])
        )


def _changed(told: Any) -> str:  # any JSON
    at = told.get("timestamp") if isinstance(told, Mapping) else None
    return str(at)[:100] if isinstance(at, (int, str)) else ""
