"""How many incidents carried a value, a victim's name or a page when the links that rest on it were last weighed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import String, delete, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from kentongan.storage.base import Base, in_parts
from kentongan.storage.incidents import IncidentTag
from kentongan.storage.observables import WANTED, Posting, rows_in_parts

CrowdKey = tuple[str, str]
"""("value", the number of an observable), ("victim", a key of the name) or ("page", its key)."""


class Crowd(Base):
    """Kept only of what more than two incidents carry. `step` is one of domain/duplicates.py CARRIER_STEPS."""

    __tablename__ = "crowd"
    __table_args__ = ({"sqlite_with_rowid": False},)

    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    step: Mapped[int]


_VALUES = select(Posting.observable_id).where(Posting.incident_id.in_(WANTED))
_TAGS = select(IncidentTag.kind, IncidentTag.value).where(
    IncidentTag.incident_id.in_(WANTED), IncidentTag.kind.in_(("victim", "page"))
)
_STEPS = select(Crowd.kind, Crowd.key, Crowd.step).where(Crowd.key.in_(WANTED))


def entries_of(session: Session, incident_ids: Collection[int]) -> set[CrowdKey]:
    """Everything that these incidents carry and that may be counted."""
    values = {("value", str(row[0])) for row in rows_in_parts(session, _VALUES, incident_ids)}
    return values | {(row[0], row[1]) for row in rows_in_parts(session, _TAGS, incident_ids)}


def steps_of(session: Session, keys: Collection[CrowdKey]) -> dict[CrowdKey, int]:
    """What is kept of these."""
    rows = rows_in_parts(session, _STEPS, {key for _, key in keys})
    return {(row.kind, row.key): row.step for row in rows if (row.kind, row.key) in keys}


def keep_steps(session: Session, steps: Mapping[CrowdKey, int]) -> None:
    """From now on the links that rest on these are weighed by these steps."""
    if not steps:
        return
    specific: Any = postgresql_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    writing = specific(Crowd)
    writing = writing.on_conflict_do_update(index_elements=["kind", "key"], set_={"step": writing.excluded.step})
    rows = [{"kind": kind, "key": key, "step": step} for (kind, key), step in sorted(steps.items())]
    session.execute(writing, rows)


def forget_steps(session: Session, keys: Collection[CrowdKey]) -> None:
    """Nothing is known of these any more."""
    for kind in {kind for kind, _ in keys}:
        for some in in_parts(sorted(key for other, key in keys if other == kind)):
            session.execute(
                delete(Crowd)
                .where(Crowd.kind == kind, Crowd.key.in_(some))
                .execution_options(synchronize_session=False)
            )
