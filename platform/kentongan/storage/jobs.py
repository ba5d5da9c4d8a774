"""The outbox: promises that are committed with what they follow from, and kept until they are done.

The database is the truth and the broker a hint. A job is claimed by moving its moment into the future (the lease) and
raising its fence; whoever finishes it must still hold that fence, else the work is rolled back: somebody else has it now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Index, String, Text, delete, exists, func, insert, select, tuple_, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from kentongan.storage.base import Base, BigId, Instant


class Stage(StrEnum):
    """The road after `store`, in its order; what `subject_id` of its jobs means stands behind each."""

    INDEX = "index"  # submission
    DEDUPLICATE = "deduplicate"  # incident
    CORRELATE = "correlate"  # incident
    MATCH = "match"  # incident
    PUBLISH = "publish"  # incident
    MEET = "meet"  # incident; only where something takes part in linking by keyed hash
    DELIVER = "deliver"  # delivery


class JobRow(Base):
    """One promise."""

    __tablename__ = "job"
    __table_args__ = (Index("ix_job_stage_available_at_id", "stage", "available_at", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    stage: Mapped[str] = mapped_column(String(20))
    subject_id: Mapped[int] = mapped_column(BigId)
    created_at: Mapped[datetime] = mapped_column(Instant)
    available_at: Mapped[datetime | None] = mapped_column(Instant)
    """From when it may be claimed; NULL: it failed too often and waits for an operator."""
    fence: Mapped[int] = mapped_column(default=0)
    """How often it was claimed."""
    last_error: Mapped[str | None] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job: the right to keep one promise until the lease ends."""

    id: int
    stage: Stage
    subject_id: int
    fence: int


class LostLease(Exception):
    """Another worker has claimed the job meanwhile: everything done for it here must be rolled back."""


def add(session: Session, stage: Stage, subject_ids: Iterable[int], now: datetime, at: datetime | None = None) -> None:
    """Promise `stage` for each subject, from `at` on (default: now), with whatever else this transaction commits."""
    rows = [
        {"stage": stage.value, "subject_id": subject, "created_at": now, "available_at": at or now, "fence": 0}
        for subject in subject_ids
    ]
    if rows:
        session.connection().execute(_ADD, rows)


_ADD = insert(JobRow)
"""Built once: every submission adds one."""


def is_due(session: Session, stage: Stage, now: datetime) -> bool:
    """Whether a claim would find something; takes no lock."""
    return session.scalar(select(exists().where(JobRow.stage == stage.value, JobRow.available_at <= now))) or False


def claim(session: Session, stage: Stage, now: datetime, lease: timedelta, limit: int) -> list[Job]:
    """Take up to `limit` jobs of one stage that are due, oldest first. Commit before working on them."""
    due = (
        select(JobRow.id)
        .where(JobRow.stage == stage.value, JobRow.available_at <= now)
        .order_by(JobRow.available_at, JobRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        # As a subquery PostgreSQL may run it once for each row, and lock `limit` others each time.
        .cte("due")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    taken = session.execute(
        update(JobRow)
        .where(JobRow.id.in_(select(due.c.id)))
        .values(available_at=now + lease, fence=JobRow.fence + 1)
        .returning(JobRow.id, JobRow.subject_id, JobRow.fence)
        .execution_options(synchronize_session=False)
    ).all()
    return sorted((Job(row.id, stage, row.subject_id, row.fence) for row in taken), key=lambda job: job.id)


def finish(session: Session, jobs: Sequence[Job]) -> None:
    """The promises are kept, with what this transaction commits. Raises LostLease if one of them is no longer ours."""
    if not jobs:
        return
    ours = tuple_(JobRow.id, JobRow.fence).in_([(job.id, job.fence) for job in jobs])
    gone = session.execute(delete(JobRow).where(ours).execution_options(synchronize_session=False))
    if gone.rowcount != len(jobs):  # type: ignore[attr-defined]  # a DELETE's result has it; the stubs name the base class
        raise LostLease(f"of {len(jobs)} jobs ({jobs[0].stage.value}) another worker took some over")


def postpone(session: Session, job: Job, at: datetime | None, error: str) -> None:
    """Try again at `at`, or never by itself (None); nothing happens if the job is no longer ours."""
    session.execute(
        update(JobRow)
        .where(JobRow.id == job.id, JobRow.fence == job.fence)
        .values(available_at=at, last_error=error[:2000])
    )


def oldest_waiting(session: Session) -> datetime | None:
    """When the oldest promise that is still to be kept was made."""
    return session.scalar(select(func.min(JobRow.created_at)).where(JobRow.available_at.is_not(None)))


def longest_due(session: Session, now: datetime) -> datetime | None:
    """Since when the job has been due that has waited longest; a job in hand is due again when its lease ends."""
    return session.scalar(select(func.min(JobRow.available_at)).where(JobRow.available_at <= now))


def counts(session: Session) -> dict[str, int]:
    """How many promises wait, by stage, and under `failed` how many need an operator."""
    waiting = session.execute(
        select(JobRow.stage, func.count()).where(JobRow.available_at.is_not(None)).group_by(JobRow.stage)
    )
    failed = session.scalar(select(func.count()).select_from(JobRow).where(JobRow.available_at.is_(None))) or 0
    return {**{row[0]: row[1] for row in waiting}, "failed": failed}


def failed(session: Session, limit: int) -> Sequence[JobRow]:
    """Jobs that failed too often and wait for an operator, newest first, at most `limit`."""
    waiting = select(JobRow).where(JobRow.available_at.is_(None)).order_by(JobRow.id.desc()).limit(limit)
    return session.scalars(waiting).all()


def retry_failed(session: Session, now: datetime) -> int:
    """Give every job that waits for an operator a fresh start; says how many there were."""
    again = session.execute(update(JobRow).where(JobRow.available_at.is_(None)).values(available_at=now, fence=0))
    return int(again.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has it; the stubs name the base class
