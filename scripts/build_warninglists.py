"""Pack a folder of MISP warning lists into the one file that Kentongan ships.

    python scripts/build_warninglists.py SOURCE

SOURCE holds the lists as JSON, one file per list, as in https://github.com/MISP/misp-warninglists (CC0 1.0).
Writes platform/kentongan/domain/warninglists/lists.txt.gz; the same input gives the same bytes.
"""

from __future__ import annotations

import gzip
import ipaddress
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "platform"))

from kentongan.domain.observables import normal_form, recognise  # noqa: E402 (the path is set above)
from kentongan.domain.warninglists.meanings import EVERYBODYS, HOSTING, INFORMATIVE, LEFT_OUT  # noqa: E402

TARGET = ROOT / "platform/kentongan/domain/warninglists/lists.txt.gz"


def main(source: str) -> None:
    lines: list[str] = []
    for path in sorted(Path(source).glob("*.json")):
        if path.stem in LEFT_OUT:
            continue
        if path.stem not in EVERYBODYS | HOSTING | INFORMATIVE:
            raise SystemExit(f"{path.stem}: meanings.py does not say what this list means")
        lines += packed(path.stem, json.loads(path.read_text("utf-8")))
    TARGET.write_bytes(gzip.compress("\n".join(lines).encode(), compresslevel=9, mtime=0))
    sys.stdout.write(f"{len(lines)} lines, {TARGET.stat().st_size} bytes\n")


def packed(slug: str, listed: dict[str, Any]) -> list[str]:
    """The lines of one list: its heading and its values, sorted."""
    kind = listed["type"]
    values = {value for sent in listed["list"] for value in normal(kind, sent.strip())}
    return [f"={slug}\t{kind}\t{' '.join(listed['name'].split())}", *sorted(values)]


def normal(kind: str, sent: str) -> Iterator[str]:
    """A value of a list in our normal form, if it is one that we know; a leading dot means "and all below"."""
    if kind == "regex":
        yield sent.removeprefix("/").rpartition("/")[0] if sent.startswith("/") else sent
    elif kind == "cidr":
        yield str(ipaddress.ip_network(sent, strict=False))
    elif sent.startswith("."):
        found = normal_form("domain", sent[1:])
        yield from [f".{found.value}"] if found else []
    else:
        found = recognise(sent) or normal_form("domain", sent)
        yield from [found.value] if found else []


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
