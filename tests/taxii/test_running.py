"""Against the running web server: the conformance tester on both databases and over TLS, and pollers while others write."""

from __future__ import annotations

import multiprocessing
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from stories import identity
from taxii_trials import Accounts, accounts, conformance, encrypting

LAST = "X-TAXII-Date-Added-Last"
WRITERS, ENVELOPES, OBJECTS = 4, 25, 7

pytestmark = pytest.mark.timeout(280)


@pytest.fixture(scope="module")
def on_sqlite() -> Iterator[Accounts]:
    with accounts() as who:
        yield who


@pytest.fixture
def on_postgres(empty_postgres_url: str) -> Iterator[Accounts]:
    with accounts(empty_postgres_url, web_workers=4) as who:
        yield who


def _failed(said: str) -> str:
    """The checks that failed, each with what it says of why."""
    lines = said.splitlines()
    return (
        "\n".join(line for n, line in enumerate(lines) if "FAIL" in line or (n and "FAIL" in lines[n - 1]))
        or said[-2000:]
    )


def test_the_tester_fails_nothing_on_sqlite_and_skips_nothing_over_tls(on_sqlite: Accounts, tmp_path: Path) -> None:
    with encrypting(on_sqlite.url, tmp_path) as (base, authority):
        ran = conformance(on_sqlite, base=base, authority=authority)

    assert ran.stdout.splitlines()[-1] == "139 passed, 0 failed, 0 skipped", _failed(ran.stdout)


def test_the_tester_fails_nothing_with_a_bearer_token(on_sqlite: Accounts) -> None:
    ran = conformance(on_sqlite, bearer=True)

    assert re.search(r"^\d+ passed, 0 failed, 1 skipped$", ran.stdout.splitlines()[-1]), _failed(ran.stdout)


def test_the_tester_fails_nothing_on_postgresql_with_four_web_processes(on_postgres: Accounts) -> None:
    ran = conformance(on_postgres)

    assert ran.stdout.splitlines()[-1] == "138 passed, 0 failed, 1 skipped", _failed(ran.stdout)


@pytest.mark.parametrize("which", ["on_sqlite", "on_postgres"])
def test_a_poller_misses_nothing_while_others_write(request: pytest.FixtureRequest, which: str) -> None:
    who: Accounts = request.getfixturevalue(which)
    context = multiprocessing.get_context("spawn")
    sent: multiprocessing.Queue[list[str]] = context.Queue()
    writers = [context.Process(target=write, args=(who.url, who.token, sent)) for _ in range(WRITERS)]
    poller = Poller(who)
    poller.polls()
    for writer in writers:
        writer.start()

    got: list[str] = []
    while any(writer.is_alive() for writer in writers):
        got += poller.polls()
        time.sleep(0.005)
    wanted = [one for _ in writers for one in sent.get(timeout=60)]
    got += poller.polls()

    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    assert len(wanted) == WRITERS * ENVELOPES * OBJECTS
    assert sorted(got) == sorted(wanted)  # none missed, none twice


class Poller:
    """Asks with `added_after` in a loop, in small pages, as Splunk does; each time over a connection of its own."""

    def __init__(self, who: Accounts) -> None:
        self._address = f"{who.url}/taxii2/kentongan/collections/everything/objects/"
        self._headers = {"Authorization": f"Bearer {who.token}", "Accept": "application/taxii+json;version=2.1"}
        self._after = ""

    def polls(self) -> list[str]:
        got: list[str] = []
        while True:
            query = {"limit": "10", **({"added_after": self._after} if self._after else {})}
            with requests.Session() as session:
                session.trust_env = False
                answer = session.get(self._address, params=query, headers=self._headers, timeout=60)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            got += [one["id"] for one in page.get("objects", [])]
            self._after = answer.headers.get(LAST, self._after)
            if not page["more"]:
                return got


def write(url: str, token: str, sent: multiprocessing.Queue[list[str]]) -> None:
    """A process of its own that adds envelope after envelope."""
    told = []
    with requests.Session() as session:
        session.trust_env = False
        session.headers.update(
            {"Authorization": f"Bearer {token}", "Content-Type": "application/taxii+json;version=2.1"}
        )
        for _ in range(ENVELOPES):
            objects = [identity() for _ in range(OBJECTS)]
            answer = session.post(
                f"{url}/taxii2/kentongan/collections/inbox/objects/", json={"objects": objects}, timeout=60
            )
            assert answer.status_code == 202, answer.text
            told += [one["id"] for one in objects]
    sent.put(told)
