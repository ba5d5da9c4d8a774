"""`kentongan up` as an operator meets it: it comes up in a folder of any name, refuses plainly and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kentongan.bench.measure import descendants
from kentongan.bench.stage import opened
from kentongan.storage import jobs
from kentongan.storage.database import Database
from kentongan.storage.jobs import Stage
from kentongan.supervisor.installation import is_alive
from kentongan.trial import Trial

PATIENCE = 90.0

pytestmark = pytest.mark.timeout(280)


def kentongan(*words: str, data_dir: Path, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kentongan", "--data-dir", str(data_dir), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, **options)  # type: ignore[call-overload,no-any-return]


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.02)


def listening_sockets(pids: list[int]) -> set[str]:
    """The TCP addresses these processes listen on, as /proc/net/tcp writes them."""
    owned = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                owned.add(str(descriptor.readlink()))
            except OSError:
                continue
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return {fields[1] for fields in lines if fields[3] == "0A" and f"socket:[{fields[9]}]" in owned}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """One that runs, in a folder with a blank in its name."""
    with Trial(tmp_path_factory.mktemp("a folder") / "the data") as trial:
        yield trial


def test_it_says_where_it_listens_once_it_is_ready(installation: Trial) -> None:
    said = (installation.data_dir / "up.out").read_text()
    note = json.loads((installation.data_dir / "run" / "up.json").read_bytes())

    assert said == f"Kentongan listens on {installation.url}\n"
    assert note["url"] == installation.url
    assert note["pid"] == installation.pid


def test_it_is_ready_and_the_broker_is_on_no_network_port(installation: Trial) -> None:
    port = int(installation.url.rpartition(":")[2])

    with urllib.request.urlopen(f"{installation.url}/readyz", timeout=PATIENCE) as answer:
        assert json.loads(answer.read()) == {"status": "ready"}

    assert listening_sockets(descendants(installation.pid)) == {f"0100007F:{port:04X}"}


def test_everything_it_keeps_is_for_its_owner_only(installation: Trial) -> None:
    kept = {path: path.stat().st_mode & 0o777 for path in installation.data_dir.rglob("*") if path.is_dir()}

    assert installation.data_dir.stat().st_mode & 0o777 == 0o700
    assert set(kept.values()) == {0o700}
    assert (installation.data_dir / "secret.key").stat().st_mode & 0o777 == 0o600


def test_a_second_one_on_the_same_folder_is_refused(installation: Trial) -> None:
    second = kentongan("up", "--port", "0", data_dir=installation.data_dir)

    assert second.returncode == 5
    assert (
        f"Kentongan already runs on {installation.data_dir} (process {installation.pid}, {installation.url})"
        in second.stderr
    )


def test_the_doctor_finds_it_well(installation: Trial) -> None:
    doctor = kentongan("doctor", "--json", data_dir=installation.data_dir)

    findings = {finding["subject"]: finding for finding in json.loads(doctor.stdout)}
    assert [subject for subject, finding in findings.items() if not finding["fine"]] == []
    assert doctor.returncode == 0
    assert "answers and is ready" in findings["web"]["words"]
    assert findings["parts"]["words"] == "broker, deliver, scheduler, stages-1, web, workers are running"


def test_what_is_killed_comes_back(installation: Trial) -> None:
    before = set(descendants(installation.pid)) - {installation.pid}

    for pid in before:
        with_kill(pid)

    wait_until(lambda: len(set(descendants(installation.pid)) - before) > len(before))
    wait_until(lambda: is_ready(installation.url))


def test_a_promise_that_no_nudge_reached_is_kept_also_after_the_broker_died(installation: Trial) -> None:
    broker = next(pid for pid in descendants(installation.pid) if name_of(pid).startswith("valkey"))
    with_kill(broker)

    with opened(installation.settings()) as database:
        with database.writing() as session:
            jobs.add(session, Stage.INDEX, [999_999], datetime.now(UTC))
            jobs.add(session, Stage.DELIVER, [999_999], datetime.now(UTC))

        wait_until(lambda: nothing_is_promised(database))


def test_a_taken_port_is_named_before_anything_is_made(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        refused = kentongan("up", "--port", str(port), data_dir=tmp_path / "data")

    assert refused.returncode == 4
    assert (
        f"cannot listen on 127.0.0.1 port {port}: Address already in use; choose another with --port" in refused.stderr
    )
    assert not (tmp_path / "data" / "kentongan.sqlite").exists()


def test_killed_itself_it_leaves_no_process_and_starts_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Trial(data) as first:
        family = descendants(first.pid)
        assert len(family) > 5

        os.kill(first.pid, signal.SIGKILL)
        with Trial(data) as second:
            assert is_ready(second.url)
            assert not any(is_alive(pid) for pid in family if pid != first.pid)
            family = descendants(second.pid)
            assert second.stop() == 0

    assert not any(is_alive(pid) for pid in family)
    assert not (data / "run" / "up.json").exists()


def test_the_doctor_says_what_is_wrong_with_a_folder_where_nothing_runs(tmp_path: Path) -> None:
    doctor = kentongan("doctor", data_dir=tmp_path / "nothing here")

    assert doctor.returncode == 1
    assert "!! installation: not running on this machine\n   -> start it: kentongan up" in doctor.stdout
    assert not (tmp_path / "nothing here").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="everything above has already run without rights")
def test_it_runs_for_a_user_without_rights(tmp_path: Path) -> None:
    without_rights = ["unshare", "--user", "--map-user=1000", "--map-group=1000", sys.executable]
    if shutil.which("unshare") is None or subprocess.run([*without_rights, "-c", ""], check=False).returncode:
        pytest.skip("this system lets nobody give up their rights in a user namespace")
    data = tmp_path / "the data"
    command = [*without_rights, "-m", "kentongan", "--data-dir", str(data), "up", "--port", "0"]

    with started(command, data / "run" / "up.json") as (up, note):
        assert is_ready(json.loads(note.read_bytes())["url"])

        up.send_signal(signal.SIGTERM)
        assert up.wait(PATIENCE) == 0


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def nothing_is_promised(database: Database) -> bool:
    with database.reading() as session:
        return not any(jobs.counts(session).values())


def with_kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended with its parent


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=PATIENCE) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def started(command: list[str], note: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    up = subprocess.Popen(command)
    try:
        wait_until(lambda: note.exists() or up.poll() is not None)
        yield up, note
    finally:
        up.kill()
        up.wait(PATIENCE)
