"""One loop that keeps the parts running until it is told to stop."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from kentongan.supervisor.processes import Child

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LOOK_SECONDS = 1.0
_LOOK_SECONDS_AT_START = 0.1
_HOPELESS = 5
"""A part that fails this often before the installation was ever ready will not get well by itself."""


class Failed(Exception):
    """A part could not be started; the message says which and what its last words were."""


class Signals:
    """Signals, taken at a moment of our choosing: they only wake the loop."""

    def __init__(self) -> None:
        self.stops = 0
        self._reading, self._writing = os.pipe()
        for end in (self._reading, self._writing):
            os.set_blocking(end, False)

    @contextmanager
    def watched(self) -> Iterator[Signals]:
        """Catch the signals for the length of the block."""
        before = {number: signal.signal(number, self._on_stop) for number in _STOP_SIGNALS}
        before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        wakeup = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        try:
            yield self
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._reading)
            os.close(self._writing)

    def wait(self, seconds: float) -> None:
        """Sleep until a signal arrives, at most this long."""
        if select.select([self._reading], [], [], seconds)[0]:
            os.read(self._reading, 4096)

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stops += 1


class Supervisor:
    """Keeps its children running. `say` prints one line for the operator."""

    def __init__(self, children: Sequence[Child], say: Callable[[str], None], stop_seconds: float = 12.0) -> None:
        self._children = children
        self._say = say
        self._stop_seconds = stop_seconds

    def run(self, is_ready: Callable[[], bool] = lambda: True, when_ready: Callable[[], None] = lambda: None) -> None:
        """Run until a SIGTERM, SIGINT or SIGHUP; then stop everything within bounded time. A second signal kills at once.

        Raises Failed, with everything stopped, when a part fails again and again before `is_ready` ever was true.
        """
        with Signals().watched() as signals:
            try:
                self._keep_running(signals, is_ready, when_ready)
            finally:
                self._stop(signals)

    def _keep_running(self, signals: Signals, is_ready: Callable[[], bool], when_ready: Callable[[], None]) -> None:
        ready = False
        while not signals.stops:
            for child in self._children:
                self._keep(child, ready)
            if not ready and is_ready():
                ready = True
                when_ready()
            look = _LOOK_SECONDS if ready else _LOOK_SECONDS_AT_START
            signals.wait(min(look, *(child.wait_seconds() for child in self._children)))

    def _keep(self, child: Child, ready: bool) -> None:
        happened = child.keep()
        if child.log:
            for error in child.log.new_errors():
                self._say(f"{child.part.name}: {error}")
            child.log.cut()
        if happened:
            self._say(happened)
            if not ready and child.failures >= _HOPELESS:
                raise Failed(
                    f"{child.part.name} does not start: {child.log.last_words() if child.log else 'see above'}"
                )

    def _stop(self, signals: Signals) -> None:
        """First those who need others, then those who are needed; what has not ended in time is killed."""
        asked = signals.stops
        until = time.monotonic() + self._stop_seconds
        for turn in (False, True):
            leaving = [child for child in self._children if child.part.last_to_stop is turn]
            for child in leaving:
                child.signal(signal.SIGTERM)
            while time.monotonic() < until and signals.stops <= max(asked, 1):
                if all(child.has_ended() for child in leaving):
                    break
                signals.wait(0.05)
            for child in leaving:
                child.kill()
