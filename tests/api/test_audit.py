"""Whoever is shown something marked AMBER or stricter has left an entry, whichever address it was asked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alert_stories import match, subscribed
from asking import Asker, Door
from kentongan.api.operation import OPERATIONS
from kentongan.domain.identity import OrganizationKind, Scope
from kentongan.domain.incident import Observable
from kentongan.domain.marking import Level
from kentongan.services.audit_heads import SignHeads
from kentongan.storage.alerts import Delivery
from kentongan.storage.audit import AuditEntry
from kentongan.storage.cases import Campaign, Case
from kentongan.storage.incidents import Incident
from kentongan.storage.organizations import Organization
from kentongan.storage.submissions import Submission
from reading_stories import Region
from stories import NOON, malware

EVIL = Observable("domain", "evil.example")

SHOW = {
    "/incidents": "/incidents",
    "/incidents/<incident_id>": "/incidents/{incident}",
    "/incidents/<incident_id>/explanation/<other_id>": "/incidents/{incident}/explanation/{incident}",
    "/incidents/<incident_id>/decisions": "/incidents/{incident}/decisions",
    "/cases": "/cases",
    "/cases/<case_id>": "/cases/{case}",
    "/campaigns": "/campaigns",
    "/campaigns/<campaign_id>": "/campaigns/{campaign}",
    "/objects/<stix_id>": "/objects/{object}",
    "/objects/<stix_id>/versions": "/objects/{object}/versions",
    "/observables": "/observables?value=evil.example",
    "/deliveries": "/deliveries",
    "/deliveries/<delivery_id>": "/deliveries/{delivery}",
}
"""Every address that shows something of others' or one's own incidents, and how it is asked for."""

SHOW_NOTHING = {
    "/submissions",  # one's own documents, by moment and size
    "/submissions/<submission_id>",  # how far one's own document is
    "/submissions/<submission_id>/content",  # an export, which is an entry of its own kind
    "/subscriptions",
    "/subscriptions/<subscription_id>",
    "/organizations",  # who takes part
    "/organization",
    "/organization/history",
    "/coordinator",
    "/groups",
    "/groups/<group_id>",
    "/feeds",  # what comes in: one's own documents, by name, count and fault
    "/feeds/kinds",
    "/feeds/<feed_id>",
    "/feeds/<feed_id>/runs",
    "/feeds/<feed_id>/items",
    "/tokens",
    "/retention",
    "/matching-report",  # counts, of several
    "/audit",
    "/audit/heads",
    "/openapi.json",
    "/docs",
}


@dataclass
class Shared:
    """What ID-CERT reported for members alone, and SingCERT was told of."""

    owner: Asker
    reader: Asker
    names: dict[str, str]


@pytest.fixture
def shared(door: Door) -> Shared:
    owner, reader = door.joins("ID-CERT"), door.joins("SingCERT")
    with door.database.writing() as session:
        region = Region(session)
        subscribed(session, session.get_one(Organization, reader.identity.organization_id))
        campaign = Campaign(opened_at=NOON)
        session.add(campaign)
        session.flush()
        rat = malware(marking=Level.AMBER)
        cases = [Case(opened_at=NOON, campaign_id=campaign.id) for _ in range(2)]
        session.add_all(cases)
        session.flush()
        rows: list[Incident] = [
            region.reports(
                owner.identity, f"Secret {n}", Level.AMBER, case=case, seen=(EVIL,), objects=(rat,) if n else ()
            )
            for n, case in enumerate(cases)
        ]
        region.related(rows[0], rows[1])
        region.decides(reader.identity, rows[0], rows[1], "apart")
        match(session, *rows)
        delivery = session.query(Delivery).first()
        assert delivery is not None
        names = {
            "incident": rows[0].public_id,
            "other": rows[1].public_id,
            "case": cases[0].public_id,
            "campaign": campaign.public_id,
            "object": rat["id"],
            "delivery": delivery.public_id,
        }
    return Shared(owner, reader, names)


def reads(asker: Asker) -> list[dict[str, Any]]:
    found = asker.get("/audit?act=read")
    assert found.status_code == 200, found.text
    return list(found.json["items"])  # type: ignore[index]  # it is JSON


def test_every_address_is_known_to_show_something_or_nothing() -> None:
    every = {operation.path for operation in OPERATIONS if operation.method == "GET"}

    assert every - SHOW_NOTHING == SHOW.keys()


@pytest.mark.parametrize("address", SHOW.values())
def test_showing_what_is_marked_amber_is_an_entry_its_owner_reads(shared: Shared, address: str) -> None:
    answer = shared.reader.get(address.format(**shared.names))

    assert answer.status_code == 200, answer.text
    assert reads(shared.reader) == []
    (entry,) = reads(shared.owner)
    assert (entry["organization"], entry["address"]) == ("SingCERT", "127.0.0.1")
    assert entry["name"] == shared.reader.secret[:8]
    shown = entry["details"]["shown"]
    assert shown
    kinds = {"incident": "incident", "other": "incident", "object": "object"}
    assert set(shown) <= {f"{kind} {shared.names[name]}" for name, kind in kinds.items()}


def test_ones_own_is_entered_too(shared: Shared) -> None:
    shared.owner.get("/incidents")

    (entry,) = reads(shared.owner)
    assert entry["organization"] == "ID-CERT"


def test_what_is_marked_green_leaves_no_entry(door: Door) -> None:
    owner, reader = door.joins("ID-CERT"), door.joins("SingCERT")
    with door.database.writing() as session:
        incident = Region(session).reports(owner.identity, "Open", Level.GREEN, seen=(EVIL,))
        asked = incident.public_id

    reader.get("/incidents")
    reader.get(f"/incidents/{asked}")

    assert reads(owner) == []


def test_a_value_marked_amber_in_a_green_incident_is_an_entry(door: Door) -> None:
    owner, reader = door.joins("ID-CERT"), door.joins("SingCERT")
    with door.database.writing() as session:
        row = Region(session).reports(owner.identity, "Open", Level.GREEN, seen=(EVIL,), seen_at=Level.AMBER)
        asked = row.public_id

    reader.get(f"/incidents/{asked}")

    assert [entry["subject"] for entry in reads(owner)] == [f"incident {asked}"]


def test_what_is_not_there_for_a_reader_leaves_no_entry(shared: Shared, door: Door) -> None:
    stranger = door.joins("A bank", OrganizationKind.SUBSCRIBER)

    assert stranger.get(f"/incidents/{shared.names['incident']}").status_code == 404

    assert reads(shared.owner) == []


def test_taking_a_document_home_is_an_export(door: Door) -> None:
    owner = door.joins("ID-CERT")
    with door.database.writing() as session:
        sent = Region(session).reports(owner.identity, "Secret", Level.RED).submission_id
        public_id = session.get_one(Submission, sent).public_id

    owner.get(f"/submissions/{public_id}/content")

    (entry,) = owner.get("/audit?act=exported").json["items"]  # type: ignore[index]  # it is JSON
    assert entry["subject"] == f"submission {public_id}"


def test_what_was_done_is_told_with_all_that_an_entry_has(door: Door) -> None:
    owner = door.joins("ID-CERT")

    answer = owner.get("/audit?act=added&limit=1").json
    assert answer is not None
    (entry,) = answer["items"]

    assert entry.keys() == {
        *("number", "at", "organization", "name", "address", "act", "subject", "details", "hash"),
    }
    assert entry["subject"].startswith("token ")
    assert entry["details"]["prefix"] == owner.secret[:8]
    assert len(entry["hash"]) == 64
    assert answer["next"]


@pytest.mark.parametrize(
    "query", ["act=looked", "after=yesterday", "before=2026-03-02", "limit=0", "cursor=x", "who=me"]
)
def test_what_cannot_be_asked_is_refused_with_its_place(door: Door, query: str) -> None:
    answer = door.joins("ID-CERT").get(f"/audit?{query}")

    assert 400 <= answer.status_code < 500
    assert answer.json is not None
    assert answer.json["problems"][0]["where"] == "query"


def test_the_trail_is_for_administrators(door: Door) -> None:
    reader = door.joins("ID-CERT", scopes=frozenset({Scope.READ, Scope.SUBMIT}))

    assert reader.get("/audit").status_code == 403


def test_everybody_may_fetch_the_signed_heads(door: Door, tmp_path: Path) -> None:
    reader = door.joins("A reader", scopes=frozenset({Scope.READ}))
    with door.database.writing() as session:
        signed = SignHeads(session, lambda: NOON, Ed25519PrivateKey.generate(), "https://kentongan.example").sign()
        number = session.query(AuditEntry).count()

    answer = reader.get("/audit/heads")

    assert signed is not None
    assert answer.json == {"items": [signed.as_json()], "next": None}
    assert signed.number == number
