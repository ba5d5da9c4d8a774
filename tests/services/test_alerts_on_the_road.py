"""From submitted bytes to messages, through the real stages: what the recipients are told of a case and a campaign."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from alert_stories import at, subscribed
from kentongan.domain.alert import Outgoing
from kentongan.domain.gate import Limits
from kentongan.domain.identity import OrganizationKind
from kentongan.domain.marking import Level
from kentongan.services.correlate import Correlate
from kentongan.services.deduplicate import Deduplicate
from kentongan.services.deliver import Deliver
from kentongan.services.examine import examine
from kentongan.services.index import Index
from kentongan.services.match import Match
from kentongan.services.submit import Submit
from kentongan.storage.alerts import Delivery
from kentongan.storage.database import Database
from kentongan.storage.jobs import JobRow, Stage
from kentongan.storage.organizations import Organization
from matching_stories import about, sha256
from stories import NOON, Stix, as_bytes, bundle, newer, organization, stamp

ROAD: tuple[tuple[Stage, Any], ...] = (
    (Stage.INDEX, Index),
    (Stage.DEDUPLICATE, Deduplicate),
    (Stage.CORRELATE, Correlate),
    (Stage.MATCH, Match),
)


def sent(session: Session, reporter: Organization, now: datetime, *objects: Stix) -> None:
    """Submit a bundle and walk it down the road."""
    Submit(session, lambda: now).submit(reporter.identity(), examine(as_bytes(bundle(*objects)), Limits()))
    for stage, service in ROAD:
        jobs = session.scalars(select(JobRow).where(JobRow.stage == stage.value)).all()
        service(session, lambda: now).run([job.subject_id for job in jobs])
        for job in jobs:
            session.delete(job)
        session.flush()


def messages(session: Session, now: datetime) -> list[Outgoing]:
    ids = session.scalars(select(Delivery.id).order_by(Delivery.id)).all()
    return Deliver(lambda: now, {}, "https://kentongan.example").plan(session, ids)


def ransomware(title: str, level: Level) -> list[Stix]:
    """A report of one attack, by whoever saw it."""
    return about(title, victim="Ministry of Finance", files=["locker", "dropper"], happened=NOON, marking=level)


def test_a_report_its_duplicate_and_its_update_are_told_as_each_recipient_sees_them(database: Database) -> None:
    with database.writing() as session:
        id_cert, my_cert = organization(session, "ID-CERT", "ID"), organization(session, "MyCERT", "MY")
        member = subscribed(session, organization(session, "SingCERT"))
        bank = subscribed(session, organization(session, "Bank", kind=OrganizationKind.SUBSCRIBER))
        first = ransomware("Ransomware at the ministry of finance", Level.AMBER)
        second = ransomware("Ransomware at ministry of finance", Level.GREEN)

        sent(session, id_cert, at(), *first)
        sent(session, my_cert, at(minutes=5), *second)
        amended = newer(second[0], modified=stamp(at(hours=1)), name="Ransomware contained")
        sent(session, my_cert, at(hours=1), amended)

        told = {member.id: [], bank.id: []}  # type: dict[int, list[dict[str, Any]]]
        for message in messages(session, at(hours=1)):
            told[session.get_one(Delivery, message.delivery_id).subscription_id].append(dict(message.payload))

    assert [one["kind"] for one in told[bank.id]] == ["new-case", "update"]
    assert [one["kind"] for one in told[member.id]] == ["new-case", "new-report", "update"]
    assert [one["incident"]["title"] for one in told[bank.id]] == [second[0]["name"], amended["name"]]
    assert first[0]["id"] not in repr(told[bank.id])
    assert first[0]["id"] in repr(told[member.id][0])
    assert "ID-CERT" not in repr(told[bank.id])
    (duplicate,) = told[member.id][1]["related"]
    assert (duplicate["kind"], duplicate["title"]) == ("duplicate-of", first[0]["name"])
    assert len({one["case"] for one in told[member.id]}) == 1
    for one in (*told[bank.id], *told[member.id]):
        assert {seen["value"] for seen in one["observables"]} == {sha256("locker"), sha256("dropper")}
        assert len(one["bundle"]["objects"]) == 5


def test_a_campaign_is_told_with_its_reason_to_who_sees_both_cases(database: Database) -> None:
    with database.writing() as session:
        id_cert, my_cert = organization(session, "ID-CERT", "ID"), organization(session, "MyCERT", "MY")
        member = subscribed(session, organization(session, "SingCERT"), {"kinds": ["campaign-grew"]})
        bank = organization(session, "Bank", kind=OrganizationKind.SUBSCRIBER)
        subscribed(session, bank, {"kinds": ["campaign-grew"]})

        sent(session, id_cert, at(), *ransomware("Ransomware at the ministry of finance", Level.AMBER))
        other = about("Hospital encrypted", victim="Hospital", files=["locker", "dropper"], happened=at(days=9))
        sent(session, my_cert, at(days=9), *other)

        (message,) = messages(session, at(days=9))
        delivery = session.get_one(Delivery, message.delivery_id)

    assert delivery.subscription_id == member.id
    assert message.payload["incident"]["title"] == "Hospital encrypted"
    (related,) = message.payload["related"]
    assert (related["kind"], related["title"]) == ("related-to", "Ransomware at the ministry of finance")
    assert related["why"]
    assert message.payload["campaign"] in message.payload["pages"]["campaign"]
