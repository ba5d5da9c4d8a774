"""What people decided, for who sees both incidents that it is about; for everybody else it was never said."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session, aliased

from kentongan.domain.decisions import in_force
from kentongan.domain.identity import Identity
from kentongan.domain.permissions import may_undo
from kentongan.services.errors import NotFound
from kentongan.services.read_incidents import ReadIncidents
from kentongan.services.reading_trail import note_incidents
from kentongan.services.summaries import FoundIncident, IncidentSummary, found, visible_incidents
from kentongan.storage.decisions import DecisionRow, decisions_about
from kentongan.storage.incidents import Incident
from kentongan.storage.organizations import Organization
from kentongan.storage.visibility import visible

MOST: Final = 200


@dataclass(frozen=True, slots=True)
class DecisionView:
    """One entry of the history of two incidents.

    `kind` is `duplicate-of` (one event?) or `related-to` (one campaign?), `verdict` is `together` or `apart`; `capacity` as what it
    was said: `owner` or `coordinator` counts for all, an `opinion` is only shown. `undoes` is the id of the entry that this one
    takes back. It is `in_force` until it is taken back or the same organization says otherwise. `may_undo`: whether the reader may.
    """

    id: str
    kind: str
    verdict: str
    capacity: str
    incident: IncidentSummary
    other: IncidentSummary
    organization: str
    author: str
    reason: str
    decided_at: datetime
    undoes: str | None
    in_force: bool
    may_undo: bool


class ReadDecisions:
    """What a reader may ask about decisions."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def about(self, reader: Identity, any_id: str) -> tuple[DecisionView, ...]:
        """The newest MOST entries about an incident, the newest first. Raises NotFound for one that is not to be seen."""
        (incident, _) = ReadIncidents(self._session).both(reader, any_id, any_id)
        return self._of(reader, [incident.key])

    def between(self, reader: Identity, one: str, other: str) -> tuple[DecisionView, ...]:
        """The same of two incidents. Raises NotFound."""
        pair = ReadIncidents(self._session).both(reader, one, other)
        low, high = sorted(each.key for each in pair)
        return self._views(reader, (DecisionRow.left_id == low) & (DecisionRow.right_id == high))

    def among(self, reader: Identity, ids: Collection[str]) -> tuple[DecisionView, ...]:
        """The same of several incidents, by our ids; of those that are not to be seen there is none."""
        return self._of(reader, self._session.scalars(select(Incident.id).where(Incident.public_id.in_(sorted(ids)))))

    def one(self, reader: Identity, public_id: str) -> DecisionView:
        """One entry. Raises NotFound."""
        views = self._views(reader, DecisionRow.public_id == public_id)
        if not views:
            raise NotFound("there is no such decision")
        return views[0]

    def _of(self, reader: Identity, keys: Iterable[int]) -> tuple[DecisionView, ...]:
        some = sorted(keys)
        return self._views(reader, or_(DecisionRow.left_id.in_(some), DecisionRow.right_id.in_(some)))

    def _views(self, reader: Identity, which: ColumnElement[bool]) -> tuple[DecisionView, ...]:
        rows = self._session.execute(_seen(self._session, reader).where(which).limit(MOST)).all()
        if not rows:
            return ()
        incidents = self._incidents(reader, {one for row in rows for one in (row[0].left_id, row[0].right_id)})
        history = decisions_about(self._session, {row[0].left_id for row in rows})
        valid = {entry.number for entry in in_force(history)}
        gone = {entry.undoes for entry in history}
        return tuple(
            DecisionView(
                id=row[0].public_id,
                kind=row[0].kind,
                verdict=row[0].verdict,
                capacity=row[0].capacity,
                incident=incidents[row[0].left_id].summary,
                other=incidents[row[0].right_id].summary,
                organization=row.name,
                author=row[0].author,
                reason=row[0].reason,
                decided_at=row[0].decided_at,
                undoes=row.undoes,
                in_force=row[0].id in valid,
                may_undo=row[0].undoes_id is None
                and row[0].id not in gone
                and may_undo(reader, row[0].organization_id),
            )
            for row in rows
        )

    def _incidents(self, reader: Identity, keys: Collection[int]) -> dict[int, FoundIncident]:
        seen = found(
            self._session, reader, visible_incidents(self._session, reader).where(Incident.id.in_(sorted(keys)))
        )
        note_incidents(self._session, reader, seen)
        return {incident.key: incident for incident in seen}


def _seen(session: Session, reader: Identity) -> Select[*tuple[Any, ...]]:
    left, right, undone = aliased(Incident), aliased(Incident), aliased(DecisionRow)
    return (
        select(DecisionRow, Organization.name, undone.public_id.label("undoes"))
        .join(left, left.id == DecisionRow.left_id)
        .join(right, right.id == DecisionRow.right_id)
        .join(Organization, Organization.id == DecisionRow.organization_id)
        .outerjoin(undone, undone.id == DecisionRow.undoes_id)
        .where(visible(session, left.audience_id, reader), visible(session, right.audience_id, reader))
        .order_by(DecisionRow.id.desc())
    )
