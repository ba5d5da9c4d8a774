"""A child must not outlive the one that started it, also when that one is killed and can no longer say goodbye.

Linux offers this per process (PR_SET_PDEATHSIG, prctl(2)); it survives exec but not fork, so every generation asks again.
Elsewhere the supervisor's own goodbye has to do.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PRCTL = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent `parent` is gone; ends it at once if that has already happened."""
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def die_with_forking_parent() -> None:
    """The same for a process that `multiprocessing` made (a web worker); does nothing in one that was started otherwise."""
    if parent := multiprocessing.parent_process():
        assert parent.pid is not None
        die_with(parent.pid)


def call_this_process(name: str) -> None:
    """Give this process a name that `ps` and `top` show: at most 15 bytes. Does nothing where the system has no such thing."""
    if _PRCTL is not None:
        _PRCTL(_PR_SET_NAME, ctypes.c_char_p(name.encode()[:15]))
