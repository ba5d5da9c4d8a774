"""The folders of one installation, the lock that says it is running, and the note that says where."""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from kentongan.settings import Settings


class AlreadyRunning(Exception):
    """Another supervisor works on this data folder."""


@dataclass(frozen=True, slots=True)
class Running:
    """What `run/up.json` tells other commands about the installation that is up."""

    url: str
    pid: int
    started: float
    """Seconds since 1970."""


def log_dir(settings: Settings) -> Path:
    """Where the parts write their logs."""
    return settings.data_dir.absolute() / "log"


def make_folders(settings: Settings) -> None:
    """Make the data folder and what lies in it, for its owner only: it holds markings' worth of secrets."""
    for folder in (settings.data_dir.absolute(), settings.run_dir, log_dir(settings)):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid == os.getuid():
            folder.chmod(0o700)


def note_of(settings: Settings) -> Running | None:
    """The note as it stands, whether or not its author still lives; None where there is none to be read."""
    try:
        return Running(**json.loads((settings.run_dir / "up.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def running(settings: Settings) -> Running | None:
    """The installation that is up now, if one is."""
    note = note_of(settings)
    return note if note and is_alive(note.pid) else None


def is_alive(pid: int) -> bool:
    """Whether a process of this number exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class InstallationLock:
    """Held by the supervisor and, through the open file they inherit, by everything it starts.

    So a new supervisor never begins while a process of a killed one still writes; the kernel lets go when the last has ended.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._file = os.open(settings.run_dir / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @property
    def descriptor(self) -> int:
        """The open file, for children to inherit."""
        return self._file

    def take(self, patience: float = 10.0) -> None:
        """Take the lock; what a killed supervisor left behind gets `patience` seconds to end. Raises AlreadyRunning."""
        until = time.monotonic() + patience
        while not self._try():
            if self._supervisor_lives():
                raise AlreadyRunning(self._who())
            if time.monotonic() > until:
                raise AlreadyRunning("processes of an installation that was killed still run on this data folder")
            time.sleep(0.05)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def note(self, url: str) -> None:
        """Tell other commands where this installation is."""
        fresh = self._settings.run_dir / "up.json.new"
        fresh.write_text(json.dumps(asdict(Running(url, os.getpid(), time.time()))), encoding="utf-8")
        fresh.replace(self._settings.run_dir / "up.json")

    def release(self) -> None:
        """Take the note away and let go."""
        (self._settings.run_dir / "up.json").unlink(missing_ok=True)
        os.close(self._file)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _supervisor_lives(self) -> bool:
        """Its number is written into the file just after the lock is taken, so an empty one means: it is about to be."""
        written = os.pread(self._file, 20, 0)
        return not written.isdigit() or is_alive(int(written))

    def _who(self) -> str:
        note = running(self._settings)
        where = f" (process {note.pid}, {note.url})" if note else ""
        return f"Kentongan already runs on {self._settings.data_dir.absolute()}{where}"
