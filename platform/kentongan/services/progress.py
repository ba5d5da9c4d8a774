"""How far the platform has come with a submission, told from the promises that are still open for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain.identity import Identity
from kentongan.services.errors import NotFound
from kentongan.storage.incidents import Incident
from kentongan.storage.jobs import JobRow, Stage
from kentongan.storage.objects import StixObject
from kentongan.storage.submissions import Submission

_AT_ONCE: Final = 5_000
_AFTER_INDEX: Final = (Stage.DEDUPLICATE, Stage.CORRELATE, Stage.MATCH)


class StepState(StrEnum):
    """Where a step of the road stands. `stuck`: it failed again and again, and waits for an operator."""

    DONE = "done"
    WAITING = "waiting"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True)
class Progress:
    """The steps of the road of a submission and its incidents; each waits as long as one before it does."""

    stored: StepState
    indexed: StepState
    deduplicated: StepState
    correlated: StepState
    matched: StepState

    @property
    def finished(self) -> bool:
        """Whether nothing is left to wait for."""
        return self.matched is StepState.DONE


class ReadProgress:
    """What an organization may ask about its own submissions while they are worked on."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def progress(self, identity: Identity, public_id: str) -> Progress:
        """How far it is. Raises NotFound for an unknown id and for another organization's alike."""
        row = self._session.execute(
            select(Submission.id, Submission.carried).where(
                Submission.public_id == public_id, Submission.organization_id == identity.organization_id
            )
        ).one_or_none()
        if row is None:
            raise NotFound(f"there is no submission {public_id}")
        steps = [self._state(Stage.INDEX, [row.id])]
        if steps[0] is StepState.DONE:
            incidents = self._incidents(identity, [pair[0] for pair in row.carried])
            steps += [self._state(stage, incidents) for stage in _AFTER_INDEX]
        return _progress(steps)

    def _state(self, stage: Stage, subjects: Sequence[int]) -> StepState:
        moments: set[datetime | None] = set()
        for start in range(0, len(subjects), _AT_ONCE):
            some = JobRow.subject_id.in_(subjects[start : start + _AT_ONCE])
            moments.update(self._session.scalars(select(JobRow.available_at).where(JobRow.stage == stage.value, some)))
        if not moments:
            return StepState.DONE
        return StepState.STUCK if None in moments else StepState.WAITING

    def _incidents(self, identity: Identity, object_ids: Sequence[int]) -> list[int]:
        found: set[int] = set()
        for start in range(0, len(object_ids), _AT_ONCE):
            some = object_ids[start : start + _AT_ONCE]
            carried = select(StixObject.stix_id).where(StixObject.id.in_(some), StixObject.type == "incident")
            own = Incident.organization_id == identity.organization_id
            found.update(self._session.scalars(select(Incident.id).where(Incident.stix_id.in_(carried), own)))
        return sorted(found)


def _progress(steps: Sequence[StepState]) -> Progress:
    told: list[StepState] = []
    for state in (*steps, *[StepState.DONE] * (4 - len(steps))):
        held_up = any(before is not StepState.DONE for before in told)
        told.append(StepState.WAITING if held_up and state is StepState.DONE else state)
    return Progress(StepState.DONE, *told)
