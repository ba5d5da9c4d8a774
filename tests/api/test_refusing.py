"""Whatever is wrong with a request is told in a problem document that names the place, the rule and what to do."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from asking import Door
from kentongan.services.read_incidents import ReadIncidents


@pytest.mark.parametrize(
    ("address", "path", "rule"),
    [
        ("/incidents?colour=red", "colour", "unknown"),
        ("/incidents?limit=0", "limit", "greater-than-equal"),
        ("/incidents?limit=201", "limit", "less-than-equal"),
        ("/incidents?limit=1e2", "limit", "value-error"),
        ("/incidents?limit=%D9%A1", "limit", "value-error"),
        ("/incidents?limit=5&limit=6", "limit", "repeated"),
        ("/incidents?country=", "country", "string-too-short"),
        ("/incidents?q=%00", "q", "string-pattern-mismatch"),
        ("/incidents?tlp=purple", "tlp", "literal-error"),
        ("/incidents?case=1", "case", "string-pattern-mismatch"),
        ("/incidents?received_after=yesterday", "received_after", "value-error"),
        ("/incidents?received_after=2026-03-02T12:00:00", "received_after", "value-error"),
        ("/incidents?received_after=1741780800", "received_after", "value-error"),
        ("/incidents?received_after=2026-02-30T12:00:00Z", "received_after", "value-error"),
        ("/incidents?cursor=AAAA", "cursor", "wrong-cursor"),
        ("/observables", "value", "missing"),
        ("/observables?value=x&kind=smell", "kind", "enum"),
        ("/cases?state=open", "state", "unknown"),
        ("/subscriptions?limit=5", "limit", "unknown"),
        ("/objects/indicator--1?sha256=AB", "sha256", "string-pattern-mismatch"),
    ],
)
def test_wrong_parameters_are_named(sqlite_door: Door, address: str, path: str, rule: str) -> None:
    answer = sqlite_door.joins("LaoCERT").get(address)

    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    (fault,) = answer.json["problems"]
    assert (fault["where"], fault["path"], fault["rule"]) == ("query", path, rule)
    assert fault["reason"]
    assert fault["hint"]


def test_everything_that_is_wrong_is_told_at_once(sqlite_door: Door) -> None:
    answer = sqlite_door.joins("LaoCERT").get("/incidents?limit=0&tlp=x&colour=red")

    assert {fault["path"] for fault in answer.json["problems"]} == {"limit", "tlp", "colour"}


@pytest.mark.parametrize("tlp", ["TLP:AMBER%2BSTRICT", "TLP:AMBER+STRICT", "amber+strict"])
def test_a_level_may_be_written_as_people_write_it(sqlite_door: Door, tlp: str) -> None:
    assert sqlite_door.joins("LaoCERT").get(f"/incidents?tlp={tlp}").status_code == 200


@pytest.mark.parametrize(
    "moment", ["2026-03-02T12:00:00Z", "2026-03-02t12:00:00.123456789+07:00", "0001-01-01T00:00:00%2B14:00"]
)
def test_a_moment_is_read_with_any_offset(sqlite_door: Door, moment: str) -> None:
    assert sqlite_door.joins("LaoCERT").get(f"/incidents?received_after={moment}").status_code == 200


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic a2Vu", "Bearer kt_wrong", "Bearer kt_\xe9", "Bearer " + "x" * 9000]
)
def test_without_a_valid_token_nothing_is_read(sqlite_door: Door, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}

    answer = sqlite_door.app.test_client().get("/api/v1/incidents?nonsense=1", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert answer.content_type == "application/problem+json"


def test_unknown_addresses_and_methods_are_told_as_problems_too(sqlite_door: Door) -> None:
    laos = sqlite_door.joins("LaoCERT")

    unknown = laos.get("/nothing")
    method = laos.ask("DELETE", "/incidents")

    assert (unknown.status_code, unknown.content_type) == (404, "application/problem+json")
    assert (method.status_code, method.content_type) == (405, "application/problem+json")
    assert set(method.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize("strange", ["%00", "..%2f", "a" * 300, "%F0%9F%A5%81", "x;y", "%ED%A0%80", "'--"])
@pytest.mark.parametrize(
    "list_", ["incidents", "cases", "campaigns", "objects", "submissions", "subscriptions", "deliveries"]
)
def test_strange_ids_are_simply_not_found(sqlite_door: Door, list_: str, strange: str) -> None:
    laos = sqlite_door.joins("LaoCERT")

    assert laos.get(f"/{list_}/{strange}").status_code == 404


def test_an_error_on_our_side_says_nothing_but_the_id_it_stands_under_in_the_log(
    sqlite_door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("evil.example was in a row that is hidden")

    monkeypatch.setattr(ReadIncidents, "page", broken)

    with capture_logs() as logged:
        answer = sqlite_door.joins("LaoCERT").get("/incidents")

    assert answer.status_code == 500
    assert answer.content_type == "application/problem+json"
    assert "evil" not in answer.text
    assert "Traceback" not in answer.text
    assert [entry["error_id"] for entry in logged] == [answer.json["instance"].removeprefix("urn:uuid:")]


def test_answers_are_kept_by_nobody_and_guessed_at_by_nobody(sqlite_door: Door) -> None:
    laos = sqlite_door.joins("LaoCERT")

    for address in ("/incidents", "/incidents/x", "/nothing", "/cases?x=1", "/subscriptions"):
        answer = laos.get(address)

        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
