"""What people decide about two incidents: whether they report one event, or belong to one campaign."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from flask import Response
from pydantic import Field

from kentongan.api.asked import Asked, body_as
from kentongan.api.operation import Answer, RequestBody, answer, operation
from kentongan.domain.decisions import Verdict
from kentongan.domain.identity import Identity, Scope
from kentongan.services.decide import LONGEST_REASON, Decide
from kentongan.services.read_decisions import DecisionView, ReadDecisions
from kentongan.storage.jobs import Stage
from kentongan.threshold.body import small_json
from kentongan.threshold.installation import installation

Reason = Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]
_REFUSES: Final = ("unreadable", "not-found", "too-large", "wrong-type", "refused")


class Decided(Asked):
    """What is said of two incidents."""

    other: Annotated[str, Field(min_length=1, max_length=255, pattern="^[A-Za-z0-9-]+$")]
    """The other incident, by the platform's id or by its STIX id."""
    verdict: Literal["together", "apart"]
    """Whether they belong together."""
    kind: Literal["duplicate-of", "related-to"] = "duplicate-of"
    """In which way: reports of one event, or incidents of one campaign."""
    reason: Reason
    """Why. Whoever sees both incidents reads it."""


class TakenBack(Asked):
    """Why a decision is taken back."""

    reason: Reason
    """Whoever sees both incidents reads it."""


@operation(
    "GET",
    "/incidents/<incident_id>/decisions",
    "What was decided about an incident",
    scope=Scope.READ,
    answers={200: Answer("The history, the newest first, of pairs that you see both of.", tuple[DecisionView, ...])},
    refuses=("not-found",),
)
def list_decisions(reader: Identity, incident_id: str) -> Response:
    """Decisions, opinions, and what was taken back; at most 200."""
    with installation().database.reading_for(reader) as session:
        found = ReadDecisions(session).about(reader, incident_id)
    return answer(found)


@operation(
    "POST",
    "/incidents/<incident_id>/decisions",
    "Say whether two incidents belong together",
    scope=Scope.DECIDE,
    body=RequestBody("What you say of the two.", model=Decided),
    answers={201: Answer("Entered; what it touches is worked out already.", DecisionView)},
    refuses=_REFUSES,
)
def decide(asker: Identity, incident_id: str) -> Response:
    """For all, if your organization owns one of the two and the owner of the other sees both, or if you coordinate the region; else
    it is an opinion."""
    wished = body_as(Decided, small_json())
    with installation().database.writing() as session:
        deciding = Decide(session, installation().clock, asker)
        made = deciding.decide(incident_id, wished.other, wished.kind, Verdict(wished.verdict), wished.reason)
    return _told(made, 201)


@operation(
    "DELETE",
    "/decisions/<decision_id>",
    "Take back what was decided",
    scope=Scope.DECIDE,
    body=RequestBody("Why.", model=TakenBack),
    answers={200: Answer("An entry of its own; what it touches is as it was.", DecisionView)},
    refuses=_REFUSES,
)
def undo_decision(asker: Identity, decision_id: str) -> Response:
    """What your organization decided; who coordinates the region may take back any. Everything is as if it had never been said."""
    wished = body_as(TakenBack, small_json())
    with installation().database.writing() as session:
        made = Decide(session, installation().clock, asker).undo(decision_id, wished.reason)
    return _told(made, 200)


def _told(made: DecisionView, status: int) -> Response:
    installation().nudge(Stage.MATCH)
    installation().nudge(Stage.PUBLISH)
    return answer(made, status)
