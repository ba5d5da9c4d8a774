"""Run by a Python that has medallion and not us, with a folder that holds `data.json`, `config.json` and `envelope.json`.

Reads everything in pages of 100, asks for the first page some times, adds the envelope, all inside one process and without a
network, as we are measured. Prints JSON: seconds, and how many objects were read.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from medallion import load_app  # type: ignore[import-not-found]  # the peer, never installed beside us

_OBJECTS = "/peer/collections/c0ffee00-0000-4000-8000-000000000001/objects/"
_ACCEPT = {"Accept": "application/taxii+json;version=2.1", "Content-Type": "application/taxii+json;version=2.1"}
_ROUNDS = 3


def main() -> None:
    """Measure."""
    folder = Path(sys.argv[1])
    client = load_app(str(folder / "config.json")).test_client()
    began = time.perf_counter()
    read, pages = _walk(client)
    told = {"read": read, "seconds": time.perf_counter() - began, "last": median(pages[-_ROUNDS:])}
    told["first"] = median(_timed(client, {"limit": 100})[0] for _ in range(_ROUNDS))
    began = time.perf_counter()
    answer = client.post(
        _OBJECTS, data=(folder / "envelope.json").read_bytes(), headers=_ACCEPT, auth=("reader", "secret")
    )
    told["add"] = time.perf_counter() - began
    if answer.status_code != 202:  # what TAXII says to an envelope that is taken
        raise SystemExit(f"an envelope was answered {answer.status_code}: {answer.text[:300]}")
    sys.stdout.write(json.dumps(told))
    sys.stdout.flush()
    os._exit(0)  # at once: nothing it still does is of use


def _walk(client: Any) -> tuple[int, list[float]]:
    read, pages, query = 0, [], {"limit": 100}
    while True:
        seconds, page = _timed(client, query)
        pages.append(seconds)
        read += len(page.get("objects", ()))
        if not page.get("more"):
            return read, pages
        query = {"limit": 100, "next": page["next"]}


def _timed(client: Any, query: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    began = time.perf_counter()
    answer = client.get(_OBJECTS, query_string=query, headers=_ACCEPT, auth=("reader", "secret"))
    seconds = time.perf_counter() - began
    if answer.status_code != 200:  # any other is no page
        raise SystemExit(f"a page was answered {answer.status_code}: {answer.text[:300]}")
    return seconds, json.loads(answer.data)


if __name__ == "__main__":
    main()
