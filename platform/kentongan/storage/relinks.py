"""How far working all links out anew has come, and where everything was before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import String, delete, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from kentongan.storage.base import Base, BigId, Instant, Json
from kentongan.storage.cases import Case
from kentongan.storage.incidents import Incident


class RelinkRun(Base):
    """One walk over the store, by one state of the rules."""

    __tablename__ = "relink_run"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    rules: Mapped[str] = mapped_column(String(16))
    """domain/relinking.py: rules_version."""
    position: Mapped[int] = mapped_column(BigId)
    """The incident (row number) up to which all are done."""
    last: Mapped[int] = mapped_column(BigId)
    """The last one there was at its beginning: later ones are linked by these rules anyway."""
    changes: Mapped[dict[str, Any]] = mapped_column(Json)
    started_at: Mapped[datetime] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)


class RelinkBefore(Base):
    """Where an incident was when the walk began; kept only while it goes on."""

    __tablename__ = "relink_before"

    incident_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    case_id: Mapped[int | None] = mapped_column(BigId)
    campaign_id: Mapped[int | None] = mapped_column(BigId)


def newest_run(session: Session) -> RelinkRun | None:
    """The run that was begun last."""
    newest = select(RelinkRun).order_by(RelinkRun.id.desc()).limit(1)
    return session.scalars(newest.execution_options(populate_existing=True)).one_or_none()


def begin_run(session: Session, rules: str, now: datetime) -> RelinkRun:
    """A new run from the beginning; an earlier one that was not finished is given up."""
    session.execute(delete(RelinkRun).where(RelinkRun.finished_at.is_(None)))
    session.execute(delete(RelinkBefore))
    places = select(Incident.id, Incident.case_id, Case.campaign_id).outerjoin(Case, Case.id == Incident.case_id)
    session.execute(insert(RelinkBefore).from_select(["incident_id", "case_id", "campaign_id"], places))
    last = session.scalar(select(func.max(Incident.id))) or 0
    run = RelinkRun(rules=rules, position=0, last=last, changes={}, started_at=now, finished_at=None)
    session.add(run)
    session.flush()
    return run


Places = Mapping[int, tuple[int | None, int | None]]
"""Incident: its case and campaign."""


def places_before(session: Session) -> Places:
    """Where everything was when the run began."""
    rows = session.execute(select(RelinkBefore.incident_id, RelinkBefore.case_id, RelinkBefore.campaign_id))
    return {row[0]: (row[1], row[2]) for row in rows}


def places_now(session: Session) -> Places:
    """Where everything is."""
    query = select(Incident.id, Incident.case_id, Case.campaign_id).outerjoin(Case, Case.id == Incident.case_id)
    return {row[0]: (row[1], row[2]) for row in session.execute(query)}


def forget_before(session: Session) -> None:
    """The run is over."""
    session.execute(delete(RelinkBefore))


def following(session: Session, after: int, up_to: int, most: int) -> list[int]:
    """The next incidents (row numbers) behind one, up to another."""
    query = select(Incident.id).where(Incident.id > after, Incident.id <= up_to).order_by(Incident.id).limit(most)
    return list(session.scalars(query))


def last_incident(session: Session) -> int:
    """The highest row number there is; 0 in an empty store."""
    return session.scalar(select(func.max(Incident.id))) or 0
