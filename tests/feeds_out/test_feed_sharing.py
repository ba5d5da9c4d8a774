"""A feed shows nothing that its reader is not shown elsewhere, RED never, and what is hidden changes no byte of it."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import true

from asking import Asker
from feed_stories import FeedDoor, FeedReader
from kentongan.domain.identity import OrganizationKind
from kentongan.domain.incident import Observable
from kentongan.domain.marking import Level
from kentongan.domain.policy import may_see
from kentongan.services import read_collection, read_feed, read_incidents, seeking, summaries
from kentongan.storage.database import Database
from kentongan.storage.organizations import Organization
from kentongan_feeds.outbound.formats import LISTS
from reading_stories import Region
from sharing_stories import MARKS, Marked, Open, laos_reports, mark_of, readers, thailand_reports
from stories import Stix, domain_name, group_of, incident, indicator, masking, person, sharing_marking, tlp

HIDDEN, SHARED = "kntg-hidden.com", "kntg-shared.com"
UNLIKE = [
    name
    for name in LISTS
    if name not in {"md5.txt", "sha1.txt", "sha256.txt", "sha512.txt", "ipv6.txt", "networks.txt"}
]
"""Of the lists that differ by nothing but their kind of values, one is enough here."""
FILTERS = ("country=LA", "country=TH", "sector=energy", "tlp=TLP:GREEN", "reporter=LaoCERT", "q=bridge", "severity=C3")

Answers = dict[str, tuple[int, tuple[tuple[str, str], ...], bytes]]


def everything_to_ask(before: Open) -> list[str]:
    """Every feed, some narrowed, and the bundles of what was there before."""
    return [
        *UNLIKE,
        *(f"{name}?{each}" for name in ("incidents.csv", "values.csv") for each in FILTERS),
        *(f"misp/{one}.json" for one in (before.first, before.second)),
        f"cases/{before.case}.json",
        f"campaigns/{before.campaign}.json",
        "index.json",
    ]


def asked(reader: FeedReader, names: list[str]) -> Answers:
    answers = {}
    for name in names:
        answer = reader.ask(name)
        answers[name] = (answer.status_code, tuple(answer.headers), answer.data)
    return answers


@pytest.mark.parametrize("name", MARKS)
def test_what_is_hidden_changes_no_feed_and_red_is_in_none(door: FeedDoor, name: str) -> None:
    region, before = readers(door), thailand_reports(door)
    _post(door, before)
    mark, audience, groups = mark_of(door, region, name)
    addresses = everything_to_ask(before)
    everybody = {**{who: FeedReader(door, one) for who, one in region.items()}}
    hidden_from = {who for who, one in region.items() if not may_see(one.identity, audience, groups)}
    if audience.level is Level.RED:
        hidden_from = set(region)
    earlier = {who: asked(reader, addresses) for who, reader in everybody.items()}
    public = asked(door.anybody(), [f"public/{address}" for address in addresses])

    marked = laos_reports(door, region["owner"], mark, before)
    _hide(door, region["owner"], marked, mark)

    for who, reader in everybody.items():
        now = asked(reader, addresses)
        if who in hidden_from:
            assert [each for each in addresses if now[each] != earlier[who][each]] == [], f"{name} shows to the {who}"
            assert [reader.ask(one).data for one in _of(marked)] == [reader.ask(one).data for one in _of_nothing()]
        else:
            assert marked.incident in reader.text("incidents.csv"), who
            assert HIDDEN in reader.text("values.csv"), who
            assert reader.ask(f"misp/{marked.incident}.json").status_code == 200
            assert reader.ask(f"cases/{marked.lonely_case}.json").status_code == 200
            shown_elsewhere_too(region[who], reader)
    if audience.level is not Level.CLEAR or audience.mask:
        assert asked(door.anybody(), [*public]) == public


def _post(door: FeedDoor, before: Open) -> None:
    """ThaiCERT's first report carries a value that may be blocked."""
    from kentongan.storage.incidents import Incident  # noqa: PLC0415

    with door.database.writing() as session:
        row = session.get_one(Incident, before.rows[0])
        Region(session).posts(row, Observable("domain", SHARED), row.audience_id)


def _hide(door: FeedDoor, laos: Asker, marked: Marked, mark: Level | Stix) -> None:
    """LaoCERT's own carries another, the shared one too, and says what may be done with it."""
    from kentongan.storage.incidents import Incident, IncidentTag  # noqa: PLC0415

    with door.database.writing() as session:
        region = Region(session)
        row = session.query(Incident).filter_by(public_id=marked.incident).one()
        for value in (HIDDEN, SHARED):
            region.posts(row, Observable("domain", value), region.audience(laos.identity, mark))
        session.add(IncidentTag(kind="pap", value="red", incident_id=row.id, audience_id=row.audience_id))


def _of(marked: Marked) -> list[str]:
    return [f"misp/{marked.incident}.json", f"cases/{marked.lonely_case}.json", f"campaigns/{marked.own_campaign}.json"]


def _of_nothing() -> list[str]:
    return [f"{kind}/{uuid4()}.json" for kind in ("misp", "cases", "campaigns")]


def shown_elsewhere_too(asker: Asker, reader: FeedReader) -> None:
    """Every incident and value of the feeds is one that the API shows the same reader."""
    listed: set[str] = set()
    page: dict[str, Any] = asker.get("/incidents?limit=200").json  # type: ignore[assignment]  # it is JSON
    listed |= {each["id"] for each in page["items"]}
    for row in csv.DictReader(io.StringIO(reader.text("incidents.csv"), newline="")):
        assert row["id"] in listed
        assert row["tlp"] != "TLP:RED"
    assert set(json.loads(reader.text("misp/manifest.json"))) <= listed
    for row in csv.DictReader(io.StringIO(reader.text("values.csv"), newline="")):
        found: dict[str, Any] = asker.get(f"/observables?value={row['value']}&kind={row['kind']}").json  # type: ignore[assignment]  # it is JSON
        assert found["incidents"]["items"], row["value"]
        assert int(row["reports"]) <= len(found["incidents"]["items"])


@pytest.mark.parametrize("name", MARKS)
def test_behind_the_second_wall_no_feed_shows_more(
    postgres_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    door = FeedDoor(postgres_database, tmp_path, public_feeds=True)
    region, before = readers(door), thailand_reports(door)
    _post(door, before)
    mark, audience, groups = mark_of(door, region, name)
    marked = laos_reports(door, region["owner"], mark, before)
    _hide(door, region["owner"], marked, mark)
    for module in (read_feed, read_incidents, summaries, seeking, read_collection):
        if hasattr(module, "visible"):
            monkeypatch.setattr(module, "visible", lambda *_: true())

    everybody = {who: FeedReader(door, one) for who, one in region.items()}
    for who, reader in everybody.items():
        if audience.level is Level.RED or not may_see(region[who].identity, audience, groups):
            for each in ("incidents.csv", "values.csv", "domains.txt", "misp/manifest.json", "incidents.atom"):
                assert HIDDEN not in reader.text(each), (who, each)
                assert marked.incident not in reader.text(each), (who, each)
    if audience.level is not Level.CLEAR:
        assert HIDDEN not in door.anybody().text("public/values.csv")
        assert marked.incident not in door.anybody().text("public/incidents.csv")


def test_red_is_in_no_feed_not_even_in_ones_own(door: FeedDoor) -> None:
    owner = door.reader("LaoCERT")
    secret = incident("Secret", marking=Level.RED)
    owner.sends(secret, domain_name(HIDDEN), indicator(f"[domain-name:value = '{HIDDEN}']", marking=Level.RED))
    owner.sends(incident("Open"), indicator(f"[domain-name:value = '{SHARED}']", marking=Level.RED))

    assert owner.asker is not None
    assert len(owner.asker.get("/incidents").json["items"]) == 2  # type: ignore[index]  # it is JSON
    for name in LISTS:
        text = owner.text(name)
        assert [word for word in ("Secret", HIDDEN, SHARED, "RED") if word in text] == [], name


@pytest.mark.parametrize("level", [level for level in Level if level is not Level.CLEAR])
def test_the_public_feeds_hold_what_is_clear_and_nothing_else(door: FeedDoor, level: Level) -> None:
    owner, anybody = door.reader("LaoCERT"), door.anybody()
    open_one = incident("Open to all", marking=Level.CLEAR)
    owner.sends(open_one, indicator(f"[domain-name:value = '{SHARED}']", marking=Level.CLEAR))
    owner.sends(
        incident("Not for all", marking=level),
        indicator(f"[domain-name:value = '{HIDDEN}']", marking=level),
    )
    owner.sends(
        incident("Clear, with something in it that is not", marking=Level.CLEAR),
        indicator(f"[domain-name:value = '{HIDDEN}']", marking=level),
    )

    told = "".join(anybody.text(f"public/{name}") for name in LISTS)

    assert SHARED in told
    assert "Open to all" in told
    assert HIDDEN not in told
    assert "Not for all" not in told


def test_parts_for_fewer_are_in_no_public_bundle(door: FeedDoor) -> None:
    """A part that is GREEN is for every organization of the platform, and for nobody else."""
    owner, reader, anybody = door.reader("LaoCERT"), door.reader("A bank", OrganizationKind.SUBSCRIBER), door.anybody()
    part = {"marking_ref": tlp(Level.GREEN), "selectors": ["description", "labels"]}
    owner.sends(
        incident(
            "Open",
            marking=Level.CLEAR,
            description="Only for us.",
            labels=["PAP:RED"],
            granular_markings=[part],
        ),
        indicator(
            f"[domain-name:value = '{SHARED}']",
            marking=Level.CLEAR,
            labels=["PAP:RED"],
            granular_markings=[{"marking_ref": tlp(Level.GREEN), "selectors": ["labels"]}],
        ),
    )
    found = door.anybody().text("public/incidents.csv")
    event = re.findall(r"[0-9a-f-]{36}", found)[0]
    assert owner.asker is not None
    case = owner.asker.get(f"/incidents/{event}").json["case"]["id"]  # type: ignore[index]  # it is JSON

    assert "Only for us." not in anybody.text("public/incidents.atom") + anybody.text(f"public/cases/{case}.json")
    assert "PAP" not in anybody.text(f"public/cases/{case}.json") + anybody.text(f"public/misp/{event}.json")
    assert anybody.lines("public/domains.txt") == [SHARED]
    assert "Only for us." in reader.text(f"cases/{case}.json")
    assert reader.lines("domains.txt") == []


def test_what_is_masked_is_in_nobodys_feeds_but_the_owners(door: FeedDoor) -> None:
    owner, reader, anybody = door.reader("LaoCERT"), door.reader("VNCERT"), door.anybody()
    mask = masking()
    marks = [tlp(Level.CLEAR), mask["id"]]
    owner.sends(
        mask,
        incident("Masked", object_marking_refs=marks),
        indicator(f"[domain-name:value = '{HIDDEN}']", object_marking_refs=marks),
    )

    for name in LISTS:
        for text in (reader.text(name), anybody.text(f"public/{name}")):
            assert "Masked" not in text
            assert HIDDEN not in text
    assert "Masked" in owner.text("incidents.csv")


def test_who_leaves_a_group_loses_its_things_at_once(door: FeedDoor) -> None:
    from kentongan.services.groups import Groups  # noqa: PLC0415

    owner, reader = door.reader("LaoCERT"), door.reader("VNCERT")
    assert owner.asker is not None
    assert reader.asker is not None
    with door.database.writing() as session:
        organizations = [
            session.get_one(Organization, one.asker.identity.organization_id) for one in (owner, reader) if one.asker
        ]
        group = group_of(session, "Some", *organizations).stix_id
    mark = sharing_marking(level=Level.AMBER, groups=[group])
    owner.sends(
        mark,
        incident("For some", object_marking_refs=[mark["id"]]),
        indicator(f"[domain-name:value = '{HIDDEN}']", object_marking_refs=[mark["id"]]),
    )
    before = reader.ask("domains.txt")
    assert before.text == f"{HIDDEN}\n"

    with door.database.writing() as session:
        who = owner.asker.identity
        out = session.get_one(Organization, reader.asker.identity.organization_id)
        Groups(session, door.clock, who).dismiss(group, out)

    after = reader.ask("domains.txt", headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, after.text) == (200, "")


def test_people_named_by_red_get_no_feed_of_it(door: FeedDoor) -> None:
    owner, named = door.reader("LaoCERT"), door.reader("CamCERT")
    with door.database.writing() as session:
        assert named.asker is not None
        team = session.get_one(Organization, named.asker.identity.organization_id)
        person(session, "Dara", team)
        stix_id = team.stix_id
    mark = sharing_marking(recipients=[stix_id])
    owner.sends(mark, incident("For CamCERT", object_marking_refs=[mark["id"]]))

    assert named.asker is not None
    assert "For CamCERT" in named.asker.get("/incidents").text
    assert "For CamCERT" not in named.text("incidents.csv")
