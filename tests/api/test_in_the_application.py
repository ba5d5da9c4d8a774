"""The API behind the same door frame as the portal: neither gets into the other's way."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from kentongan.app import create_app
from kentongan.bootstrap import Kentongan
from kentongan.domain.attempts import Where
from kentongan.domain.identity import OrganizationKind, Role, at_the_console
from kentongan.domain.permissions import OF_TOKENS
from kentongan.services.organizations import Organizations
from kentongan.services.people import People
from kentongan.services.person_sessions import PersonSessions
from kentongan.services.tokens import Tokens
from kentongan.settings import Settings
from kentongan.storage.database import Database
from stories import CONSOLE, NOON, as_bytes, incident


@pytest.fixture
def app(sqlite_database: Database, tmp_path: Path) -> Flask:
    """The whole application."""
    settings = Settings(data_dir=tmp_path, max_bytes=10_000_000)
    return create_app(Kentongan(settings, sqlite_database, lambda: NOON, lambda _stage: None))


@pytest.fixture
def token(sqlite_database: Database) -> str:
    """Of a member, for everything."""
    with sqlite_database.writing() as session:
        organizations = Organizations(session, lambda: NOON, CONSOLE)
        return (
            Tokens(session, lambda: NOON, CONSOLE)
            .create(organizations.add("LaoCERT", OrganizationKind.MEMBER), OF_TOKENS)
            .secret
        )


def test_a_large_document_is_taken_without_any_form_token(app: Flask, token: str) -> None:
    shown = {"Authorization": f"Bearer {token}", "Content-Type": "application/stix+json"}
    raw = as_bytes(incident(description="long " * 400_000))

    answer = app.test_client().post("/api/v1/submissions", data=raw, headers=shown)

    assert answer.status_code == 202
    assert answer.json is not None
    assert answer.json["size"] == len(raw)


@pytest.mark.parametrize(
    "address", ["/api", "/api/", "/api/v1", "/api/v2/incidents", "/api/v1/incidents/", "/api/v1/a/b/c"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_address_below_the_api_is_a_problem_and_no_page(app: Flask, address: str, method: str) -> None:
    answer = app.test_client().open(address, method=method)

    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


def test_every_answer_carries_the_security_headers(app: Flask, token: str) -> None:
    client = app.test_client()

    for address in ("/api/v1/docs", "/api/v1/docs.css", "/api/v1/openapi.json", "/api/v1/incidents", "/api/v1/nothing"):
        answer = client.get(address, headers={"Authorization": f"Bearer {token}"})

        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_signing_in_to_the_portal_opens_nothing_of_the_api(app: Flask, token: str) -> None:
    client, secret = app.test_client(), opened_session(app)
    with client.session_transaction() as session:
        session["who"] = secret

    assert client.get("/incidents").status_code == 200
    assert client.get("/api/v1/incidents").status_code == 401


def opened_session(app: Flask) -> str:
    """The secret of an analyst's session."""
    kentongan: Kentongan = app.extensions["kentongan"]
    with kentongan.database.writing() as session:
        member = Organizations(session, kentongan.clock, CONSOLE).named("LaoCERT")
        people = People(session, kentongan.clock)
        who, kept = at_the_console("root"), "no hash: nobody shows a password here"
        made = people.add(who, member, email="duty@lao.example", name="Duty", roles=[Role.ANALYST], kept=kept)
        return PersonSessions(session, kentongan.clock).open(made, Where("127.0.0.1"), "test").secret
