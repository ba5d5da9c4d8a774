"""Erasing and retention at the door for programs: the owner is told what is left, everybody else what they were always told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from asking import Asker, Door
from kentongan.domain.identity import OrganizationKind, Scope
from kentongan.domain.marking import Level
from kentongan.services.index import Index
from kentongan.services.retention import Expire
from kentongan.storage.jobs import Stage
from kentongan.storage.submissions import Submission
from stories import as_bytes, bundle, incident

STIX = "application/stix+json"


def sent(asker: Asker, door: Door, *objects: Any) -> str:
    answer = asker.ask("POST", "/submissions", data=as_bytes(bundle(*objects)), content_type=STIX)
    assert answer.status_code == 202, answer.text
    with door.database.writing() as session:
        Index(session, door.clock).run([row.id for row in session.query(Submission).all()])
    return str(answer.json["id"])  # type: ignore[index]


def told(answer: TestResponse) -> dict[str, Any]:
    found: dict[str, Any] = answer.get_json(force=True)
    return found


def test_who_sent_it_erases_it_and_is_told_what_is_left(door: Door) -> None:
    laos = door.joins("LaoCERT")
    receipt = sent(laos, door, incident("Kenari"))

    erased = laos.ask("DELETE", f"/submissions/{receipt}", json={"reason": "sent by mistake"})
    after = laos.get(f"/submissions/{receipt}")
    content = laos.get(f"/submissions/{receipt}/content")
    again = laos.ask("DELETE", f"/submissions/{receipt}")

    assert erased.status_code == 200
    assert (told(erased)["id"], told(erased)["reason"]) == (receipt, "sent by mistake")
    for gone in (after, content, again):
        assert gone.status_code == 410
        assert gone.content_type == "application/problem+json"
        assert told(gone)["type"].endswith("#problem-erased")
        assert told(gone)["tombstone"] == told(erased)
    assert door.nudged[-2:] == [Stage.DEDUPLICATE, Stage.DELIVER]
    assert told(laos.get("/submissions"))["items"] == []
    assert told(laos.get("/incidents"))["items"] == []


def test_everybody_else_is_told_the_same_before_and_after(door: Door) -> None:
    laos, thailand = door.joins("LaoCERT"), door.joins("ThaiCERT")
    receipt = sent(laos, door, incident("Kenari", marking=Level.CLEAR))
    (seen,) = told(thailand.get("/incidents"))["items"]

    refused = [
        thailand.ask("DELETE", f"/submissions/{receipt}"),
        thailand.ask("DELETE", f"/incidents/{seen['id']}"),
        thailand.ask("DELETE", f"/incidents/{seen['stix_id']}"),
        thailand.ask("DELETE", "/submissions/6f0d0c0e-5f0b-4c77-9c6b-6b656e746f6e"),
        thailand.get(f"/submissions/{receipt}"),
    ]
    assert told(laos.get("/incidents"))["items"], "it is still there"
    laos.ask("DELETE", f"/submissions/{receipt}")
    refused += [
        thailand.get(f"/submissions/{receipt}"),
        thailand.get(f"/submissions/{receipt}/content"),
        thailand.ask("DELETE", f"/submissions/{receipt}"),
        thailand.get(f"/incidents/{seen['id']}"),
    ]

    assert {(answer.status_code, answer.data) for answer in refused} == {(404, refused[0].data)}


def test_one_incident_is_erased_by_either_of_its_ids(door: Door) -> None:
    laos = door.joins("LaoCERT")
    one, other = incident("One"), incident("Other")
    receipt = sent(laos, door, one, other)

    erased = laos.ask("DELETE", f"/incidents/{one['id']}")
    again = laos.ask("DELETE", f"/incidents/{told(erased)['id']}")

    assert (erased.status_code, told(erased)["kind"], again.status_code) == (200, "incident", 410)
    assert [item["stix_id"] for item in told(laos.get("/incidents"))["items"]] == [other["id"]]
    assert laos.get(f"/submissions/{receipt}").status_code == 200
    content = laos.get(f"/submissions/{receipt}/content")
    assert (content.status_code, "tombstone" in told(content)) == (410, False)


@pytest.mark.parametrize("method_and_address", ["DELETE /submissions/x", "DELETE /incidents/x"])
def test_a_token_that_may_only_read_erases_nothing(door: Door, method_and_address: str) -> None:
    reader = door.joins("LaoCERT", scopes=frozenset({Scope.READ}))
    method, address = method_and_address.split()

    assert reader.ask(method, address).status_code == 403


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"reasons": ""}', "application/json", 400),
        (b'{"reason": 3}', "application/json", 400),
        (b'{"reason": "' + b"x" * 1001 + b'"}', "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{", "application/json", 400),
        (b"reason=x", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_body_that_is_wrong_erases_nothing(sqlite_door: Door, body: bytes, content_type: str, status: int) -> None:
    laos = sqlite_door.joins("LaoCERT")
    receipt = sent(laos, sqlite_door, incident("Mine"))

    answer = laos.ask("DELETE", f"/submissions/{receipt}", data=body, content_type=content_type)

    assert answer.status_code == status
    assert laos.get(f"/submissions/{receipt}").status_code == 200


def test_an_administrator_says_how_long_things_are_kept(door: Door) -> None:
    laos = door.joins("LaoCERT")
    wish = {"incident_days": 365, "content_days": 30, "log_days": None}

    before = laos.get("/retention")
    changed = laos.ask("PUT", "/retention", json=wish)

    assert told(before) == {"incident_days": None, "content_days": None, "log_days": None}
    assert told(changed) == told(laos.get("/retention")) == wish
    assert told(door.joins("ThaiCERT").get("/retention")) == told(before)


@pytest.mark.parametrize("wrong", [{"incident_days": 29}, {"content_days": 0}, {"log_days": 40_000}, {"days": 3}])
def test_a_wish_that_cannot_be_is_refused_with_its_place(sqlite_door: Door, wrong: dict[str, int]) -> None:
    laos = sqlite_door.joins("LaoCERT")
    wish = {"incident_days": None, "content_days": None, "log_days": None} | wrong

    answer = laos.ask("PUT", "/retention", json=wish)

    assert answer.status_code == 400
    assert told(answer)["problems"][0]["path"].startswith(f"$.{next(iter(wrong))}")


def test_who_does_not_administer_neither_sees_nor_sets_it(sqlite_door: Door) -> None:
    analyst = sqlite_door.joins("LaoCERT", scopes=frozenset({Scope.SUBMIT, Scope.READ}))

    assert analyst.get("/retention").status_code == 403
    assert analyst.ask("PUT", "/retention", json={}).status_code == 403


def test_a_document_whose_time_is_over_is_gone_and_its_receipt_is_not(door: Door) -> None:
    laos = door.joins("LaoCERT", kind=OrganizationKind.MEMBER)
    receipt = sent(laos, door, incident("Mine"))
    laos.ask("PUT", "/retention", json={"incident_days": None, "content_days": 7, "log_days": None})
    later = door.clock() + timedelta(days=8)
    with door.database.writing() as session:
        assert Expire(session, lambda: later).batch() == 1

    assert laos.get(f"/submissions/{receipt}").status_code == 200
    assert laos.get(f"/submissions/{receipt}/content").status_code == 410
