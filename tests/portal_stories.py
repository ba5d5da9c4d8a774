"""A portal to visit: an installation in a folder of its own, and browsers without a screen that sign in to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from html.parser import HTMLParser
from itertools import count
from typing import Any

import pyotp
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from kentongan.app import create_app
from kentongan.bootstrap import Kentongan
from kentongan.domain.accounts import needs_second_factor
from kentongan.domain.identity import Identity, OrganizationKind, Role
from kentongan.services.people import People
from kentongan.settings import Settings
from kentongan.storage.database import Database
from kentongan.storage.jobs import Stage
from kentongan.storage.organizations import Organization
from reading_stories import Region
from stories import CONSOLE, NOON

PASSWORD = "the drum under the old banyan"
QUICK_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""The hash that people in stories have: real, and compared in no time."""


@dataclass
class Place:
    """One installation with its application; `nudged` are the stages that were woken, `now` what its clock says."""

    app: Flask
    kentongan: Kentongan
    nudged: list[Stage]
    now: datetime = NOON
    emails: Iterator[str] = field(default_factory=lambda: (f"person-{number}@cert.example" for number in count(1)))

    @contextmanager
    def region(self) -> Iterator[Region]:
        """A region to tell stories in, committed at the end."""
        with self.kentongan.database.writing() as session:
            yield Region(session)

    def person(self, who: Identity, *roles: Role, email: str = "", name: str = "Siti") -> str:
        """Somebody of this organization, who signs in with PASSWORD; the name to do so with."""
        usual = Role.SUBSCRIBER if who.kind is OrganizationKind.SUBSCRIBER else Role.ANALYST
        with self.kentongan.database.writing() as session:
            organization = session.get_one(Organization, who.organization_id)
            made = People(session, self.kentongan.clock).add(
                CONSOLE,
                organization,
                email=email or next(self.emails),
                name=name,
                roles=roles or (usual,),
                kept=QUICK_HASH,
            )
            return made.email

    def visitor(self) -> Visitor:
        """Somebody who has not signed in."""
        return Visitor(self.app.test_client())

    def signed_in(self, who: Identity, *roles: Role) -> Visitor:
        """Somebody of this organization, signed in; with a second factor where the roles need one."""
        visitor = self.visitor()
        answer = visitor.sign_in(self.person(who, *roles))
        if needs_second_factor(roles):
            assert answer.location == "/account/second-factor"
            visitor.enrols_app(self.now)
        else:
            assert answer.status_code == 302, answer.text
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

    def sign_in(self, name: str, password: str = PASSWORD, **more: str) -> TestResponse:
        """Send the sign-in form."""
        return self.send("/sign-in", form_page="/sign-in?again=1", name=name, password=password, **more)

    def enrols_app(self, now: datetime) -> str:
        """Set up an authenticator app; its secret."""
        self.send("/account/app", form_page="/account/second-factor")
        found = re.search(r"<code>([A-Z2-7 ]{32,})</code>", self.sees("/account/app"))
        assert found
        secret = found[1].replace(" ", "")
        answer = self.send("/account/app/code", form_page="/account/app", code=pyotp.TOTP(secret).at(now))
        assert answer.status_code in (200, 303), answer.text
        return secret

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


def place(database: Database, data_dir: str, **more: Any) -> Place:
    """An installation on this database; `more` are settings."""
    nudged: list[Stage] = []
    settings = Settings(data_dir=data_dir, secret_key="a key for tests alone", **more)
    told: list[Place] = []
    kentongan = Kentongan(settings, database, lambda: told[0].now if told else NOON, nudged.append)
    told.append(Place(create_app(kentongan), kentongan, nudged))
    return told[0]


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


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></textarea></details><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "invoice\u202efdp.exe",
    "\u2066\u202b\u200f\u200e\u2069 mixed directions",
    "x" * 10_000,
    "ระบบถูกโจมตี ဒေတာ ខ្មែរ ລາວ",
]
_KNOWN_ELEMENTS = frozenset(
    "html head meta title link body a header div img nav ul li strong span form input button main section p h1 h2 h3 table "
    "caption thead tbody tr th td time bdi code br details summary pre dl dt dd footer svg rect ol search label select option "
    "datalist textarea fieldset legend script".split()
)


def assert_harmless(page: str) -> None:
    """Only our own elements, no inline script, style or handler, and no link that leaves."""
    for name, attributes in Markup(page).elements:
        assert name in _KNOWN_ELEMENTS, name
        assert not [attribute for attribute in attributes if attribute.startswith("on") or attribute == "style"]
        if name == "script":
            assert (attributes.get("src") or "").startswith("/static/")
        for reference in ("href", "src", "action"):
            if attributes.get(reference) is not None:
                assert str(attributes[reference]).startswith(("/", "#")), attributes
                assert not str(attributes[reference]).startswith("//"), attributes
