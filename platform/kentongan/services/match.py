"""The stage `match`: who is to be told of these incidents, and as what. Alerts x subscriptions, decided per policy class."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
import structlog
from sqlalchemy import select

from kentongan.domain.alert import AlertKind, Heard, alert_key, worth_telling
from kentongan.domain.alert_filter import AlertFilter, WrongFilter
from kentongan.domain.identity import Identity, OrganizationKind
from kentongan.domain.policy import Audience, Policy
from kentongan.services.sights import Sights
from kentongan.services.stage import StageService
from kentongan.storage import jobs
from kentongan.storage.alerts import Listener, add_deliveries, alert_ids, listeners, tell_in_order, told
from kentongan.storage.base import new_public_id
from kentongan.storage.incidents import Incident
from kentongan.storage.jobs import Stage
from kentongan.storage.visibility import policy

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Group:
    """Subscriptions that cannot be told apart here: readers of one policy class with one filter."""

    visible: frozenset[int]
    """The audiences all of them belong to."""
    owner_id: int | None
    """The organization they all are of, if it made anything itself."""
    filter: AlertFilter
    subscriptions: tuple[Listener, ...]


@dataclass(frozen=True, slots=True)
class _Telling:
    """One alert to one subscription."""

    incident: Incident
    kind: AlertKind
    subscription: Listener

    @property
    def key(self) -> str:
        return alert_key(self.kind, self.incident.id, self.incident.object_id)


class Match(StageService[Sequence[int]]):
    """Decides what is told to whom. Running twice, also at the same moment, tells nothing twice."""

    def look(self, incident_ids: Sequence[int]) -> Sequence[int]:
        """Nothing: who was told of an incident is looked up while nobody else tells of it."""
        return incident_ids

    def keep(self, incident_ids: Sequence[int]) -> None:
        """Make the alerts, deliveries and jobs that are due for these incidents."""
        tell_in_order(self._session, incident_ids)
        found = self._session.scalars(select(Incident).where(Incident.id.in_(incident_ids)).order_by(Incident.id))
        incidents = list(found.unique())
        rules = policy(self._session)
        heard_by = listeners(self._session, {incident.audience_id for incident in incidents})
        if heard_by:
            self._plan(list(self._tellings(incidents, rules.audiences, _grouped(heard_by, rules))))

    def _tellings(
        self, incidents: Sequence[Incident], audiences: Mapping[int, Audience], groups: Sequence[_Group]
    ) -> Iterator[_Telling]:
        sights, now = Sights(self._session, incidents), self._clock()
        heard = self._heard([incident.id for incident in incidents])
        for incident in incidents:
            for group in groups:
                if incident.audience_id in group.visible and _concerns(sights, incident, audiences, group):
                    yield from _tell(incident, group, sights, heard, now)

    def _heard(self, incident_ids: Collection[int]) -> dict[tuple[int, int], Heard]:
        """What each subscription was told of each incident."""
        heard: dict[tuple[int, int], Heard] = defaultdict(Heard)
        for row in self._session.execute(told(incident_ids)):
            before = heard[row.incident_id, row.subscription_id]
            if row.kind == AlertKind.CAMPAIGN_GREW.value:
                after = Heard(before.versions, campaign=True)
            else:
                after = Heard(before.versions | {row.object_id}, before.campaign)
            heard[row.incident_id, row.subscription_id] = after
        return heard

    def _plan(self, tellings: Sequence[_Telling]) -> None:
        now = self._clock()
        alerts = {telling.key: _alert_row(telling, now) for telling in tellings}
        ids = alert_ids(self._session, list(alerts.values()))
        rows = [_delivery_row(telling, ids[telling.key], now) for telling in tellings]
        jobs.add(self._session, Stage.DELIVER, add_deliveries(self._session, rows), now)


def _concerns(sights: Sights, incident: Incident, audiences: Mapping[int, Audience], group: _Group) -> bool:
    watched = sights.observables(incident, group.visible) if group.filter.observables else frozenset()
    own = group.owner_id == incident.organization_id
    return group.filter.concerns(sights.facts(incident), audiences[incident.audience_id].level, watched, own)


def _tell(
    incident: Incident, group: _Group, sights: Sights, heard: dict[tuple[int, int], Heard], now: datetime
) -> Iterator[_Telling]:
    sight = sights.sight(incident, group.visible)
    nothing = Heard()
    for subscription in group.subscriptions:
        before = heard.get((incident.id, subscription.id), nothing)
        for kind in worth_telling(sight(subscription.id), before, group.filter.wants):
            if kind is AlertKind.CAMPAIGN_GREW:
                sights.remember(incident, subscription.id, now)
            yield _Telling(incident, kind, subscription)


def _grouped(subscriptions: Sequence[Listener], rules: Policy) -> list[_Group]:
    owners = {audience.owner_id for audience in rules.audiences.values()}
    alike: dict[tuple[frozenset[int], int | None, str], list[Listener]] = defaultdict(list)
    for one in subscriptions:
        owner = one.organization_id if one.organization_id in owners else None
        alike[rules.visible_to(_reader(one)), owner, one.filter].append(one)
    groups = []
    for (visible, owner, text), some in alike.items():
        if (wanted := _filter(text)) is None:
            _log.error("a stored filter can no longer be read", subscriptions=[one.public_id for one in some])
            continue
        groups.append(_Group(visible, owner, wanted, tuple(some)))
    return groups


def _reader(one: Listener) -> Identity:
    return Identity(one.organization_id, "", OrganizationKind(one.organization_kind))


@lru_cache(maxsize=4096)
def _filter(text: str) -> AlertFilter | None:
    try:
        return AlertFilter.from_json(orjson.loads(text))
    except WrongFilter:
        return None


def _alert_row(telling: _Telling, now: datetime) -> dict[str, Any]:
    incident = telling.incident
    return {
        "key": telling.key,
        "kind": telling.kind.value,
        "incident_id": incident.id,
        "object_id": incident.object_id,
        "submission_id": incident.submission_id,
        "created_at": now,
    }


def _delivery_row(telling: _Telling, alert_id: int, now: datetime) -> dict[str, Any]:
    return {
        "public_id": new_public_id(),
        "alert_id": alert_id,
        "subscription_id": telling.subscription.id,
        "organization_id": telling.subscription.organization_id,
        "state": "waiting",
        "attempts": 0,
        "created_at": now,
        "tried_since": now,
        "next_attempt_at": now,
    }
