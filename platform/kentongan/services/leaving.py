"""What has to leave when submissions are erased, and what stays: worked out before anything is deleted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.storage import erasing
from kentongan.storage.base import in_parts
from kentongan.storage.incidents import Incident
from kentongan.storage.submissions import Submission


@dataclass(frozen=True, slots=True)
class Survivor:
    """An incident of which another version, or the same in another document, stays."""

    incident: Incident
    object_id: int
    submission_id: int


@dataclass(frozen=True, slots=True)
class Leaving:
    """One organization's `whole` submissions, and of others the `parts` (object numbers), with all that follows from them."""

    organization_id: int
    whole: Sequence[Submission]
    parts: Mapping[int, Collection[int]]
    gone: Sequence[Incident]
    survivors: Sequence[Survivor]
    carriers: frozenset[tuple[int, int]]
    """(object, audience) that the organization no longer carries."""
    objects: frozenset[int]
    """Those that may be nobody's any more."""
    home: Mapping[int, int]
    """For every object that stays: the organization's newest submission that carries it."""

    @property
    def incidents(self) -> list[Incident]:
        """All incidents that something changes for."""
        return [*self.gone, *(one.incident for one in self.survivors)]


def leaving(
    session: Session, organization_id: int, whole: Sequence[Submission], parts: Mapping[int, Collection[int]]
) -> Leaving:
    """Work it out. Hold the locks under which nobody submits or indexes."""
    wholly = {one.id for one in whole}
    going = {(pair[0], pair[1]) for one in whole for pair in one.carried}
    numbers = {number for number, _ in going} | {number for some in parts.values() for number in some}
    told = erasing.stix_ids_of(session, numbers)
    versions = erasing.versions_of(
        session, organization_id, {name for name, kind in told.values() if kind == "incident"}
    )
    others = erasing.carriers_among(session, organization_id, numbers | versions.keys())
    staying = {
        number: erasing.carried_without(pairs, parts.get(number, ()))
        for number, pairs in others.items()
        if number not in wholly
    }
    home = {pair[0]: number for number, pairs in sorted(staying.items()) for pair in pairs}
    kept = {pair for pairs in staying.values() for pair in pairs}
    rows = _rows(session, organization_id, set(versions.values()))
    newest = {name: number for number, name in versions.items() if number in home}
    return Leaving(
        organization_id=organization_id,
        whole=whole,
        parts=parts,
        gone=[row for row in rows if row.stix_id not in newest],
        survivors=[
            Survivor(row, newest[row.stix_id], home[newest[row.stix_id]]) for row in rows if row.stix_id in newest
        ],
        carriers=_carriers(session, organization_id, numbers, going, home, kept),
        objects=frozenset(numbers),
        home=home,
    )


def _rows(session: Session, organization_id: int, stix_ids: Collection[str]) -> list[Incident]:
    query = select(Incident).where(Incident.organization_id == organization_id)
    return [
        row
        for some in in_parts(sorted(stix_ids))
        for row in session.scalars(query.where(Incident.stix_id.in_(some)).order_by(Incident.id))
    ]


def _carriers(
    session: Session,
    organization_id: int,
    numbers: Collection[int],
    going: Collection[tuple[int, int]],
    home: Mapping[int, int],
    kept: Collection[tuple[int, int]],
) -> frozenset[tuple[int, int]]:
    """Of what the organization carries no more, all; of what another of its documents carries too, only what that one does not
    say. A stricter version may have changed what a document says of its objects: then they stay as they are."""
    carried = erasing.carried_to(session, organization_id, numbers)
    no_more = {pair for pair in carried if pair[0] not in home}
    unsaid = {pair for pair in carried - no_more if pair in going and pair not in kept}
    left = {pair[0] for pair in carried - unsaid}
    return frozenset(no_more | {pair for pair in unsaid if pair[0] in left})
