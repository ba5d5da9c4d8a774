"""What every test may ask for: both databases, a real Valkey, and the certainty that nothing leaves this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text

from kentongan.storage import Base
from kentongan.storage.database import Database
from kentongan.storage.migrate import migrate
from network_guard import NetworkGuard
from servers import running_postgres, running_valkey

NO_BROWSER = "there is no Chromium: install it (apt-get install chromium) to run the tests that use a browser"
DATABASES = ["sqlite", "postgresql"]

# How fast a machine is decides no test: neither a deadline for each example nor a judgement on how long making one takes.
settings.register_profile("kentongan", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kentongan")


@pytest.fixture(autouse=True)
def network_guard() -> Iterator[NetworkGuard]:
    """Fails every test that tried to reach the world, also when the code under test swallowed the error."""
    guard = NetworkGuard()
    with pytest.MonkeyPatch.context() as patch:
        guard.install(patch)
        yield guard
    if guard.attempts:
        pytest.fail(f"reached for the world: {'; '.join(guard.attempts)}", pytrace=False)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[URL]:
    """A PostgreSQL in which databases may be made: the one of KENTONGAN_TEST_DATABASE_URL, else one started for this run."""
    if given := os.environ.get("KENTONGAN_TEST_DATABASE_URL"):
        yield make_url(given).set(drivername="postgresql+psycopg")
        return
    with running_postgres() as url:
        yield make_url(url)


@pytest.fixture(scope="session")
def postgres_url(postgres_server: URL) -> Iterator[str]:
    """A database of this run (and of this xdist worker) with all tables; `postgres_database` empties it for each test."""
    with _own_postgres_database(postgres_server) as url:
        made = Database(url)
        migrate(made)  # the second wall stands in the migrations alone
        made.close()
        yield url


@pytest.fixture
def empty_postgres_url(postgres_server: URL) -> Iterator[str]:
    """A database without any table, for one test alone: for migrations and for whole installations."""
    with _own_postgres_database(postgres_server) as url:
        yield url


@pytest.fixture(params=DATABASES)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without any table, for one test alone, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.sqlite'}"
    return str(request.getfixturevalue("empty_postgres_url"))


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[Database]:
    """PostgreSQL with all tables and no rows."""
    database = Database(postgres_url)
    _empty(database.engine)
    yield database
    database.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with all tables and no rows, to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite"
    database = Database(f"sqlite:///{path}")
    Base.metadata.create_all(database.engine)
    database.close()
    return path


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """SQLite with all tables and no rows, in `tmp_path / "kentongan.sqlite"`."""
    path = tmp_path / "kentongan.sqlite"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> Database:
    """All tables and no rows, once on SQLite and once on PostgreSQL."""
    name = "sqlite_database" if request.param == "sqlite" else "postgres_database"
    found = request.getfixturevalue(name)
    assert isinstance(found, Database)
    return found


@pytest.fixture(scope="session")
def valkey_socket() -> Iterator[Path]:
    """The unix socket of a real Valkey of this run."""
    with running_valkey() as path:
        yield path


@pytest.fixture(scope="session")
def valkey_url(valkey_socket: Path) -> str:
    """The same as `KENTONGAN_REDIS_URL` takes it and Celery understands it; redis-py wants `unix://` instead."""
    return f"redis+socket://{valkey_socket}"


@pytest.fixture
def valkey(valkey_socket: Path) -> Iterator[redis.Redis]:
    """A client of that Valkey, emptied before the test."""
    client = redis.Redis(unix_socket_path=str(valkey_socket))
    client.flushall()
    yield client
    client.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for a browser carries the marker, so that `-m "not browser"` leaves all of it out."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names a test's long or binary parameter by its place: xdist needs the same names in every worker, and gzip has a clock."""
    return argname if isinstance(val, bytes) or (isinstance(val, str) and len(val) > 80) else None


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of this machine's Chromium. Without one the test is skipped; with KENTONGAN_TEST_BROWSER=required it fails."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"):
        if found := shutil.which(name):
            return found
    if os.environ.get("KENTONGAN_TEST_BROWSER") == "required":
        pytest.fail(NO_BROWSER)
    pytest.skip(NO_BROWSER)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A real browser that knows no address but this machine's."""
    with sync_playwright() as playwright:
        arguments = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost", "--disable-gpu"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")  # Chromium refuses to run as root inside its sandbox
        launched = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page of a browser without a past; what takes longer than ten seconds there fails."""
    with browser.new_context(locale="en-GB", timezone_id="UTC") as context:
        context.set_default_timeout(10_000)
        yield context.new_page()


@contextmanager
def _own_postgres_database(server: URL) -> Iterator[str]:
    """The URL of a new database, dropped at the end, whoever is still connected."""
    name = f"kentongan_test_{uuid4().hex[:12]}"
    _say(server, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        _say(server, f"DROP DATABASE {name} WITH (FORCE)")


def _say(server: URL, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def _empty(engine: Engine) -> None:
    """Delete all rows: a few milliseconds, where TRUNCATE makes and syncs new files for every table."""
    with engine.begin() as connection:
        _send_away_others(connection)
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # no trigger keeps the audit trail now
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())


def _send_away_others(connection: Connection) -> None:
    """A session that an earlier test left open may hold locks on the rows."""
    connection.execute(
        text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    )
