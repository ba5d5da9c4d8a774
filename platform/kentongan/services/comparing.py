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
from kentongan.domain.duplicates import Rarity, Report
from kentongan.domain.evidence import Judgement
from kentongan.domain.incident import Observable
from kentongan.domain.masking import TakesPart
from kentongan.domain.rarity import ALONE, OWN_STEPS, Spread, bits, least_common, spread_of
from kentongan.domain.warninglists import WarningLists
from kentongan.services import facts_codec
from kentongan.storage.crowds import CrowdKey
from kentongan.storage.incidents import Incident
from kentongan.storage.observables import (
    WANTED,
    WITHIN,
    carriers_of,
    counts_of,
    postings_of,
    rows_in_parts,
    sharing_bands,
)
from kentongan.storage.signs import PAGE, VICTIM, newest_with_sign, sign_counts
from kentongan.storage.tombstones import last_erasure

MOST_WITH_SIGN = 30
"""Incidents of one organization that are looked at for one victim's name or one page: the newest ones, as reports of one event
come together."""

MOST_IN_BAND = 50
"""A text band that more incidents share comes from a form, not from an event."""

MOST_CANDIDATES = 80
"""Incidents that one incident is compared with at most: those that share most, first."""

IN_A_ROW = 10
"""Candidates of one organization that go before the next of all others: no organization takes up all places."""

# What takes part by keyed hash only is compared by services/meet.py.
_COMPARED = (Incident.id.in_(WANTED), Incident.revoked.is_(False), Incident.takes_part != int(TakesPart.BLIND))
_COMPARABLE = select(
    Incident.id,
    Incident.object_id,
    Incident.facts,
    Incident.received_at,
    Incident.audience_id,
    Incident.organization_id,
).where(*_COMPARED)
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
        self._reporters: dict[int, int] = {}
        self._values: dict[Observable, Spread] = {}
        self._victims: dict[str, Spread] = {}
        self._pages: dict[str, Spread] = {}
        self._read(incident_ids)
        self.batch = sorted(self.reports)

    def rarity(self) -> Rarity:
        """How common the values, victims and pages of the batch are; counted only as far as it matters."""
        return Rarity(self._values, self._victims, self._pages)

    def counted(self) -> Rarity:
        """How common what the batch carries is, without looking for what else to compare it with."""
        self._count_values()
        self._victims = self._count_signs(VICTIM, self._victim_keys())[0]
        self._pages = self._count_signs(PAGE, self._page_keys())[0]
        return self.rarity()

    def crowds(self) -> dict[CrowdKey, Spread]:
        """Everything that more than two incidents were seen to carry."""
        spreads: dict[CrowdKey, Spread] = {("value", str(self._ids[value])): n for value, n in self._values.items()}
        spreads |= {(VICTIM, key): n for key, n in self._victims.items()}
        spreads |= {(PAGE, key): n for key, n in self._pages.items()}
        return {key: spread for key, spread in spreads.items() if spread.shared > ALONE.shared}

    def pairs(self, *, victims: bool, further: Iterable[tuple[int, int]] = ()) -> list[tuple[int, int]]:
        """Pairs, the lower id first, of an incident of the batch and one that shares something rare with it.

        Each incident has MOST_CANDIDATES at most, `further` ones beside. With `victims` also those count that share a
        victim's name or a text. What is returned is also kept as `compared`.
        """
        shared: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
        self._share_values(shared, self._count_values())
        self._pages = self._share_signs(shared, PAGE, self._page_keys(), 2.0)
        if victims:
            self._victims = self._share_signs(shared, VICTIM, self._victim_keys(), 3.0)
            for one, other in sharing_bands(self._session, self.batch, MOST_IN_BAND):
                shared[one][other] += 1.0
        best = {(one, other) for one, others in shared.items() for other in self._best(others)}
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
            self._reporters[row.id] = row.organization_id
            self.reports[row.id] = Report(
                facts, row.received_at, row.audience_id, values[row.id], within[row.id], row.organization_id
            )

    def _best(self, others: dict[int, float]) -> list[int]:
        """The candidates that share most, first; of one organization a few, then the next of all."""
        places: dict[int | None, int] = defaultdict(int)
        ranked = []
        for other in sorted(others, key=lambda other: (-others[other], -other)):
            reporter = self._reporters.get(other)
            ranked.append((places[reporter] // IN_A_ROW, -others[other], -other))
            places[reporter] += 1
        return [-negative for *_, negative in sorted(ranked)[:MOST_CANDIDATES]]

    def _count_values(self) -> dict[int, dict[int, int]]:
        mine = {value for one in self.batch for kept in self._values_of(one) for value in kept}
        counts = counts_of(self._session, [self._ids[value] for value in mine], OWN_STEPS[-1] + 1)
        self._values = {value: spread_of(counts.get(self._ids[value], {})) for value in mine}
        return counts

    def _values_of(self, incident_id: int) -> tuple[Iterable[Observable], Iterable[Observable]]:
        report = self.reports[incident_id]
        return report.values, report.within

    def _share_values(self, shared: dict[int, dict[int, float]], counts: dict[int, dict[int, int]]) -> None:
        """Who else carries the values of the batch that neither nobody nor everybody carries."""
        spreads = {self._ids[value]: spread for value, spread in self._values.items()}
        wanted: dict[int, list[int] | None] = {}
        for number, by_organization in counts.items():
            few = [one for one, count in by_organization.items() if count <= OWN_STEPS[-1]]
            if sum(by_organization.values()) > 1 and few and least_common(spreads[number], few, few) <= MOST_CARRIERS:
                wanted[number] = few if len(few) < len(by_organization) else None
        mine = set(self.batch)
        carriers: dict[int, list[int]] = defaultdict(list)
        for number, organization, incident_id in carriers_of(self._session, wanted):
            self._reporters[incident_id] = organization
            carriers[number].append(incident_id)
        for number, incident_ids in carriers.items():
            for one in mine.intersection(incident_ids):
                for other in incident_ids:
                    common = spreads[number].between(self._reporters[one], self._reporters[other])
                    if other != one and common <= MOST_CARRIERS:
                        shared[one][other] += bits(common)

    def _share_signs(
        self, shared: dict[int, dict[int, float]], kind: str, keys: dict[str, list[int]], weight: float
    ) -> dict[str, Spread]:
        spreads, counts = self._count_signs(kind, keys)
        for key, others in newest_with_sign(self._session, kind, counts, MOST_WITH_SIGN).items():
            for organization, other in others:
                self._reporters[other] = organization
                for one in keys[key]:
                    if other != one:
                        shared[one][other] += weight
        return spreads

    def _count_signs(self, kind: str, keys: Collection[str]) -> tuple[dict[str, Spread], dict[str, dict[int, int]]]:
        counts = sign_counts(self._session, kind, keys, OWN_STEPS[-1] + 1)
        return {key: spread_of(by_organization) for key, by_organization in counts.items()}, counts

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
