"""An organization subscribes, changes its mind, and asks what became of its alerts."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from asking import Asker, Door
from kentongan.domain.marking import Level
from kentongan.storage.alerts import Alert, Delivery, Subscription
from kentongan.storage.jobs import JobRow, Stage
from reading_stories import Region

WISH: dict[str, Any] = {
    "channel": "webhook",
    "target": "https://alerts.cert.example/hook",
    "filter": {"countries": ["la"], "tlp_max": "TLP:AMBER", "observables": ["EVIL[.]example"], "kinds": ["new-case"]},
    "name": "Our desk",
}


def subscribe(asker: Asker, **changes: Any) -> Any:
    return asker.ask("POST", "/subscriptions", json={**WISH, **changes})


def test_a_subscription_is_made_changed_and_ended(door: Door) -> None:
    laos = door.joins("LaoCERT")

    made = subscribe(laos)
    address = made.headers["Location"].removeprefix("/api/v1")
    changed = laos.ask("PATCH", address, json={"name": "Night desk", "filter": {}})
    listed = laos.get("/subscriptions")
    ended = laos.ask("DELETE", address)

    assert made.status_code == 201
    assert made.json["secret"].startswith("whsec_")
    assert made.json["subscription"]["filter"]["countries"] == ["LA"]
    assert (changed.json["name"], changed.json["filter"]) == ("Night desk", {})
    assert listed.json == [changed.json]
    assert "whsec_" not in listed.text
    assert (ended.status_code, ended.data) == (204, b"")
    assert laos.get(address).status_code == 404
    assert laos.get("/subscriptions").json == []


def test_a_subscription_is_nobody_elses(door: Door) -> None:
    laos, thailand = door.joins("LaoCERT"), door.joins("ThaiCERT")
    address = subscribe(laos).headers["Location"].removeprefix("/api/v1")

    answers = [
        thailand.get(address),
        thailand.ask("PATCH", address, json={"name": "Mine now"}),
        thailand.ask("DELETE", address),
        thailand.get("/subscriptions/00000000-0000-4000-8000-000000000000"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert len({answer.data for answer in answers}) == 1
    assert laos.get(address).json["name"] == "Our desk"


@pytest.mark.parametrize(
    ("changes", "status", "path"),
    [
        ({"channel": "pigeon"}, 400, "$.channel"),
        ({"target": "https://127.0.0.1/"}, 422, "$.target"),
        ({"target": "http://[::1]:1/"}, 422, "$.target"),
        ({"target": "file:///etc/passwd"}, 422, "$.target"),
        ({"channel": "email", "target": "nobody"}, 422, "$.target"),
        ({"filter": {"smell": 1}}, 400, "$.filter.smell"),
        ({"filter": {"countries": ["Laos"]}}, 400, "$.filter.countries[0]"),
        ({"filter": {"tlp_min": "TLP:RED", "tlp_max": "TLP:GREEN"}}, 422, "$.filter.tlp_min"),
        ({"filter": {"observables": ["no observable at all"]}}, 422, "$.filter.observables[0]"),
        ({"filter": []}, 400, "$.filter"),
        ({"secret": "whsec_mine"}, 400, "$.secret"),
    ],
)
def test_what_cannot_be_is_named(sqlite_door: Door, changes: dict[str, Any], status: int, path: str) -> None:
    answer = subscribe(sqlite_door.joins("LaoCERT"), **changes)

    assert answer.status_code == status
    assert path in [fault["path"] for fault in answer.json["problems"]]


@pytest.mark.parametrize(
    ("raw", "content_type", "status"),
    [(b"{", "application/json", 400), (b"[" * 5000, "application/json", 400), (b"{}", "text/plain", 415)],
)
def test_what_is_no_json_is_refused(sqlite_door: Door, raw: bytes, content_type: str, status: int) -> None:
    laos = sqlite_door.joins("LaoCERT")

    answer = laos.ask("POST", "/subscriptions", data=raw, headers={"Content-Type": content_type})

    assert answer.status_code == status


def test_deliveries_are_listed_and_sent_again(door: Door) -> None:
    laos, thailand = door.joins("LaoCERT"), door.joins("ThaiCERT")
    subscription = subscribe(thailand).json["subscription"]
    with door.database.writing() as session:
        region = Region(session)
        told = region.reports(laos.identity, "Told", Level.AMBER)
        alert = Alert(
            key="new-case:1",
            kind="new-case",
            incident_id=told.id,
            object_id=told.object_id,
            submission_id=told.submission_id,
            created_at=region.now,
        )
        session.add(alert)
        session.flush()
        row = session.scalars(select(Subscription.id).where(Subscription.public_id == subscription["id"])).one()
        session.add(
            Delivery(
                public_id="7d1a2ae6-5f1c-5a37-9d3a-111111111111",
                alert_id=alert.id,
                subscription_id=row,
                organization_id=thailand.identity.organization_id,
                state="given-up",
                attempts=9,
                last_answer="<script>alert(1)</script>",
                created_at=region.now,
                tried_since=region.now,
            )
        )

    listed = thailand.get(f"/deliveries?state=given-up&subscription={subscription['id']}").json
    address = f"/deliveries/{listed['items'][0]['id']}"
    others = laos.ask("POST", f"{address}/replay")
    again = thailand.ask("POST", f"{address}/replay")
    thailand.ask("DELETE", f"/subscriptions/{subscription['id']}")
    ended = thailand.ask("POST", f"{address}/replay")

    assert [each["title"] for each in listed["items"]] == ["Told"]
    assert others.status_code == 404
    assert (again.status_code, again.json["state"]) == (202, "waiting")
    assert door.nudged == [Stage.DELIVER]
    assert (ended.status_code, ended.json["title"]) == (422, "This wish cannot be granted as it was put")
    assert laos.get("/deliveries").json == {"items": [], "next": None}
    with door.database.reading() as session:
        assert session.scalars(select(JobRow.stage)).all().count("deliver") == 1
