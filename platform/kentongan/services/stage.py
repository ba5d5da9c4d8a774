"""What the stages of the road have in common: first they look, then they keep."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy.orm import Session

Clock = Callable[[], datetime]
Found = TypeVar("Found")


class StageService(ABC, Generic[Found]):
    """One stage of the road. It may run twice for the same subjects, and never commits.

    Looking may take place in another, earlier transaction than keeping: it is the longer part, and whoever keeps holds up
    everybody else who writes. What is looked up must therefore not change any more, or be looked up again while keeping.
    """

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    @abstractmethod
    def look(self, subject_ids: Sequence[int]) -> Found:
        """Read what these subjects need, and work out what follows; writes nothing."""

    @abstractmethod
    def keep(self, found: Found) -> None:
        """Write what was found, and promise the next stage."""

    def run(self, subject_ids: Sequence[int]) -> None:
        """Both in one transaction."""
        self.keep(self.look(subject_ids))
