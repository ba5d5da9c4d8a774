"""Stories of what is masked: worlds that differ in nothing but a masked value, and everything that can be asked in them."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text

from alert_stories import subscribed
from asking import Asker, Door
from kentongan.domain.gate import content_sha256
from kentongan.domain.identity import OrganizationKind
from kentongan.domain.marking import Level
from kentongan.domain.masking import MaskingWish
from kentongan.services.maskings import Maskings
from kentongan.storage import Base
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan.storage.organizations import Organization
from redaction_stories import asked, region, sends, settle, told
from stories import Stix, incident, mail_address, newer, observed, relationship, tlp

SECRET, GUESS = "somsak.private@canary-mailbox.com", "noy.private@canary-mailbox.com"


def with_mail(event: Stix, mail: Stix, **more: Any) -> list[Stix]:
    """A report of an incident in which a mailbox was seen."""
    watch = observed(mail, **more)
    return [event, mail, watch, relationship(event, "related-to", watch, **more)]


def told_anew(objects: Sequence[Stix], instead: dict[str, str]) -> list[Stix]:
    """The same objects with other texts in them."""
    told = json.dumps(objects)
    for one, other in instead.items():
        told = told.replace(one, other)
    found: list[Stix] = json.loads(told)
    return found


def same_ids_each_time(patch: pytest.MonkeyPatch) -> None:
    """From here on the platform makes the same random ids as in any other world that begins so."""
    chance = random.Random(7)
    patch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=chance.getrandbits(128), version=4))


def emptied(database: Database) -> None:
    """A database in which nothing ever happened."""
    with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.execute(text("TRUNCATE " + ", ".join(Base.metadata.tables) + " RESTART IDENTITY"))
            return
        connection.execute(text("PRAGMA defer_foreign_keys=ON"))
        triggers = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
        for name, _ in triggers:
            connection.execute(text(f"DROP TRIGGER {name}"))
        for table in Base.metadata.tables.values():
            connection.execute(table.delete())
        for _, sql in triggers:
            connection.execute(text(sql))


def everything(reader: Asker, objects: Sequence[Stix], values: Sequence[str]) -> dict[str, str]:
    """Every answer there is to this reader, with its headers, about these objects and values."""
    lists = ["/incidents", "/cases", "/campaigns", "/deliveries", "/subscriptions", "/submissions"]
    # Not the trail: the hashes of its entries cover everybody's, and so what anybody sent.
    addresses = [*lists, *(f"{name}?limit=1" for name in lists)]
    for name in ("incidents", "cases", "campaigns", "deliveries"):
        addresses += [f"/{name}/{each['id']}" for each in asked(reader, f"/{name}?limit=100")["items"]]
    for obj in objects:
        addresses += [f"/objects/{obj['id']}", f"/objects/{obj['id']}/versions"]
        addresses += [f"/objects/{obj['id']}?sha256={content_sha256(obj).hex()}"]
        addresses += [f"/incidents/{obj['id']}"] if obj["type"] == "incident" else []
    for value in values:
        addresses += [f"/observables?value={quote(value)}", f"/incidents?observable={quote(value)}"]
        addresses += [f"/incidents?q={quote(value)}"]
    answers = ((address, reader.get(address)) for address in addresses)
    return {address: f"{answer.status_code} {answer.headers}{answer.text}" for address, answer in answers}


def incident_row(door: Door, stix_id: str) -> Incident:
    """The row of an incident."""
    with door.database.reading() as session:
        return session.query(Incident).filter_by(stix_id=stix_id).one()


MASKED_BY_YOU = ["the same mail address, masked by you"]


def plain_mail(value: str = SECRET) -> Stix:
    """The mailbox, shown openly."""
    return mail_address(value, object_marking_refs=[tlp(Level.GREEN)])


def why(reader: Asker, stix_id: str) -> list[list[str]]:
    """The reasons for each link of an incident that this reader is told of."""
    links = asked(reader, f"/incidents/{stix_id}")["links"]
    return [[each["words"] for each in link["evidence"]] for link in links]


def wishes(door: Door, reader: Asker, **wish: bool) -> None:
    """Its organization wants this masked from now on; what follows from it is done."""
    with door.database.writing() as session:
        Maskings(session, door.clock).change(reader.identity, reader.identity.organization_id, MaskingWish(**wish))
    settle(door)


def world(door: Door, objects: list[Stix], **wish: bool) -> dict[str, dict[str, str]]:
    """LaoCERT sends these, VNCERT holds SECRET openly; everything that anybody but LaoCERT can ask, and every alert."""
    readers = region(door)
    wishes(door, readers["owner"], **wish)
    readers["constituent"] = door.joins("A bank of the group", OrganizationKind.SUBSCRIBER)
    theirs = told_anew(THEIRS, {})
    with door.database.writing() as session:
        for reader in readers.values():
            subscribed(session, session.get_one(Organization, reader.identity.organization_id))
    sends(door, readers["owner"], *objects)
    sends(door, readers["member"], *theirs)
    sends(door, readers["owner"], newer(objects[-1], description="Nothing new."))
    answers = {
        who: everything(reader, [*objects, *theirs], [SECRET, GUESS])
        for who, reader in readers.items()
        if who != "owner"
    }
    with door.database.writing() as session:
        alerts = told(session)
    for who, reader in readers.items():
        if who != "owner":
            answers[who]["alerts"] = repr(alerts.get(reader.identity.organization_id))
    return answers


THEIRS = with_mail(incident("A mailbox that sends malware", description=f"IOC: {SECRET}"), plain_mail())


def are_the_same(one: dict[str, dict[str, str]], other: dict[str, dict[str, str]]) -> None:
    """Nobody is answered otherwise in the one world than in the other."""
    for who, answers in one.items():
        shared = answers.keys() & other[who].keys()
        assert len(shared) > 40
        assert [address for address in shared if answers[address] != other[who][address]] == [], who
