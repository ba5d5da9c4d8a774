"""Lives, is ready, counts: and tells nobody but the operator what there is to count."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from kentongan.app import create_app
from kentongan.bootstrap import Kentongan, assemble
from kentongan.health import LONGEST_WAIT
from kentongan.settings import Settings, WrongSetting, load_settings
from kentongan.storage import jobs
from kentongan.storage.database import Database
from kentongan.storage.jobs import JobRow, Stage
from kentongan.storage.migrate import migrate
from portal_stories import csrf_token
from stories import NOON

Client = Callable[..., FlaskClient]


def web(database: Database, broker: str, folder: Path, clock: datetime = NOON, **settings: Any) -> Flask:
    chosen = Settings(data_dir=folder / "data", redis_url=broker, **settings)
    return create_app(Kentongan(chosen, database, lambda: clock, lambda stage: None))


@pytest.fixture
def migrated(empty_database_url: str) -> Database:
    database = Database(empty_database_url)
    migrate(database)
    return database


def test_it_lives_without_database_or_broker(tmp_path: Path) -> None:
    nothing = Settings(
        data_dir=tmp_path,
        database_url=f"sqlite:///{tmp_path}/no/where.sqlite",
        redis_url=f"unix://{tmp_path}/none.sock",
    )
    client = create_app(assemble(nothing)).test_client()

    answer = client.get("/healthz")

    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_it_is_ready_when_database_and_broker_answer(
    migrated: Database, valkey: redis.Redis, valkey_url: str, tmp_path: Path
) -> None:
    answer = web(migrated, valkey_url, tmp_path).test_client().get("/readyz")

    assert (answer.status_code, answer.json) == (200, {"status": "ready"})


def test_what_fails_is_named_in_a_problem_document(tmp_path: Path) -> None:
    nothing = Settings(
        data_dir=tmp_path,
        database_url=f"sqlite:///{tmp_path}/no/where.sqlite",
        redis_url=f"unix://{tmp_path}/none.sock",
    )

    answer = create_app(assemble(nothing)).test_client().get("/readyz")

    assert answer.status_code == 503
    assert answer.content_type == "application/problem+json"
    assert answer.json is not None
    assert answer.json["failing"] == ["database", "broker", "workers"]
    assert str(tmp_path) not in answer.text


def test_a_database_without_tables_is_not_ready(empty_database_url: str, valkey_url: str, tmp_path: Path) -> None:
    answer = web(Database(empty_database_url), valkey_url, tmp_path).test_client().get("/readyz")

    assert answer.json is not None
    assert "database: not migrated; run: kentongan migrate" in answer.json["detail"]


@pytest.mark.parametrize(("due_for", "status"), [(LONGEST_WAIT / 2, 200), (LONGEST_WAIT * 2, 503)])
def test_a_job_that_nobody_takes_makes_it_unready(
    due_for: timedelta, status: int, migrated: Database, valkey_url: str, tmp_path: Path
) -> None:
    with migrated.writing() as session:
        jobs.add(session, Stage.MATCH, [1], NOON)

    answer = web(migrated, valkey_url, tmp_path, clock=NOON + due_for).test_client().get("/readyz")

    assert answer.status_code == status


def test_a_job_that_was_put_off_does_not(migrated: Database, valkey_url: str, tmp_path: Path) -> None:
    with migrated.writing() as session:
        jobs.add(session, Stage.DELIVER, [1], NOON, at=NOON + timedelta(days=1))

    answer = web(migrated, valkey_url, tmp_path, clock=NOON + timedelta(hours=12)).test_client().get("/readyz")

    assert answer.status_code == 200


def test_metrics_count_jobs_and_requests_by_route(migrated: Database, valkey_url: str, tmp_path: Path) -> None:
    client = web(migrated, valkey_url, tmp_path, clock=NOON + timedelta(seconds=90)).test_client()
    with migrated.writing() as session:
        jobs.add(session, Stage.INDEX, [1, 2], NOON)
        jobs.add(session, Stage.MATCH, [3], NOON)
    with migrated.writing() as session:
        session.scalars(select(JobRow).filter_by(stage="match")).one().available_at = None
    client.get("/healthz")
    client.get("/a/path/that/names/evil.example")

    text = client.get("/metrics").text

    assert 'kentongan_jobs_waiting{stage="index"} 2.0' in text
    assert "kentongan_jobs_failed 1.0" in text
    assert "kentongan_oldest_job_seconds 90.0" in text
    assert 'kentongan_requests_total{method="GET",route="/healthz",status="200"}' in text
    assert "evil.example" not in text


@pytest.mark.parametrize(
    ("address", "headers", "networks", "status"),
    [
        ("127.0.0.1", {}, None, 200),
        ("203.0.113.9", {}, None, 404),
        ("203.0.113.9", {}, "203.0.113.0/24", 200),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, None, 404),
        ("127.0.0.1", {"Forwarded": "for=203.0.113.9"}, None, 404),
        ("127.0.0.1", {}, "", 404),
    ],
)
def test_metrics_are_for_the_operator(
    address: str, headers: dict[str, str], networks: str | None, status: int, migrated: Database, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {} if networks is None else {"metrics_networks": networks}
    client = web(migrated, "redis://127.0.0.1:1", tmp_path, **settings).test_client()

    answer = client.get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": address})

    assert answer.status_code == status


def test_without_a_database_every_door_says_to_come_back(tmp_path: Path) -> None:
    nothing = Settings(data_dir=tmp_path, database_url=f"sqlite:///{tmp_path}/no/where.sqlite")
    client = create_app(assemble(nothing)).test_client()
    token = {"Authorization": "Bearer kt_" + "x" * 43}

    read = client.get("/api/v1/incidents", headers=token)
    submitted = client.post("/api/v1/submissions", headers=token, json={})
    counted = client.get("/metrics")

    for answer in (read, submitted, counted):
        assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
        assert int(answer.headers["Retry-After"]) > 0
        assert str(tmp_path) not in answer.text


def test_a_page_without_a_database_says_so_in_plain_words(tmp_path: Path) -> None:
    nothing = Settings(data_dir=tmp_path, database_url=f"sqlite:///{tmp_path}/no/where.sqlite")
    client = create_app(assemble(nothing)).test_client()
    with client.session_transaction() as session:
        session["who"] = "a secret"

    answer = client.get("/incidents")

    assert answer.status_code == 503
    assert "Not available just now" in answer.text
    assert int(answer.headers["Retry-After"]) > 0


def test_what_no_waiting_mends_is_an_error_of_our_own(empty_database_url: str, tmp_path: Path) -> None:
    without_tables = web(Database(empty_database_url), "redis://127.0.0.1:1", tmp_path).test_client()

    answer = without_tables.get("/api/v1/incidents", headers={"Authorization": "Bearer kt_" + "x" * 43})

    assert answer.status_code == 500


def test_a_trusted_proxy_opens_the_metrics_to_nobody(migrated: Database, tmp_path: Path) -> None:
    client = web(migrated, "redis://127.0.0.1:1", tmp_path, trusted_proxies=1).test_client()

    answer = client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"})

    assert answer.status_code == 404


@pytest.mark.parametrize(("proxies", "other_visitor"), [(0, 429), (1, 401)])
def test_failed_sign_ins_count_for_the_visitor_where_the_proxy_is_trusted(
    proxies: int, other_visitor: int, migrated: Database, tmp_path: Path
) -> None:
    client = web(migrated, "redis://127.0.0.1:1", tmp_path, trusted_proxies=proxies).test_client()
    wrong = {"name": "x", "password": "x", "csrf_token": csrf_token(client.get("/sign-in").text)}
    for _ in range(10):
        client.post("/sign-in", data=wrong, headers={"X-Forwarded-For": "203.0.113.9"})

    answer = client.post("/sign-in", data=wrong, headers={"X-Forwarded-For": "198.51.100.7"})

    assert answer.status_code == other_visitor


def test_a_wrong_network_is_refused_at_start_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KENTONGAN_METRICS_NETWORKS", "10.0.0.0/8,nonsense")

    with pytest.raises(WrongSetting, match=r"KENTONGAN_METRICS_NETWORKS.*nonsense"):
        load_settings()
