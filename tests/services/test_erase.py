"""A member takes back what it sent: nothing of it is left but a tombstone, and nobody else loses anything."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from erasing_stories import Region, where_it_stands
from kentongan.domain.audit import Act
from kentongan.domain.identity import Identity, at_the_console
from kentongan.domain.marking import Level
from kentongan.services.erase import LONGEST_REASON, Erase
from kentongan.services.errors import Erased, NotFound, Refused
from kentongan.services.receipts import Receipts
from kentongan.storage.audit import noted
from kentongan.storage.cases import DUPLICATE_OF, RELATED_TO, Case
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan.storage.objects import ObjectCarrier, StixObject
from kentongan.storage.observables import StoredObservable
from kentongan.storage.submissions import IdempotencyKey, Submission
from kentongan.storage.tombstones import Tombstone
from matching_stories import about, sha256
from stories import NOON, Stix, domain_name, incident, indicator, malware, newer, relationship

CANARY = "Kenari"
FILES = ["dropper", "implant", "stealer"]
NAMES = ["Bank Kirana", "Universitas Melati", "Rumah Sakit Anggrek", "Kementerian Cempaka", "PT Dahlia Ritel"]


@pytest.fixture
def region(database: Database) -> Region:
    return Region(database)


def canaries() -> list[Stix]:
    """A report that says one word in everything that holds text."""
    objects = about(
        f"{CANARY} intrusion",
        victim=f"PT {CANARY} Tbk",
        files=FILES,
        culprit=f"{CANARY}RAT",
        patterns=[f"[mutex:name = '{CANARY}']"],
        pages=[f"https://news.example/{CANARY}"],
        description=f"{CANARY} says so",
    )
    event = objects[0]
    rat = next(obj for obj in objects if obj["type"] == "malware")
    return [
        *objects,
        relationship(event, "related-to", rat, description=CANARY),
        domain_name(f"{CANARY.lower()}.example"),
    ]


def test_nothing_is_left_but_the_tombstone(region: Region) -> None:
    region.post.says = f"HTTP 200: {CANARY} received"
    region.subscribes("CERT-MY")
    sent = region.sends("CERT-ID", *canaries())
    region.deliver()
    region.post.says = "HTTP 200: received"
    region.sends(
        "CERT-PH", *about("Infeksi", victim="Tirta Energi", files=FILES)
    )  # the same files, in the words of another
    region.deliver()
    digest = region.newest_of("CERT-ID").sha256
    assert region.links(DUPLICATE_OF) or region.links(RELATED_TO)
    assert where_it_stands(region.database, CANARY) >= {
        "submission.content",
        "stix_object.body",
        "incident.title",
        "incident.facts",
        "observable.value",
        "delivery.last_answer",
    }

    region.now += timedelta(days=1)
    stone = region.erases("CERT-ID", sent, "a person's name stood in it")

    for said in (CANARY, CANARY.lower()):
        assert where_it_stands(region.database, said) == set()
    region.settle()
    region.deliver()
    for said in (CANARY, CANARY.lower()):
        assert where_it_stands(region.database, said) == set()
    assert (stone.id, stone.kind, stone.organization) == (sent, "submission", "CERT-ID")
    assert (stone.sha256, stone.reason) == (digest.hex(), "a person's name stood in it")
    assert where_it_stands(region.database, stone.reason) == {"tombstone.reason", "audit_entry.details"}


def test_a_submission_that_was_not_worked_on_yet_leaves_no_promise(region: Region) -> None:
    region.submit("CERT-ID", canaries())
    sent = region.newest_of("CERT-ID").public_id

    region.erases("CERT-ID", sent)

    assert region.promised() == []
    assert where_it_stands(region.database, CANARY) == set()
    region.settle()
    assert region.incidents() == []


def test_a_case_of_three_loses_one_and_stays(region: Region) -> None:
    reports = [
        about("Intrusion at Tirta Energi", victim="Tirta Energi", files=[*FILES, name]) for name in ("a", "b", "c")
    ]
    sent = [
        region.sends(who, *objects) for who, objects in zip(("CERT-ID", "CERT-PH", "CERT-MY"), reports, strict=True)
    ]
    case = region.case_of(reports[0][0]["id"])
    assert {region.case_of(objects[0]["id"]) for objects in reports} == {case}

    region.erases("CERT-ID", sent[0])

    left = [objects[0]["id"] for objects in reports[1:]]
    assert [region.case_of(one) for one in left] == [case, case]
    region.settle()
    assert [region.case_of(one) for one in left] == [case, case]
    assert len(region.links(DUPLICATE_OF)) == 1
    assert region.promised() == []


def test_a_case_that_hung_together_by_the_erased_report_parts(region: Region) -> None:
    one = region.report("CERT-ID", "Infection", victim="Tirta Energi", files=["a1", "a2", "a3"])
    bridge = region.sends("CERT-MY", *about("Infection", files=["a1", "a2", "a3", "b1", "b2", "b3"]))
    other = region.report("CERT-PH", "Infection seen again", files=["b1", "b2", "b3"])
    assert region.case_of(one) == region.case_of(other)
    case = region.case_of(one)

    region.erases("CERT-MY", bridge)

    assert region.case_of(one) == case
    assert region.case_of(other) not in (None, case)
    region.settle()
    assert region.case_of(other) not in (None, case)
    assert region.links(DUPLICATE_OF) == []


def test_a_campaign_that_hung_together_by_the_erased_report_parts(region: Region) -> None:
    older = [region.report("CERT-ID", "Intrusion", victim=name, files=["a1", "a2", name]) for name in NAMES[:2]]
    younger = [region.report("CERT-PH", "Infection", victim=name, files=["b1", "b2", name]) for name in NAMES[2:4]]
    bridge = region.sends("CERT-MY", *about("Both", victim=NAMES[4], files=["a1", "a2", "b1", "b2"]))
    (campaign,) = set(region.campaigns_of([*older, *younger]))
    assert campaign is not None

    region.erases("CERT-MY", bridge)
    region.settle()

    parts = region.campaigns_of([*older, *younger])
    assert parts[:2] == [campaign, campaign]
    assert parts[2] == parts[3] not in (None, campaign)
    assert len(region.links(RELATED_TO)) == 2


def test_a_campaign_of_two_ends_with_one_of_them(region: Region) -> None:
    stays = region.report("CERT-ID", "Intrusion", victim=NAMES[0], files=["implant", "a"])
    goes = region.sends("CERT-PH", *about("Infection", victim=NAMES[1], files=["implant", "b"]))
    assert region.campaigns_of([stays]) != [None]

    region.erases("CERT-PH", goes)

    assert region.campaigns_of([stays]) == [None]
    with region.database.reading() as session:
        empty = session.scalars(select(Case).where(Case.id != region.case_of(stays))).one()
    assert empty.campaign_id is None


def test_what_others_sent_too_stays_theirs(region: Region) -> None:
    shared = domain_name("evil.example")
    mine = region.sends("CERT-ID", incident("Mine"), shared, domain_name("only-mine.example"))
    region.sends("CERT-PH", incident("Theirs"), shared)

    region.erases("CERT-ID", mine)

    with region.database.reading() as session:
        left = session.scalars(select(StixObject).where(StixObject.stix_id == shared["id"])).one()
        carriers = session.scalars(select(ObjectCarrier).where(ObjectCarrier.object_id == left.id)).all()
        values = set(session.scalars(select(StoredObservable.value)))
    assert len(carriers) == 1
    assert left.owner_id == region.member("CERT-PH").organization_id
    assert "evil.example" in values
    assert "only-mine.example" not in values


def test_what_another_document_of_the_same_organization_carries_stays(region: Region) -> None:
    event, shared = incident("Seen twice"), domain_name("evil.example")
    first = region.sends(
        "CERT-ID", event, shared, indicator(f"[mutex:name = '{CANARY}']"), relationship(event, "related-to", shared)
    )
    region.sends("CERT-ID", event, shared, malware("Later"))
    row = region.row(event["id"])

    region.erases("CERT-ID", first)
    region.settle()

    (left,) = region.incidents()
    assert (left.id, left.object_id, left.submission_id) == (row.id, row.object_id, region.newest_of("CERT-ID").id)
    assert where_it_stands(region.database, CANARY) == set()
    with region.database.reading() as session:
        assert "evil.example" in set(session.scalars(select(StoredObservable.value)))


def test_an_incident_whose_newest_version_is_erased_is_again_what_it_was(region: Region) -> None:
    event = incident("First words", description="2026-03-02")
    region.sends("CERT-ID", event, domain_name("first.example"))
    before = region.row(event["id"])
    second = region.sends("CERT-ID", newer(event, name=CANARY), domain_name("second.example"))
    assert region.row(event["id"]).title == CANARY

    region.erases("CERT-ID", second)
    region.settle()

    row = region.row(event["id"])
    assert (row.id, row.title, row.object_id) == (before.id, "First words", before.object_id)
    assert where_it_stands(region.database, CANARY) == set()
    with region.database.reading() as session:
        assert "second.example" not in set(session.scalars(select(StoredObservable.value)))


def test_an_amendment_that_came_alone_keeps_nothing_of_the_erased_first_version(region: Region) -> None:
    objects = about("First words", victim=f"PT {CANARY}", files=FILES)
    first = region.sends("CERT-ID", *objects)
    region.sends("CERT-ID", newer(objects[0], name="Second words"))
    assert where_it_stands(region.database, CANARY)

    region.erases("CERT-ID", first)

    assert where_it_stands(region.database, CANARY) == set()
    assert region.row(objects[0]["id"]).title == "Second words"
    assert where_it_stands(region.database, sha256("dropper")) == set()


def test_one_incident_of_a_document_goes_with_all_its_versions_and_the_others_stay(region: Region) -> None:
    one, other = about(CANARY, victim=f"PT {CANARY}", files=["a"]), about("Stays", victim="Bank Tirta", files=["b"])
    ties = [relationship(objects[0], "related-to", objects[-1]) for objects in (one, other)]
    both = region.sends("CERT-ID", *one, *other, *ties)
    alone = region.sends("CERT-ID", newer(one[0], description=CANARY))

    stone = region.erases_incident("CERT-ID", one[0]["id"])
    region.settle()

    assert stone.kind == "incident"
    assert where_it_stands(region.database, CANARY) == set()
    assert [row.title for row in region.incidents()] == ["Stays"]
    with region.database.reading() as session:
        receipts = Receipts(session)
        told = receipts.receipt(region.asks("CERT-ID"), both)
        assert one[0]["id"] not in {outcome.id for outcome in told.objects}
        assert other[0]["id"] in {outcome.id for outcome in told.objects}
        with pytest.raises(Erased):
            receipts.content(region.asks("CERT-ID"), both)
        with pytest.raises(Erased) as gone:
            receipts.receipt(region.asks("CERT-ID"), alone)
    assert gone.value.stone is not None
    with pytest.raises(Erased):
        region.erases_incident("CERT-ID", stone.id)


def test_the_same_bytes_are_a_new_submission_afterwards(region: Region) -> None:
    objects = about("Intrusion", victim="Tirta Energi", files=FILES)
    sent = region.sends("CERT-ID", *objects)
    with region.database.writing() as session:
        key = IdempotencyKey(
            organization_id=region.member("CERT-ID").organization_id,
            key="mine",
            submission_id=region.newest_of("CERT-ID").id,
        )
        session.add(key)
    with region.database.reading() as session:
        highest = session.scalar(select(func.max(StixObject.id))) or 0
    old = region.row(objects[0]["id"])
    region.erases("CERT-ID", sent)

    again = region.sends("CERT-ID", *objects)

    assert again != sent
    row = region.row(objects[0]["id"])
    assert row.public_id != old.public_id
    assert row.object_id > highest, "the number of an erased object is given to no other"
    assert row.case_id is not None
    with region.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(IdempotencyKey)) == 0
        assert session.scalar(select(func.count()).select_from(Submission)) == 1


def test_another_organization_cannot_erase_it_and_learns_nothing(region: Region) -> None:
    sent = region.sends("CERT-ID", incident("Mine", marking=Level.CLEAR))
    mine, stranger = region.asks("CERT-ID"), region.asks("CERT-PH")

    row = region.incidents()[0]
    for owner, wanted in ((stranger, sent), (mine, sent), (stranger, "no such id")):
        with region.database.writing() as session, pytest.raises(NotFound):
            Erase(session, lambda: region.now).submission(stranger, owner.organization_id, wanted)
    for wanted in (row.public_id, row.stix_id):
        with pytest.raises(NotFound):
            region.erases_incident("CERT-PH", wanted)
    assert len(region.incidents()) == 1

    region.erases("CERT-ID", sent)

    with region.database.reading() as session, pytest.raises(NotFound):
        Receipts(session).receipt(stranger, sent)
    with region.database.reading() as session, pytest.raises(Erased):
        Receipts(session).receipt(mine, sent)
    with pytest.raises(Erased):
        region.erases("CERT-ID", sent)
    with pytest.raises(NotFound):
        region.erases("CERT-PH", sent)


def test_who_may_only_read_erases_nothing(region: Region) -> None:
    sent = region.sends("CERT-ID", incident("Mine"))
    reader = Identity(region.member("CERT-ID").organization_id, "CERT-ID", region.member("CERT-ID").kind)

    with region.database.writing() as session, pytest.raises(NotFound):
        Erase(session, lambda: NOON).submission(reader, reader.organization_id, sent)


def test_the_operator_at_the_console_erases_what_an_organization_demands_by_letter(region: Region) -> None:
    sent = region.sends("CERT-ID", incident("Mine"))
    owner = region.member("CERT-ID").organization_id

    with region.database.writing() as session:
        stone = Erase(session, lambda: region.now).submission(at_the_console("root"), owner, sent, "letter of 3 May")
        (entry,) = noted(session)

    assert (stone.who, stone.reason) == ("root of operator", "letter of 3 May")
    assert (entry.act, entry.subject, entry.about_id) == (Act.ERASED, f"submission {sent}", owner)
    assert entry.details["incidents"] == 1
    assert region.incidents() == []


def test_a_reason_that_is_too_long_is_refused_and_nothing_is_erased(region: Region) -> None:
    sent = region.sends("CERT-ID", incident("Mine"))

    with pytest.raises(Refused):
        region.erases("CERT-ID", sent, "x" * (LONGEST_REASON + 1))

    assert len(region.incidents()) == 1


def test_of_a_reason_only_what_can_be_seen_is_kept(region: Region) -> None:
    sent = region.sends("CERT-ID", incident("Mine"))

    stone = region.erases("CERT-ID", sent, "a\u202eb\0c\n d")

    assert stone.reason == "a b c d"


def test_sqlite_writes_over_what_was_erased(sqlite_database: Database) -> None:
    region = Region(sqlite_database)
    region.sends("CERT-PH", *about("Another report", files=FILES))
    sent = region.sends("CERT-ID", *canaries())
    assert sqlite_database.engine.url.database
    path = sqlite_database.engine.url.database

    region.erases("CERT-ID", sent)
    with sqlite_database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]

    assert CANARY.encode() not in Path(path).read_bytes()


def test_a_stone_stays_whatever_comes_after(region: Region) -> None:
    sent = [region.sends("CERT-ID", incident(f"Event {number}")) for number in range(3)]

    for one in sent:
        region.erases("CERT-ID", one)

    with region.database.reading() as session:
        assert list(session.scalars(select(Tombstone.public_id).order_by(Tombstone.id))) == sent
        assert session.scalar(select(func.count()).select_from(Incident)) == 0
