"""One campaign, reported by four CERTs under four markings: what three of them and a subscriber each see of it.

The story is made up, and so are its values: hashes of nothing, of hosts that are nowhere. Everything else is real: the
submissions go through the gate and the stages, and each view is read at the API with its reader's own token.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from kentongan.demo.incidents import DemoSubmission
from kentongan.domain.marking import SHARING_EXTENSION, TLP_2_EXTENSION, TLP_2_IDS, Level

GROUP = "Financial sector"
IN_THE_GROUP = ("CERT-KH", "CERT-SG", "Straits Telecom")
"""The group's owner first; the last is a subscriber, its constituent."""

_NAMED = "CERT-KH"
_MADE = "2026-01-05T08:00:00.000Z"


@dataclass(frozen=True, slots=True)
class Chapter:
    """One report of the campaign: who sends it, how it is marked in words, and who of the four may see it."""

    reporter: str
    marked: str
    title: str
    day: str
    country: str
    readers: frozenset[str]

    @property
    def stix_id(self) -> str:
        """The incident's id."""
        return f"incident--{uuid5(NAMESPACE_URL, f'kentongan demonstration {self.title}')}"


READERS = ("CERT-KH", "CERT-SG", "CERT-VN", "Straits Telecom")
_EVERYONE, _MEMBERS = frozenset(READERS), frozenset(READERS[:3])
CHAPTERS = (
    Chapter("CERT-BN", "TLP:GREEN", "Loader on a bank's mail gateway", "2026-01-06", "BN", _EVERYONE),
    Chapter("CERT-LA", "TLP:AMBER", "Teller software replaced at a savings bank", "2026-01-19", "LA", _MEMBERS),
    Chapter("CERT-KH", f"TLP:AMBER for {GROUP}", "Payment switch probed", "2026-02-03", "KH", _EVERYONE - {"CERT-VN"}),
    Chapter(
        "CERT-VN",
        f"TLP:RED to {_NAMED}",
        "Ministry of finance entered",
        "2026-02-17",
        "VN",
        _EVERYONE & {"CERT-KH", "CERT-VN"},
    ),
)


def submissions(group_id: str, recipient_id: str) -> list[DemoSubmission]:
    """The four reports; the ids are STIX ids, of the group and of the team that the RED one names."""
    for_group = _definition(Level.AMBER, "group", {"sharing_groups": [group_id]})
    to_one = _definition(Level.RED, "recipient", {"recipients": [recipient_id]})
    markings: list[tuple[str, list[dict[str, Any]]]] = [
        (_plain(Level.GREEN), []),
        (_plain(Level.AMBER), []),
        (for_group["id"], [for_group]),
        (to_one["id"], [to_one]),
    ]
    return [
        DemoSubmission(chapter.reporter, _bundle(chapter, marking, definitions))
        for chapter, (marking, definitions) in zip(CHAPTERS, markings, strict=True)
    ]


def _bundle(chapter: Chapter, marking: str, definitions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    at = f"{chapter.day}T09:00:00.000Z"
    incident = {
        "type": "incident",
        "spec_version": "2.1",
        "id": chapter.stix_id,
        "created": at,
        "modified": at,
        "name": chapter.title,
        "description": f"A made-up report of the demonstration, seen on {chapter.day}.",
        "labels": [f"country:{chapter.country}", 'rsit:intrusions="system-compromise"'],
        "object_marking_refs": [marking],
    }
    files = [{**one, "object_marking_refs": [marking]} for one in _files()]
    return {
        "type": "bundle",
        "id": f"bundle--{uuid5(NAMESPACE_URL, chapter.stix_id)}",
        "objects": [*definitions, incident, *files],
    }


def _files() -> Iterator[dict[str, Any]]:
    """The attacker's tools, by which the four reports are found to belong together."""
    for name in ("loader", "implant", "cleaner"):
        digest = hashlib.sha256(f"kentongan demonstration {name}".encode()).hexdigest()
        number = uuid5(NAMESPACE_URL, f"kentongan demonstration {name}")
        yield {"type": "file", "spec_version": "2.1", "id": f"file--{number}", "hashes": {"SHA-256": digest}}


def _definition(level: Level, name: str, named: dict[str, list[str]]) -> dict[str, Any]:
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": f"marking-definition--{uuid5(NAMESPACE_URL, f'kentongan demonstration {name} {named}')}",
        "created": _MADE,
        "name": f"Demonstration: {level.label} to a {name}",
        "extensions": {
            TLP_2_EXTENSION: {
                "extension_type": "property-extension",
                "tlp_2_0": level.label.removeprefix("TLP:").lower(),
            },
            SHARING_EXTENSION: {"extension_type": "property-extension", **named},
        },
    }


def _plain(level: Level) -> str:
    return next(marking for marking, its_level in TLP_2_IDS.items() if its_level is level)


@dataclass(frozen=True, slots=True)
class View:
    """The campaign as one reader gets it: the titles of its cases, and how many links tie them."""

    reader: str
    titles: tuple[str, ...]
    links: int


Ask = Callable[[str, str], dict[str, Any]]
"""Reads a path of the API below /api/v1 as the organization of this name: (name, path) -> the answer."""


def views(ask: Ask) -> list[View]:
    """What each of the four readers gets of the campaign."""
    return [_view(reader, ask) for reader in READERS]


def _view(reader: str, ask: Ask) -> View:
    campaign = ask(reader, f"/incidents/{CHAPTERS[0].stix_id}")["campaign"]
    if campaign is None:
        return View(reader, (), 0)
    told = ask(reader, f"/campaigns/{campaign['id']}")
    return View(reader, tuple(case["title"] for case in told["cases"]), len(told["links"]))


def faults(found: Sequence[View]) -> list[str]:
    """What a view shows that it must not, or hides that it must show."""
    wrong = []
    for view in found:
        expected = {chapter.title for chapter in CHAPTERS if view.reader in chapter.readers}
        wrong += [f"{view.reader} is shown {title!r}" for title in sorted(set(view.titles) - expected)]
        wrong += [f"{view.reader} is not shown {title!r}" for title in sorted(expected - set(view.titles))]
    return wrong
