"""The API of one installation, asked by organizations with tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from kentongan import api
from kentongan.bootstrap import Kentongan
from kentongan.domain.identity import Identity, OrganizationKind, Scope
from kentongan.domain.permissions import OF_TOKENS
from kentongan.services.organizations import Organizations
from kentongan.services.tokens import Tokens
from kentongan.settings import Settings
from kentongan.storage.database import Database
from kentongan.storage.jobs import Stage
from stories import CONSOLE, NOON


@dataclass
class Asker:
    """An organization at the door, with a token of all scopes."""

    client: FlaskClient
    identity: Identity
    secret: str

    def get(self, address: str, **how: Any) -> TestResponse:
        """GET, with the token."""
        return self.ask("GET", address, **how)

    def ask(self, method: str, address: str, *, headers: dict[str, str] | None = None, **how: Any) -> TestResponse:
        """Any request, with the token."""
        shown = {"Authorization": f"Bearer {self.secret}", **(headers or {})}
        return self.client.open(f"/api/v1{address}", method=method, headers=shown, **how)


class Door:
    """The API over one database. `nudged` are the stages it woke."""

    def __init__(self, database: Database, folder: Path, **settings: Any) -> None:
        self.database = database
        self.nudged: list[Stage] = []
        self.clock: Callable[[], datetime] = lambda: NOON
        kentongan = Kentongan(Settings(data_dir=folder, **settings), database, self._now, self.nudged.append)
        self.app = Flask("kentongan", static_folder=None)
        self.app.extensions["kentongan"] = kentongan
        api.register(self.app)

    def _now(self) -> datetime:
        return self.clock()

    def joins(
        self,
        name: str,
        kind: OrganizationKind = OrganizationKind.MEMBER,
        scopes: frozenset[Scope] = frozenset(Scope),
    ) -> Asker:
        """An organization with a token."""
        with self.database.writing() as session:
            organizations = Organizations(session, self.clock, CONSOLE)
            made = organizations.add(name, kind)
            token = Tokens(session, self.clock, CONSOLE).create(made, scopes & OF_TOKENS)
            return Asker(self.app.test_client(), made.identity(scopes), token.secret)
