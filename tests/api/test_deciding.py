"""Deciding over the API: what is taken, who may, and what is answered."""

from __future__ import annotations

from typing import Any

import pytest

from asking import Asker, Door
from kentongan.domain.identity import OrganizationKind
from kentongan.domain.marking import Level
from kentongan.storage.cases import Case
from kentongan.storage.jobs import Stage
from reading_stories import Region


@pytest.fixture
def told(door: Door) -> tuple[Asker, Asker, list[str]]:
    """ID-CERT and ThaiCERT reported one incident each, and ID-CERT another that it shares with nobody."""
    owner, other = door.joins("ID-CERT"), door.joins("ThaiCERT")
    with door.database.writing() as session:
        region = Region(session)
        rows = [
            region.reports(owner.identity, "Web shell"),
            region.reports(other.identity, "Web shell at a ministry"),
            region.reports(owner.identity, "Secret", Level.RED),
        ]
        for row in rows:
            session.get_one(Case, row.case_id).home_id = row.id
        ids = [row.public_id for row in rows]
    return owner, other, ids


def say(asker: Asker, one: str, other: str, verdict: str = "together", **more: Any) -> Any:
    wished = {"other": other, "verdict": verdict, "reason": "the same note", **more}
    return asker.ask("POST", f"/incidents/{one}/decisions", json=wished)


def test_a_decision_is_answered_with_what_became_of_it_and_wakes_who_tells(
    door: Door, told: tuple[Asker, Asker, list[str]]
) -> None:
    owner, _, (one, other, _) = told

    made = say(owner, one, other)

    assert made.status_code == 201, made.text
    answer = made.json
    assert (answer["verdict"], answer["capacity"], answer["in_force"]) == ("together", "owner", True)
    assert answer["incident"]["case_id"] == answer["other"]["case_id"]
    assert {Stage.MATCH, Stage.PUBLISH} <= set(door.nudged)
    assert [each["id"] for each in owner.get(f"/incidents/{other}/decisions").json] == [answer["id"]]  # type: ignore[union-attr]


def test_taking_back_is_an_entry_of_its_own_and_restores_the_cases(told: tuple[Asker, Asker, list[str]]) -> None:
    owner, other_owner, (one, other, _) = told
    before = [owner.get(f"/incidents/{each}").json["case"]["id"] for each in (one, other)]  # type: ignore[index]
    made = say(owner, one, other).json

    assert other_owner.ask("DELETE", f"/decisions/{made['id']}", json={"reason": "no"}).status_code == 404
    back = owner.ask("DELETE", f"/decisions/{made['id']}", json={"reason": "two notes"})

    assert back.status_code == 200, back.text
    assert (back.json["undoes"], back.json["reason"]) == (made["id"], "two notes")  # type: ignore[index]
    assert [owner.get(f"/incidents/{each}").json["case"]["id"] for each in (one, other)] == before  # type: ignore[index]
    assert owner.ask("DELETE", f"/decisions/{made['id']}", json={"reason": "again"}).status_code == 422


def test_every_act_is_an_entry_of_the_trail_of_who_sees_both(told: tuple[Asker, Asker, list[str]]) -> None:
    owner, other_owner, (one, other, secret) = told
    say(owner, one, other)
    say(owner, other, secret)

    own, theirs = (asker.get("/audit?act=decided").json["items"] for asker in (owner, other_owner))  # type: ignore[index]

    assert [len(own), len(theirs)] == [2, 1]
    assert theirs[0]["details"]["reason"] == "the same note"
    assert secret not in str(theirs)


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "merged"},
        {"kind": "same"},
        {"reason": ""},
        {"reason": "x" * 1001},
        {"reason": None},
        {"other": ""},
        {"other": "a\u0000b"},
        {"more": 1},
    ],
)
def test_what_is_not_taken_is_refused_and_stores_nothing(
    told: tuple[Asker, Asker, list[str]], wrong: dict[str, Any]
) -> None:
    owner, _, (one, other, _) = told

    answer = owner.ask(
        "POST",
        f"/incidents/{one}/decisions",
        json={"other": other, "verdict": "together", "reason": "why", **wrong},
    )

    assert 400 <= answer.status_code < 500
    assert answer.json["problems"]  # type: ignore[index]
    assert owner.get(f"/incidents/{one}/decisions").json == []


def test_an_incident_beside_itself_is_refused(told: tuple[Asker, Asker, list[str]]) -> None:
    owner, _, (one, _, _) = told

    answer = say(owner, one, one)

    assert answer.status_code == 422
    assert "one and the same" in answer.text


def test_a_subscriber_decides_nothing(door: Door, told: tuple[Asker, Asker, list[str]]) -> None:
    bank, (one, other, _) = door.joins("A bank", OrganizationKind.SUBSCRIBER), told[2]

    assert say(bank, one, other).status_code == 404
    assert bank.get(f"/incidents/{one}/decisions").json == []
