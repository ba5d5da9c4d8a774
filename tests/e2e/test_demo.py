"""The demonstration, as a newcomer runs it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path


def demo(folder: Path, *words: str, timeout: float = 280) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kentongan", "--data-dir", str(folder), "demo", *words]
    wide = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=wide, check=False)


def test_real_incidents_go_in_and_verified_alerts_come_out(tmp_path: Path) -> None:
    shown = demo(tmp_path / "demo", "--once", "--port", "0")

    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "wrong:" not in shown.stdout
    for word in (
        "283",
        "Cases with several reports",
        "Campaigns",
        "both reports name",
        "One campaign under four markings",
        "Bank Nusantara",
        "email",
    ):
        assert word in shown.stdout


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        refused = demo(tmp_path / "demo", "--once", "--port", str(port), timeout=60)

    assert refused.returncode == 4
    assert str(port) in refused.stderr
    assert "PORT=" in refused.stderr
    assert not (tmp_path / "demo").exists()


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("the only copy")

    refused = demo(tmp_path, "--once", "--port", "0", timeout=60)

    assert refused.returncode == 2
    assert (tmp_path / "thesis.txt").read_text() == "the only copy"
