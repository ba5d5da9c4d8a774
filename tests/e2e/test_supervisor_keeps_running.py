"""The supervisor with small real programs as parts: what dies comes back, what must stop stops, nothing is left over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kentongan.supervisor.installation import is_alive
from kentongan.supervisor.processes import ending, restart_pause

PATIENCE = 20.0

_SUPERVISOR = """
import os, sys
from pathlib import Path
from kentongan.supervisor.logs import PartLog
from kentongan.supervisor.processes import Child, Part
from kentongan.supervisor.supervisor import Failed, Supervisor

folder = Path(sys.argv[1])
parts = [Part(path.stem, [sys.executable, str(path)]) for path in sorted(folder.glob("*.py"))]
children = [Child(part, {**os.environ, "FOLDER": str(folder)}, PartLog(folder / f"{part.name}.log")) for part in parts]
try:
    Supervisor(children, lambda line: print(line, flush=True), stop_seconds=1.0).run(
        lambda: (folder / "ready").exists(), lambda: print("ready", flush=True)
    )
except Failed as error:
    print(error, flush=True)
    sys.exit(1)
"""

_STEADY = """
import os, signal, time
from pathlib import Path
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
(Path(os.environ["FOLDER"]) / "steady.pid.new").write_text(str(os.getpid()))
os.replace(os.path.join(os.environ["FOLDER"], "steady.pid.new"), os.path.join(os.environ["FOLDER"], "steady.pid"))
while True:
    time.sleep(60)
"""

_STUBBORN = _STEADY.replace("lambda *_: os._exit(0)", "signal.SIG_IGN")

_PARENT = """
import multiprocessing, os, sys, time
from pathlib import Path
from kentongan.supervisor.lifeline import die_with_forking_parent

def work():
    die_with_forking_parent()
    pid = Path(os.environ["FOLDER"]) / "steady.pid"
    pid.with_suffix(".new").write_text(str(os.getpid()))
    pid.with_suffix(".new").replace(pid)
    time.sleep(600)

multiprocessing.get_context("fork").Process(target=work).start()
time.sleep(600)
"""


class Supervised:
    """A supervisor that runs, with the folder its parts write to."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self.folder = folder
        self.process = process

    def pid_of_part(self, other_than: int = 0) -> int:
        """The number of the process that plays the part `steady`, once there is a living one."""
        path = self.folder / "steady.pid"
        wait_until(lambda: path.exists() and int(path.read_text()) != other_than)
        return int(path.read_text())

    def output(self) -> str:
        """Everything it said until it ended."""
        assert self.process.stdout is not None
        return self.process.stdout.read()


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.01)


@contextmanager
def supervised(folder: Path, **programs: str) -> Iterator[Supervised]:
    for name, text in programs.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(text))
    process = subprocess.Popen(
        [sys.executable, "-c", _SUPERVISOR, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield Supervised(folder, process)
    finally:
        process.kill()
        process.wait(PATIENCE)
        assert process.stdout is not None
        process.stdout.close()


def test_what_dies_is_started_again(tmp_path: Path) -> None:
    (tmp_path / "ready").touch()
    with supervised(tmp_path, steady=_STEADY) as up:
        first = up.pid_of_part()

        os.kill(first, signal.SIGKILL)
        second = up.pid_of_part(other_than=first)

        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(PATIENCE) == 0
        assert "steady was killed by SIGKILL; it is started again in 0.1 s" in up.output()
        assert not is_alive(second)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_asked_to_stop_it_stops_its_parts_and_ends_well(tmp_path: Path, number: signal.Signals) -> None:
    with supervised(tmp_path, steady=_STEADY) as up:
        part = up.pid_of_part()

        up.process.send_signal(number)

        assert up.process.wait(PATIENCE) == 0
        assert not is_alive(part)


def test_a_part_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    with supervised(tmp_path, steady=_STUBBORN) as up:
        part = up.pid_of_part()

        up.process.send_signal(signal.SIGTERM)

        assert up.process.wait(PATIENCE) == 0
        assert not is_alive(part)


def test_a_killed_supervisor_leaves_no_orphan(tmp_path: Path) -> None:
    with supervised(tmp_path, steady=_STUBBORN) as up:
        part = up.pid_of_part()

        up.process.kill()

        wait_until(lambda: not is_alive(part))


def test_a_killed_supervisor_leaves_no_orphaned_grandchild(tmp_path: Path) -> None:
    with supervised(tmp_path, parent=_PARENT) as up:
        grandchild = up.pid_of_part()

        up.process.kill()

        wait_until(lambda: not is_alive(grandchild))


def test_what_never_starts_is_given_up_with_its_last_words(tmp_path: Path) -> None:
    with supervised(tmp_path, steady=_STEADY, broken="import a_module_that_is_not_there") as up:
        steady = up.pid_of_part()

        assert up.process.wait(PATIENCE) == 1

        assert "broken does not start: ModuleNotFoundError: No module named 'a_module_that_is_not_there'" in up.output()
        assert not is_alive(steady)


def test_pauses_between_restarts_double_up_to_ten_seconds() -> None:
    pauses = [restart_pause(failures) for failures in range(1, 12)]

    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8]
    assert pauses[-1] == 10.0


def test_endings_are_told_in_words() -> None:
    assert (ending(0), ending(3), ending(-9)) == ("ended with code 0", "ended with code 3", "was killed by SIGKILL")
