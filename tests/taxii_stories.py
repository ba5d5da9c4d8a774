"""The TAXII door of one installation, asked by organizations with tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from asking import Door
from kentongan import taxii
from kentongan.domain.identity import Identity, OrganizationKind, Scope
from kentongan.services.tokens import Tokens
from kentongan.storage.database import Database
from kentongan.storage.organizations import Organization
from stories import CONSOLE, NOON, Stix

MEDIA_TYPE = "application/taxii+json;version=2.1"
ROOT = "/taxii2/kentongan/"
FIRST, LAST = "X-TAXII-Date-Added-First", "X-TAXII-Date-Added-Last"


@dataclass
class TaxiiClient:
    """An organization that speaks TAXII; `auth` is what it shows in every request."""

    client: FlaskClient
    identity: Identity
    secret: str

    def ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, **how: Any) -> TestResponse:
        """Any request below the API root, with the token as a bearer."""
        shown = {"Authorization": f"Bearer {self.secret}", "Accept": MEDIA_TYPE, **(headers or {})}
        return self.client.open(ROOT + path, method=method, headers=shown, **how)

    def get(self, tail: str = "objects/", *, collection: str = "everything", **query: Any) -> TestResponse:
        """GET something of a collection; `match_id=...` is written match[id]."""
        named = {f"match[{name[6:]}]" if name.startswith("match_") else name: value for name, value in query.items()}
        return self.ask("GET", f"collections/{collection}/{tail}", query_string=named)

    def adds(self, *objects: Stix, collection: str = "everything") -> TestResponse:
        """POST an envelope."""
        body = orjson.dumps({"objects": objects})
        return self.ask("POST", f"collections/{collection}/objects/", data=body, headers={"Content-Type": MEDIA_TYPE})

    def deletes(self, stix_id: str, collection: str = "everything", **query: Any) -> TestResponse:
        """DELETE an object."""
        named = {f"match[{name[6:]}]": value for name, value in query.items()}
        return self.ask("DELETE", f"collections/{collection}/objects/{stix_id}/", query_string=named)

    def found(self, **query: Any) -> list[Stix]:
        """The objects on one page."""
        answer = self.get(**query)
        assert answer.status_code == 200, answer.text
        return list(orjson.loads(answer.data).get("objects", []))

    def ids(self, **query: Any) -> list[str]:
        """Their ids."""
        return [found["id"] for found in self.found(**query)]

    def dates(self, **query: Any) -> dict[str, str]:
        """When each object was added, by id, in all versions' last words."""
        answer = self.get("manifest/", **query)
        return {record["id"]: record["date_added"] for record in orjson.loads(answer.data).get("objects", [])}

    def pages(self, limit: int, tail: str = "objects/", **query: Any) -> Iterator[Stix]:
        """Page after page, by `next`."""
        page = orjson.loads(self.get(tail, limit=limit, **query).data)
        yield page
        while page.get("more"):
            page = orjson.loads(self.get(tail, limit=limit, next=page["next"], **query).data)
            yield page


@dataclass
class Poller:
    """A client that asks again and again for what was added since the last thing it got, as Splunk and MISP do."""

    client: TaxiiClient
    limit: int = 100
    after: str = ""

    def polls(self) -> list[str]:
        """The ids it gets this time, until there is no more."""
        got: list[str] = []
        while True:
            since = {"added_after": self.after} if self.after else {}
            answer = self.client.get(limit=self.limit, **since)
            assert answer.status_code == 200, answer.text
            page = orjson.loads(answer.data)
            got += [found["id"] for found in page.get("objects", [])]
            self.after = answer.headers.get(LAST, self.after)
            if not page.get("more"):
                return got


class TaxiiDoor(Door):
    """Both doors for programs over one database; its clock goes on by a second with each look."""

    def __init__(self, database: Database, folder: Path, **settings: Any) -> None:
        super().__init__(database, folder, **settings)
        taxii.register(self.app)
        self.now = NOON
        self.clock = self.tick

    def tick(self) -> Any:
        """A second later than before."""
        self.now += timedelta(seconds=1)
        return self.now

    def client(
        self,
        name: str,
        kind: OrganizationKind = OrganizationKind.MEMBER,
        scopes: frozenset[Scope] = frozenset({Scope.TAXII, Scope.SUBMIT, Scope.ADMIN}),
    ) -> TaxiiClient:
        """An organization joins, with a TAXII client."""
        asker = self.joins(name, kind, scopes)
        return TaxiiClient(self.app.test_client(), asker.identity, asker.secret)

    def client_of(self, who: Identity) -> TaxiiClient:
        """A TAXII client of an organization that is there already."""
        with self.database.writing() as session:
            home = session.get_one(Organization, who.organization_id)
            scopes = frozenset({Scope.TAXII, Scope.SUBMIT, Scope.ADMIN})
            made = Tokens(session, self.clock, CONSOLE).create(home, scopes)
        return TaxiiClient(self.app.test_client(), who, made.secret)
