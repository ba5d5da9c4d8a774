"""The one place where implementations are chosen, the same for web, workers, command line and tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import entry_points

from kentongan.domain.gate import Limits
from kentongan.settings import Settings
from kentongan.storage.database import Database
from kentongan.storage.jobs import Stage

Clock = Callable[[], datetime]
Nudge = Callable[[Stage], None]


@dataclass(frozen=True, slots=True)
class Kentongan:
    """One running installation: its settings and the ports that everything else is given."""

    settings: Settings
    database: Database
    clock: Clock
    nudge: Nudge
    """Wakes a worker for a stage after a commit. Never raises and never blocks: the sweep finds what no nudge reached."""

    @property
    def limits(self) -> Limits:
        """What the gate accepts at most."""
        return Limits(max_bytes=self.settings.max_bytes, max_objects=self.settings.max_objects)


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def no_nudge(_stage: Stage) -> None:
    """For commands and tests that run the stages themselves."""


def broker_nudge(settings: Settings) -> Nudge:
    """The nudge that the workers' distribution offers under the entry point `kentongan.nudge`.

    The core does not know Celery: the workers know the core, and tell it here how they are woken.
    """
    (offer,) = entry_points(group="kentongan.nudge")
    make: Callable[[Settings], Nudge] = offer.load()
    return make(settings)


def assemble(settings: Settings, *, clock: Clock = now, nudge: Nudge = no_nudge) -> Kentongan:
    """Choose the parts for these settings. Nothing is opened until it is used."""
    return Kentongan(settings, Database(settings.database), clock, nudge)
