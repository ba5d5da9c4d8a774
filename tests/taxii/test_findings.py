"""Links and campaigns go out as STIX, each reader's own view of them, and whoever was told learns when they no longer hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import stix2

from deciding_stories import analyst, decide, undo
from erasing_stories import Region, where_it_stands
from kentongan.domain.decisions import Verdict
from kentongan.domain.identity import Identity, OrganizationKind, Scope
from kentongan.domain.marking import Level
from kentongan.services.publish import Publish
from kentongan.storage.cases import DUPLICATE_OF, RELATED_TO
from kentongan.storage.database import Database
from matching_stories import about
from stories import Stix, newer, organization, tlp
from taxii_stories import Poller, TaxiiClient, TaxiiDoor

FINDINGS = "cases-and-campaigns"
FILES = ["dropper", "implant", "stealer"]
NAMES = ["Bank Kirana", "Universitas Melati", "Rumah Sakit Anggrek"]


@dataclass
class Findings(Poller):
    """Polls what was found; `told` is the last version of each object that it got."""

    told: dict[str, Stix] = field(default_factory=dict)

    def polls(self) -> list[str]:
        """The ids it gets this time."""
        since = {"added_after": self.after} if self.after else {}
        answer = self.client.get(collection=FINDINGS, limit=1000, **since)
        found = answer.json.get("objects", [])  # type: ignore[union-attr]  # it is JSON
        self.after = answer.headers.get("X-TAXII-Date-Added-Last", self.after)
        self.told |= {one["id"]: one for one in found}
        return [one["id"] for one in found]

    def of(self, kind: str, *, revoked: bool = False) -> list[Stix]:
        """What it was told of this kind, as far as that holds."""
        named = (one for one in self.told.values() if kind in (one["type"], one.get("relationship_type")))
        return [one for one in named if one.get("revoked", False) is revoked]


@pytest.fixture
def region(database: Database) -> Region:
    return Region(database)


@pytest.fixture
def door(database: Database, tmp_path: Path) -> TaxiiDoor:
    return TaxiiDoor(database, tmp_path)


def poller(door: TaxiiDoor, who: Identity) -> Findings:
    made = Findings(door.client_of(who))
    assert made.polls() != []  # the platform's own identity
    return made


def bank(region: Region) -> Identity:
    with region.database.writing() as session:
        return organization(session, "A bank", kind=OrganizationKind.SUBSCRIBER).identity(frozenset(Scope))


def twice(region: Region, first: Level = Level.GREEN, second: Level = Level.GREEN) -> tuple[list[Stix], list[Stix]]:
    """One event, reported by two members."""
    one = about("Intrusion at Tirta Energi", victim="Tirta Energi", files=FILES, marking=first)
    other = about("Intrusi di Tirta Energi", victim="Tirta Energi", files=FILES, marking=second)
    region.sends("CERT-ID", *one)
    region.sends("CERT-PH", *other)
    assert region.links(DUPLICATE_OF)
    return one, other


def campaign(region: Region, *levels: Level) -> list[list[Stix]]:
    """Events at several victims by the same files."""
    reports = [
        about(f"Intrusion at {name}", victim=name, files=FILES, culprit="ExampleRAT", marking=level)
        for name, level in zip(NAMES, levels, strict=True)
    ]
    for number, report in enumerate(reports):
        region.sends(("CERT-ID", "CERT-PH", "CERT-MY")[number], *report)
    assert region.links(RELATED_TO)
    return reports


def test_a_duplicate_goes_out_as_a_relationship_with_its_reasons_in_words(region: Region, door: TaxiiDoor) -> None:
    one, other = twice(region)
    listening = poller(door, bank(region))

    (link,) = listening.of(DUPLICATE_OF)

    assert {link["source_ref"], link["target_ref"]} == {one[0]["id"], other[0]["id"]}
    assert link["confidence"] == 80
    assert link["description"]
    assert link["object_marking_refs"] == [tlp(Level.GREEN)]
    assert link["created_by_ref"] == listening.of("identity")[0]["id"]
    for told in listening.told.values():
        assert stix2.parse(told, version="2.1")["id"] == told["id"]
    assert listening.polls() == []


def test_who_sees_one_end_only_is_told_nothing(region: Region, door: TaxiiDoor) -> None:
    twice(region, second=Level.AMBER)
    stranger, member = poller(door, bank(region)), poller(door, region.asks("CERT-MY"))

    assert stranger.of("relationship") == []
    (link,) = member.of(DUPLICATE_OF)
    assert link["object_marking_refs"] == [tlp(Level.AMBER)]


def test_nothing_is_told_twice_when_the_stages_run_again(region: Region, door: TaxiiDoor) -> None:
    twice(region)
    listening = poller(door, bank(region))

    with region.database.writing() as session:
        for _ in range(2):
            Publish(session, lambda: region.now).run([incident.id for incident in region.incidents()])

    assert listening.polls() == []


def test_a_tightened_report_revokes_the_link_for_who_was_told(region: Region, door: TaxiiDoor) -> None:
    one, _ = twice(region)
    stranger, member = poller(door, bank(region)), poller(door, region.asks("CERT-MY"))
    (before,) = stranger.of(DUPLICATE_OF)

    region.sends("CERT-ID", newer(one[0], object_marking_refs=[tlp(Level.AMBER)]))
    stranger.polls()
    member.polls()

    assert stranger.of("relationship") == []
    (gone,) = stranger.of("relationship", revoked=True)
    assert (gone["id"], gone["created"]) == (before["id"], before["created"])
    assert gone["modified"] > before["modified"]
    assert "description" not in gone
    (stays,) = member.of(DUPLICATE_OF)
    assert stays["id"] != before["id"]
    fresh = poller(door, region.asks("CERT-MY"))
    assert [link["id"] for link in fresh.of(DUPLICATE_OF)] == [stays["id"]]


def test_an_erased_report_revokes_the_link_and_leaves_no_word(region: Region, door: TaxiiDoor) -> None:
    twice(region)
    sent = region.newest_of("CERT-PH").public_id
    listening = poller(door, bank(region))
    words = listening.of(DUPLICATE_OF)[0]["description"].split(";")[0]
    assert where_it_stands(region.database, words) >= {"finding.evidence"}

    region.erases("CERT-PH", sent)

    listening.polls()
    assert listening.of("relationship") == []
    assert len(listening.of("relationship", revoked=True)) == 1
    assert "finding.evidence" not in where_it_stands(region.database, words)
    region.settle()
    assert listening.polls() == []


def test_a_campaign_goes_out_as_a_grouping_that_grows(region: Region, door: TaxiiDoor) -> None:
    reports = campaign(region, *[Level.GREEN] * 3)
    listening = poller(door, bank(region))
    (told,) = listening.of("grouping")
    assert set(told["object_refs"]) == {report[0]["id"] for report in reports}

    region.sends("CERT-VN", *about("Intrusion at PT Dahlia", victim="PT Dahlia", files=FILES, culprit="ExampleRAT"))
    listening.polls()

    (grown,) = listening.of("grouping")
    assert (grown["id"], len(grown["object_refs"])) == (told["id"], 4)
    assert grown["modified"] > told["modified"]


def test_each_reader_is_told_its_own_part_of_a_campaign(region: Region, door: TaxiiDoor) -> None:
    reports = campaign(region, Level.GREEN, Level.GREEN, Level.RED)
    stranger, own = poller(door, bank(region)), poller(door, region.asks("CERT-MY"))

    assert set(stranger.of("grouping")[0]["object_refs"]) == {reports[0][0]["id"], reports[1][0]["id"]}
    assert set(own.of("grouping")[0]["object_refs"]) == {report[0]["id"] for report in reports}
    assert reports[2][0]["id"] not in str(stranger.told)


def test_a_campaign_that_falls_apart_is_revoked(region: Region, door: TaxiiDoor) -> None:
    reports = campaign(region, *[Level.GREEN] * 3)
    listening = poller(door, bank(region))
    before = listening.of("grouping")[0]["id"]

    for name, report in zip(("CERT-PH", "CERT-MY"), reports[1:], strict=True):
        region.erases_incident(name, report[0]["id"])
        region.settle()
    listening.polls()

    assert listening.of("grouping") == []
    assert listening.of(RELATED_TO) == []
    assert before in [one["id"] for one in listening.of("grouping", revoked=True)]


def test_filters_and_single_objects_work_here_too(region: Region, door: TaxiiDoor) -> None:
    campaign(region, *[Level.GREEN] * 3)
    client: TaxiiClient = door.client_of(bank(region))
    (grouping,) = client.found(collection=FINDINGS, match_type="grouping")

    def ids(**query: Any) -> list[str]:
        return client.ids(collection=FINDINGS, **query)

    assert ids(match_id=grouping["id"]) == ids(match_version=grouping["modified"]) == [grouping["id"]]
    assert client.get(f"objects/{grouping['id']}/versions/", collection=FINDINGS).json["versions"] == [  # type: ignore[index]
        grouping["modified"]
    ]
    pages = list(client.pages(1, collection=FINDINGS))
    assert [page["objects"][0]["id"] for page in pages] == ids()
    assert client.adds(grouping, collection=FINDINGS).status_code == 403
    assert client.deletes(grouping["id"], collection=FINDINGS).status_code == 403


def test_reading_a_link_of_amber_reports_leaves_entries(region: Region, door: TaxiiDoor) -> None:
    twice(region, Level.AMBER, Level.AMBER)
    poller(door, region.asks("CERT-MY"))
    owner = door.client_of(region.asks("CERT-ID"))

    answer = owner.client.get("/api/v1/audit?act=read", headers={"Authorization": f"Bearer {owner.secret}"})

    (entry,) = answer.json["items"]  # type: ignore[index]
    assert entry["organization"] == "CERT-MY"
    assert entry["details"]["shown"][0].startswith("incident ")


def test_a_link_that_people_reject_is_revoked_and_told_anew_when_they_take_that_back(
    region: Region, door: TaxiiDoor
) -> None:
    one, other = twice(region)
    listening = poller(door, bank(region))
    (before,) = listening.of(DUPLICATE_OF)

    made = decide(region, analyst(region, "CERT-ID"), one[0]["id"], other[0]["id"], Verdict.APART)
    region.settle()
    listening.polls()
    assert listening.of(DUPLICATE_OF) == []
    assert [gone["id"] for gone in listening.of("relationship", revoked=True)] == [before["id"]]

    undo(region, analyst(region, "CERT-ID"), made.id)
    region.settle()
    listening.polls()
    (again,) = listening.of(DUPLICATE_OF)
    assert again["id"] != before["id"]  # STIX lets nothing come back that was revoked
    assert again["description"] == before["description"]


def test_a_link_that_only_people_know_of_is_told_as_theirs(region: Region, door: TaxiiDoor) -> None:
    one, other = about("Intrusion", victim="Tirta Energi"), about("Defacement", victim="Klinik Melati", sector="health")
    region.sends("CERT-ID", *one)
    region.sends("CERT-PH", *other)
    listening = poller(door, bank(region))
    assert listening.of("relationship") == []

    made = decide(region, analyst(region, "CERT-ID"), one[0]["id"], other[0]["id"], Verdict.TOGETHER)
    region.settle()
    listening.polls()
    (link,) = listening.of(DUPLICATE_OF)
    assert link["description"] == "people of CERT-ID decided that both report one event"
    assert stix2.parse(link, version="2.1")["id"] == link["id"]

    undo(region, analyst(region, "CERT-ID"), made.id)
    region.settle()
    listening.polls()
    assert listening.of("relationship") == []
