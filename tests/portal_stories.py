"""A portal to visit: an installation in a folder of its own, and browsers without a screen that sign in to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from kentongan.app import create_app
from kentongan.bootstrap import Kentongan
from kentongan.domain.identity import Identity, Scope
from kentongan.domain.permissions import OF_TOKENS
from kentongan.services.tokens import Tokens
from kentongan.settings import Settings
from kentongan.storage.database import Database
from kentongan.storage.jobs import Stage
from kentongan.storage.organizations import Organization
from reading_stories import Region
from stories import NOON

EVERYTHING = frozenset(Scope)


@dataclass
class Place:
    """One installation with its application; `nudged` are the stages that were woken."""

    app: Flask
    kentongan: Kentongan
    nudged: list[Stage]

    @contextmanager
    def region(self) -> Iterator[Region]:
        """A region to tell stories in, committed at the end."""
        with self.kentongan.database.writing() as session:
            yield Region(session)

    def token(self, who: Identity, scopes: frozenset[Scope] = EVERYTHING) -> str:
        """A token of this organization."""
        with self.kentongan.database.writing() as session:
            organization = session.get_one(Organization, who.organization_id)
            return Tokens(session, lambda: NOON).create(organization, scopes & OF_TOKENS).secret

    def visitor(self) -> Visitor:
        """Somebody who has not signed in."""
        return Visitor(self.app.test_client())

    def signed_in(self, who: Identity, scopes: frozenset[Scope] = EVERYTHING) -> Visitor:
        """Somebody of this organization, signed in."""
        visitor = self.visitor()
        assert visitor.sign_in(self.token(who, scopes)).status_code == 302
        return visitor


@dataclass
class Visitor:
    """A browser without a screen."""

    client: FlaskClient

    def get(self, address: str) -> TestResponse:
        """Open a page."""
        return self.client.get(address)

    def sees(self, address: str) -> str:
        """The text of a page that is there."""
        answer = self.get(address)
        assert answer.status_code == 200, (address, answer.status_code)
        return answer.text

    def sign_in(self, token: str, **more: str) -> TestResponse:
        """Send the sign-in form."""
        return self.send("/sign-in", form_page="/sign-in", token=token, **more)

    def send(self, address: str, *, form_page: str = "/submit", **fields: object) -> TestResponse:
        """Send a form as a browser would: with the token that the page with the form carries."""
        page = self.get(form_page).text
        return self.client.post(
            address, data={"csrf_token": csrf_token(page), **fields}, content_type="multipart/form-data"
        )


def csrf_token(page: str) -> str:
    """The token in the first form of a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found, "the page has no form"
    return found[1]


def place(database: Database, data_dir: str) -> Place:
    """An installation on this database."""
    nudged: list[Stage] = []
    settings = Settings(data_dir=data_dir, secret_key="a key for tests alone")
    kentongan = Kentongan(settings, database, lambda: NOON, nudged.append)
    return Place(create_app(kentongan), kentongan, nudged)


class Markup(HTMLParser):
    """What a browser would make of a page: every element with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)
