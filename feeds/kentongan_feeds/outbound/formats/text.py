"""Text that strangers wrote, made fit to stand in one field of one line."""

from __future__ import annotations

import re
from typing import Final

_BREAKS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]+")
_TURNS: Final = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069]")
"""Signs without width, and those that turn the direction of what follows (UAX 9)."""
_NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 section 2.2 does not take, lone surrogates among them."""


def one_line(text: str, most: int = 1_000) -> str:
    """Without line breaks, control characters and signs that turn the direction: each run of them is a blank; cut at `most`.

    Example: one_line("a\\r\\n\\tb") == "a b".
    """
    return writable(_BREAKS.sub(" ", _TURNS.sub("", text)).strip())[:most]


def writable(text: str) -> str:
    """Without what cannot be written as XML or UTF-8, each sign of it as the sign for what is missing."""
    return _NOT_IN_XML.sub("\ufffd", text)
