"""How common a value, a victim's name or a page was when the links that rest on it were last weighed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import String, delete, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from kentongan.domain.rarity import Spread
from kentongan.storage.base import Base, Json, in_parts
from kentongan.storage.observables import WANTED, Posting, rows_in_parts
from kentongan.storage.signs import signs_of

CrowdKey = tuple[str, str]
"""("value", the number of an observable), ("victim", a key of the name) or ("page", its key)."""


class Crowd(Base):
    """Kept only of what more than two incidents carry."""

    __tablename__ = "crowd"
    __table_args__ = ({"sqlite_with_rowid": False},)

    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    shared: Mapped[int]
    """As in domain/rarity.py: Spread."""
    excess: Mapped[dict[str, int]] = mapped_column(Json)


_VALUES = select(Posting.observable_id).where(Posting.incident_id.in_(WANTED))
_SPREADS = select(Crowd.kind, Crowd.key, Crowd.shared, Crowd.excess).where(Crowd.key.in_(WANTED))


def entries_of(session: Session, incident_ids: Collection[int]) -> set[CrowdKey]:
    """Everything that these incidents carry and that may be counted."""
    values = {("value", str(row[0])) for row in rows_in_parts(session, _VALUES, incident_ids)}
    return values | {(kind, key) for _, kind, key in signs_of(session, incident_ids)}


def spreads_kept(session: Session, keys: Collection[CrowdKey]) -> dict[CrowdKey, Spread]:
    """What is kept of these."""
    rows = rows_in_parts(session, _SPREADS, {key for _, key in keys})
    return {
        (row.kind, row.key): Spread(row.shared, {int(one): more for one, more in row.excess.items()})
        for row in rows
        if (row.kind, row.key) in keys
    }


def keep_spreads(session: Session, spreads: Mapping[CrowdKey, Spread]) -> None:
    """From now on the links that rest on these are weighed by this."""
    if not spreads:
        return
    specific: Any = postgresql_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    writing = specific(Crowd)
    told = {name: writing.excluded[name] for name in ("shared", "excess")}
    writing = writing.on_conflict_do_update(index_elements=["kind", "key"], set_=told)
    rows = [
        {"kind": kind, "key": key, "shared": spread.shared, "excess": {str(one): n for one, n in spread.excess.items()}}
        for (kind, key), spread in sorted(spreads.items(), key=lambda item: item[0])
    ]
    session.execute(writing, rows)


def forget_spreads(session: Session, keys: Collection[CrowdKey]) -> None:
    """Nothing is known of these any more."""
    for kind in {kind for kind, _ in keys}:
        for some in in_parts(sorted(key for other, key in keys if other == kind)):
            session.execute(
                delete(Crowd)
                .where(Crowd.kind == kind, Crowd.key.in_(some))
                .execution_options(synchronize_session=False)
            )
