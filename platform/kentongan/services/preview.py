"""Before you submit: who would see what, and whom alerts would go to.

Nothing here foretells: the document goes through the services that would take it, in a session that is rolled back at its end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain.alert import AlertKind
from kentongan.domain.identity import Identity
from kentongan.domain.marking import Level
from kentongan.domain.policy import Audience, may_see
from kentongan.domain.redaction import plain
from kentongan.domain.versions import CHANGES_NOTHING
from kentongan.services.examine import Examined
from kentongan.services.index import Index
from kentongan.services.match import Match
from kentongan.services.receipts import Receipt
from kentongan.services.submit import Submit
from kentongan.storage.alerts import Alert, Delivery, Subscription
from kentongan.storage.groups import SharingGroup, memberships
from kentongan.storage.incidents import Incident
from kentongan.storage.objects import parts_of
from kentongan.storage.organizations import Organization
from kentongan.storage.persons import Person
from kentongan.storage.submissions import Submission
from kentongan.storage.visibility import audiences

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Readers:
    """Who would see some objects, named by their positions in the document, from 0; or, with `selectors`, these parts of one.

    `everyone`: also who has no account (TLP:CLEAR), so that no organization is listed. `persons` are those named in a RED
    marking; `organizations` are whole teams, the sender among them.
    """

    objects: tuple[int, ...]
    tlp: str
    sharing_groups: tuple[str, ...]
    everyone: bool
    organizations: tuple[str, ...]
    persons: tuple[str, ...]
    selectors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ForeseenAlert:
    """One alert that would go out: to whom, over which channel, about which incident; `update` where it was reported before."""

    organization: str
    channel: str
    incident: str
    update: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What submitting a document would do."""

    receipt: Receipt
    readers: tuple[Readers, ...]
    alerts: tuple[ForeseenAlert, ...]


class Previews:
    """Tries documents out. The session must be one whose work is thrown away (`Database.trying`)."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def preview(self, sender: Identity, examined: Examined, *, atomic: bool = False) -> Preview:
        """What `Submit.submit` would answer, who could read each object then, and the alerts that would follow from the
        document alone: whether others' reports turn one into news of a case is known when it is there. Raises as `submit`."""
        submit = Submit(self._session, self._clock)
        receipt = submit.try_out(sender, examined, atomic=atomic)
        kept = submit.submit(sender, examined, atomic=atomic)
        stored = self._session.scalars(select(Submission).where(Submission.public_id == kept.id)).one()
        return Preview(receipt, self._readers(receipt, stored), () if kept.repeated else self._alerts(stored))

    def _readers(self, receipt: Receipt, stored: Submission) -> tuple[Readers, ...]:
        accepted = [outcome.position for outcome in receipt.objects if outcome.outcome not in CHANGES_NOTHING]
        carried = dict(zip(accepted, stored.carried, strict=True))
        positions: dict[int, list[int]] = defaultdict(list)
        for position, (_, number) in carried.items():
            positions[number].append(position)
        parts = parts_of(self._session, sorted({object_id for object_id, _ in carried.values()}))
        found = audiences(self._session, {*positions, *(number for each in parts.values() for number in each)})
        ordered = sorted(positions.items(), key=lambda item: item[1])
        whole = [self._readers_of(tuple(objects), found[number]) for number, objects in ordered]
        divided = [
            replace(self._readers_of((position,), found[number]), selectors=tuple(map(plain, selectors)))
            for position, (object_id, carried_to) in carried.items()
            for number, selectors in parts.get((object_id, carried_to), {}).items()
        ]
        return (*whole, *divided)

    def _readers_of(self, objects: tuple[int, ...], audience: Audience) -> Readers:
        everyone = audience.level is Level.CLEAR and not audience.mask
        return Readers(
            objects=objects,
            tlp=audience.level.label,
            sharing_groups=self._names(SharingGroup, audience.groups),
            everyone=everyone,
            organizations=() if everyone else self._organizations(audience),
            persons=self._names(Person, audience.persons),
        )

    def _organizations(self, audience: Audience) -> tuple[str, ...]:
        living = memberships(self._session)
        known = self._session.scalars(select(Organization).order_by(Organization.name))
        return tuple(one.name for one in known if may_see(one.identity(), audience, living))

    def _names(self, table: type[SharingGroup | Person], numbers: frozenset[int]) -> tuple[str, ...]:
        return tuple(self._session.scalars(select(table.name).where(table.id.in_(numbers)).order_by(table.name)))

    def _alerts(self, stored: Submission) -> tuple[ForeseenAlert, ...]:
        Index(self._session, self._clock).run([stored.id])
        incidents = self._session.scalars(select(Incident.id).where(Incident.submission_id == stored.id)).all()
        Match(self._session, self._clock).run(incidents)
        rows = self._session.execute(
            select(Organization.name, Subscription.channel, Incident.stix_id, Alert.kind)
            .join_from(Delivery, Alert, Alert.id == Delivery.alert_id)
            .join(Subscription, Subscription.id == Delivery.subscription_id)
            .join(Organization, Organization.id == Subscription.organization_id)
            .join(Incident, Incident.id == Alert.incident_id)
            .where(Alert.submission_id == stored.id)
            .order_by(Organization.name, Subscription.channel, Incident.stix_id)
            .distinct()
        )
        return tuple(ForeseenAlert(*row[:3], row.kind == AlertKind.UPDATE.value) for row in rows)
