"""What a service may refuse. Only the doors know which status code that is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


class NotFound(Exception):
    """There is no such thing for this reader: unknown and forbidden are the same, and say the same."""


class NotYours(Exception):
    """Who asks may see it, and it is another organization's."""


class Refused(Exception):
    """The wish cannot be granted as it was put; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Stone:
    """What is left of something that was erased: `kind` is submission or incident, `sha256` that of a submission's bytes."""

    id: str
    kind: str
    organization: str
    received_at: datetime
    sha256: str | None
    erased_at: datetime
    who: str
    reason: str


class Erased(Exception):
    """It was the reader's own and is gone. `stone` is what is left of it; None where only the document as received is gone."""

    def __init__(self, words: str, stone: Stone | None = None) -> None:
        super().__init__(words)
        self.stone = stone
