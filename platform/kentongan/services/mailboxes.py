"""The feeds that take mail by SMTP: which address is which feed's, and who submits what comes to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from kentongan.domain.feeding import RFC_822, InboundFeeds
from kentongan.domain.identity import Identity
from kentongan.services.errors import NotFound
from kentongan.services.fetching import identity_of
from kentongan.services.push import Push, PushTarget
from kentongan.storage.feeds import FeedRow
from kentongan.storage.organizations import Organization


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A feed that takes mail, and the identity that what it brings is kept under."""

    sender: Identity
    target: PushTarget


class Mailboxes:
    """What is asked of an address before a mail is taken for it."""

    def __init__(self, session: Session, clock: Callable[[], datetime], inbound: InboundFeeds) -> None:
        self._session = session
        self._clock = clock
        self._inbound = inbound

    def of(self, feed_id: str, peer: str) -> Mailbox:
        """The mailbox of this feed, for a mail that `peer` hands in. Raises NotFound, also where its organization left."""
        row = self._session.scalars(select(FeedRow).where(FeedRow.public_id == feed_id)).one_or_none()
        takes = {kind.name for kind in self._inbound.kinds() if RFC_822 in kind.content_types}
        if row is None or row.kind not in takes:
            raise NotFound("there is no such mailbox")
        organization = self._session.get_one(Organization, row.organization_id)
        if organization.ended_at is not None:
            raise NotFound("there is no such mailbox any more")
        sender = replace(identity_of(row, organization), address=f"mail from {peer}"[:100])
        return Mailbox(sender, Push(self._session, self._clock, sender).target(feed_id))
