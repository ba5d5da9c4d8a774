"""medallion, the reference TAXII 2.1 server, beside ours: same objects, its own backend in memory, in the same run.

It is no dependency of ours: it runs in a Python of its own, which is named, or made for the run and thrown away.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from kentongan.bench.measure import Report
from kentongan.bench.stage import BenchFailed

INSTALL = "install"
"""Instead of a Python: make one, with medallion from the package registry."""
_SCRIPT = Path(__file__).with_name("taxii_peer_run.py")
_PAGE = 100
_BACKEND = {"module": "medallion.backends.memory_backend", "module_class": "MemoryBackend"}
_LONGEST = 600


def beside(report: Report, python: str, folder: Path, objects: Sequence[dict[str, Any]], envelope: bytes) -> None:
    """Add medallion's figures to the report, read from these objects; `folder` is a scratch one.

    Raises BenchFailed where that Python or medallion in it is missing, or medallion fails.
    """
    _prepare(folder, objects, envelope)
    told = _measured(_own_python(folder) if python == INSTALL else python, folder)
    if told["read"] != len(objects):
        raise BenchFailed(f"medallion gave {told['read']} of {len(objects)} objects")
    note = f"of {len(objects)} objects in its memory"
    report.add("medallion: reading all in pages of 100", len(objects) / told["seconds"], "objects/s", note)
    report.add("medallion: the first page", told["first"] * 1000, "ms", note)
    report.add(
        "medallion: the last pages, by next", told["last"] * 1000, "ms", "it keeps the rest of a list for each client"
    )
    report.add(
        "medallion: adding an envelope of 1,000", 1000 / told["add"], "objects/s", "checked for nothing, kept in memory"
    )


def _prepare(folder: Path, objects: Sequence[dict[str, Any]], envelope: bytes) -> None:
    added = "2026-11-01T00:00:00.{:06d}Z"
    collection = {
        "id": "c0ffee00-0000-4000-8000-000000000001",
        "title": "everything",
        "can_read": True,
        "can_write": True,
        "media_types": ["application/stix+json;version=2.1"],
        "objects": [_as_it_keeps(one, added.format(place)) for place, one in enumerate(objects)],
        "manifest": [
            {
                "id": one["id"],
                "date_added": added.format(place),
                "version": one.get("modified", added.format(place)),
                "media_type": "application/stix+json;version=2.1",
            }
            for place, one in enumerate(objects)
        ],
    }
    information = {"title": "peer", "versions": ["application/taxii+json;version=2.1"], "max_content_length": 104857600}
    data = {
        "/discovery": {"title": "peer"},
        "peer": {"information": information, "status": [], "collections": [collection]},
    }
    config = {
        "backend": {**_BACKEND, "filename": str(folder / "data.json")},
        "users": {"reader": "secret"},
        "taxii": {"max_page_size": _PAGE},
    }
    (folder / "data.json").write_bytes(orjson.dumps(data))
    (folder / "config.json").write_bytes(orjson.dumps(config))
    (folder / "envelope.json").write_bytes(envelope)


def _as_it_keeps(one: dict[str, Any], added: str) -> dict[str, Any]:
    """An object without a version is kept with the moment it was added."""
    return one if "modified" in one or "created" in one else {**one, "_date_added": added}


def _own_python(folder: Path) -> str:
    home = folder / "venv"
    _run([sys.executable, "-m", "venv", str(home)])
    python = str(home / "bin" / "python")
    _run([python, "-m", "pip", "install", "--quiet", "medallion"])
    return python


def _measured(python: str, folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = orjson.loads(_run([python, "-I", str(_SCRIPT), str(folder)]))
    return told


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_LONGEST, check=False
        )  # named by who runs it
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchFailed(f"{command[0]} did not run: {error}") from None
    if done.returncode:
        raise BenchFailed(f"{' '.join(command[:4])} failed: {done.stderr.strip()[-500:]}")
    return done.stdout
