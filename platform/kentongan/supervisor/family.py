"""Who runs under a supervisor, as Linux's /proc tells it (proc(5)); elsewhere nobody is found."""

from __future__ import annotations

from pathlib import Path

_FORKED = ("stages-", "deliver", "scheduler")


def children(parent: int) -> list[int]:
    """The living children of a process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def part_of(pid: int) -> str | None:
    """Which part a process plays: the name a worker gave itself, or what the supervisor told a program of its own."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    if name.startswith("valkey"):  # it writes its title over its environment
        return "broker"
    told = next((item[15:].decode() for item in environment if item.startswith(b"KENTONGAN_PART=")), None)
    return name if told == "workers" and name.startswith(_FORKED) else told


def parts_under(supervisor: int) -> dict[str, int]:
    """The parts that run under this supervisor, and what the workers forked, each with its process number."""
    below = {name: pid for pid in children(supervisor) if (name := part_of(pid))}
    forked = children(below["workers"]) if "workers" in below else []
    return {**below, **{name: pid for pid in forked if (name := part_of(pid)) and name != "workers"}}
