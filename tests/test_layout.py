"""The shape of the repository, and the net that holds every test."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import playwright.sync_api
import pytest
import redis
import stix2
from playwright.sync_api import Page
from sqlalchemy import func, select

import stories
from kentongan.domain.marking import Level
from kentongan.storage.database import Database
from kentongan.storage.organizations import Organization
from network_guard import NetworkGuard, ReachedOutside

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("room", ["platform", "workers", "feeds"])
def test_a_room_is_a_folder_and_never_a_package(room: str) -> None:
    # A platform/__init__.py would shadow the standard library's `platform` for everything that runs from here.
    assert (ROOT / room).is_dir()
    assert not (ROOT / room / "__init__.py").exists()


@pytest.mark.parametrize("address", [("192.0.2.1", 9), ("example.org", 80)])
def test_a_test_cannot_connect_to_the_world(address: tuple[str, int], network_guard: NetworkGuard) -> None:
    with pytest.raises(ReachedOutside), socket.create_connection(address, timeout=1):
        pass

    assert len(network_guard.attempts) == 1
    network_guard.attempts.clear()


def test_a_test_cannot_send_datagrams_to_the_world(network_guard: NetworkGuard) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, pytest.raises(ReachedOutside):
        sender.sendto(b"hello", ("192.0.2.1", 9))

    assert network_guard.attempts == ["send to ('192.0.2.1', 9)"]
    network_guard.attempts.clear()


def test_a_test_can_connect_to_this_machine() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(("localhost", server.getsockname()[1]), timeout=5) as client,
    ):
        assert client.getpeername() == server.getsockname()


def test_a_database_begins_without_rows(database: Database) -> None:
    with database.writing() as session:
        before = session.scalar(select(func.count()).select_from(Organization))
        stories.organization(session, "ID-CERT", "ID")

    assert before == 0


def test_a_database_begins_without_rows_again(database: Database) -> None:
    test_a_database_begins_without_rows(database)


def test_what_postgres_commits_is_synced(postgres_database: Database) -> None:
    with postgres_database.reading() as session:
        assert session.connection().exec_driver_sql("SHOW fsync").scalar() == "on"


def test_the_real_valkey_answers(valkey: redis.Redis) -> None:
    valkey.set("drum", "heard")

    assert valkey.get("drum") == b"heard"
    assert valkey.info()["server_name"] == "valkey"


@pytest.mark.parametrize("address", ["http://example.org/", "http://192.0.2.1/"])
def test_the_browser_shows_pages_of_this_machine_only(page: Page, address: str) -> None:
    page.set_content("<h1>Kentongan</h1>")

    with pytest.raises(playwright.sync_api.Error, match=r"ERR_(NAME_NOT_RESOLVED|ADDRESS_UNREACHABLE)"):
        page.goto(address, timeout=10_000)


VICTIM = stories.identity("A ministry")
BREACH = stories.incident()


@pytest.mark.parametrize(
    "obj",
    [
        BREACH,
        stories.newer(BREACH, name="Web shell on two servers"),
        stories.incident(marking=None),
        VICTIM,
        stories.location(),
        stories.indicator(),
        stories.malware(),
        stories.vulnerability(),
        stories.relationship(stories.malware(), "targets", VICTIM),
        stories.report(BREACH, VICTIM),
        stories.grouping(BREACH, VICTIM),
        stories.observed(stories.domain_name()),
        stories.domain_name(),
        stories.ipv4(),
        stories.url(),
        stories.file_hash(),
        stories.tlp_definition(Level.AMBER_STRICT),
    ],
    ids=lambda obj: obj["type"],
)
def test_what_stories_tell_is_valid_stix(obj: dict[str, Any]) -> None:
    read = stix2.parse(obj, version="2.1")

    assert read["id"] == obj["id"]


@pytest.mark.parametrize("make", [stories.domain_name, stories.ipv4, stories.url, stories.file_hash])
def test_scos_of_stories_have_the_id_the_standard_gives_them(make: Any) -> None:
    obj = make()

    expected = stix2.parse({name: value for name, value in obj.items() if name != "id"}, version="2.1")
    assert obj["id"] == expected["id"]
