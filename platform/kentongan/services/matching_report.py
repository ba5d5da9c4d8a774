"""How well matching does, by what people decided: their own organization's part for members, all of it for who coordinates."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased, undefer

from kentongan.domain.decisions import Verdict, in_force
from kentongan.domain.feedback import Feedback, Said, feedback
from kentongan.domain.identity import Identity, Scope
from kentongan.services import evidence_codec
from kentongan.storage.cases import DUPLICATE_OF, RELATED_TO
from kentongan.storage.decisions import DecisionRow
from kentongan.storage.incidents import Incident
from kentongan.storage.organizations import Organization
from kentongan.storage.visibility import audience_ids, visible

ALL: Final = "all organizations"


@dataclass(frozen=True, slots=True)
class OrganizationFeedback:
    """What one organization, or all of them, said of links of both kinds."""

    organization: str
    duplicates: Feedback
    related: Feedback


class MatchingReport:
    """Counts decisions and opinions that are in force, of pairs that the reader sees both of, as the links were at that moment."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def report(self, reader: Identity) -> tuple[OrganizationFeedback, ...]:
        """The part of the reader's organization; for who coordinates the region first all together, then each by its name.

        A rule counts where the reader may know that reason, and a score only where they may know all of them.
        """
        rows = self._rows(reader)
        mine, names = audience_ids(self._session, reader), self._names({row.organization_id for row in rows})
        own = [row for row in rows if row.organization_id == reader.organization_id]
        if not reader.may(Scope.COORDINATE):
            return (_told(reader.organization_name, own, mine),)
        parts = {name: [row for row in rows if row.organization_id == number] for number, name in names.items()}
        return (_told(ALL, rows, mine), *(_told(name, parts[name], mine) for name in sorted(parts)))

    def _rows(self, reader: Identity) -> list[DecisionRow]:
        left, right = aliased(Incident), aliased(Incident)
        seen = (visible(self._session, end.audience_id, reader) for end in (left, right))
        query = (
            select(DecisionRow)
            .join(left, left.id == DecisionRow.left_id)
            .join(right, right.id == DecisionRow.right_id)
            .where(*seen)
            .options(undefer(DecisionRow.found))
        )
        rows = {row.id: row for row in self._session.scalars(query)}
        return [rows[entry.number] for entry in in_force(row.entry() for row in rows.values())]

    def _names(self, numbers: Collection[int]) -> dict[int, str]:
        found = select(Organization.id, Organization.name).where(Organization.id.in_(sorted(numbers)))
        return {row.id: row.name for row in self._session.execute(found)}


def _told(organization: str, rows: Sequence[DecisionRow], mine: frozenset[int]) -> OrganizationFeedback:
    duplicates, related = (
        feedback(_said(row, mine) for row in rows if row.kind == kind) for kind in (DUPLICATE_OF, RELATED_TO)
    )
    return OrganizationFeedback(organization, duplicates, related)


def _said(row: DecisionRow, mine: frozenset[int]) -> Said:
    confirmed = row.verdict == Verdict.TOGETHER.value
    if row.found is None:
        return Said(confirmed, found=False)
    evidence: list[dict[str, Any]] = row.found["evidence"]
    known = evidence_codec.told(mine, evidence)
    score = row.found["score"] if len(known) == len(evidence) else None
    return Said(confirmed, found=bool(known), rules=frozenset(item["rule"] for item in known), score=score)
