"""Stopwatches and tables for all benchmarks."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any


@dataclass(slots=True)
class Figure:
    """One measured thing: what it is, its value with unit, and the ratio or condition that puts it into proportion."""

    what: str
    value: float
    unit: str
    note: str = ""


@dataclass(slots=True)
class Report:
    """The figures of one benchmark."""

    name: str
    figures: list[Figure] = field(default_factory=list)

    def add(self, what: str, value: float, unit: str, note: str = "") -> None:
        """Note one figure."""
        self.figures.append(Figure(what, value, unit, note))

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        rows = [{"what": f.what, "value": round(f.value, 3), "unit": f.unit, "note": f.note} for f in self.figures]
        return {"benchmark": self.name, "figures": rows}

    def as_markdown(self) -> str:
        """For docs/benchmarks.md."""
        rows = [f"| {f.what} | {f.value:,.{_digits(f.value)}f} {f.unit} | {f.note} |" for f in self.figures]
        return "\n".join([f"### {self.name}", "", "| what | median | in proportion |", "| --- | ---: | --- |", *rows])


@contextmanager
def stopwatch() -> Iterator[Callable[[], float]]:
    """`with stopwatch() as seconds: ...; seconds()` is the time the block took."""
    start = time.perf_counter()
    ended: list[float] = []
    yield lambda: (ended[0] if ended else time.perf_counter()) - start
    ended.append(time.perf_counter())


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """The median and the 99th percentile, in milliseconds."""
    return median(seconds) * 1000, quantiles(seconds, n=100, method="inclusive")[98] * 1000


def machine() -> str:
    """What the figures were measured on, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return (
        f"{cores} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    )


def proportional_memory(pids: list[int]) -> float:
    """The memory of these processes in MiB, shared pages counted once between them (PSS, proc(5))."""
    total = 0
    for pid in pids:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total / 1024


def descendants(pid: int) -> list[int]:
    """A process and all that it started, directly or through others."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for each in found:
        found.extend(parents.get(each, ()))
    return found


def _digits(value: float) -> int:
    return 0 if abs(value) >= 100 else 2
