"""Tokens, groups and one's own organization over the API, and the ways in which a token may be shown."""

from __future__ import annotations

import base64
import io
import logging
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from sqlalchemy.exc import OperationalError

from asking import Asker, Door
from kentongan import log
from kentongan.domain.identity import OrganizationKind, Scope
from kentongan.requests_seen import watch
from kentongan.services.organizations import Organizations
from kentongan.services.tokens import Tokens
from kentongan.storage.database import Database
from kentongan.storage.organizations import Organization
from kentongan.threshold.auth import signed_in
from kentongan.threshold.refusals import Refusal
from reading_stories import counted
from stories import CONSOLE, NOON, incident


def test_a_token_is_shown_once_and_revoked(door: Door) -> None:
    laos = door.joins("LaoCERT")

    made = laos.ask("POST", "/tokens", json={"scopes": ["read"], "label": "SIEM"})
    listed = laos.get("/tokens").json

    assert made.status_code == 201
    assert made.json["secret"].startswith(listed[0]["prefix"])
    assert made.json["secret"] not in laos.get("/tokens").text
    machine = Asker(door.app.test_client(), laos.identity, made.json["secret"])
    assert machine.get("/incidents").status_code == 200
    assert laos.ask("DELETE", f"/tokens/{made.json['token']['id']}").status_code == 204
    assert machine.get("/incidents").status_code == 401


def test_a_read_only_token_changes_nothing_whatever_its_scopes(door: Door) -> None:
    laos = door.joins("LaoCERT")
    wished = {"scopes": ["read", "submit", "admin"], "read_only": True}
    made = laos.ask("POST", "/tokens", json=wished).json

    machine = Asker(door.app.test_client(), laos.identity, made["secret"])

    assert machine.get("/submissions").status_code == 200
    assert machine.ask("POST", "/submissions", json=incident()).status_code == 403
    assert machine.ask("POST", "/tokens", json={"scopes": ["read"]}).status_code == 403


@pytest.mark.parametrize(
    "wished", [{"scopes": []}, {"scopes": ["operate"]}, {"scopes": ["read"], "organization_id": 1}]
)
def test_a_token_that_cannot_be_is_refused(door: Door, wished: dict[str, object]) -> None:
    assert door.joins("LaoCERT").ask("POST", "/tokens", json=wished).status_code == 400


def test_a_token_in_an_address_is_refused_whatever_else_is_shown(door: Door) -> None:
    laos = door.joins("LaoCERT")

    for answer in (
        laos.get(f"/incidents?access_token={laos.secret}"),
        laos.get(f"/incidents?q=a&q={laos.secret}"),
        laos.get(f"/incidents?{laos.secret}"),
        laos.ask("POST", f"/groups?token={laos.secret}", json={"name": "Banks"}),
        laos.client.get(f"/api/v1/incidents?token={laos.secret}"),
    ):
        assert answer.status_code == 400
        assert answer.json["problems"][0]["rule"] == "token-in-address"
        assert laos.secret not in answer.text


def test_a_token_stands_in_no_log_and_no_audit_entry_however_it_was_shown(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    door, written = Door(sqlite_database, tmp_path), io.StringIO()
    laos = door.joins("LaoCERT")
    watch(door.app)
    monkeypatch.setattr("sys.stderr", written)
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    log.configure("DEBUG")
    try:
        made = laos.ask("POST", "/tokens", json={"scopes": ["read"]}).json
        laos.get(f"/incidents?access_token={laos.secret}")
        laos.client.get("/api/v1/incidents", headers={"Authorization": f"Basic {laos.secret}"})
        laos.ask("DELETE", f"/tokens/{made['token']['id']}")
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)

    trail = laos.get("/audit").text
    assert written.getvalue().count('"event":"request"') == 4
    assert made["token"]["id"] in trail
    for secret in (laos.secret, made["secret"]):
        assert secret[len("kt_") :] not in written.getvalue() + trail


@pytest.mark.parametrize("user", ["anybody", "", "Nhân viên trực"])
def test_a_token_is_a_password_for_taxii_and_nowhere_else_whatever_the_users_name(door: Door, user: str) -> None:
    laos = door.joins("LaoCERT", scopes=frozenset({Scope.TAXII, Scope.READ}))
    shown = base64.b64encode(f"{user}:{laos.secret}".encode()).decode()
    headers = {"Authorization": f"Basic {shown}"}

    with door.app.test_request_context("/api/v1/incidents", headers=headers):
        assert signed_in(Scope.TAXII, by_password=True).organization_name == "LaoCERT"
    assert laos.client.get("/api/v1/incidents", headers=headers).status_code == 401


@pytest.mark.parametrize("shown", ["", "Basic", "Basic !!!", "Basic bm8gY29sb24=", "Basic 8J+YgDrwn5iA", "Digest x"])
def test_who_shows_nothing_valid_to_taxii_is_asked_for_a_password(door: Door, shown: str) -> None:
    with (
        door.app.test_request_context("/api/v1/incidents", headers={"Authorization": shown}),
        pytest.raises(Refusal) as refused,
    ):
        signed_in(Scope.TAXII, by_password=True)

    assert refused.value.kind.status == 401
    assert 'Basic realm="kentongan"' in refused.value.headers["WWW-Authenticate"]


def test_who_only_reads_is_answered_although_the_use_of_the_token_cannot_be_noted(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    laos = door.joins("LaoCERT")

    def full(*_: object) -> None:
        raise OperationalError("UPDATE token", None, sqlite3.OperationalError("database is locked"))

    monkeypatch.setattr("kentongan.services.tokens.token_used", full)

    assert laos.get("/incidents").status_code == 200


def test_letting_a_token_in_takes_one_statement_and_one_note_a_minute(door: Door) -> None:
    laos = door.joins("LaoCERT")

    with counted(door.database) as first:
        laos.get("/organizations")
    with counted(door.database) as second:
        laos.get("/organizations")

    assert len([each for each in first if "UPDATE token" in each]) == 1
    assert [("FROM token" in each, "UPDATE" in each) for each in second] == [(True, False), (False, False)]


def test_a_token_of_an_organization_that_has_left_opens_nothing(door: Door) -> None:
    laos, vietnam = door.joins("LaoCERT"), door.joins("VNCERT")
    with door.database.writing() as session:
        organizations = Organizations(session, door.clock, CONSOLE)
        organizations.end(organizations.named("LaoCERT"))

    assert laos.get("/incidents").status_code == 401
    assert [each["name"] for each in vietnam.get("/organizations").json] == ["VNCERT"]


def test_a_token_from_the_wrong_network_is_answered_as_one_that_is_not_there(door: Door) -> None:
    laos = door.joins("LaoCERT")
    with door.database.writing() as session:
        mine = session.get_one(Organization, laos.identity.organization_id)
        secret = (
            Tokens(session, door.clock, CONSOLE).create(mine, frozenset({Scope.READ}), networks=["192.0.2.0/24"]).secret
        )

    bound, unknown = (
        Asker(door.app.test_client(), laos.identity, each).get("/incidents") for each in (secret, "kt_" + "x" * 43)
    )

    assert (bound.status_code, bound.data, list(bound.headers)) == (401, unknown.data, list(unknown.headers))


def test_an_expired_token_opens_nothing(door: Door) -> None:
    laos = door.joins("LaoCERT")
    ends = (NOON + timedelta(hours=1)).isoformat()
    made = laos.ask("POST", "/tokens", json={"scopes": ["read"], "expires_at": ends}).json
    machine = Asker(door.app.test_client(), laos.identity, made["secret"])

    before = machine.get("/incidents").status_code
    door.clock = lambda: NOON + timedelta(hours=1)
    after = machine.get("/incidents").status_code

    assert (before, after) == (200, 401)
    assert laos.ask("POST", "/tokens", json={"scopes": ["read"], "expires_at": ends}).status_code == 422


def test_a_group_is_founded_filled_and_ended(door: Door) -> None:
    laos, vietnam, bank = (
        door.joins("LaoCERT"),
        door.joins("VNCERT"),
        door.joins("A bank", OrganizationKind.SUBSCRIBER),
    )
    ids = {each["name"]: each["id"] for each in laos.get("/organizations").json}
    made = laos.ask("POST", "/groups", json={"name": "Banks"}).json
    address = f"/groups/{made['id']}"

    admitted = laos.ask("PUT", f"{address}/organizations/{ids['A bank']}", json={"strictest": "amber"})

    assert [(each["name"], each["strictest"]) for each in admitted.json["organizations"]] == [
        ("A bank", "TLP:AMBER"),
        ("LaoCERT", "TLP:RED"),
    ]
    assert bank.get(address).json == admitted.json
    assert vietnam.get(address).status_code == 404
    assert bank.ask("PATCH", address, json={"name": "Ours"}).status_code == 404
    assert laos.ask("PATCH", address, json={"name": "All banks"}).json["name"] == "All banks"
    assert laos.ask("DELETE", f"{address}/organizations/{ids['A bank']}").status_code == 200
    assert bank.get(address).status_code == 404
    assert laos.ask("DELETE", address).status_code == 204
    assert bank.ask("POST", "/groups", json={"name": "Ours"}).status_code == 422


def test_an_organization_tells_of_itself(door: Door) -> None:
    laos = door.joins("LaoCERT")

    told = laos.ask("PATCH", "/organization", json={"name": "time-zone", "value": "Asia/Vientiane"})
    wrong = laos.ask("PATCH", "/organization", json={"name": "time-zone", "value": "Vientiane"})

    assert told.json["attributes"][0]["value"] == "Asia/Vientiane"
    assert (wrong.status_code, wrong.json["problems"][0]["path"]) == (422, "$.value")
    assert laos.get("/organization").json == told.json
    (history,) = laos.get("/organization/history").json
    assert (history["value"], history["until"]) == ("Asia/Vientiane", None)
    assert history["set_by"] == f"{laos.secret[:8]} of LaoCERT"
    assert laos.get("/coordinator").json["organization"] is None


def test_the_audit_trail_is_read_by_whom_it_is_about(door: Door) -> None:
    laos, vietnam = door.joins("LaoCERT"), door.joins("VNCERT")
    laos.ask("POST", "/submissions", json=incident())

    mine, theirs = laos.get("/audit?act=submitted").json, vietnam.get("/audit?act=submitted").json

    assert [(each["act"], each["organization"]) for each in mine["items"]] == [("submitted", "LaoCERT")]
    assert mine["items"][0]["name"].startswith("kt_")
    assert theirs["items"] == []
    assert laos.get("/audit/heads").json["items"] == []
