"""The parts of an installation, and the processes that play them: started, watched, started again, stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from kentongan.supervisor.lifeline import die_with
from kentongan.supervisor.logs import PartLog

_STEADY_SECONDS = 10.0
"""A process that lived this long was well: its next failure counts as the first."""

_LONGEST_PAUSE = 10.0
_KILLED_SECONDS = 5.0

Clock = Callable[[], float]


class Playing(Protocol):
    """A process that plays a part: what subprocess.Popen offers of it."""

    pid: int

    def poll(self) -> int | None:
        """The return code once it has ended: negative for the signal that killed it."""

    def send_signal(self, sig: int) -> None:
        """Signal it, unless it has ended."""


@dataclass(frozen=True, slots=True)
class Part:
    """One program of the installation."""

    name: str
    command: Sequence[str] = ()
    last_to_stop: bool = False
    """Others need it until they have ended (the broker)."""

    def start(self, environment: Mapping[str, str], output: int | None, inherited: Sequence[int]) -> Playing:
        """A process that plays this part, in a session of its own and with its life tied to ours.

        The session keeps a Ctrl-C on the terminal from reaching the part before the supervisor has decided.
        """
        parent = os.getpid()
        return subprocess.Popen(
            self.command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=inherited,
            preexec_fn=lambda: die_with(parent),  # noqa: PLW1509  # safe: the supervisor has one thread
        )


class Child:
    """One part and the process that plays it now, if any."""

    def __init__(
        self,
        part: Part,
        environment: Mapping[str, str],
        log: PartLog | None = None,
        inherited: Sequence[int] = (),
        clock: Clock = time.monotonic,
    ) -> None:
        self.part = part
        self.log = log
        self.failures = 0
        self._environment = {**environment, "KENTONGAN_PART": part.name}
        self._inherited = inherited
        self._clock = clock
        self._process: Playing | None = None
        self._since = 0.0
        self._start_at = 0.0

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return self._process.pid if self._process else None

    def keep(self) -> str | None:
        """Start the process if it is due, take note if it ended: then the answer says what happened, for the terminal."""
        if self._process is None:
            if self._clock() >= self._start_at:
                self._start()
            return None
        code = self._process.poll()
        return None if code is None else self._ended(code)

    def wait_seconds(self) -> float:
        """Until `keep` has something to do by itself; a process that ends wakes the supervisor otherwise."""
        return max(0.0, self._start_at - self._clock()) if self._process is None else _LONGEST_PAUSE

    def signal(self, number: int) -> None:
        """Tell the process."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(number)

    def has_ended(self) -> bool:
        """Whether no process plays this part now."""
        return self._process is None or self._process.poll() is not None

    def kill(self) -> None:
        """End the process and everything it started, at once."""
        if self._process:
            _kill_group(self._process.pid)
            until = time.monotonic() + _KILLED_SECONDS
            while self._process.poll() is None and time.monotonic() < until:
                time.sleep(0.005)
            self._process = None

    def _start(self) -> None:
        output = self.log.open() if self.log else None
        try:
            self._process = self.part.start(self._environment, output, self._inherited)
        finally:
            if output is not None:
                os.close(output)
        self._since = self._clock()

    def _ended(self, code: int) -> str:
        assert self._process is not None
        _kill_group(self._process.pid)  # what it started must not run beside its successor
        self._process = None
        self.failures = 1 if self._clock() - self._since > _STEADY_SECONDS else self.failures + 1
        pause = restart_pause(self.failures)
        self._start_at = self._clock() + pause
        return f"{self.part.name} {ending(code)}; it is started again in {pause:.1f} s"


def restart_pause(failures: int) -> float:
    """Seconds before a part is started again: 0.1 after the first failure, doubling up to 10."""
    return float(min(_LONGEST_PAUSE, 0.1 * 2 ** min(failures - 1, 20)))


def ending(code: int) -> str:
    """What a return code means, in words: `ended with code 1`, `was killed by SIGKILL`."""
    return f"ended with code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"


def _kill_group(leader: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
