"""The passwords that are tried first because many people chose them. Where they come from stands in NOTICE.md."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path


def is_common(word: str) -> bool:
    """Whether this word, in lower case, is one of the 30,000 most chosen passwords."""
    return word in _listed()


@cache
def _listed() -> frozenset[str]:
    packed = Path(__file__).with_name("list.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode().split("\n"))
