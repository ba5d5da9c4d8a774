"""Signs by which an incident finds others of its event: the keys of its victims' names, and the pages it refers to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ForeignKey, String, TextClause, delete, insert, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from kentongan.storage.base import Base, in_parts
from kentongan.storage.observables import WANTED, rows_in_parts

VICTIM = "victim"
PAGE = "page"


class Sign(Base):
    """An incident has a sign. Those of one organization stand together: what it reports is counted apart from what others do."""

    __tablename__ = "sign"
    __table_args__ = ({"sqlite_with_rowid": False},)

    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    """The incident's own."""
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), primary_key=True, index=True)


_OF_INCIDENTS = select(Sign.incident_id, Sign.kind, Sign.key).where(Sign.incident_id.in_(WANTED))
_ALL: Any = select(Sign.key, Sign.organization_id, Sign.incident_id).order_by(Sign.incident_id.desc())
_AT_ONCE = 100


def replace_signs(session: Session, incident_ids: Collection[int], rows: list[dict[str, Any]]) -> None:
    """Make `rows` the signs of these incidents."""
    for some in in_parts(sorted(incident_ids)):
        gone = delete(Sign).where(Sign.incident_id.in_(some))
        session.execute(gone.execution_options(synchronize_session=False))
    if rows:
        session.connection().execute(insert(Sign), rows)


def signs_of(session: Session, incident_ids: Collection[int]) -> set[tuple[int, str, str]]:
    """(incident, kind, key) of everything these incidents have."""
    return {(row[0], row[1], row[2]) for row in rows_in_parts(session, _OF_INCIDENTS, incident_ids)}


def sign_counts(session: Session, kind: str, keys: Collection[str], most: int) -> dict[str, dict[int, int]]:
    """How many incidents of each organization have each of these signs, counted up to `most`; what nobody has is missing."""
    counts: dict[str, dict[int, int]] = defaultdict(dict)
    wanted = sorted(keys)
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        given = {f"key_{number}": key for number, key in enumerate(some)}
        for key, organization, count in session.execute(_counting(len(some)), {"kind": kind, "most": most, **given}):
            counts[key][organization] = count
    return dict(counts)


def newest_with_sign(
    session: Session, kind: str, counts: Mapping[str, Mapping[int, int]], most: int
) -> dict[str, list[tuple[int, int]]]:
    """(organization, incident) of the newest incidents with each of these signs, at most `most` of each organization.

    `counts` are those of `sign_counts`, counted further than `most`.
    """
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    short = [key for key, by_organization in counts.items() if max(by_organization.values()) <= most]
    for some in in_parts(sorted(short)):
        for row in session.execute(_ALL.where(Sign.kind == kind, Sign.key.in_(some))):
            found[row.key].append((row.organization_id, row.incident_id))
    for key in counts.keys() - set(short):
        found[key] = _newest(session, kind, key, sorted(counts[key]), most)
    return dict(found)


def _newest(session: Session, kind: str, key: str, organizations: Sequence[int], most: int) -> list[tuple[int, int]]:
    of_one: Any = _ALL.where(Sign.kind == kind, Sign.key == key).limit(most)
    return [
        (row.organization_id, row.incident_id)
        for one in organizations
        for row in session.execute(of_one.where(Sign.organization_id == one))
    ]


@lru_cache(maxsize=_AT_ONCE)
def _counting(keys: int) -> TextClause:
    """From one organization to the next by the primary key: the cost is that of the organizations, not of their incidents."""
    wanted = " UNION ALL ".join(f"SELECT CAST(:key_{number} AS varchar) AS key" for number in range(keys))
    return text(
        f"WITH RECURSIVE hop(key, organization_id) AS (SELECT w.key, (SELECT min(s.organization_id) FROM sign s "  # noqa: S608  # our own words
        f"WHERE s.kind = :kind AND s.key = w.key) FROM ({wanted}) AS w "
        "UNION ALL SELECT hop.key, (SELECT min(s.organization_id) FROM sign s WHERE s.kind = :kind AND s.key = hop.key "
        "AND s.organization_id > hop.organization_id) FROM hop WHERE hop.organization_id IS NOT NULL) "
        "SELECT hop.key, hop.organization_id, (SELECT count(*) FROM (SELECT 1 FROM sign s WHERE s.kind = :kind "
        "AND s.key = hop.key AND s.organization_id = hop.organization_id LIMIT :most) AS few) "
        "FROM hop WHERE hop.organization_id IS NOT NULL"
    )
