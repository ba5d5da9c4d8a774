"""Seventeen traps that other TAXII servers and clients fell into, one test each, in the order in which they are told."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import orjson
import pytest

from kentongan.domain.date_added import from_timestamp
from kentongan.domain.marking import Level
from kentongan.domain.object_filter import MOST_PER_PAGE, question
from reading_stories import counted
from stories import NOON, identity, incident, indicator, newer, stamp, tlp_definition
from taxii_stories import FIRST, LAST, MEDIA_TYPE, Poller, TaxiiClient, TaxiiDoor

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.fixture
def lao(door: TaxiiDoor) -> TaxiiClient:
    return door.client("LaoCERT")


@pytest.fixture
def viet(door: TaxiiDoor) -> TaxiiClient:
    return door.client("VNCERT")


def test_1_what_came_in_one_transaction_has_dates_of_its_own(lao: TaxiiClient, viet: TaxiiClient) -> None:
    sent = [identity(f"No. {number}") for number in range(30)]
    lao.adds(*sent)

    got = Poller(viet, limit=7).polls()

    assert got == [one["id"] for one in sent]  # in the order they were sent, too
    assert len(set(viet.dates().values())) == 30


def test_2_many_versions_of_one_object_do_not_end_in_a_circle(lao: TaxiiClient, viet: TaxiiClient) -> None:
    versions = [indicator()]
    for _ in range(4):
        versions.append(newer(versions[-1]))
    lao.adds(*versions)
    after, got = "", []

    for _ in range(5):
        answer = viet.get(limit=1, match_version="all", **({"added_after": after} if after else {}))
        got += orjson.loads(answer.data)["objects"]
        after = answer.headers[LAST]

    assert got == versions
    assert viet.get(match_version="all", added_after=after).json == {"more": False}


def test_3_added_after_leaves_out_the_moment_itself(lao: TaxiiClient, viet: TaxiiClient) -> None:
    lao.adds(indicator())
    last = viet.get().headers[LAST]

    assert viet.get(added_after=last).json == {"more": False}
    before = from_timestamp(last)
    assert before is not None
    assert len(viet.ids(added_after=stamp(NOON))) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"match_type": "identity"},
        {"match_type": "indicator", "added_after": "2026-03-01T00:00:00Z"},
        {"match_type": "indicator", "match_version": "all"},
    ],
    ids=["filters dropped", "another type", "another moment", "other versions"],
)
def test_4_next_goes_on_with_its_own_filter_alone(lao: TaxiiClient, viet: TaxiiClient, changed: dict[str, str]) -> None:
    lao.adds(*(indicator() for _ in range(3)))
    going_on = orjson.loads(viet.get(limit=2, match_type="indicator").data)["next"]

    assert len(viet.ids(match_type="indicator", next=going_on)) == 1
    answer = viet.get(next=going_on, **changed)
    assert answer.status_code == 400
    assert orjson.loads(answer.data)["details"]["problems"][0]["path"] == "next"


def test_5_what_is_old_and_comes_late_is_found_by_the_header_not_by_modified(
    lao: TaxiiClient, viet: TaxiiClient
) -> None:
    lao.adds(indicator())
    poller = Poller(viet)
    poller.polls()
    old = stamp(NOON - timedelta(days=900))

    lao.adds(late := indicator(created=old, modified=old))

    assert poller.polls() == [late["id"]]


def test_6_a_repeated_post_is_no_failure(lao: TaxiiClient) -> None:
    sent = [indicator(), identity()]
    first, again, in_another = lao.adds(*sent), lao.adds(*sent), lao.adds(sent[0])

    for answer, total in ((first, 2), (again, 2), (in_another, 1)):
        assert answer.status_code == 202
        told = orjson.loads(answer.data)
        assert (told["total_count"], told["success_count"], told["failure_count"]) == (total, total, 0)
    assert len(lao.ids(match_version="all")) == 2


def test_7_dates_in_headers_and_manifests_are_rfc_3339(lao: TaxiiClient) -> None:
    lao.adds(indicator(), identity())
    answer = lao.get("manifest/")
    dates = [record["date_added"] for record in orjson.loads(answer.data)["objects"]]

    assert all(RFC_3339.fullmatch(date) for date in dates)
    assert (answer.headers[FIRST], answer.headers[LAST]) == (dates[0], dates[-1])


@pytest.mark.parametrize(
    ("status", "method", "path", "how"),
    [
        (400, "GET", "collections/everything/objects/?limit=-1", {}),
        (401, "GET", "collections/", {"headers": {"Authorization": "Bearer kt_unknown"}}),
        (401, "GET", "collections/", {"headers": {"Authorization": "Basic !!"}}),
        (403, "POST", "collections/public/objects/", {"data": "{}"}),
        (404, "GET", "collections/none/", {}),
        (404, "GET", "nothing/here/", {}),
        (405, "PUT", "collections/everything/objects/", {}),
        (406, "GET", "collections/", {"headers": {"Accept": "text/html"}}),
        (413, "POST", "collections/everything/objects/", {"data": " " * 5000, "content_type": MEDIA_TYPE}),
        (415, "POST", "collections/everything/objects/", {"data": "{}", "content_type": "text/plain"}),
        (422, "POST", "collections/everything/objects/", {"data": '{"objects":[{}]}', "content_type": MEDIA_TYPE}),
    ],
)
def test_8_every_error_is_an_error_resource_of_taxii(
    sqlite_database: Any, tmp_path: Any, status: int, method: str, path: str, how: dict[str, Any]
) -> None:
    asker = TaxiiDoor(sqlite_database, tmp_path, max_bytes=4000).client("LaoCERT")

    answer = asker.ask(method, path, **how)

    assert (answer.status_code, answer.content_type) == (status, MEDIA_TYPE), answer.text
    told = orjson.loads(answer.data)
    assert told["title"]
    assert told["http_status"] == str(status)
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert ("Allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    "accept",
    [
        "application/json, text/plain, */*",
        "*/*",
        "application/*;q=0.8",
        "application/taxii+json",
        "application/taxii+json; version=2.1",
        "application/json",
        "Application/TAXII+JSON;Version=2.1, text/html",
        "",
    ],
)
def test_9_what_real_clients_accept_is_answered(sqlite_door: TaxiiDoor, accept: str) -> None:
    answer = sqlite_door.client("LaoCERT").ask("GET", "collections/", headers={"Accept": accept})

    assert (answer.status_code, answer.content_type) == (200, MEDIA_TYPE)


@pytest.mark.parametrize("accept", ["text/html", "application/taxii+json;version=2.0", "application/taxii+json;q=0"])
def test_9_what_nobody_could_read_is_not_sent(sqlite_door: TaxiiDoor, accept: str) -> None:
    answer = sqlite_door.client("LaoCERT").ask("GET", "collections/", headers={"Accept": accept})

    assert answer.status_code == 406


def test_10_ids_are_real_ones_and_reach_the_client_as_text(lao: TaxiiClient) -> None:
    told = orjson.loads(lao.adds(indicator()).data)

    assert orjson.loads(lao.ask("GET", f"status/{told['id']}/").data) == told
    for one in orjson.loads(lao.ask("GET", "collections/").data)["collections"]:
        assert isinstance(one["id"], str)
        assert lao.get("", collection=one["id"]).json == one


def test_11_pages_have_a_limit_of_ours_and_rights_are_told(lao: TaxiiClient) -> None:
    assert question({"limit": ["1000000000"]}).limit == MOST_PER_PAGE
    for one in orjson.loads(lao.ask("GET", "collections/").data)["collections"]:
        assert isinstance(one["can_read"], bool)
        assert isinstance(one["can_write"], bool)
    lao.adds(gone := indicator())

    assert lao.deletes(gone["id"]).status_code == 200
    assert lao.ids(match_spec_version="2.1") == []


@pytest.mark.parametrize(
    "content_type",
    [
        "application/taxii+json",
        "application/taxii+json;version=2.1",
        "application/taxii+json; version=2.1",
        "Application/TAXII+JSON; Version=2.1; charset=utf-8",
    ],
)
def test_12_content_types_are_read_and_not_compared(sqlite_door: TaxiiDoor, content_type: str) -> None:
    body = orjson.dumps({"objects": [indicator()]})
    answer = sqlite_door.client("LaoCERT").ask(
        "POST", "collections/everything/objects/", data=body, content_type=content_type
    )

    assert answer.status_code == 202


def test_12_an_object_without_spec_version_is_counted_as_refused(lao: TaxiiClient) -> None:
    old = indicator(spec_version=None)

    told = orjson.loads(lao.adds(indicator(), old).data)

    assert (told["success_count"], told["failure_count"]) == (1, 1)
    assert told["failures"][0]["id"] == old["id"]
    assert "spec_version" in told["failures"][0]["message"]


def test_13_two_versions_in_one_millisecond_are_two(lao: TaxiiClient, viet: TaxiiClient) -> None:
    one = indicator(modified="2026-03-02T12:00:00.123100Z")
    other = {**one, "modified": "2026-03-02T12:00:00.1234Z"}
    lao.adds(one, other)

    assert viet.found() == [other]
    assert viet.found(match_version="2026-03-02T12:00:00.1231Z") == [one]
    assert viet.found(match_version="first,last") == [one, other]


def test_14_many_objects_take_no_more_statements_than_few(door: TaxiiDoor, lao: TaxiiClient, viet: TaxiiClient) -> None:
    lao.adds(indicator())
    viet.get()  # that a token is used is noted once a minute
    said = []
    for how_many in (2, 200):
        with counted(door.database) as adding:
            lao.adds(*(indicator() for _ in range(how_many)))
        with counted(door.database) as reading:
            viet.get(limit=how_many)
        said.append((len(adding), len(reading)))

    assert said[0] == said[1]


def test_15_custom_objects_and_properties_come_back_as_they_were_sent(lao: TaxiiClient, viet: TaxiiClient) -> None:
    own = {**incident(), "x_score": 0.1, "x_big": 9007199254740993, "x_nested": [1, {"a": None}]}
    custom = {**identity(), "type": "x-ours", "id": identity()["id"].replace("identity", "x-ours")}

    told = orjson.loads(lao.adds(own, custom).data)

    assert told["failure_count"] == 0, told
    assert viet.found() == [own, custom]
    assert viet.ids(match_type="x-ours") == [custom["id"]]


def test_16_tlp_2_decides_who_finds_it(lao: TaxiiClient, viet: TaxiiClient) -> None:
    levels = [Level.GREEN, Level.AMBER_STRICT, Level.RED]
    sent = {level: indicator(marking=level) for level in levels}
    lao.adds(*(tlp_definition(level) for level in levels), *sent.values())

    assert set(viet.ids(match_type="indicator")) == {sent[Level.GREEN]["id"], sent[Level.AMBER_STRICT]["id"]}


def test_17_a_status_is_kept_and_objects_stand_in_the_order_they_were_added(
    door: TaxiiDoor, lao: TaxiiClient, viet: TaxiiClient
) -> None:
    told = orjson.loads(lao.adds(indicator()).data)
    door.now += timedelta(days=2)
    lao.adds(*(identity(f"No. {number}") for number in range(5)))
    dates = [record["date_added"] for record in orjson.loads(lao.get("manifest/").data)["objects"]]

    assert dates == sorted(dates)
    assert orjson.loads(lao.ask("GET", f"status/{told['id']}/").data) == told
    assert viet.ask("GET", f"status/{told['id']}/").status_code == 404
