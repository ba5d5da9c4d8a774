"""A person changes the password of their own account."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from kentongan.domain.audit import Act
from kentongan.services.person_links import keep_password
from kentongan.services.person_sessions import Present
from kentongan.storage import audit
from kentongan.storage.credentials import Password
from kentongan.storage.person_links import end_links
from kentongan.storage.person_sessions import end_sessions, forget_devices

Clock = Callable[[], datetime]


class OwnPassword:
    """For who is signed in, and signed in a short while ago."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def exists(self, person_id: int) -> bool:
        """Whether the person has one: who came by an account elsewhere may have none."""
        return self._session.get(Password, person_id) is not None

    def change(self, present: Present, kept: str) -> None:
        """Keep the hash of the new one. Every other session of the person ends, and so does every link they were sent."""
        now = self._clock()
        keep_password(self._session, present.person_id, kept, now)
        end_sessions(self._session, present.person_id, now, but=present.session_id)
        end_links(self._session, present.person_id, now)
        forget_devices(self._session, present.person_id)
        about = present.identity.organization_id
        audit.note(self._session, present.identity, Act.CHANGED, "password", about_id=about)
