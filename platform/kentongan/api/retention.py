"""How long one's own organization wants things kept."""

from __future__ import annotations

from typing import Annotated, Final

from flask import Response
from pydantic import Field

from kentongan.api.asked import Asked, body_as
from kentongan.api.operation import Answer, RequestBody, answer, operation
from kentongan.domain.identity import Identity, Scope
from kentongan.domain.retention import LEAST_DAYS, MOST_DAYS, Retention
from kentongan.services.retention import Retentions
from kentongan.threshold.body import small_json
from kentongan.threshold.installation import installation

_SHAPE: Final = Retention


def _days(name: str) -> object:
    return Field(ge=LEAST_DAYS[name], le=MOST_DAYS)


class RetentionWished(Asked):
    """How many days things are kept; null: until they are erased."""

    incident_days: Annotated[int, _days("incident_days")] | None
    """An incident with all its versions, from the newest on; and what was sent without an incident."""
    content_days: Annotated[int, _days("content_days")] | None
    """The document as it was received; what was accepted of it stays."""
    log_days: Annotated[int, _days("log_days")] | None
    """What became of alerts to you."""


@operation(
    "GET",
    "/retention",
    "Read how long your things are kept",
    scope=Scope.ADMIN,
    answers={200: Answer("In days; null where they are kept until they are erased.", _SHAPE)},
)
def read_retention(asker: Identity) -> Response:
    """Of your own organization."""
    with installation().database.reading() as session:
        found = Retentions(session, installation().clock).of(asker.organization_id)
    return answer(found)


@operation(
    "PUT",
    "/retention",
    "Say how long your things are kept",
    scope=Scope.ADMIN,
    body=RequestBody("All three wishes.", model=RetentionWished),
    answers={200: Answer("As it is now.", _SHAPE)},
    refuses=("unreadable", "too-large", "wrong-type", "refused"),
)
def change_retention(asker: Identity) -> Response:
    """What is over by then is removed within minutes, for good; who was told of it is sent no recall."""
    wished = body_as(RetentionWished, small_json())
    wish = Retention(wished.incident_days, wished.content_days, wished.log_days)
    with installation().database.writing() as session:
        changed = Retentions(session, installation().clock).change(asker, asker.organization_id, wish)
    return answer(changed)
