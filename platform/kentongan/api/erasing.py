"""Taking back what one's own organization sent."""

from __future__ import annotations

from typing import Annotated, Final

from flask import Response
from pydantic import Field
from sqlalchemy.orm import Session

from kentongan.api.asked import Asked, body_as
from kentongan.api.operation import Answer, RequestBody, answer, operation
from kentongan.domain.identity import Identity, Scope
from kentongan.services.erase import LONGEST_REASON, Erase
from kentongan.services.errors import Stone
from kentongan.storage.jobs import Stage
from kentongan.threshold.body import optional_json
from kentongan.threshold.installation import installation


class Erasure(Asked):
    """Why something is erased."""

    reason: Annotated[str, Field(max_length=LONGEST_REASON)] = ""
    """In your own words; it stays with the tombstone, so put nothing there that must not stay."""


_BODY: Final = RequestBody("The reason, if you want one kept.", model=Erasure, required=False)
_REFUSES: Final = ("unreadable", "not-found", "erased", "too-large", "wrong-type", "refused")


@operation(
    "DELETE",
    "/submissions/<submission_id>",
    "Erase one of your submissions",
    scope=Scope.SUBMIT,
    body=_BODY,
    answers={200: Answer("It is gone, for good; this is what is left of it.", Stone)},
    refuses=_REFUSES,
)
def erase_submission(sender: Identity, submission_id: str) -> Response:
    """With everything that nobody else sent too. Who was sent an alert about an incident of it is sent a recall."""
    wished = body_as(Erasure, optional_json())
    with installation().database.writing() as session:
        stone = _erase(session).submission(sender, sender.organization_id, submission_id, wished.reason)
    return _told(stone)


@operation(
    "DELETE",
    "/incidents/<incident_id>",
    "Erase one of your incidents",
    scope=Scope.SUBMIT,
    body=_BODY,
    answers={200: Answer("It is gone with all its versions, for good; this is what is left of it.", Stone)},
    refuses=_REFUSES,
)
def erase_incident(sender: Identity, incident_id: str) -> Response:
    """By the platform's id or by its STIX id. A document that held other incidents too keeps them, and can no longer be read back
    as it was received."""
    wished = body_as(Erasure, optional_json())
    with installation().database.writing() as session:
        stone = _erase(session).incident(sender, sender.organization_id, incident_id, wished.reason)
    return _told(stone)


def _erase(session: Session) -> Erase:
    return Erase(session, installation().clock)


def _told(stone: Stone) -> Response:
    installation().nudge(Stage.DEDUPLICATE)
    installation().nudge(Stage.DELIVER)
    return answer(stone)
