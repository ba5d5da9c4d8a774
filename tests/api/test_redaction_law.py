"""One law: what stands only in parts that a reader may not see stands in no answer to that reader, whoever asks for whatever.

LaoCERT sends generated objects with generated granular markings. Every text in them is a canary, and whose it is to see is
worked out here from the markings alone. Then every reader asks everything that can be asked.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from alert_stories import subscribed
from asking import Asker, Door
from kentongan.domain.gate import content_sha256
from kentongan.domain.identity import OrganizationKind
from kentongan.domain.marking import Level
from kentongan.domain.policy import may_see
from kentongan.storage.groups import memberships
from kentongan.storage.organizations import Organization
from reading_stories import Region
from redaction_stories import asked, marked, region, seen, sends, told
from stories import Stix, domain_name, group_of, incident, indicator, masking, newer, sdo, sharing_marking, tlp

SEEDS = range(3)
Marks = dict[str, Level | Stix]


@dataclass
class World:
    """What was sent, with every canary in it and the markings that it stands under."""

    objects: list[Stix]
    canaries: dict[str, list[str]]
    """The ids of the markings above each canary."""


@dataclass
class Canaries:
    """Makes texts that stand nowhere else, some of which carry a value that is found by it."""

    chance: random.Random
    made: int = 0

    def word(self) -> str:
        self.made += 1
        return f"canary{self.made}x{self.chance.randrange(16**8):08x}q"

    def text(self) -> str:
        return f"IOC:\n{self.word()}[.]com\n"


def generated(chance: random.Random, marks: Marks) -> World:
    canaries = Canaries(chance)
    world = World([], {})
    for _ in range(5):
        obj = _object(chance, canaries)
        base = chance.choice([Level.CLEAR, Level.GREEN, Level.GREEN, Level.AMBER])
        obj["object_marking_refs"] = [tlp(base)]
        _mark(chance, marks, obj)
        world.objects.append(obj)
        if chance.random() < 0.4 and "modified" in obj:
            later = newer(obj, description=canaries.text())
            _mark(chance, marks, later)
            world.objects.append(later)
    for obj in world.objects:
        world.canaries |= dict(_canaries_in(obj))
    return world


def _object(chance: random.Random, canaries: Canaries) -> Stix:
    text = canaries.text
    references = [{"source_name": canaries.word(), "description": text()} for _ in range(chance.randint(1, 3))]
    rest: Stix = {
        "description": text(),
        "labels": [f"country:{canaries.word()}", canaries.word(), f"rsit:{canaries.word()}"],
        "external_references": references,
        "x_deep": {"one": [canaries.word(), {"two": text()}], "three": canaries.word()},
    }
    kind = chance.choice(["incident", "incident", "indicator", "note", "domain-name"])
    if kind == "incident":
        return incident(f"Event {canaries.word()}", **rest)
    if kind == "indicator":
        return indicator(name=canaries.word(), **rest)
    if kind == "note":
        about = [f"incident--{chance.randrange(16**8):08x}-0000-4000-8000-000000000000"]
        return sdo("note", abstract=text(), content=text(), object_refs=about, **rest)
    return domain_name(f"{canaries.word()}.com", x_note=text(), x_deep=rest["x_deep"])


def _mark(chance: random.Random, marks: Marks, obj: Stix) -> None:
    names = [name for name in _selectors(obj) if _may_be_named(name)]
    # Descriptions are where values stand, so one is always in some part.
    told = [marked(chance.choice([*marks.values()]), "description")] if "description" in obj else []
    obj["granular_markings"] = told + [
        marked(chance.choice([*marks.values()]), *chance.sample(names, chance.randint(1, 3)))
        for _ in range(chance.randint(1, 3))
    ]


def _may_be_named(selector: str) -> bool:
    root = selector.partition(".")[0]
    return root in {"description", "labels", "external_references", "x_deep", "x_note", "abstract", "content", "name"}


def _selectors(value: Any, above: str = "") -> Iterator[str]:
    below = value.items() if isinstance(value, dict) else ((f"[{n}]", each) for n, each in enumerate(value))
    for name, each in below:
        selector = f"{above}.{name}" if above else name
        # Selectors are lower case and at least three letters long at the top; ours all are.
        yield selector
        if isinstance(each, dict | list):
            yield from _selectors(each, selector)


def _canaries_in(obj: Stix) -> Iterator[tuple[str, list[str]]]:
    """Each canary of an object with the markings that it stands under: the object's, and those of every part around it."""
    for selector in _selectors(obj):
        value: Any = obj
        for step in selector.split("."):
            value = value[int(step[1:-1])] if isinstance(value, list) else value[step]
        if isinstance(value, str) and "canary" in value and not selector.startswith("granular"):
            word = value[value.index("canary") : value.index("q") + 1]
            above = [
                each["marking_ref"]
                for each in obj["granular_markings"]
                if any(selector == name or selector.startswith(f"{name}.") for name in each["selectors"])
            ]
            yield word, [*obj["object_marking_refs"], *above]


def may_know(door: Door, reader: Asker, owner: Asker, marks: Mapping[str, Level | Stix], refs: list[str]) -> bool:
    """Whether every one of these markings lets the reader see what LaoCERT marked so."""
    with door.database.reading() as session:
        living, known = memberships(session), Region(session)
        named = {tlp(level): level for level in Level} | {
            each["id"]: each for each in marks.values() if isinstance(each, dict)
        }
        audiences = [known.who_may_see(owner.identity, named[ref]) for ref in refs]
    return all(may_see(reader.identity, audience, living) for audience in audiences)


def everything(reader: Asker, world: World) -> Iterator[tuple[str, str]]:
    """Every answer there is to this reader, with its headers."""
    lists = ["/incidents", "/cases", "/campaigns", "/deliveries", "/subscriptions", "/submissions"]
    addresses = [*lists, *(f"{name}?limit=1" for name in lists)]
    for name in ("incidents", "cases", "campaigns", "deliveries"):
        addresses += [f"/{name}/{each['id']}" for each in asked(reader, f"/{name}?limit=100")["items"]]
    for obj in world.objects:
        addresses += [f"/objects/{obj['id']}", f"/objects/{obj['id']}/versions"]
        addresses += [f"/objects/{obj['id']}?modified={obj['modified']}"] if "modified" in obj else []
        addresses += [f"/objects/{obj['id']}?sha256={content_sha256(obj).hex()}"]
        addresses += [f"/incidents/{obj['id']}"] if obj["type"] == "incident" else []
        addresses += [f"/observables?value={obj['value']}"] if "value" in obj else []
    for address in addresses:
        answer = reader.get(address)
        yield address, f"{answer.headers}{answer.text}"
        if address.endswith("/versions") and answer.status_code == 200:
            for version in json.loads(answer.data):
                one = address.removesuffix("/versions") + f"?sha256={version['sha256']}"
                yield one, f"{(found := reader.get(one)).headers}{found.text}"


@pytest.mark.parametrize("seed", SEEDS)
def test_what_a_reader_may_not_see_stands_in_no_answer(door: Door, seed: int) -> None:
    chance = random.Random(seed)
    readers = region(door)
    owner = readers["owner"]
    readers["in the group"] = door.joins("BruCERT")
    readers["constituent"] = door.joins("A bank of the group", OrganizationKind.SUBSCRIBER)
    readers["named"] = door.joins("A bank that is named", OrganizationKind.SUBSCRIBER)
    with door.database.writing() as session:
        teams = {who: session.get_one(Organization, each.identity.organization_id) for who, each in readers.items()}
        group = group_of(session, "Some", teams["owner"], teams["in the group"], teams["constituent"])
        marks: Marks = {
            "strict": Level.AMBER_STRICT,
            "amber": Level.AMBER,
            "red": Level.RED,
            "group": sharing_marking(level=Level.AMBER, groups=[group.stix_id], object_marking_refs=[tlp(Level.CLEAR)]),
            "named": sharing_marking(
                level=Level.RED, recipients=[teams["named"].stix_id], object_marking_refs=[tlp(Level.CLEAR)]
            ),
            "masked": masking(),
        }
        for team in teams.values():
            subscribed(session, team)
    world = generated(chance, marks)

    sends(door, owner, *(each for each in marks.values() if isinstance(each, dict)), *world.objects)

    with door.database.writing() as session:
        alerts = told(session)
    for who, reader in readers.items():
        hidden = {word for word, refs in world.canaries.items() if not may_know(door, reader, owner, marks, refs)}
        answers = [*everything(reader, world), ("alerts", repr(alerts.get(reader.identity.organization_id)))]
        for address, answer in answers:
            # What is asked for is told back by the observables, whether or not anybody ever saw it.
            told_back = {word for word in hidden if word in address}
            assert not [word for word in hidden - told_back if word in answer], f"{address} to the {who}"
        for word in hidden:
            _finds_nothing(reader, f"{word}.com")
        _sees_what_it_may(door, who, reader, owner, marks, world)
    for obj in world.objects:
        whole = owner.get(f"/objects/{obj['id']}?sha256={content_sha256(obj).hex()}")
        assert json.loads(whole.data) == obj


def _finds_nothing(reader: Asker, value: str) -> None:
    found = asked(reader, f"/observables?value={value}")
    assert (found["incidents"]["items"], found["objects"]) == ([], [])
    assert asked(reader, f"/incidents?observable={value}")["items"] == []
    assert asked(reader, f"/incidents?q={quote(value[:-4])}")["items"] == []
    assert asked(reader, f"/incidents?country={quote(value[:-4])}")["items"] == []


def _sees_what_it_may(door: Door, who: str, reader: Asker, owner: Asker, marks: Marks, world: World) -> None:
    """Something is shown, too: an object that the reader sees has every canary that it may know, and no other."""
    newest = {obj["id"]: obj for obj in world.objects}
    for obj in newest.values():
        shown = seen(reader, obj["id"])
        if shown is None or shown.get("modified") != obj.get("modified"):
            continue
        for word, refs in _canaries_in(obj):
            assert (word in json.dumps(shown)) is may_know(door, reader, owner, marks, refs), f"{word} to the {who}"
