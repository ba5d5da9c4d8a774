"""The Celery processes of one machine, forked from one that has read in everything they need.

What is read in once is shared between them by the kernel until somebody writes to it: a process more costs a fraction of the
memory, and one that was killed is replaced in milliseconds. Celery's own pool would put a parent between the broker and each
worker, and that parent would have to survive.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from kentongan.supervisor.lifeline import call_this_process, die_with
from kentongan.supervisor.processes import Child, Part, Playing
from kentongan.supervisor.supervisor import Supervisor

_STOP_SECONDS = 9.0
"""Less than the supervisor above us gives us, so that a batch in hand is finished or broken off in order."""

_log = structlog.get_logger(__name__)


class Forked:
    """A process that was forked and not executed anew."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """The return code once it has ended: negative for the signal that killed it."""
        if self._code is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def send_signal(self, sig: int) -> None:
        """Signal it, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, sig)


@dataclass(frozen=True, slots=True)
class Role(Part):
    """A part that is played by a function, in a fork of this process."""

    play: Callable[[], None] = lambda: None

    def start(self, environment: Mapping[str, str], output: int | None, inherited: Sequence[int]) -> Playing:  # noqa: ARG002
        """Fork; the child writes to where this process writes."""
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return Forked(pid)
        try:
            _be_born(parent, self.name)
            self.play()
            os._exit(0)
        except SystemExit as leaving:
            os._exit(leaving.code if isinstance(leaving.code, int) else 1)
        except BaseException:
            _log.exception("a worker ended")
            os._exit(1)
        finally:
            os._exit(1)


def raise_all(roles: Sequence[tuple[str, Callable[[], None]]]) -> None:
    """Keep a fork of this process for each role, until a SIGTERM."""
    # What is there now lives as long as we do. A collection would write to all of it, and each child would get its own copy.
    gc.collect()
    gc.freeze()
    children = [Child(Role(name, play=play), os.environ) for name, play in roles]
    Supervisor(children, _log.error, _STOP_SECONDS).run()


def _be_born(parent: int, name: str) -> None:
    """Leave the parent's session, signals and name."""
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    os.environ["KENTONGAN_PART"] = name
    call_this_process(name)
    sys.stdout.flush()
    die_with(parent)
