"""IntelMQ: events as JSON, one an incident.

Source: IntelMQ's data format (docs "Data format" and "Harmonization fields"): names of one level with dots, or nested by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

import orjson

from kentongan.domain.account import Account, in_stix
from kentongan.domain.feeding import Change, Converted, Fetched, bundle_of
from kentongan.domain.gate import Problem, Unreadable, parse
from kentongan.domain.moments import timestamp
from kentongan.domain.stix_making import StixObject, bundle_id, made_id, once
from kentongan_feeds.inbound.feed import Feed

_OBSERVABLES: Final[Mapping[str, str]] = {
    "source.ip": "ipv4",
    "source.network": "cidr",
    "source.fqdn": "domain",
    "source.url": "url",
    "source.asn": "asn",
    "malware.hash.md5": "md5",
    "malware.hash.sha1": "sha1",
    "malware.hash.sha256": "sha256",
}
"""Of the source of an event: who attacks or is infected. Its destination is who was attacked, and no sign of an attack."""
_TAKEN: Final = frozenset(
    {*_OBSERVABLES, "time.source", "time.observation", "classification.taxonomy", "classification.type"}
    | {"classification.identifier", "malware.name", "event_description.text", "event_description.url", "feed.name"}
    | {"feed.provider", "__type"}
)
_EVENTS_AT_ONCE: Final = 500


class IntelMqFeed(Feed):
    """Files or an address with events of IntelMQ."""

    kind: ClassVar[str] = "intelmq"
    about: ClassVar[str] = "IntelMQ events as JSON: one, a list, or one a line; a folder, a file or an https address"
    suffixes: ClassVar[frozenset[str]] = frozenset({".json", ".jsonl"})
    content_types: ClassVar[tuple[str, ...]] = ("application/json", "application/jsonl", "application/x-ndjson")

    def convert(self, fetched: Fetched) -> Converted:
        """A bundle for every few hundred events; one that says no moment is a problem of its own."""
        documents: list[bytes] = []
        changes, problems = list[Change](), list[Problem]()
        waiting: list[StixObject] = []
        for number, (path, event) in enumerate(self._events(fetched.raw)):
            if number and number % _EVENTS_AT_ONCE == 0 and waiting:
                documents.append(bundle_of(once(waiting), bundle_id(fetched.raw, str(len(documents)).encode())))
                waiting = []
            try:
                waiting += _incident(_flat(event), path, changes)
            except ValueError as error:
                problems.append(Problem(path, "no-event", str(error), "IntelMQ's harmonization asks for it."))
        if waiting:
            documents.append(bundle_of(once(waiting), bundle_id(fetched.raw, str(len(documents)).encode())))
        if not documents:
            raise Unreadable(problems or [Problem("$", "empty", "there is no event in it", "Look at the source.")])
        return Converted(tuple(documents), tuple(changes), tuple(problems))

    def _events(self, raw: bytes) -> Iterator[tuple[str, Mapping[str, Any]]]:
        try:
            tree = parse(raw, self.reach.limits)
        except Unreadable as error:
            lines = raw.strip().split(b"\n")
            if len(lines) < 2 or error.too_large:
                raise
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield f"line {number}", self._one(line, number)
            return
        for number, event in enumerate(tree if isinstance(tree, list) else [tree]):
            path = f"$[{number}]" if isinstance(tree, list) else "$"
            if not isinstance(event, dict):
                raise Unreadable([Problem(path, "no-event", "this is no event", "Events are JSON objects.")])
            yield path, event

    def _one(self, line: bytes, number: int) -> Mapping[str, Any]:
        try:
            event = parse(line, self.reach.limits)
        except Unreadable as error:
            first = error.problems[0]
            raise Unreadable([Problem(f"line {number}", first.rule, first.reason, first.hint)]) from None
        if not isinstance(event, dict):
            raise Unreadable([Problem(f"line {number}", "no-event", "this is no event", "Write one object a line.")])
        return event


def _flat(event: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"source": {"ip": ...}}` and `{"source.ip": ...}` say the same. What lies deeper than four levels stays as it is."""
    found: dict[str, Any] = {}
    for name, value in event.items():
        if isinstance(value, dict) and prefix.count(".") < 4:
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def _incident(event: Mapping[str, Any], path: str, changes: list[Change]) -> Sequence[StixObject]:
    """Raises ValueError, in words for people, where the event says no moment."""
    started = timestamp(event.get("time.source")) or timestamp(event.get("time.observation"))
    if started is None:
        raise ValueError("the event has neither time.source nor time.observation")
    told = {name: value.strip() for name, value in event.items() if isinstance(value, str) and value.strip()}
    kind, taxonomy = told.get("classification.type", ""), told.get("classification.taxonomy", "")
    about = next((told[name] for name in ("source.fqdn", "source.url", "source.ip") if name in told), "")
    labels = [f'rsit:{taxonomy}="{kind}"'] if taxonomy and kind else []
    labels += [f"intelmq:{name}={told[name]}" for name in ("feed.name", "feed.provider") if name in told]
    account = Account(
        stix_id=made_id("incident", "intelmq", orjson.dumps(event, option=orjson.OPT_SORT_KEYS).decode()),
        name=": ".join(part for part in (kind or "event", told.get("classification.identifier", ""), about) if part),
        created=started.at,
        modified=started.at,
        description=told.get("event_description.text", ""),
        started=started,
        threat_kind=kind,
        labels=labels,
        references=[told["event_description.url"]] if "event_description.url" in told else [],
        malware=[told["malware.name"]] if "malware.name" in told else [],
        observables=[
            (kind, str(event[name])) for name, kind in _OBSERVABLES.items() if event.get(name) not in (None, "")
        ],
    )
    for name, value in event.items():
        if name not in _TAKEN and value not in (None, "", [], {}):
            changes.append(Change(f"{path}.{name[:80]}", "no-home", "what an incident has no place for is left out"))
    return in_stix(account, lambda rule, words: changes.append(Change(path, rule, words)))
