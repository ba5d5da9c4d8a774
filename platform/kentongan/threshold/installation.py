"""How a door for programs reaches the installation it serves. It is chosen in the bootstrap, which this room does not import."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, cast

from flask import current_app

from kentongan.domain.feeding import InboundFeeds
from kentongan.domain.feeds import FeedFormats
from kentongan.domain.gate import Limits
from kentongan.domain.identity import Identity
from kentongan.domain.sharing import Names, SharingBook
from kentongan.services.sealing import Seal
from kentongan.settings import Settings
from kentongan.storage.database import Database
from kentongan.storage.jobs import Stage


class Installation(Protocol):
    """The ports that these doors use."""

    @property
    def settings(self) -> Settings: ...

    @property
    def database(self) -> Database: ...

    @property
    def clock(self) -> Callable[[], datetime]: ...

    @property
    def nudge(self) -> Callable[[Stage], None]: ...

    @property
    def cursor_key(self) -> bytes: ...

    @property
    def feed_formats(self) -> FeedFormats: ...

    @property
    def inbound(self) -> InboundFeeds: ...

    @property
    def seal(self) -> Seal: ...

    @property
    def limits(self) -> Limits: ...

    def book_of(self, sender: Identity) -> Callable[[Names], SharingBook]: ...


def installation() -> Installation:
    """The one that this application serves."""
    return cast(Installation, current_app.extensions["kentongan"])
