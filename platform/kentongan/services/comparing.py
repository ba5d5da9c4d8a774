"""Incidents as the rules of matching take them: read from the store in a few statements, however many there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain import duplicates, wording
from kentongan.domain.campaigns import MOST_CARRIERS
from kentongan.domain.duplicates import CARRIER_STEPS, Rarity, Report, in_steps
from kentongan.domain.evidence import Judgement
from kentongan.domain.incident import Observable
from kentongan.domain.masking import TakesPart
from kentongan.domain.warninglists import WarningLists
from kentongan.services import facts_codec
from kentongan.storage.crowds import CrowdKey
from kentongan.storage.incidents import Incident, newest_with_tag
from kentongan.storage.observables import (
    WANTED,
    WITHIN,
    bounded_carriers,
    carriers_of,
    postings_of,
    rows_in_parts,
    sharing_bands,
)
from kentongan.storage.tombstones import last_erasure

MOST_WITH_TAG = 60
"""Incidents that are looked at for one victim's name or one page: the newest ones, as reports of one event come together."""

MOST_IN_BAND = 50
"""A text band that more incidents share comes from a form, not from an event."""

MOST_CANDIDATES = 80
"""Incidents that one incident is compared with at most: those that share most, first."""

# What takes part by keyed hash only is compared by services/meet.py.
_COMPARED = (Incident.id.in_(WANTED), Incident.revoked.is_(False), Incident.takes_part != int(TakesPart.BLIND))
_COMPARABLE = select(Incident.id, Incident.object_id, Incident.facts, Incident.received_at, Incident.audience_id).where(
    *_COMPARED
)
_FACTS = select(Incident.id, Incident.facts).where(Incident.id.in_(WANTED))
_VERSIONS = select(Incident.id, Incident.object_id).where(*_COMPARED)


@lru_cache(maxsize=200_000)
def _never_evidence(value: Observable) -> bool:
    return WarningLists.load().never_evidence(value)


class Comparing:
    """One batch of incidents and all that may be compared with them."""

    def __init__(self, session: Session, incident_ids: Collection[int]) -> None:
        """Reads the incidents of these ids that exist and are not withdrawn."""
        self._session = session
        self.reports: dict[int, Report] = {}
        self.compared: set[tuple[int, int]] = set()
        self._asked: set[int] = set()
        self._versions: dict[int, int] = {}
        self._erasures = last_erasure(session)
        self._ids: dict[Observable, int] = {}
        self._carriers: dict[Observable, int] = {}
        self._victims: dict[str, list[int]] = {}
        self._pages: dict[str, list[int]] = {}
        self._read(incident_ids)
        self.batch = sorted(self.reports)

    def rarity(self) -> Rarity:
        """How common the values, victims and pages of the batch are; counted only as far as it matters."""
        victims = {key: in_steps(len(found)) for key, found in self._victims.items()}
        pages = {page: in_steps(len(found)) for page, found in self._pages.items()}
        return Rarity(self._carriers, victims, pages)

    def counted(self) -> Rarity:
        """How common what the batch carries is, without looking for what else to compare it with."""
        self._count_values()
        self._victims = newest_with_tag(self._session, "victim", self._victim_keys(), MOST_WITH_TAG)
        self._pages = newest_with_tag(self._session, "page", self._page_keys(), MOST_WITH_TAG)
        return self.rarity()

    def crowds(self) -> dict[CrowdKey, int]:
        """The step of everything that more than two incidents were seen to carry."""
        rarity = self.rarity()
        steps: dict[CrowdKey, int] = {("value", str(self._ids[value])): n for value, n in rarity.carriers.items()}
        steps |= {("victim", key): n for key, n in rarity.victims.items()}
        steps |= {("page", key): n for key, n in rarity.pages.items()}
        return {key: step for key, step in steps.items() if step > CARRIER_STEPS[0]}

    def pairs(self, *, victims: bool, further: Iterable[tuple[int, int]] = ()) -> list[tuple[int, int]]:
        """Pairs, the lower id first, of an incident of the batch and one that shares something rare with it.

        Each incident has MOST_CANDIDATES at most, `further` ones beside. With `victims` also those count that share a
        victim's name or a text. What is returned is also kept as `compared`.
        """
        shared: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
        self._count_values()
        self._share_values(shared)
        self._pages = self._share_tags(shared, "page", self._page_keys(), 2.0)
        if victims:
            self._victims = self._share_tags(shared, "victim", self._victim_keys(), 3.0)
            for one, other in sharing_bands(self._session, self.batch, MOST_IN_BAND):
                shared[one][other] += 1.0
        best = {
            (one, other)
            for one, others in shared.items()
            for other in sorted(others, key=lambda other: (-others[other], -other))[:MOST_CANDIDATES]
        }
        best |= {pair for pair in further if pair[0] in self.reports or pair[1] in self.reports}
        self._read({other for pair in best for other in pair} - self.reports.keys())
        known = {(min(pair), max(pair)) for pair in best if pair[0] != pair[1]}
        self.compared = {pair for pair in known if pair[0] in self.reports and pair[1] in self.reports}
        return sorted(self.compared)

    def withdrawn(self, incident_id: int) -> bool:
        """Whether it was looked for here and is not there to be compared any more."""
        return incident_id in self._asked and incident_id not in self.reports

    def outdated(self, pair: tuple[int, int]) -> bool:
        """Whether a link of this pair that was not found again is gone; one that nobody compared here is another worker's."""
        return pair in self.compared or any(self.withdrawn(one) for one in pair)

    def outrun(self, session: Session) -> bool:
        """Whether something that was read here was amended, withdrawn or erased meanwhile: it may be marked more strictly now,
        or must not be told of any more."""
        if last_erasure(session) != self._erasures:
            return True
        return {row.id: row.object_id for row in rows_in_parts(session, _VERSIONS, self._asked)} != self._versions

    def _read(self, incident_ids: Collection[int]) -> None:
        self._asked |= set(incident_ids)
        values: dict[int, dict[Observable, int]] = defaultdict(dict)
        within: dict[int, dict[Observable, int]] = defaultdict(dict)
        for incident_id, value, number, audience_id, origin in postings_of(self._session, incident_ids):
            if not _never_evidence(value):
                self._ids[value] = number
                (within if origin == WITHIN else values)[incident_id][value] = audience_id
        for row in rows_in_parts(self._session, _COMPARABLE, incident_ids):
            self._versions[row.id] = row.object_id
            facts = facts_codec.read(row.facts)
            self.reports[row.id] = Report(facts, row.received_at, row.audience_id, values[row.id], within[row.id])

    def _count_values(self) -> None:
        mine = {value for one in self.batch for kept in self._values_of(one) for value in kept}
        counted = bounded_carriers(self._session, [self._ids[value] for value in mine], MOST_CARRIERS)
        self._carriers = {value: in_steps(counted[self._ids[value]]) for value in mine}

    def _values_of(self, incident_id: int) -> tuple[Iterable[Observable], Iterable[Observable]]:
        report = self.reports[incident_id]
        return report.values, report.within

    def _share_values(self, shared: dict[int, dict[int, float]]) -> None:
        """Who else carries the values of the batch that neither nobody nor everybody carries."""
        rarity = self.rarity()
        telling = {
            self._ids[value]: rarity.bits(carriers)
            for value, carriers in self._carriers.items()
            if 1 < carriers <= MOST_CARRIERS
        }
        mine = set(self.batch)
        carriers: dict[int, list[int]] = defaultdict(list)
        for number, incident_id in carriers_of(self._session, telling):
            carriers[number].append(incident_id)
        for number, incident_ids in carriers.items():
            for one in mine.intersection(incident_ids):
                for other in incident_ids:
                    if other != one:
                        shared[one][other] += telling[number]

    def _share_tags(
        self, shared: dict[int, dict[int, float]], kind: str, keys: dict[str, list[int]], weight: float
    ) -> dict[str, list[int]]:
        found = newest_with_tag(self._session, kind, keys, MOST_WITH_TAG)
        for key, others in found.items():
            for one in keys[key]:
                for other in others:
                    if other != one:
                        shared[one][other] += weight
        return found

    def _victim_keys(self) -> dict[str, list[int]]:
        keys: dict[str, list[int]] = defaultdict(list)
        for one in self.batch:
            for key in {key for name in self.reports[one].names for key in wording.victim_keys(name)}:
                keys[key].append(one)
        return keys

    def _page_keys(self) -> dict[str, list[int]]:
        keys: dict[str, list[int]] = defaultdict(list)
        for one in self.batch:
            for page in self.reports[one].pages:
                keys[page].append(one)
        return keys


@dataclass(frozen=True, slots=True)
class Compared:
    """Incidents, what was read to compare them, and the pairs of them that one stage's rule ties."""

    incident_ids: Sequence[int]
    comparing: Comparing
    judged: dict[tuple[int, int], Judgement]


def names_of(session: Session, incident_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    """The victims that these incidents name; those that name none are missing."""
    told = {
        row.id: duplicates.victims_named(facts_codec.read(row.facts))
        for row in rows_in_parts(session, _FACTS, incident_ids)
    }
    return {one: names for one, names in told.items() if names}
