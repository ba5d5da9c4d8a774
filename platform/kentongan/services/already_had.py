"""Tightening takes effect at once, but what somebody has they have: who that is, as far as it can be proven.

The proofs are deliveries and the audit trail. Only the organization whose incident it is is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from kentongan.domain.audit import Act
from kentongan.domain.identity import Identity
from kentongan.domain.policy import may_see
from kentongan.domain.versions import Outcome
from kentongan.services.recall import DELIVERED
from kentongan.services.receipts import Receipt
from kentongan.storage.alerts import Alert, Delivery
from kentongan.storage.audit import AuditEntry
from kentongan.storage.groups import memberships
from kentongan.storage.incidents import Incident
from kentongan.storage.organizations import Organization
from kentongan.storage.visibility import audiences


@dataclass(frozen=True, slots=True)
class AlreadyHad:
    """An incident, and the organizations that were sent it or read it before and may not see it any more."""

    incident: str
    organizations: tuple[str, ...]


def already_had(session: Session, owner: Identity, receipt: Receipt) -> tuple[AlreadyHad, ...]:
    """For every incident of which this receipt brought a new version, and which somebody has who is now left out.

    The session must read all rows: deliveries to others are among the proofs.
    """
    amended = {each.id for each in receipt.objects if each.outcome is Outcome.NEW_VERSION and each.type == "incident"}
    if not amended:
        return ()
    mine = select(Incident).where(
        Incident.stix_id.in_([one for one in amended if one]), Incident.organization_id == owner.organization_id
    )
    incidents = session.scalars(mine.order_by(Incident.id)).all()
    had = _had(session, incidents)
    audience_of = audiences(session, [incident.audience_id for incident in incidents])
    living = memberships(session)
    known = {one.id: one for one in session.scalars(select(Organization).where(Organization.id.in_(_all(had))))}
    found = []
    for incident in incidents:
        out = [
            known[number].name
            for number in had[incident.id]
            if number in known and not may_see(known[number].identity(), audience_of[incident.audience_id], living)
        ]
        if out:
            found.append(AlreadyHad(incident.stix_id, tuple(sorted(out))))
    return tuple(found)


def _had(session: Session, incidents: Sequence[Incident]) -> dict[int, set[int]]:
    """The organizations that were delivered an alert about each incident, or read it."""
    had: dict[int, set[int]] = defaultdict(set)
    delivered = (
        select(Alert.incident_id, Delivery.organization_id)
        .join(Delivery, Delivery.alert_id == Alert.id)
        .where(Alert.incident_id.in_([incident.id for incident in incidents]), Delivery.state == DELIVERED)
    )
    for incident_id, organization_id in session.execute(delivered):
        had[incident_id].add(organization_id)
    for incident in incidents:
        # An entry's subject is the thing itself, or its details list it among others.
        names = (f"incident {incident.public_id}", f"object {incident.stix_id}")
        told = or_(*(or_(AuditEntry.subject == name, AuditEntry.details.contains(name)) for name in names))
        readers = select(AuditEntry.organization_id).where(
            AuditEntry.about_id == incident.organization_id,
            AuditEntry.act == Act.READ.value,
            AuditEntry.at >= incident.received_at,
            told,
        )
        had[incident.id] |= {number for number in session.scalars(readers.distinct()) if number is not None}
    return had


def _all(had: dict[int, set[int]]) -> Iterable[int]:
    return {number for numbers in had.values() for number in numbers}
