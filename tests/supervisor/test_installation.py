"""One supervisor per data folder, and notes that others can trust."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kentongan.keys import secret_key
from kentongan.settings import Settings
from kentongan.supervisor.installation import AlreadyRunning, InstallationLock, make_folders, running
from kentongan.supervisor.parts import NoPort, environment, listenable_port, url_of
from kentongan.supervisor.valkey import UnsafeFolder, make_socket_folder, socket_path
from servers import free_port


def installation(folder: Path) -> Settings:
    settings = Settings(data_dir=folder / "a folder")
    make_folders(settings)
    return settings


def a_process_that_ended() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_the_folders_are_for_their_owner_only(tmp_path: Path) -> None:
    (tmp_path / "a folder").mkdir(mode=0o755)

    settings = installation(tmp_path)

    assert {path.stat().st_mode & 0o777 for path in (settings.data_dir, settings.run_dir)} == {0o700}


def test_a_second_supervisor_is_refused_and_told_where_the_first_is(tmp_path: Path) -> None:
    settings = installation(tmp_path)
    first = InstallationLock(settings)
    first.take()
    first.note("http://127.0.0.1:8450")

    with pytest.raises(AlreadyRunning, match=rf"already runs on .*a folder \(process {os.getpid()}, http://127"):
        InstallationLock(settings).take()

    first.release()


def test_the_lock_is_free_again_when_its_owner_is_through(tmp_path: Path) -> None:
    settings = installation(tmp_path)
    first = InstallationLock(settings)
    first.take()
    first.note("http://127.0.0.1:8450")
    first.release()

    second = InstallationLock(settings)
    second.take()

    assert running(settings) is None
    second.release()


def test_what_a_killed_supervisor_left_is_no_obstacle(tmp_path: Path) -> None:
    settings = installation(tmp_path)
    gone = a_process_that_ended()
    (settings.run_dir / "up.lock").write_text(str(gone))
    (settings.run_dir / "up.json").write_text(f'{{"url": "http://x", "pid": {gone}, "started": 1.0}}')
    lock = InstallationLock(settings)

    lock.take()

    assert running(settings) is None
    lock.release()


def test_children_of_a_killed_supervisor_are_waited_for(tmp_path: Path) -> None:
    settings = installation(tmp_path)
    first = InstallationLock(settings)
    first.take()
    waiting = "import sys; sys.stdin.read()"
    orphan = subprocess.Popen([sys.executable, "-c", waiting], pass_fds=[first.descriptor], stdin=subprocess.PIPE)
    os.close(first.descriptor)
    (settings.run_dir / "up.lock").write_text(str(a_process_that_ended()))

    with pytest.raises(AlreadyRunning, match="still run"):
        InstallationLock(settings).take(patience=0.1)
    orphan.communicate()
    lock = InstallationLock(settings)
    lock.take()

    lock.release()


def test_the_note_of_a_process_that_ended_is_not_believed(tmp_path: Path) -> None:
    settings = installation(tmp_path)
    (settings.run_dir / "up.json").write_text(f'{{"url": "http://x", "pid": {a_process_that_ended()}, "started": 1.0}}')

    assert running(settings) is None


@pytest.mark.parametrize("content", ["", "{}", "[1]", "no JSON"])
def test_a_broken_note_is_no_note(tmp_path: Path, content: str) -> None:
    settings = installation(tmp_path)
    (settings.run_dir / "up.json").write_text(content)

    assert running(settings) is None


def test_a_long_data_folder_gets_its_socket_elsewhere_in_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    settings = Settings(data_dir=tmp_path / ("long" * 30))

    make_socket_folder(settings)

    path = socket_path(settings)
    assert path.parent.parent == tmp_path
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_socket_folder_that_is_open_to_others_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    settings = Settings(data_dir=tmp_path / ("long" * 30))
    socket_path(settings).parent.mkdir()
    socket_path(settings).parent.chmod(0o755)

    with pytest.raises(UnsafeFolder):
        make_socket_folder(settings)


def test_a_free_port_is_found() -> None:
    assert listenable_port("127.0.0.1", 0) > 0


def test_a_taken_port_is_named_with_advice() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(NoPort, match=rf"port {port}: Address already in use; choose another with --port"):
            listenable_port("127.0.0.1", port)


def test_a_wildcard_address_is_reached_over_loopback() -> None:
    port = free_port()

    assert url_of(Settings(host="0.0.0.0", port=port)) == f"http://127.0.0.1:{port}"
    assert url_of(Settings(host="::", port=port)) == f"http://[::1]:{port}"


def test_parts_are_told_what_the_command_line_decided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KENTONGAN_PORT_FILE", "/run/secrets/port")
    monkeypatch.setenv("KENTONGAN_SMTP_HOST", "mail.example")

    told = environment(Settings(data_dir=tmp_path, port=1234))

    assert (told["KENTONGAN_PORT"], told["KENTONGAN_SMTP_HOST"]) == ("1234", "mail.example")
    assert "KENTONGAN_PORT_FILE" not in told


def test_the_key_is_made_once_and_kept_to_its_owner(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")

    first, second = secret_key(settings), secret_key(settings)

    assert first == second
    assert len(first) >= 64
    assert (tmp_path / "data" / "secret.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret.key"]


def test_a_given_key_is_used_and_not_written(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", secret_key="given by the operator")

    assert secret_key(settings) == "given by the operator"
    assert not (tmp_path / "data").exists()
