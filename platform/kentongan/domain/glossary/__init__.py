"""What every report of an incident speaks of, in the region's languages, so that texts in two of them meet.

`ransomware`, `perisian tebusan` and `มัลแวร์เรียกค่าไถ่` are one concept. A word of this list is common wherever it stands: that two
reports both speak of stolen data says less than that both speak of a tender portal. Own work (`words.txt`, a concept a line);
English, Indonesian, Malay, Filipino, Vietnamese (without tones), Portuguese, Thai, Lao, Khmer and Burmese.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

_LINES = resources.files(__package__).joinpath("words.txt").read_text("utf-8").splitlines()

SPOKEN: Mapping[str, str] = {
    phrase: f"={concept}"
    for concept, _, spoken in (line.partition(": ") for line in reversed(_LINES))
    for phrase in spoken.split("|")
}
"""Each word or phrase with its concept. Example: `kebocoran` is `=leak`; of two lines that hold one word the first counts."""


def is_concept(word: str) -> bool:
    """Whether a word of `wording.telling_words` is one of the concepts here: common wherever it stands."""
    return word.startswith("=")
