"""What stands around some incidents, each thing with its audience, so that one look-up answers for every recipient.

Nothing is asked per recipient: `sight` reduces what was loaded to what a set of audiences may see.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, and_, select, union
from sqlalchemy.orm import Session, aliased

from kentongan.domain.alert import INTRODUCTIONS, AlertKind, Sight
from kentongan.domain.incident import IncidentFacts, Observable
from kentongan.services import facts_codec
from kentongan.services.read_links import evidence_for
from kentongan.services.seen_cases import CasesForMany, Report
from kentongan.storage.alerts import Alert, Delivery, told
from kentongan.storage.cases import RELATED_TO, Case, Link
from kentongan.storage.incidents import Incident
from kentongan.storage.objects import ObjectCarrier, StixObject
from kentongan.storage.observables import WITHIN, Posting, StoredObservable
from kentongan.storage.visibility import AudienceRow

_INTRODUCTIONS: Final = sorted(kind.value for kind in INTRODUCTIONS)
_Other: Final = aliased(Incident, name="other_incident")


@dataclass(frozen=True, slots=True)
class Tie:
    """A related-to link from one incident to another of another case in the same campaign."""

    other_id: int
    other_audience_id: int
    evidence: Collection[dict[str, Any]]  # as the links table keeps it
    found_at: datetime


class Sights:
    """What stands around these incidents, loaded with a fixed number of queries."""

    def __init__(self, session: Session, incidents: Collection[Incident]) -> None:
        self._session = session
        self._ids = [incident.id for incident in incidents]
        self._facts: dict[int, IncidentFacts] = {}
        self._earlier_versions = _grouped(session.execute(_earlier_versions(self._ids)))
        self._cases = CasesForMany(session, {one.id: Report(one.public_id, one.received_at) for one in incidents})
        self._later_reports = self._heard_of_later_reports()
        self._ties = self._campaign_ties()
        self._told_ties = self._told_of_ties()
        self._postings: dict[int, list[tuple[int, Observable]]] | None = None
        self._observables: dict[tuple[int, frozenset[int]], frozenset[Observable]] = {}

    def facts(self, incident: Incident) -> IncidentFacts:
        """What the incident's newest version says."""
        if incident.id not in self._facts:
            self._facts[incident.id] = facts_codec.read(incident.facts)
        return self._facts[incident.id]

    def observables(self, incident: Incident, visible: frozenset[int]) -> frozenset[Observable]:
        """The values of the incident that may be seen by who belongs to the audiences `visible`."""
        if self._postings is None:
            self._postings = _postings(self._session, self._ids)
        key = (incident.id, visible)
        if key not in self._observables:
            seen = self._postings.get(incident.id, ())
            self._observables[key] = frozenset(observable for audience, observable in seen if audience in visible)
        return self._observables[key]

    def sight(self, incident: Incident, visible: frozenset[int]) -> Callable[[int], Sight]:
        """What who belongs to `visible` may see around an incident; a function of the subscription, whose past counts too."""
        versions = not visible.isdisjoint(self._earlier_versions[incident.id])
        others = set(self._cases.of(incident.id, visible).members) - {incident.id}
        reports = any(self._came_first(other, incident) for other in others)
        introduced = {who for other, who in self._later_reports[incident.id] if other in others}
        ties = [tie for tie in self._ties[incident.id] if _is_visible(tie, visible)]

        def of(subscription_id: int) -> Sight:
            return Sight(
                version=incident.object_id,
                revoked=incident.revoked,
                earlier_version=versions,
                earlier_report=reports or subscription_id in introduced,
                campaign_tie=any(not self._is_told(tie, subscription_id) for tie in ties),
            )

        return of

    def remember(self, incident: Incident, subscription_id: int, at: datetime) -> None:
        """This subscription is about to hear that a campaign grew by this incident: the other ends are no news any more."""
        self._told_ties[incident.id, subscription_id] = at

    def _came_first(self, other_id: int, incident: Incident) -> bool:
        """Whether a report of the same case was there before this version of the incident."""
        other = self._cases.report(other_id)
        return not other.revoked and (other.received_at, other_id) < (incident.amended_at, incident.id)

    def _is_told(self, tie: Tie, subscription_id: int) -> bool:
        at = self._told_ties.get((tie.other_id, subscription_id))
        return at is not None and at >= tie.found_at

    def _heard_of_later_reports(self) -> dict[int, set[tuple[int, int]]]:
        """Who was introduced to a report of the same case that came later: it was faster on the road.

        Asked only for incidents that nobody was told of yet; who was told of one is not introduced to it again.
        """
        found: dict[int, set[tuple[int, int]]] = defaultdict(set)
        if fresh := self._fresh():
            for incident_id, other_id, subscription_id in self._session.execute(_introduced_to_later_reports(fresh)):
                found[incident_id].add((other_id, subscription_id))
        return found

    def _fresh(self) -> list[int]:
        known = set(self._session.scalars(select(Alert.incident_id).where(Alert.incident_id.in_(self._ids))))
        return [number for number in self._ids if number not in known]

    def _campaign_ties(self) -> dict[int, list[Tie]]:
        ties: dict[int, list[Tie]] = defaultdict(list)
        for row in self._session.execute(_campaign_links(self._ids)):
            link, left_audience, right_audience, left_revoked, right_revoked = row
            if link.left_id in self._ids and not right_revoked:
                ties[link.left_id].append(Tie(link.right_id, right_audience, link.evidence, link.found_at))
            if link.right_id in self._ids and not left_revoked:
                ties[link.right_id].append(Tie(link.left_id, left_audience, link.evidence, link.found_at))
        return ties

    def _told_of_ties(self) -> dict[tuple[int, int], datetime]:
        """When a subscription last heard of the other end that a campaign grew: both ends of a tie are one piece of news."""
        ties = [tie for some in self._ties.values() for tie in some]
        if not ties:
            return {}
        since = min(tie.found_at for tie in ties)
        grew = told({tie.other_id for tie in ties}).where(
            Alert.kind == AlertKind.CAMPAIGN_GREW.value, Alert.created_at >= since
        )
        rows = self._session.execute(grew.order_by(Alert.created_at)).all()
        return {(row.incident_id, row.subscription_id): row.created_at for row in rows}


def _is_visible(tie: Tie, visible: frozenset[int]) -> bool:
    return tie.other_audience_id in visible and bool(evidence_for(visible, tie.evidence))


def _grouped(rows: Iterable[Any]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    for incident_id, audience_id in rows:
        found[incident_id].add(audience_id)
    return found


def _earlier_versions(ids: Collection[int]) -> Select[int, int]:
    """The audiences that the reporter's other versions of an incident were carried to."""
    return (
        select(Incident.id, ObjectCarrier.audience_id)
        .join(StixObject, and_(StixObject.stix_id == Incident.stix_id, StixObject.id != Incident.object_id))
        .join(ObjectCarrier, ObjectCarrier.object_id == StixObject.id)
        .join(AudienceRow, AudienceRow.id == ObjectCarrier.audience_id)
        .where(Incident.id.in_(ids), AudienceRow.owner_id == Incident.organization_id)
        .distinct()
    )


def _introduced_to_later_reports(ids: Collection[int]) -> Select[int, int, int]:
    return (
        select(Incident.id, _Other.id, Delivery.subscription_id)
        .join(_Other, and_(_Other.case_id == Incident.case_id, _Other.id != Incident.id))
        .join(Alert, and_(Alert.incident_id == _Other.id, Alert.kind.in_(_INTRODUCTIONS)))
        .join(Delivery, Delivery.alert_id == Alert.id)
        .where(Incident.id.in_(ids), ~_Other.revoked)
        .distinct()
    )


def _campaign_links(ids: Collection[int]) -> Select[Link, int, int, bool, bool]:
    left, right = aliased(Incident, name="left_incident"), aliased(Incident, name="right_incident")
    left_case, right_case = aliased(Case, name="left_case"), aliased(Case, name="right_case")
    return (
        select(Link, left.audience_id, right.audience_id, left.revoked, right.revoked)
        .join(left, left.id == Link.left_id)
        .join(right, right.id == Link.right_id)
        .join(left_case, left_case.id == left.case_id)
        .join(right_case, right_case.id == right.case_id)
        .where(
            Link.kind == RELATED_TO,
            # Two look-ups by index: a database asked for either end at once may read all links.
            Link.id.in_(
                union(select(Link.id).where(Link.left_id.in_(ids)), select(Link.id).where(Link.right_id.in_(ids)))
            ),
            left.case_id != right.case_id,
            left_case.campaign_id == right_case.campaign_id,
        )
    )


def _postings(session: Session, ids: Collection[int]) -> dict[int, list[tuple[int, Observable]]]:
    rows = session.execute(
        select(Posting.incident_id, Posting.audience_id, StoredObservable.kind, StoredObservable.value)
        .join(StoredObservable, StoredObservable.id == Posting.observable_id)
        .where(Posting.incident_id.in_(ids), Posting.origin != WITHIN)
    )
    found: dict[int, list[tuple[int, Observable]]] = defaultdict(list)
    for incident_id, audience_id, kind, value in rows:
        found[incident_id].append((audience_id, Observable(kind, value)))
    return found
