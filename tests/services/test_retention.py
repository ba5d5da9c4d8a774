"""What was kept as long as its organization wished goes, oldest first and never a day too early; nobody else's does."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from erasing_stories import Region, where_it_stands
from kentongan.domain.audit import Act
from kentongan.domain.identity import PLATFORM, Identity, at_the_console
from kentongan.domain.retention import LEAST_DAYS, MOST_DAYS, Retention, over_before
from kentongan.services.drafts import Drafts
from kentongan.services.errors import Erased, NotFound, Refused
from kentongan.services.receipts import Receipts
from kentongan.services.retention import Expire, Retentions
from kentongan.storage.alerts import Alert, Delivery
from kentongan.storage.audit import Noted, noted
from kentongan.storage.database import Database
from kentongan.storage.drafts import Draft
from kentongan.storage.objects import StixObject
from kentongan.storage.submissions import Submission
from kentongan.storage.tombstones import Tombstone
from matching_stories import about
from stories import as_bytes, bundle, domain_name, incident, newer


@pytest.fixture
def region(database: Database) -> Region:
    return Region(database)


def wishes(region: Region, name: str, **days: int) -> None:
    who = region.asks(name)
    with region.database.writing() as session:
        Retentions(session, lambda: region.now).change(who, who.organization_id, Retention(**days))


def expire(region: Region, **elapsed: float) -> list[Noted]:
    """Some time later everything that is over goes, batch by batch; gives what was noted of it."""
    region.now += timedelta(**elapsed)
    entries: list[Noted] = []
    while True:
        with region.database.writing() as session:
            removed = Expire(session, lambda: region.now).batch()
            entries += noted(session)
        if not removed:
            return entries


def bytes_kept(region: Region) -> list[bool]:
    with region.database.reading() as session:
        query = select(Submission.content.is_not(None)).order_by(Submission.id)
        return [bool(kept) for kept in session.scalars(query)]


def test_without_a_wish_everything_is_kept(region: Region) -> None:
    region.sends("CERT-ID", incident("Mine"))
    with region.database.reading() as session:
        assert not Expire(session, lambda: region.now).is_wanted()

    entries = expire(region, days=MOST_DAYS)

    assert entries == []
    assert len(region.incidents()) == 1
    assert bytes_kept(region) == [True]


def test_an_incident_goes_when_its_days_are_over_and_not_a_moment_earlier(region: Region) -> None:
    region.subscribes("CERT-MY")
    sent = region.sends("CERT-ID", *about("Kenari intrusion", victim="PT Kenari", files=["a", "b"]))
    region.deliver()
    wishes(region, "CERT-ID", incident_days=30)

    assert expire(region, days=30) == []
    assert len(region.incidents()) == 1
    (entry,) = expire(region, microseconds=1)

    assert region.incidents() == []
    assert where_it_stands(region.database, "Kenari") == set()
    assert (entry.who, entry.act, entry.subject) == (PLATFORM, Act.ERASED, f"submission {sent}")
    assert entry.about_id == region.member("CERT-ID").organization_id
    assert region.deliver() == [], "its time was over: nobody is asked to delete it"
    with region.database.reading() as session:
        stone = session.scalars(select(Tombstone)).one()
    assert (stone.who, stone.reason) == (
        "the platform itself of Kentongan",
        "kept for 30 days, as the organization wished",
    )


def test_an_incident_that_was_amended_is_as_old_as_its_newest_version(region: Region) -> None:
    event = incident("First words")
    region.sends("CERT-ID", event)
    wishes(region, "CERT-ID", incident_days=30)
    region.now += timedelta(days=20)
    region.sends("CERT-ID", newer(event, name="Second words"))

    expire(region, days=20)
    versions = len(bytes_kept(region))
    expire(region, days=11)

    assert versions == 2
    assert region.incidents() == []
    assert bytes_kept(region) == []


def test_what_was_sent_without_an_incident_goes_too(region: Region) -> None:
    region.sends("CERT-ID", domain_name("kenari.example", marking=None))
    wishes(region, "CERT-ID", incident_days=30)

    expire(region, days=31)

    assert where_it_stands(region.database, "kenari.example") == set()


def test_only_who_wishes_so_loses_anything(region: Region) -> None:
    region.sends("CERT-ID", incident("Mine"))
    region.sends("CERT-PH", incident("Theirs"))
    wishes(region, "CERT-ID", incident_days=30, content_days=7)

    expire(region, days=400)

    assert [row.title for row in region.incidents()] == ["Theirs"]
    assert bytes_kept(region) == [True]


def test_the_oldest_goes_first_in_small_batches_and_who_is_broken_off_goes_on(region: Region) -> None:
    count = Expire.SUBMISSIONS + 5
    for number in range(count):
        region.submit("CERT-ID", [incident(f"Event {number}")])
    region.settle()
    wishes(region, "CERT-ID", incident_days=30)
    region.now += timedelta(days=31)

    with region.database.writing() as session:
        assert Expire(session, lambda: region.now).batch() == Expire.SUBMISSIONS
    left = [row.title for row in region.incidents()]
    expire(region)

    assert left == [f"Event {number}" for number in range(Expire.SUBMISSIONS, count)]
    assert region.incidents() == []


def test_when_only_the_documents_time_is_over_its_objects_stay(region: Region) -> None:
    sent = region.sends("CERT-ID", incident("Mine"))
    wishes(region, "CERT-ID", content_days=7)

    assert expire(region, days=7) == []
    assert bytes_kept(region) == [True]
    (entry,) = expire(region, seconds=1)

    assert (entry.act, entry.details["submissions"]) == (Act.ERASED, [sent])
    assert len(region.incidents()) == 1
    with region.database.reading() as session:
        receipts = Receipts(session)
        assert receipts.receipt(region.asks("CERT-ID"), sent).accepted == 1
        with pytest.raises(Erased) as gone:
            receipts.content(region.asks("CERT-ID"), sent)
        with pytest.raises(NotFound):
            receipts.content(region.asks("CERT-PH"), sent)
        assert session.scalar(select(func.count()).select_from(StixObject)) == 1
    assert gone.value.stone is None


def test_answers_of_receivers_go_with_the_logs_and_nothing_is_told_twice(region: Region) -> None:
    subscription = region.subscribes("CERT-MY")
    event = incident("Mine")
    sent = region.sends("CERT-ID", event)
    region.deliver()
    wishes(region, "CERT-MY", log_days=31)

    assert expire(region, days=30, hours=23) == []
    (entry,) = expire(region, days=1)

    (delivery,) = region.deliveries_of(subscription)
    assert (delivery.state, delivery.last_answer) == ("delivered", None)
    assert (entry.subject, entry.about_id) == ("delivery log", region.member("CERT-MY").organization_id)
    region.sends("CERT-ID", event, incident("Another"))
    assert [one.payload["kind"] for one in region.deliver()] == ["new-case"]
    region.erases("CERT-ID", sent)
    region.erases_incident("CERT-ID", event["id"])
    assert [one.payload["kind"] for one in region.deliver()] == ["recall"], (
        "whom to tell is known as long as it is there"
    )


def test_deliveries_of_what_is_erased_go_once_both_are_old_enough(region: Region) -> None:
    subscription = region.subscribes("CERT-MY")
    sent = region.sends("CERT-ID", incident("Mine"))
    region.deliver()
    wishes(region, "CERT-MY", log_days=31)
    region.now += timedelta(days=60)
    region.erases("CERT-ID", sent)

    expire(region)
    assert len(region.deliveries_of(subscription)) == 2
    assert len(region.deliver()) == 1
    expire(region, days=32)

    assert region.deliveries_of(subscription) == []
    with region.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Alert)) == 0
        assert session.scalar(select(func.count()).select_from(Delivery)) == 0


def test_a_wish_is_kept_and_changed_and_noted(region: Region) -> None:
    who = region.asks("CERT-ID")
    with region.database.writing() as session:
        retentions = Retentions(session, lambda: region.now)
        assert retentions.of(who.organization_id) == Retention()
        retentions.change(who, who.organization_id, Retention(365, 30, None))
        retentions.change(at_the_console("root"), who.organization_id, Retention(730, 30, 90))
        first, second = noted(session)

    with region.database.reading() as session:
        assert Retentions(session, lambda: region.now).of(who.organization_id) == Retention(730, 30, 90)
    assert (first.act, first.about_id) == (Act.CHANGED, who.organization_id)
    assert second.details["before"]["incident_days"] == 365


def test_another_organizations_wish_cannot_be_set(region: Region) -> None:
    with region.database.writing() as session, pytest.raises(NotFound):
        Retentions(session, lambda: region.now).change(
            region.asks("CERT-PH"), region.asks("CERT-ID").organization_id, Retention(30)
        )


@pytest.mark.parametrize("name", sorted(LEAST_DAYS))
def test_a_wish_out_of_bounds_is_refused(region: Region, name: str) -> None:
    who = region.asks("CERT-ID")
    for days in (LEAST_DAYS[name] - 1, 0, -1, MOST_DAYS + 1):
        with region.database.writing() as session, pytest.raises(Refused, match=name):
            Retentions(session, lambda: region.now).change(who, who.organization_id, Retention(**{name: days}))
    wishes(region, "CERT-ID", **{name: LEAST_DAYS[name]})


@given(st.integers(1, MOST_DAYS), st.datetimes(datetime(2020, 1, 1), datetime(2199, 1, 1)))  # shifted alike
def test_what_is_over_has_been_kept_for_all_its_days(days: int, now: datetime) -> None:
    assert now - over_before(days, now) == timedelta(days=days)


def test_a_draft_that_nobody_settled_goes_with_the_documents_and_a_younger_one_stays(region: Region) -> None:
    who, others = region.asks("CERT-ID"), region.asks("CERT-TH")
    wishes(region, "CERT-ID", content_days=7)

    def drafts(owner: Identity, name: str) -> None:
        with region.database.writing() as session:
            Drafts(session, lambda: region.now).put(owner, "mailbox", as_bytes(bundle(incident(name))), "Noy")

    drafts(who, "Old")
    drafts(others, "Of others")
    region.now += timedelta(days=6)
    drafts(who, "Young")

    expire(region, days=2)

    with region.database.reading() as session:
        service = Drafts(session, lambda: region.now)
        left = [[draft.title for draft in service.open(each)] for each in (who, others)]
        assert left == [["Young"], ["Of others"]]
        assert len(session.scalars(select(Draft).where(Draft.document.is_(None))).all()) == 1
