"""Pack the synonyms of malware and actors of the MISP galaxy into the one file that Kentongan ships.

    python scripts/build_synonyms.py SOURCE

SOURCE holds the clusters as JSON, one file per kind, as in https://github.com/MISP/misp-galaxy/tree/main/clusters (CC0 1.0).
Writes platform/kentongan/domain/synonyms/names.txt.gz, a group a line; the same input gives the same bytes.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "platform"))

from kentongan.domain.wording import name_key  # noqa: E402 (the path is set above)

TARGET = ROOT / "platform/kentongan/domain/synonyms/names.txt.gz"
KINDS = ("banker", "botnet", "ransomware", "rat", "stealer", "threat-actor", "tool")


def main(source: str) -> None:
    listed = [
        cluster
        for kind in KINDS
        for cluster in json.loads((Path(source) / f"{kind}.json").read_text("utf-8"))["values"]
    ]
    groups = [names_of(cluster["value"], cluster.get("meta", {}).get("synonyms", ())) for cluster in listed]
    claims: dict[str, set[str]] = defaultdict(set)
    for first, *others in groups:
        for name in others:
            claims[name].add(first)
    firsts = {group[0] for group in groups}
    lines = []
    for first in sorted(firsts):
        own = sorted(name for name, claimed in claims.items() if claimed == {first} and name not in firsts)
        if own:
            lines.append(" ".join([first, *own]))
    TARGET.write_bytes(gzip.compress("\n".join(lines).encode(), compresslevel=9, mtime=0))
    sys.stdout.write(f"{len(lines)} groups, {TARGET.stat().st_size} bytes\n")


def names_of(name: str, synonyms: list[str]) -> list[str]:
    """A cluster's own name first, then its others; names of one or two letters name nothing."""
    keys = [name_key(one) for one in (name, *synonyms)]
    return list(dict.fromkeys([keys[0], *(key for key in keys if len(key) > 2)]))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
