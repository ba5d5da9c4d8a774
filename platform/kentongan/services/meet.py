"""Meet: what is masked finds the same value of others by keyed hash, and nobody but its owner is told which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain.blind_links import Holder, known_of
from kentongan.domain.campaigns import MOST_CARRIERS
from kentongan.domain.incident import Observable
from kentongan.domain.masking import TakesPart
from kentongan.domain.rarity import in_steps
from kentongan.domain.warninglists import WarningLists
from kentongan.services import evidence_codec
from kentongan.services.index import Index
from kentongan.services.stage import Clock, StageService
from kentongan.services.veil import Veil
from kentongan.services.veiling import VICTIM
from kentongan.storage.blind import blind_holders, replace_blind_links, replace_blind_postings
from kentongan.storage.database import join_cases_in_order
from kentongan.storage.incidents import Incident
from kentongan.storage.observables import (
    WANTED,
    WITHIN,
    audiences_of_carriers,
    postings_of,
    rows_in_parts,
    stored_ids,
)
from kentongan.storage.signs import newest_with_sign, sign_counts, signs_of
from kentongan.storage.tombstones import last_erasure

_INCIDENTS: Final = select(
    Incident.id,
    Incident.organization_id,
    Incident.object_id,
    Incident.submission_id,
    Incident.stix_id,
    Incident.takes_part,
).where(Incident.id.in_(WANTED), Incident.revoked.is_(False))
_MOST_OF_ONE_VICTIM: Final = 20
"""Of an organization's reports that name a victim openly the newest count; a name in more of them would tie nothing."""

Veiled = Mapping[Observable, bool]


@dataclass(frozen=True, slots=True)
class Masked:
    """What some incidents mask, read from what was received; `read` is what they were then."""

    incident_ids: Sequence[int]
    read: Mapping[int, tuple[int, int]]
    erasures: int
    veiled: Mapping[int, Veiled]


class Meet(StageService[Masked]):
    """Keep the keyed hashes of what incidents mask, and what their reporters may know of each other over them."""

    def __init__(self, session: Session, clock: Clock, veil: Veil) -> None:
        super().__init__(session, clock)
        self._veil = veil

    def look(self, incident_ids: Sequence[int]) -> Masked:
        """Read again what these incidents mask: it stands nowhere but in what was received."""
        erasures, rows = last_erasure(self._session), self._rows(incident_ids)
        masking = [row for row in rows.values() if row.takes_part != TakesPart.OPENLY]
        veiled: dict[int, Veiled] = {}
        if masking:
            told = Index(self._session, self._clock).look(sorted({row.submission_id for row in masking}))
            versions = {(one.key, one.submission.id): one.veiled for one in told.versions}
            for row in masking:
                key = (row.stix_id, row.organization_id), row.submission_id
                veiled[row.id] = {each: tells for each, tells in versions.get(key, {}).items() if _is_evidence(each)}
        return Masked(incident_ids, _read(rows), erasures, veiled)

    def keep(self, found: Masked) -> None:
        """Write keyed hashes and links anew. The case lock makes sure that of two incidents the later one finds the other."""
        join_cases_in_order(self._session)
        if (last_erasure(self._session), _read(self._rows(found.incident_ids))) != (found.erasures, found.read):
            found = self.look(found.incident_ids)
        digests = {number: {self._veil.digest(each): each for each in held} for number, held in found.veiled.items()}
        postings = [
            {"digest": digest, "incident_id": number, "tells": found.veiled[number][each]}
            for number, held in digests.items()
            for digest, each in held.items()
        ]
        replace_blind_postings(self._session, found.incident_ids, postings)
        replace_blind_links(self._session, found.incident_ids, list(self._links(found)))

    def _links(self, found: Masked) -> Iterator[dict[str, Any]]:
        holders = self._holders(found)
        owners = {number: row.organization_id for number, row in self._rows(_named(holders)).items()}
        carriers = {value: in_steps(len(held)) for value, held in holders.items()}
        batch, now = set(found.read), self._clock()
        shared: dict[tuple[int, int], list[tuple[Observable, Holder, Holder]]] = defaultdict(list)
        for value, held in holders.items():
            for one in held:
                for other in held if one.incident_id in batch else ():
                    if one.incident_id != other.incident_id and not (one.is_plain and other.is_plain):
                        shared[one.incident_id, other.incident_id].append((value, one, other))
                        shared[other.incident_id, one.incident_id].append((value, other, one))
        for (one_id, other_id), meetings in shared.items():
            if one_id in owners and other_id in owners:
                known = known_of(meetings, carriers, same_owner=owners[one_id] == owners[other_id])
                if known.evidence or known.told:
                    yield {
                        "incident_id": one_id,
                        "other_id": other_id,
                        "evidence": evidence_codec.written(known.evidence),
                        "told": known.told,
                        "found_at": now,
                    }

    def _holders(self, found: Masked) -> dict[Observable, list[Holder]]:
        """Every value that the incidents hold and somebody masks, with all that hold it."""
        plain = list(self._plain_of(found.incident_ids))
        values = {value for held in found.veiled.values() for value in held} | {value for value, _ in plain}
        of_digest = {self._veil.digest(value): value for value in values}
        holders: dict[Observable, list[Holder]] = defaultdict(list)
        for digest, incident_id, tells in blind_holders(self._session, of_digest.keys(), MOST_CARRIERS):
            holders[of_digest[digest]].append(Holder(incident_id, None, tells))
        for value, holder in dict.fromkeys((value, Holder(*held)) for value, held in self._plain_with(set(holders))):
            holders[value].append(holder)
        return holders

    def _plain_of(self, incident_ids: Sequence[int]) -> Iterator[tuple[Observable, int]]:
        for incident_id, value, _, _, origin in postings_of(self._session, incident_ids):
            if origin != WITHIN and _is_evidence(value):
                yield value, incident_id
        for incident_id, kind, key in signs_of(self._session, incident_ids):
            if kind == VICTIM:
                yield Observable(VICTIM, key), incident_id

    def _plain_with(self, values: Iterable[Observable]) -> Iterator[tuple[Observable, tuple[int, int | None]]]:
        """(value, (incident, audience)) of all that carry one of these values openly, up to what could tie anything."""
        wanted = set(values)
        keys = {value.value: value for value in wanted if value.kind == VICTIM}
        ids = {number: value for value, number in stored_ids(self._session, wanted - set(keys.values())).items()}
        for number, incident_id, audience_id in audiences_of_carriers(self._session, ids, MOST_CARRIERS):
            yield ids[number], (incident_id, audience_id)
        counts = sign_counts(self._session, VICTIM, keys, _MOST_OF_ONE_VICTIM + 1)
        named = newest_with_sign(self._session, VICTIM, counts, _MOST_OF_ONE_VICTIM)
        told_to = {
            row.id: row.audience_id
            for row in rows_in_parts(self._session, _AUDIENCES, {one for some in named.values() for _, one in some})
        }
        for key, some in named.items():
            yield from ((keys[key], (one, told_to[one])) for _, one in some if one in told_to)

    def _rows(self, incident_ids: Iterable[int]) -> dict[int, Any]:
        return {row.id: row for row in rows_in_parts(self._session, _INCIDENTS, set(incident_ids))}


_AUDIENCES: Final = select(Incident.id, Incident.audience_id).where(Incident.id.in_(WANTED))


def _read(rows: Mapping[int, Any]) -> dict[int, tuple[int, int]]:
    return {number: (row.object_id, row.takes_part) for number, row in rows.items()}


def _named(holders: Mapping[Observable, Sequence[Holder]]) -> set[int]:
    return {one.incident_id for held in holders.values() for one in held}


def _is_evidence(value: Observable) -> bool:
    return value.kind == VICTIM or not WarningLists.load().never_evidence(value)
