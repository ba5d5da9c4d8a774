"""Reading incidents."""

from __future__ import annotations

from flask import Response

from kentongan.api.asked import Line, Moment, Paged, PublicId, Tlp, level_of_label
from kentongan.api.operation import Answer, answer, operation
from kentongan.domain.identity import Identity, Scope
from kentongan.services.explain import Explain, Explanation
from kentongan.services.paging import Page
from kentongan.services.read_incidents import IncidentFilter, IncidentView, ReadIncidents
from kentongan.services.summaries import IncidentSummary
from kentongan.threshold.installation import installation


class IncidentsAsked(Paged):
    """Which incidents."""

    country: Line | None = None
    """A country of the event, as ISO 3166-1 names it with two letters, in any case."""
    sector: Line | None = None
    """A sector of a victim, in any case."""
    rsit_class: Line | None = None
    """The class of the Reference Security Incident Taxonomy, as sent: intrusions, fraud, ..."""
    rsit_type: Line | None = None
    """The type within its class, as sent: phishing, system-compromise, ..."""
    severity: Line | None = None
    """The severity, as sent: C1 to C6."""
    tlp: Tlp | None = None
    """The level the incident is marked with. Write the plus of AMBER+STRICT as %2B."""
    reporter: Line | None = None
    """The name of the organization that submitted it."""
    case: PublicId | None = None
    """The id of a case."""
    campaign: PublicId | None = None
    """The id of a campaign."""
    observable: Line | None = None
    """A value it carries, in any spelling: EVIL[.]example finds evil.example."""
    q: Line | None = None
    """A text somewhere in its title."""
    received_after: Moment | None = None
    """Received then or later."""
    received_before: Moment | None = None
    """Received earlier."""
    happened_after: Moment | None = None
    """Happened then or later, as far as the reporter said when."""
    happened_before: Moment | None = None
    """Happened earlier, as far as the reporter said when."""

    def wanted(self) -> IncidentFilter:
        """As the service takes it."""
        parts = self.model_dump(exclude={"limit", "cursor", "q", "tlp"})
        return IncidentFilter(text=self.q, tlp=level_of_label(self.tlp) if self.tlp else None, **parts)


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
