"""Feeds of one installation, asked by organizations with tokens and by anybody; what is sent goes the whole road first."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from werkzeug.test import TestResponse

from asking import Asker, Door
from kentongan.cli.evaluate import work_off
from kentongan.domain.identity import OrganizationKind, Scope
from kentongan.storage.database import Database
from reading_stories import Region
from stories import NOON, Stix


@dataclass
class FeedReader:
    """An organization that reads feeds; without `asker` it is anybody."""

    door: FeedDoor
    asker: Asker | None = None

    def ask(self, name: str, *, headers: dict[str, str] | None = None, method: str = "GET") -> TestResponse:
        """Any feed, by what stands behind /feeds/."""
        shown = {"Authorization": f"Bearer {self.asker.secret}"} if self.asker else {}
        client = self.door.app.test_client()
        return client.open(f"/feeds/{name}", method=method, headers={**shown, **(headers or {})})

    def text(self, name: str) -> str:
        """What a feed says."""
        answer = self.ask(name)
        assert answer.status_code == 200, answer.text
        return answer.text

    def lines(self, name: str) -> list[str]:
        """Its lines."""
        return self.text(name).splitlines()

    def sends(self, *objects: Stix) -> None:
        """A submission, and all that follows from it."""
        assert self.asker is not None
        self.door.tick()
        with self.door.database.writing() as session:
            Region(session, self.door.now).sends(self.asker.identity, *objects)
        work_off(self.door.database, lambda: self.door.now + timedelta(days=30))


class FeedDoor(Door):
    """Its clock stands until it is told to go on."""

    def __init__(self, database: Database, folder: Path, **settings: Any) -> None:
        super().__init__(database, folder, **{"public_url": "https://kentongan.example", **settings})
        self.now: datetime = NOON
        self.clock = lambda: self.now

    def tick(self, **elapsed: float) -> None:
        """Time goes on; by two minutes, unless it is said how much."""
        self.now += timedelta(**(elapsed or {"minutes": 2}))

    def reader(
        self,
        name: str,
        kind: OrganizationKind = OrganizationKind.MEMBER,
        scopes: frozenset[Scope] = frozenset({Scope.READ, Scope.SUBMIT, Scope.ADMIN}),
    ) -> FeedReader:
        """An organization joins, with a token."""
        return FeedReader(self, self.joins(name, kind, scopes))

    def anybody(self) -> FeedReader:
        """Somebody without a token."""
        return FeedReader(self)


def basic(secret: str) -> dict[str, str]:
    """The header that a feed reader sends."""
    return {"Authorization": "Basic " + base64.b64encode(f"feeds:{secret}".encode()).decode()}
