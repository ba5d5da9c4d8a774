"""Incidents by what an index lists for them, whether it lists three or half of all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from kentongan.domain.identity import Identity
from kentongan.domain.incident import Observable
from kentongan.storage.incidents import Incident
from kentongan.storage.observables import Posting, StoredObservable, digest_of
from kentongan.storage.visibility import visible

_MANY: Final = 1_000


def observable_keys(session: Session, observables: Iterable[Observable]) -> list[int]:
    """The row numbers of those of these values that anybody ever sent; what follows from them asks who may know."""
    digests = [digest_of(observable) for observable in observables]
    return list(session.scalars(select(StoredObservable.id).where(StoredObservable.digest.in_(digests))))


def carries(session: Session, reader: Identity, keys: Sequence[int]) -> ColumnElement[bool]:
    """Whether the incident carries one of these values in something that the reader may see."""
    wanted = and_(Posting.observable_id.in_(keys), visible(session, Posting.audience_id, reader))
    return among(session, Posting.incident_id, wanted)


def among(
    session: Session, incident_id: InstrumentedAttribute[int], wanted: ColumnElement[bool]
) -> ColumnElement[bool]:
    """Whether a table lists the incident in a row that is wanted.

    Few such incidents are best fetched and then put in order; of very many, the newest are found soonest by walking the
    incidents in order and looking each one up. Databases cannot tell which it will be, so they are told: counting to a bound is
    cheap.
    """
    some = select(incident_id).where(wanted).limit(_MANY).subquery()
    if (session.scalar(select(func.count()).select_from(some)) or 0) < _MANY:
        return Incident.id.in_(select(incident_id).where(wanted))
    # Not EXISTS, of which PostgreSQL may make a join that it puts in order as a whole: it knows too little of what is visible.
    found = select(incident_id).where(wanted, incident_id == Incident.id).correlate(Incident).limit(1)
    return found.scalar_subquery().is_not(None)
