"""Index entries for texts: two incidents whose words are alike share one, with high probability.

MinHash (Broder 1997) with bands (Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, 3.4). A report is often a part of
another, so besides the whole text each of its first and last sentences has bands of its own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from rensa import RMinHash

from kentongan.domain import wording
from kentongan.domain.incident import IncidentFacts

_ROWS = 3
_WHOLE_BANDS = 6
_SENTENCE_BANDS = 2
_SENTENCE = re.compile(r"(?<=[.!?;។။])\s+|\n+")
_FEWEST_WORDS = 5
_MOST_SENTENCES = 4
_MOST_NUMBERS = 4


def text_bands(facts: IncidentFacts) -> frozenset[int]:
    """The bands (63-bit numbers, 28 at most) of an incident's title and description; none where it says next to nothing.

    Two texts with two thirds of their words in common share a band of the whole with probability 0.9, two sentences with
    nine tenths of theirs with 0.93. The longest numbers told have bands of their own: they are the same in every language.
    """
    known = {word for victim in facts.victims if victim.name for word in wording.telling_words(victim.name)}
    known |= {word for name in (*facts.malware, *facts.actors) for word in wording.telling_words(name)}
    words = wording.telling_words(f"{facts.title}\n{facts.description}") - known
    found = set(_bands(words, "whole", _WHOLE_BANDS))
    numbers = sorted(
        (word for word in words if word.startswith("#") and len(word) > 4), key=lambda word: (-len(word), word)
    )
    found |= {_band(word) for word in numbers[:_MOST_NUMBERS]}
    sentences = [part for part in _SENTENCE.split(facts.description[:20_000]) if part.strip()]
    half = _MOST_SENTENCES // 2
    for sentence in dict.fromkeys([*sentences[:half], *sentences[-half:]]):
        found |= set(_bands(wording.telling_words(sentence) - known, "sentence", _SENTENCE_BANDS))
    return frozenset(found)


def _bands(words: frozenset[str], part: str, count: int) -> Iterator[int]:
    if len(words) < _FEWEST_WORDS:
        return
    signature = RMinHash(num_perm=_ROWS * count, seed=1)
    signature.update(sorted(words))
    digest = signature.digest()
    for band in range(count):
        rows = digest[band * _ROWS : (band + 1) * _ROWS]
        yield _band(f"{part} {band} {rows}")


def _band(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 1
