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

from asking import Asker, Door
from kentongan.domain.gate import content_sha256
from kentongan.storage import Base
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from redaction_stories import asked
from stories import Stix, observed, relationship

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
