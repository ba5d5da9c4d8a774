"""What cannot be asked is a clear 400 that says where the fault is, and nothing is ever a 500."""

from __future__ import annotations

import io

import orjson
import pytest

from kentongan.domain.identity import OrganizationKind, Scope
from kentongan.domain.object_filter import MOST_VALUES
from stories import indicator
from taxii_stories import MEDIA_TYPE, TaxiiDoor


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("limit=-1", "limit"),
        ("limit=0", "limit"),
        ("limit=", "limit"),
        ("limit=1.5", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=" + "9" * 40, "limit"),
        ("added_after=yesterday", "added_after"),
        ("added_after=", "added_after"),
        ("added_after=2026-13-01T00:00:00Z", "added_after"),
        ("added_after=2026-01-01T00:00:00", "added_after"),
        ("added_after=2026-01-01T00:00:00Z&added_after=2026-01-02T00:00:00Z", "added_after"),
        ("match[type]=a&match[type]=b", "match[type]"),
        ("match[type]=", "match[type]"),
        ("match[type]=a,,b", "match[type]"),
        ("match[id]=" + ",".join(f"x--{number}" for number in range(MOST_VALUES + 1)), "match[id]"),
        ("match[id]=" + "x" * 300, "match[id]"),
        ("match[id]=%00", "match[id]"),
        ("match[version]=newest", "match[version]"),
        ("match[version]=all,first", "match[version]"),
        ("match[colour]=red", "match[colour]"),
        ("next=nothing", "next"),
    ],
)
def test_a_wrong_filter_is_named(sqlite_door: TaxiiDoor, query: str, where: str) -> None:
    asker = sqlite_door.client("LaoCERT")

    for tail in ("objects/", "manifest/"):
        answer = asker.ask("GET", f"collections/everything/{tail}?{query}")

        assert (answer.status_code, answer.content_type) == (400, MEDIA_TYPE)
        (problem,) = orjson.loads(answer.data)["details"]["problems"]
        assert (problem["where"], problem["path"]) == ("query", where)
        assert problem["hint"]


def test_a_hundred_filters_are_answered(sqlite_door: TaxiiDoor) -> None:
    asker = sqlite_door.client("LaoCERT")
    asker.adds(sent := indicator())
    values = [sent["id"], *(f"x--{number}" for number in range(MOST_VALUES - 1))]

    assert asker.ids(match_id=",".join(values), match_version="first,last,2026-03-02T12:00:00.000Z") == [sent["id"]]
    query = "&".join(f"match[{number}]=x" for number in range(100))
    assert asker.ask("GET", f"collections/everything/objects/?{query}").status_code == 400


def test_an_envelope_over_the_limit_is_refused_before_it_is_read(sqlite_door: TaxiiDoor) -> None:
    asker = sqlite_door.client("LaoCERT")

    class Unread(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise AssertionError("the body was read")

    answer = asker.ask(
        "POST",
        "collections/everything/objects/",
        input_stream=Unread(),
        environ_overrides={"CONTENT_LENGTH": str(10**9)},
        content_type=MEDIA_TYPE,
    )

    assert answer.status_code == 413


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "null", '"x"', "{}", '{"objects":{}}', '{"objects":[]}', '{"objects":[1,null,"x"]}', "\xff"],
)
def test_what_is_no_envelope_is_refused(sqlite_door: TaxiiDoor, body: str) -> None:
    asker = sqlite_door.client("LaoCERT")

    answer = asker.ask("POST", "collections/everything/objects/", data=body.encode("latin-1"), content_type=MEDIA_TYPE)

    assert answer.status_code == 400


def test_a_read_only_token_and_one_that_may_not_submit_write_nothing(sqlite_door: TaxiiDoor) -> None:
    reader = sqlite_door.client("VNCERT", OrganizationKind.MEMBER, frozenset({Scope.TAXII}))

    listed = orjson.loads(reader.ask("GET", "collections/").data)["collections"]
    assert {one["can_write"] for one in listed} == {False}
    assert reader.adds(indicator()).status_code == 403
    assert reader.deletes(indicator()["id"]).status_code == 403
