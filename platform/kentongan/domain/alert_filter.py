"""What a subscription wants to hear of: a filter over incidents, levels, observables and kinds of alert.

Every part that is given must agree; within a part any one of its values is enough. An empty filter agrees with everything.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from ipaddress import ip_network
from typing import Any, Final

from kentongan.domain.alert import AlertKind
from kentongan.domain.gate.problem import Problem, quoted
from kentongan.domain.incident import IncidentFacts, Observable
from kentongan.domain.marking import Level
from kentongan.domain.observables import normal_form, recognise
from kentongan.domain.observables.suffixes import url_host
from kentongan.domain.target import Network, literal

MOST_VALUES: Final = 500
LONGEST_VALUE: Final = 2_000
LONGEST_TEXT: Final = 200

_LEVELS: Final = {level.label: level for level in Level}


class WrongFilter(Exception):
    """A filter cannot be what was sent; `problems` are all that is wrong with it, at once."""

    def __init__(self, problems: Collection[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{problem.path}: {problem.reason}" for problem in self.problems))


@dataclass(frozen=True)
class AlertFilter:
    """What a subscription wants to hear of.

    Words are compared without regard to case; `text` also without regard to accents, and every word of it must occur
    somewhere in the title or the description. An observable also agrees with what it contains: a domain with its hosts and
    their URLs, a network with its addresses.
    """

    countries: frozenset[str] = frozenset()
    sectors: frozenset[str] = frozenset()
    rsit_classes: frozenset[str] = frozenset()
    rsit_types: frozenset[str] = frozenset()
    severities: frozenset[str] = frozenset()
    tlp_min: Level = Level.CLEAR
    tlp_max: Level = Level.RED
    observables: frozenset[Observable] = frozenset()
    text: str = ""
    kinds: frozenset[AlertKind] = frozenset()
    own: bool = False
    """Whether the subscriber wants to hear of what it reported itself."""

    @classmethod
    def from_json(cls, value: Any) -> AlertFilter:
        """Read a filter as docs/alerts.md describes it. Raises WrongFilter with every problem; `value` is any parsed JSON."""
        reading = _Reading()
        made = reading.read(value)
        if reading.problems:
            raise WrongFilter(reading.problems)
        return made

    def as_json(self) -> dict[str, Any]:
        """The filter in one spelling, without the parts that say nothing: equal filters are equal texts."""
        default = AlertFilter()
        return {
            part.name: _WRITERS[part.name](getattr(self, part.name))
            for part in fields(self)
            if getattr(self, part.name) != getattr(default, part.name)
        }

    def accepts(
        self,
        facts: IncidentFacts,
        level: Level,
        observables: Collection[Observable],
        kind: AlertKind,
        own: bool = False,
    ) -> bool:
        """Whether this alert is wanted. `observables` are those the subscriber may see; `own`: it reported the incident."""
        return self.wants(kind) and self.concerns(facts, level, observables, own)

    def wants(self, kind: AlertKind) -> bool:
        """Whether this kind of alert is wanted, about whatever incident."""
        return not self.kinds or kind in self.kinds

    def concerns(
        self, facts: IncidentFacts, level: Level, observables: Collection[Observable], own: bool = False
    ) -> bool:
        """The same, whatever the kind of alert."""
        return (
            (self.own or not own)
            and self.tlp_min <= level <= self.tlp_max
            and _agree(self.countries, facts.countries, str.upper)
            and _agree(self.sectors, facts.sectors, str.casefold)
            and _agree(self.rsit_classes, (facts.rsit_class,), str.casefold)
            and _agree(self.rsit_types, (facts.rsit_type,), str.casefold)
            and _agree(self.severities, (facts.severity,), str.casefold)
            and (not self.text or self._says(facts))
            and (not self.observables or any(self._watches(seen) for seen in observables))
        )

    def _says(self, facts: IncidentFacts) -> bool:
        told = plain(f"{facts.title}\n{facts.description}")
        return all(word in told for word in plain(self.text).split())

    def _watches(self, seen: Observable) -> bool:
        if seen in self.observables or any(wider in self.observables for wider in _containing(seen)):
            return True
        host = _host(seen) if self._networks else None
        address = literal(host.value) if host is not None else None
        return address is not None and any(address in network for network in self._networks)

    @cached_property
    def _networks(self) -> tuple[Network, ...]:
        return tuple(ip_network(watched.value) for watched in self.observables if watched.kind == "cidr")


def plain(text: str) -> str:
    """Without case and accents. Example: plain("Đà Nẵng") == "da nang"; the vowel signs of Thai or Khmer stay."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(one for one in parts if not "\u0300" <= one <= "\u036f").casefold().replace("đ", "d")


def _containing(seen: Observable) -> tuple[Observable, ...]:
    """What a value lies in: of `http://a.evil.example/` the host a.evil.example, and evil.example."""
    host = _host(seen)
    if host is None or host.kind != "domain":
        return () if host is None else (host,)
    labels = host.value.split(".")
    parents = (".".join(labels[start:]) for start in range(1, len(labels) - 1))
    return (host, *(Observable("domain", parent) for parent in parents))


def _host(seen: Observable) -> Observable | None:
    if seen.kind in ("domain", "ipv4", "ipv6"):
        return seen
    name = url_host(seen.value) if seen.kind == "url" else seen.value.rpartition("@")[2] if seen.kind == "email" else ""
    if not name:
        return None
    address = literal(name)
    return Observable("domain" if address is None else f"ipv{address.version}", name)


def _agree(wanted: frozenset[str], found: Collection[str | None], fold: Callable[[str], str]) -> bool:
    return not wanted or any(fold(value) in wanted for value in found if value is not None)


class _Reading:
    """One pass over a filter as sent, which collects what is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def read(self, value: Any) -> AlertFilter:  # Any: parsed JSON
        if not isinstance(value, Mapping):
            self._wrong(
                "$", "filter-object", f"a filter is an object, not {quoted(value)}", "Send {} to hear everything."
            )
            return AlertFilter()
        for name in value:
            if name not in _READERS:
                known = ", ".join(_READERS)
                self._wrong(
                    f"$.{name}", "filter-part", f"a filter has no part {quoted(name)}", f"Use some of: {known}."
                )
        made = AlertFilter(
            **{name: read(self, f"$.{name}", value[name]) for name, read in _READERS.items() if name in value}
        )
        if made.tlp_min > made.tlp_max:
            self._wrong(
                "$.tlp_min", "filter-tlp", "tlp_min is stricter than tlp_max: nothing would pass", "Exchange them."
            )
        return made

    def words(self, fold: Callable[[str], str], path: str, value: Any) -> frozenset[str]:  # Any: parsed JSON
        return frozenset(fold(one) for _, one in self._strings(path, value))

    def countries(self, path: str, value: Any) -> frozenset[str]:  # Any: parsed JSON
        found = set()
        for place, one in self._strings(path, value):
            if len(one) == 2 and one.isascii() and one.isalpha():
                found.add(one.upper())
            else:
                self._wrong(
                    place, "filter-country", f"{quoted(one)} is no country code", "Use two letters, such as ID."
                )
        return frozenset(found)

    def level(self, path: str, value: Any) -> Level:  # Any: parsed JSON
        name = value.strip().upper().replace("_", "+") if isinstance(value, str) else ""
        found = _LEVELS.get(name if name.startswith("TLP:") else f"TLP:{name}")
        if found is None:
            self._wrong(
                path, "filter-tlp", f"{quoted(value)} is no TLP 2.0 level", f"Use one of: {', '.join(_LEVELS)}."
            )
        return found if found is not None else Level.AMBER

    def observables(self, path: str, value: Any) -> frozenset[Observable]:  # Any: parsed JSON
        found = set()
        for place, one in self._items(path, value):
            if (observable := _observable(one)) is not None:
                found.add(observable)
            else:
                hint = "Give an address, domain, URL, hash, ... in any spelling, or {kind, value}."
                self._wrong(place, "filter-observable", f"{quoted(one)} is no observable", hint)
        return frozenset(found)

    def kinds(self, path: str, value: Any) -> frozenset[AlertKind]:  # Any: parsed JSON
        found = set()
        for place, one in self._strings(path, value):
            try:
                found.add(AlertKind(one))
            except ValueError:
                known = ", ".join(kind.value for kind in AlertKind)
                self._wrong(place, "filter-kind", f"{quoted(one)} is no kind of alert", f"Use some of: {known}.")
        return frozenset(found)

    def text(self, path: str, value: Any) -> str:  # Any: parsed JSON
        if isinstance(value, str) and len(value) <= LONGEST_TEXT and _storable(value):
            return " ".join(value.split())
        self._wrong(path, "filter-text", f"text is up to {LONGEST_TEXT} characters", "Give the words to look for.")
        return ""

    def truth(self, path: str, value: Any) -> bool:  # Any: parsed JSON
        if isinstance(value, bool):
            return value
        self._wrong(path, "filter-own", f"{quoted(value)} is neither true nor false", "Use true or false.")
        return False

    def _strings(self, path: str, value: Any) -> Iterator[tuple[str, str]]:  # Any: parsed JSON
        for place, one in self._items(path, value):
            if isinstance(one, str) and 0 < len(one.strip()) <= LONGEST_VALUE and _storable(one):
                yield place, one.strip()
            else:
                self._wrong(place, "filter-value", f"{quoted(one)} is no word", "Send a string.")

    def _items(self, path: str, value: Any) -> Iterator[tuple[str, Any]]:  # Any: parsed JSON
        if not isinstance(value, list):
            self._wrong(path, "filter-list", f"{quoted(value)} is no list", "Send a list.")
        elif len(value) > MOST_VALUES:
            self._wrong(path, "filter-list", f"more than {MOST_VALUES} values", "Make several subscriptions.")
        else:
            yield from ((f"{path}[{position}]", one) for position, one in enumerate(value))

    def _wrong(self, path: str, rule: str, reason: str, hint: str) -> None:
        self.problems.append(Problem(path, rule, reason, hint))


def _observable(value: Any) -> Observable | None:  # Any: parsed JSON
    """A value in any spelling, or the normal form of one whose kind does not show: `{"kind": "mutex", "value": "abc"}`."""
    if isinstance(value, str):
        return recognise(value)
    if isinstance(value, Mapping) and value.keys() == {"kind", "value"}:
        kind, raw = value["kind"], value["value"]
        return normal_form(kind, raw) if isinstance(kind, str) and isinstance(raw, str) else None
    return None


def _storable(text: str) -> bool:
    """PostgreSQL keeps no NUL, UTF-8 no lone surrogate."""
    return "\x00" not in text and not any("\ud800" <= one <= "\udfff" for one in text)


_READERS: Final[dict[str, Callable[[_Reading, str, Any], Any]]] = {
    "countries": _Reading.countries,
    "sectors": lambda reading, path, value: reading.words(str.casefold, path, value),
    "rsit_classes": lambda reading, path, value: reading.words(str.casefold, path, value),
    "rsit_types": lambda reading, path, value: reading.words(str.casefold, path, value),
    "severities": lambda reading, path, value: reading.words(str.casefold, path, value),
    "tlp_min": _Reading.level,
    "tlp_max": _Reading.level,
    "observables": _Reading.observables,
    "text": _Reading.text,
    "kinds": _Reading.kinds,
    "own": _Reading.truth,
}
_WRITERS: Final[dict[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("countries", "sectors", "rsit_classes", "rsit_types", "severities"), sorted),
    **dict.fromkeys(("tlp_min", "tlp_max"), lambda level: level.label),
    "observables": lambda watched: [{"kind": one.kind, "value": one.value} for one in sorted(watched)],
    "kinds": lambda kinds: sorted(kind.value for kind in kinds),
    "text": str,
    "own": bool,
}
