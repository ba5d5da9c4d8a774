"""The logs of the parts: one bounded file each, and their errors, compactly, on the terminal."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_MOST_BYTES = 8 * 1024 * 1024
_MOST_READ = 256 * 1024
_SHOWN = {"error", "critical"}


class PartLog:
    """One part's log file. The part appends to it; we cut it when it grows too long and keep one older piece."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = path.stat().st_size if path.exists() else 0

    def open(self) -> int:
        """A descriptor to give to the part: each write goes to the end, also after the file was cut."""
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def cut(self, most: int = _MOST_BYTES) -> None:
        """Copy the file aside and empty it, if it is longer than `most` bytes. A line written in between may be lost."""
        if self.path.exists() and self.path.stat().st_size > most:
            shutil.copyfile(self.path, self.path.with_suffix(".log.1"))
            os.truncate(self.path, 0)
            self._seen = 0

    def new_errors(self) -> Iterator[str]:
        """One line for each error that was written since the last call."""
        for line in self._new_lines():
            if said := _said(line):
                yield said

    def last_words(self) -> str:
        """The last line that stands in the log: what a part said before it ended."""
        lines = [line for line in self._end_of_file().splitlines() if line.strip()]
        if not lines:
            return "it said nothing"
        entry = _entry(lines[-1])
        return _compact(entry) if entry else lines[-1].decode(errors="replace").strip()[:300]

    def _new_lines(self) -> list[bytes]:
        size = self.path.stat().st_size if self.path.exists() else 0
        start = max(0 if size < self._seen else self._seen, size - _MOST_READ)
        if size == start:
            return []
        with self.path.open("rb") as file:
            file.seek(start)
            complete, newline, _ = file.read(size - start).rpartition(b"\n")
        self._seen = start + len(complete) + len(newline)
        return complete.splitlines()

    def _end_of_file(self) -> bytes:
        if not self.path.exists():
            return b""
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - 4096))
            return file.read()


def _said(line: bytes) -> str | None:
    entry = _entry(line)
    return _compact(entry) if entry and entry.get("level") in _SHOWN else None


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _compact(entry: dict[str, Any]) -> str:
    known = {"event", "level", "timestamp", "logger", "part", "exception"}
    rest = " ".join(f"{name}={value}" for name, value in entry.items() if name not in known)
    exception = entry.get("exception")
    why = f" ({exception['type']} at {exception['at'][-1]})" if isinstance(exception, dict) and exception["at"] else ""
    return f"{entry.get('event', '')} {rest}".strip()[:300] + why
