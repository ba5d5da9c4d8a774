"""What is accepted, tightened, erased or let in enters the collections that TAXII clients read, in the order of commits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from kentongan.domain.date_added import version_of
from kentongan.domain.ties import ENDS, ends_of
from kentongan.storage.base import microseconds
from kentongan.storage.collection_entries import (
    Carrying,
    add_entries,
    remember_ties,
    renew_entries,
    renew_for,
    ties_let_in,
)
from kentongan.storage.database import accept_in_order
from kentongan.storage.organizations import Organization
from kentongan.storage.visibility import audience_ids


class Fresh(NamedTuple):
    """An object that is carried to an audience it was not carried to before."""

    object_id: int
    audience_id: int
    level: int
    stix: dict[str, Any]
    modified: datetime | None
    owned: bool
    """Whether its STIX id belongs to who sends it."""
    known: bool
    """Whether something came under its id before."""


def enter_collections(session: Session, sender_id: int, fresh: Sequence[Fresh], now: datetime) -> None:
    """Add these to the collections; what ties them and came earlier is added anew for who sees both its ends only now.

    Hold the accept lock.
    """
    carried = [
        Carrying(
            each.object_id,
            each.audience_id,
            each.stix["id"],
            each.stix["type"],
            microseconds(each.modified) if each.modified else version_of(each.stix),
            sender_id,
            int(each.level),
            each.owned,
        )
        for each in fresh
    ]
    waiting = ties_let_in(session, carried)
    add_entries(session, carried, now, {each.stix["id"] for each in fresh if each.known})
    remember_ties(
        session, ((end, each.object_id) for each in fresh if each.stix["type"] in ENDS for end in ends_of(each.stix))
    )
    renew_entries(session, waiting, now)


@contextmanager
def what_they_see_changes(session: Session, readers: Sequence[Organization], now: datetime) -> Iterator[None]:
    """Inside, it changes which audiences these organizations belong to: what each of them sees from now on is added for it anew,
    for a client that was past its place would never find it."""
    accept_in_order(session)
    before = {reader.id: audience_ids(session, reader.identity()) for reader in readers}
    yield
    session.flush()
    for reader in readers:
        seen = audience_ids(session, reader.identity())
        renew_for(session, reader.id, before[reader.id] ^ seen, seen, now)
