"""Reading incidents."""

from __future__ import annotations

from flask import Response

from kentongan.api.asked import Line, Paged, PublicId
from kentongan.api.incidents_wanted import IncidentsWanted
from kentongan.api.operation import Answer, answer, operation
from kentongan.domain.identity import Identity, Scope
from kentongan.services.explain import Explain, Explanation
from kentongan.services.paging import Page
from kentongan.services.read_incidents import IncidentView, ReadIncidents
from kentongan.services.summaries import IncidentSummary
from kentongan.threshold.installation import installation


class IncidentsAsked(Paged, IncidentsWanted):
    """Which incidents."""

    case: PublicId | None = None
    """The id of a case."""
    campaign: PublicId | None = None
    """The id of a campaign."""
    observable: Line | None = None
    """A value it carries, in any spelling: EVIL[.]example finds evil.example."""


@operation(
    "GET",
    "/incidents",
    "List incidents",
    scope=Scope.READ,
    query=IncidentsAsked,
    answers={200: Answer("A page, the last received first.", Page[IncidentSummary])},
)
def list_incidents(reader: Identity, query: IncidentsAsked) -> Response:
    """Incidents you may see, narrowed by every parameter given."""
    with installation().database.reading_for(reader) as session:
        page = ReadIncidents(session).page(reader, query.wanted(), query.limit, query.cursor)
    return answer(page)


@operation(
    "GET",
    "/incidents/<incident_id>/explanation/<other_id>",
    "Why two incidents are tied, or not",
    scope=Scope.READ,
    answers={200: Answer("Both questions, one event and one campaign, with what speaks for and against.", Explanation)},
    refuses=("not-found",),
)
def explain_incidents(reader: Identity, incident_id: str, other_id: str) -> Response:
    """From what you may see of both; a link that rests on nothing you may see is not told of."""
    with installation().database.reading_for(reader) as session:
        told = Explain(session).explain(reader, incident_id, other_id)
    return answer(told)


@operation(
    "GET",
    "/incidents/<incident_id>",
    "Read one incident",
    scope=Scope.READ,
    answers={200: Answer("The incident with its versions, case, campaign and links.", IncidentView)},
    refuses=("not-found",),
)
def read_incident(reader: Identity, incident_id: str) -> Response:
    """By the platform's id or by its STIX id. Where several organizations submitted the same STIX id, the owner's comes first."""
    with installation().database.reading_for(reader) as session:
        view = ReadIncidents(session).incident(reader, incident_id)
    return answer(view)
