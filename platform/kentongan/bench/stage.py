"""What a benchmark needs around it: a web server alone or a whole installation, organizations with tokens, HTTP clients."""

from __future__ import annotations

import os
import subprocess
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from kentongan.bootstrap import assemble
from kentongan.domain.identity import OrganizationKind, Scope, at_the_console
from kentongan.services.errors import Refused
from kentongan.services.organizations import Organizations
from kentongan.services.tokens import Tokens
from kentongan.settings import Settings, load_settings
from kentongan.storage import jobs
from kentongan.storage.database import Database
from kentongan.storage.migrate import migrate
from kentongan.supervisor.lifeline import die_with
from kentongan.supervisor.parts import environment, listenable_port, web_command

_READY_SECONDS = 90.0
_DRAIN_SECONDS = 1800.0


class BenchFailed(Exception):
    """The thing to be measured did not do what it must; no figure is given."""


@contextmanager
def web_alone(folder: Path, database_url: str, web_workers: int) -> Iterator[tuple[Settings, str]]:
    """The web server without workers, on a migrated database: (settings, URL)."""
    settings = load_settings(
        data_dir=folder,
        database_url=database_url or None,
        port=listenable_port("127.0.0.1", 0),
        web_workers=web_workers,
    )
    with opened(settings) as database:
        migrate(database)
    told = {**environment(settings), "KENTONGAN_DATABASE_URL": settings.database_url}
    server = subprocess.Popen(
        web_command(settings),
        env=told,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=partial(die_with, os.getpid()),  # noqa: PLW1509  # it ends with us, also when we are killed
    )
    try:
        url = f"http://127.0.0.1:{settings.port}"
        _wait_until_alive(url, server)
        yield settings, url
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(15)


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """The installation's database, closed at the end."""
    database = Database(settings.database)
    try:
        yield database
    finally:
        database.close()


def admit(settings: Settings, name: str, *scopes: Scope, kind: OrganizationKind = OrganizationKind.MEMBER) -> str:
    """A new organization; its token. Raises BenchFailed where it is there already: a benchmark starts with nothing stored."""
    kentongan = assemble(settings)
    try:
        with kentongan.database.writing() as session:
            who = at_the_console("benchmark")
            organizations, tokens = Organizations(session, kentongan.clock, who), Tokens(session, kentongan.clock, who)
            return tokens.create(organizations.add(name, kind, "ID"), frozenset(scopes)).secret
    except Refused as error:
        raise BenchFailed(f"this database was measured on before ({error}): give an empty one") from None
    finally:
        kentongan.database.close()


def post_all(url: str, token: str, bodies: list[bytes], connections: int = 8) -> None:
    """Submit every document over so many connections at once, each taking the next. Raises BenchFailed on any answer but 202."""
    waiting = deque(bodies)
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(lambda _: _post(url, token, waiting), range(connections)))


def wait_until_done(settings: Settings, pause: float = 0.05) -> None:
    """Wait until no job is open. Raises BenchFailed when one failed, or when it takes half an hour."""
    until = time.monotonic() + _DRAIN_SECONDS
    with opened(settings) as database:
        while time.monotonic() < until:
            with database.reading() as session:
                open_jobs = {stage: count for stage, count in jobs.counts(session).items() if count}
            if not open_jobs:
                return
            if open_jobs.get("failed"):
                raise BenchFailed("jobs failed; `kentongan doctor` names them")
            time.sleep(pause)
    raise BenchFailed("the stages did not come to an end")


def _post(url: str, token: str, waiting: deque[bytes]) -> None:
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=120)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/stix+json;version=2.1"}
    while waiting:
        try:
            body = waiting.popleft()
        except IndexError:  # another connection took the last one
            break
        connection.request("POST", "/api/v1/submissions", body, headers)
        answer = connection.getresponse()
        told = answer.read()
        if answer.status != 202:
            raise BenchFailed(f"a submission was answered {answer.status}: {told[:300]!r}")
    connection.close()


def _wait_until_alive(url: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _READY_SECONDS
    address = urlsplit(url)
    while time.monotonic() < until:
        if server.poll() is not None:
            raise BenchFailed(f"the web server ended with {server.returncode}")
        try:
            connection = HTTPConnection(address.hostname or "", address.port, timeout=2)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise BenchFailed("the web server did not answer in time")
