"""What is sent is taken whole, in part or not at all, and the answer always says which and why."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pytest
from sqlalchemy import func, select

from asking import Asker, Door
from kentongan.domain.identity import Scope
from kentongan.domain.marking import Level
from kentongan.storage import jobs
from kentongan.storage.database import Database
from kentongan.storage.jobs import Stage
from kentongan.storage.submissions import Submission
from stories import NOON, as_bytes, bundle, incident, indicator, newer

STIX = "application/stix+json"


def send(asker: Asker, document: Any, query: str = "", **headers: str) -> Any:
    raw = document if isinstance(document, bytes) else as_bytes(document)
    named = {"Content-Type": STIX, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return asker.ask("POST", f"/submissions{query}", data=raw, headers=named)


def how_many(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Submission)) or 0


def test_a_bundle_is_kept_and_the_receipt_is_found_where_the_answer_says(door: Door) -> None:
    laos = door.joins("LaoCERT")

    answer = send(laos, bundle(incident(), {**indicator(), "pattern": "[nonsense"}))
    receipt = laos.get(answer.headers["Location"].removeprefix("/api/v1"))

    assert answer.status_code == 202
    assert door.nudged == [Stage.INDEX]
    assert (answer.json["accepted"], answer.json["refused"]) == (1, 1)
    assert answer.json["counts"] == {"accepted": 1, "refused": 1}
    refused = answer.json["objects"][1]
    assert refused["outcome"] == "refused"
    assert {"path", "rule", "reason", "hint"} == set(refused["problems"][0])
    assert receipt.json["progress"] == {
        "stored": "done",
        "indexed": "waiting",
        "deduplicated": "waiting",
        "correlated": "waiting",
        "matched": "waiting",
    }
    assert {**receipt.json, "progress": None} == answer.json


def test_progress_follows_the_promises_that_are_still_open(door: Door) -> None:
    laos = door.joins("LaoCERT")
    address = send(laos, incident()).headers["Location"].removeprefix("/api/v1")
    with door.database.writing() as session:
        (job,) = jobs.claim(session, Stage.INDEX, NOON, NOON - NOON, 10)
        jobs.postpone(session, job, None, "it broke")

    stuck = laos.get(address).json["progress"]
    with door.database.writing() as session:
        jobs.finish(session, [job])
    done = laos.get(address).json["progress"]

    assert (stuck["indexed"], stuck["matched"]) == ("stuck", "waiting")
    assert set(done.values()) == {"done"}


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", STIX + ";version=2.1", "application/taxii+json"]
)
def test_every_way_to_name_json_is_taken(sqlite_door: Door, content_type: str) -> None:
    assert send(sqlite_door.joins("LaoCERT"), incident(), Content_Type=content_type).status_code == 202


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data", ""])
def test_other_kinds_of_content_are_not_taken(sqlite_door: Door, content_type: str) -> None:
    answer = send(sqlite_door.joins("LaoCERT"), incident(), Content_Type=content_type)

    assert answer.status_code == 415
    assert answer.json["problems"][0]["path"] == "Content-Type"


def test_the_document_comes_back_as_it_was_received_to_its_sender_alone(door: Door) -> None:
    laos, thailand = door.joins("LaoCERT"), door.joins("ThaiCERT")
    raw = b"\n " + as_bytes(bundle(incident("ລາຍງານ"))) + b" "
    address = send(laos, raw).headers["Location"].removeprefix("/api/v1") + "/content"

    answer, others = laos.get(address), thailand.get(address)

    assert answer.data == raw
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert others.status_code == 404


def test_an_object_is_read_back_as_it_was_sent(door: Door) -> None:
    laos = door.joins("LaoCERT")
    first = incident(x_note={"deep": [1, 2.5, None]})
    second = newer(first, name="Amended")
    send(laos, first)
    send(laos, second)

    now = laos.get(f"/objects/{first['id']}")
    before = laos.get(f"/objects/{first['id']}", query_string={"modified": first["modified"]})
    versions = laos.get(f"/objects/{first['id']}/versions")

    assert json.loads(now.data) == second
    assert now.content_type == "application/stix+json;version=2.1"
    assert json.loads(before.data) == first
    assert [version["newest"] for version in versions.json] == [True, False]
    assert laos.get(f"/objects/{first['id']}?sha256={versions.json[1]['sha256']}").data == before.data


def test_gzip_is_opened(door: Door) -> None:
    laos = door.joins("LaoCERT")
    raw = as_bytes(bundle(incident()))

    answer = send(laos, gzip.compress(raw[:50]) + gzip.compress(raw[50:]), Content_Encoding="gzip")

    assert answer.status_code == 202
    assert answer.json["size"] == len(raw)


def test_atomic_takes_all_or_nothing(door: Door) -> None:
    laos = door.joins("LaoCERT")
    document = bundle(incident(), {"type": "incident"})

    answer = send(laos, document, "?atomic=true")

    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert [outcome["outcome"] for outcome in answer.json["objects"]] == ["accepted", "refused"]
    assert answer.json["problems"][0]["path"].startswith("$.objects[1]")
    assert how_many(door.database) == 0
    assert door.nudged == []


def test_a_dry_run_says_what_would_happen_and_stores_nothing(door: Door) -> None:
    laos = door.joins("LaoCERT")

    answer = send(laos, bundle(incident(), {"type": "incident"}), "?dry_run=true")

    assert answer.status_code == 200
    assert (answer.json["id"], answer.json["accepted"], answer.json["refused"]) == (None, 1, 1)
    assert how_many(door.database) == 0


def test_the_same_bytes_and_the_same_key_give_the_same_receipt(door: Door) -> None:
    laos = door.joins("LaoCERT")
    raw = as_bytes(incident())

    first, second = (send(laos, raw, Idempotency_Key="one") for _ in range(2))
    other = send(laos, incident(), Idempotency_Key="one")

    assert (second.json["id"], second.json["repeated"]) == (first.json["id"], True)
    assert (other.status_code, other.json["title"]) == (409, "The idempotency key was used for another document")


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "ສ".encode().decode("latin-1")])
def test_a_key_is_made_of_visible_characters(sqlite_door: Door, key: str) -> None:
    assert send(sqlite_door.joins("LaoCERT"), incident(), Idempotency_Key=key).status_code == 400


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400),
        (b"not json", 400),
        (b'{"type": "incident", "name": "\xff"}', 400),
        (b'{"type": "incident", "type": "incident"}', 400),
        (b'{"type": "incident", "x": NaN}', 400),
        (b'{"type": "incident", "x": "\\u0000"}', 400),
        (b"[" * 10_000 + b"]" * 10_000, 400),
        (b'{"type": "incident", "x": ' + b"9" * 1_000 + b"}", 400),
        (b'{"type": "bundle", "id": "bundle--1", "spec_version": "2.0", "objects": []}', 400),
        (b"[]", 400),
        (b"42", 400),
        (b"null", 400),
        (b"[{}]", 422),
        (b'[{"type": []}, {"type": "incident", "id": 7, "granular_markings": 3, "object_marking_refs": {}}]', 422),
        (b'[{"type": "marking-definition", "extensions": [], "definition_type": "tlp", "definition": 1}]', 422),
        (b'[{"type": "incident", "external_references": 5, "labels": {}, "extensions": "x"}]', 422),
    ],
)
def test_hostile_documents_are_refused_in_words_and_store_nothing(door: Door, raw: bytes, status: int) -> None:
    answer = send(door.joins("LaoCERT"), raw)

    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert all(fault["reason"] and fault["hint"] for fault in answer.json["problems"])
    assert how_many(door.database) == 0


def test_a_refused_red_incident_still_says_how_strictly_the_rest_is_meant(door: Door) -> None:
    laos, thailand = door.joins("LaoCERT"), door.joins("ThaiCERT")
    red = incident(marking=Level.RED)
    del red["name"]
    unmarked = indicator(marking=None)
    send(laos, bundle(red, unmarked))

    assert laos.get(f"/objects/{unmarked['id']}").status_code == 200
    assert thailand.get(f"/objects/{unmarked['id']}").status_code == 404


class Endless:
    """A body that repeats itself for ever; remembers how much of it was read."""

    def __init__(self, piece: bytes) -> None:
        self.piece = piece
        self.given = 0

    def read(self, size: int) -> bytes:
        """The next `size` bytes."""
        start = self.given % len(self.piece)
        self.given += size
        return (self.piece * (size // len(self.piece) + 2))[start : start + size]


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_body_without_a_length_is_never_read_past_the_limit(
    sqlite_database: Database, tmp_path: Any, encoding: str
) -> None:
    door = Door(sqlite_database, tmp_path, max_bytes=100_000)
    body = Endless(gzip.compress(b"") if encoding == "gzip" else b"[")

    answer = door.joins("LaoCERT").ask(
        "POST",
        "/submissions",
        headers={"Content-Type": STIX, "Content-Encoding": encoding},
        environ_overrides={"wsgi.input": body, "wsgi.input_terminated": True},
    )

    assert answer.status_code == 413
    assert body.given <= 100_000 + 1


def test_a_body_that_says_it_is_too_long_is_not_read_at_all(sqlite_database: Database, tmp_path: Any) -> None:
    door = Door(sqlite_database, tmp_path, max_bytes=100_000)
    body = Endless(b"[")

    answer = door.joins("LaoCERT").ask(
        "POST",
        "/submissions",
        headers={"Content-Type": STIX},
        environ_overrides={"wsgi.input": body, "CONTENT_LENGTH": "100001"},
    )

    assert answer.status_code == 413
    assert body.given == 0


def test_a_chunked_body_is_taken(sqlite_door: Door) -> None:
    raw = as_bytes(incident())

    answer = sqlite_door.joins("LaoCERT").ask(
        "POST",
        "/submissions",
        input_stream=io.BytesIO(raw),
        headers={"Content-Type": STIX},
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert answer.status_code == 202
    assert answer.json["size"] == len(raw)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (gzip.compress(b" " * 3_000_000), 413),
        (gzip.compress(gzip.compress(b" " * 3_000_000)), 400),
        (gzip.compress(b"[]")[:-4], 400),
        (b"plain", 400),
        (b"", 400),
    ],
)
def test_bombs_and_broken_gzip_are_refused(sqlite_database: Database, tmp_path: Any, sent: bytes, status: int) -> None:
    door = Door(sqlite_database, tmp_path, max_bytes=100_000)

    answer = send(door.joins("LaoCERT"), sent, Content_Encoding="gzip")

    assert answer.status_code == status


def test_too_many_objects_and_other_encodings_are_refused(sqlite_database: Database, tmp_path: Any) -> None:
    door = Door(sqlite_database, tmp_path, max_objects=2)
    laos = door.joins("LaoCERT")

    assert send(laos, bundle(*(indicator() for _ in range(3)))).status_code == 413
    assert send(laos, incident(), Content_Encoding="br").status_code == 415


def test_who_has_not_the_scope_is_told_so(sqlite_door: Door) -> None:
    reader = sqlite_door.joins("Reads only", scopes=frozenset({Scope.READ}))

    answer = send(reader, incident())

    assert answer.status_code == 403
    assert 'scope="submit"' in answer.headers["WWW-Authenticate"]
    assert reader.get("/incidents").status_code == 200


def test_a_list_of_own_submissions_is_paged(door: Door) -> None:
    laos, thailand = door.joins("LaoCERT"), door.joins("ThaiCERT")
    sent = [send(laos, incident()).json["id"] for _ in range(3)]

    first = laos.get("/submissions?limit=2").json
    second = laos.get(f"/submissions?limit=2&cursor={first['next']}").json

    assert [each["id"] for each in (*first["items"], *second["items"])] == sent[::-1]
    assert second["next"] is None
    assert thailand.get("/submissions").json == {"items": [], "next": None}
