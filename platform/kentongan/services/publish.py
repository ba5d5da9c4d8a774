"""The stage `publish`: what was found of these incidents is told to TAXII clients, as STIX objects of the platform's own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Any
from uuid import uuid4

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, aliased

from kentongan.services.evidence_codec import by_link, told_of_links
from kentongan.services.stage import StageService
from kentongan.storage import cases
from kentongan.storage.base import in_parts
from kentongan.storage.cases import RELATED_TO, Link
from kentongan.storage.database import accept_in_order
from kentongan.storage.findings import (
    GROUPING,
    RELATIONSHIP,
    Finding,
    date,
    members_of,
    replace_members,
    standing_campaigns,
    standing_links,
)
from kentongan.storage.incidents import Incident
from kentongan.storage.visibility import AudienceRow

Items = list[dict[str, Any]]  # evidence as `finding.evidence` has it


@dataclass(frozen=True, slots=True)
class _End:
    """An incident, as far as a link needs it."""

    id: int
    stix_id: str
    audience_id: int
    level: int


@dataclass(frozen=True, slots=True)
class _Told:
    """What is to be told of a link or a campaign."""

    kind: str
    evidence: Items
    left_id: int | None = None
    right_id: int | None = None
    campaign_id: int | None = None
    members: frozenset[int] = frozenset()


class Publish(StageService[Sequence[int]]):
    """Brings what is told to what is found. Running twice tells nothing twice."""

    def look(self, incident_ids: Sequence[int]) -> Sequence[int]:
        """Nothing: what was told is looked up while nobody else tells."""
        return incident_ids

    def keep(self, incident_ids: Sequence[int]) -> None:
        """Add, change and revoke what the links and campaigns of these incidents ask for."""
        accept_in_order(self._session)
        settling = _Settling(self._session, self._clock())
        self._links(incident_ids, settling)
        self._campaigns(incident_ids, settling)
        settling.finish()

    def _links(self, incident_ids: Sequence[int], settling: _Settling) -> None:
        told = {(one.kind, one.left_id, one.right_id): one for one in standing_links(self._session, incident_ids)}
        found = {(one.kind, one.left_id, one.right_id): one for one in self._found_links(incident_ids)}
        for key in sorted(told.keys() | found.keys(), key=str):
            settling.settle(told.get(key), found.get(key))

    def _found_links(self, incident_ids: Sequence[int]) -> Iterable[_Told]:
        links = _links_of(self._session, incident_ids)
        ends = _ends(self._session, {end for link in links for end in (link.left_id, link.right_id)})
        for link in links:
            left, right = ends[link.left_id], ends[link.right_id]
            if left.stix_id != right.stix_id:  # two organizations' reports under one id: no relationship can tie them
                yield _Told(link.kind, _items(link, left, right), left.id, right.id)

    def _campaigns(self, incident_ids: Sequence[int], settling: _Settling) -> None:
        """A campaign that loses reports may leave them to others, which are told of as well."""
        waiting = set(incident_ids)
        done: set[int] = set()
        while waiting:
            living = _campaigns_of(self._session, waiting)
            told = {one.campaign_id: one for one in standing_campaigns(self._session, waiting, living)}
            waiting = set()
            for campaign_id in sorted((living | {number for number in told if number is not None}) - done):
                done.add(campaign_id)
                before = told.get(campaign_id)
                now = self._found_campaign(campaign_id)
                if before is not None:
                    waiting |= members_of(self._session, before.id) - (now.members if now else frozenset())
                settling.settle(before, now)

    def _found_campaign(self, campaign_id: int) -> _Told | None:
        case_of = cases.incidents_in(self._session, cases.cases_in(self._session, [campaign_id]))
        links = [
            link
            for link in _links_of(self._session, sorted(case_of))
            if link.kind == RELATED_TO and link.left_id in case_of and link.right_id in case_of
        ]
        ties = [link for link in links if case_of[link.left_id] != case_of[link.right_id]]
        if not ties:
            return None
        ends = _ends(self._session, case_of)
        items = [
            {**_without_words(item), "refs": [ends[link.left_id].stix_id, ends[link.right_id].stix_id]}
            for link in ties
            for item in _items(link, ends[link.left_id], ends[link.right_id])
        ]
        return _Told("campaign", items, campaign_id=campaign_id, members=frozenset(case_of))


class _Settling:
    """What changes, until all is known: then it gets its dates at once."""

    def __init__(self, session: Session, now: datetime) -> None:
        self._session = session
        self._now = now
        self._changed: list[Finding] = []
        self._members: list[tuple[Finding, frozenset[int]]] = []

    def settle(self, before: Finding | None, now: _Told | None) -> None:
        """Bring one object to what it is to say; or revoke it, and begin another where something still holds."""
        if before is not None and (now is None or not _grows(before.evidence, now.evidence)):
            _revoke(before)
            self._changed.append(before)
            before = None
        if now is None or (before is not None and before.evidence == now.evidence):
            return
        if before is None:
            before = _new(now)
        before.evidence = now.evidence
        self._changed.append(before)
        if before.type == GROUPING:
            self._members.append((before, now.members))

    def finish(self) -> None:
        """Date what changed."""
        date(self._session, self._changed, self._now)
        for finding, members in self._members:
            replace_members(self._session, finding.id, members)


def revoke_findings(session: Session, incident_ids: Collection[int], now: datetime) -> set[int]:
    """What is told of these incidents no longer holds: they are being erased. Gives the other incidents of their campaigns.

    Of the evidence only who was told is left. Hold the accept lock.
    """
    ended = [*standing_links(session, incident_ids), *standing_campaigns(session, incident_ids)]
    others: set[int] = set()
    for one in ended:
        if one.type == GROUPING:
            others |= members_of(session, one.id)
        _revoke(one)
    date(session, ended, now)
    return others - set(incident_ids)


def _new(told: _Told) -> Finding:
    kind = GROUPING if told.campaign_id is not None else RELATIONSHIP
    return Finding(
        created=0,
        stix_id=f"{kind}--{uuid4()}",
        type=kind,
        kind=told.kind,
        left_id=told.left_id,
        right_id=told.right_id,
        campaign_id=told.campaign_id,
        revoked=False,
        evidence=[],
    )


def _revoke(finding: Finding) -> None:
    finding.revoked = True
    finding.evidence = [_without_words(item) for item in finding.evidence]


def _without_words(item: Mapping[str, Any]) -> dict[str, Any]:
    return {**item, "rule": "", "words": "", "observable": None}


_MOST_KINDS_OF_READERS = 6


def _grows(before: Items, after: Items) -> bool:
    """Whether everybody who is told of one link of the one is told of one of the other too.

    Readers differ in which items they may see: one is tried for every set of audiences that items of a link ask for together.
    Where there are too many, it is said to shrink: then it is revoked and told anew, which is true, if longer.
    """
    return all(_is_told_to_all(items, after) for items in by_link(before))


def _is_told_to_all(link: Sequence[Mapping[str, Any]], after: Items) -> bool:
    asked = {frozenset(item["audiences"]) for item in link}
    if len(asked) > _MOST_KINDS_OF_READERS:
        return False
    readers = (frozenset().union(*some) for many in range(1, len(asked) + 1) for some in combinations(asked, many))
    return all(told_of_links(mine, after) or not told_of_links(mine, link) for mine in readers)


def _items(link: Link, left: _End, right: _End) -> Items:
    both = {left.audience_id, right.audience_id}
    return [
        {
            **item,
            "audiences": sorted(both | set(item["audiences"])),
            "refs": [right.stix_id, left.stix_id],
            "level": max(left.level, right.level),
        }
        for item in link.evidence
        if item["weight"] > 0
    ]


def _links_of(session: Session, incident_ids: Collection[int]) -> list[Link]:
    found: dict[int, Link] = {}
    left, right = aliased(Incident), aliased(Incident)
    for some in in_parts(sorted(incident_ids)):
        query = (
            select(Link)
            .join(left, left.id == Link.left_id)
            .join(right, right.id == Link.right_id)
            .where(or_(Link.left_id.in_(some), Link.right_id.in_(some)), cases.tells(left.case_id, right.case_id))
            .order_by(Link.id)
        )
        found |= {link.id: link for link in session.scalars(query)}
    return list(found.values())


def _ends(session: Session, incident_ids: Collection[int]) -> dict[int, _End]:
    columns = select(Incident.id, Incident.stix_id, Incident.audience_id, AudienceRow.level)
    query = columns.join(AudienceRow, AudienceRow.id == Incident.audience_id)
    return {
        row.id: _End(*row)
        for some in in_parts(sorted(incident_ids))
        for row in session.execute(query.where(Incident.id.in_(some)))
    }


def _campaigns_of(session: Session, incident_ids: Collection[int]) -> set[int]:
    of_incidents = cases.cases_of(session, incident_ids).values()
    found = cases.campaigns_of(session, {case for case in of_incidents if case is not None})
    return {campaign for campaign in found.values() if campaign is not None}
