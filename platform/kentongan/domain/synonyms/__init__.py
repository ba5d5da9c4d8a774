"""Other names of malware and actors: who says `Fancy Bear` and who says `APT28` mean one actor.

The names are those of the MISP project's galaxy (NOTICE.md), shipped compactly by scripts/build_synonyms.py.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources


def known_name(key: str) -> str:
    """The one name that stands for a malware's or actor's name; both as `wording.name_key` makes them. Unknown names stand for
    themselves. Example: `fancybear` and `apt28` both give `apt28`."""
    return _names().get(key, key)


@lru_cache(maxsize=1)
def _names() -> Mapping[str, str]:
    packed = resources.files(__package__).joinpath("names.txt.gz").read_bytes()
    groups = (line.split(" ") for line in gzip.decompress(packed).decode("utf-8").splitlines())
    return {name: first for first, *others in groups for name in others}
