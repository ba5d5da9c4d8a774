"""Accounts in a real Chromium: a passkey of its virtual authenticator, the pages without hindrance, everything under the policy."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, expect
from werkzeug.serving import make_server

from browsing import NO_CHROMIUM, Visit, axe_script, browser, chromium, visit
from kentongan.domain.identity import OrganizationKind, Role
from kentongan.services.organizations import Organizations
from kentongan.storage.database import Database
from portal_stories import PASSWORD, Place, place
from stories import CONSOLE

pytestmark = [pytest.mark.browser, pytest.mark.skipif(chromium() is None, reason=NO_CHROMIUM)]


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    """One browser for all visits."""
    with browser() as started:
        yield started


@pytest.fixture
def kampung(sqlite_database: Database, tmp_path: Path) -> Place:
    """An installation whose clock goes as the browser's does."""
    made = place(sqlite_database, str(tmp_path))
    object.__setattr__(made.kentongan, "clock", lambda: datetime.now(UTC))
    return made


@pytest.fixture
def origin(kampung: Place) -> Iterator[str]:
    """Where it listens, by a name: passkeys need one."""
    server = make_server("127.0.0.1", 0, kampung.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    thread.join(10)


def person(kampung: Place, *roles: Role) -> str:
    with kampung.kentongan.database.writing() as session:
        made = Organizations(session, kampung.kentongan.clock, CONSOLE).add("ID-CERT", OrganizationKind.MEMBER)
        identity = made.identity()
    return kampung.person(identity, *roles)


def with_authenticator(person: Visit) -> None:
    """Give the browser an authenticator whose owner touches it at once."""
    control = person.page.context.new_cdp_session(person.page)
    control.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    control.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def fills_sign_in(person: Visit, name: str) -> None:
    person.open("/sign-in")
    person.page.get_by_label("Mail address").fill(name)
    person.page.get_by_label("Password").fill(PASSWORD)
    person.page.get_by_role("button", name="Sign in", exact=True).click()


def test_an_operator_enrols_a_passkey_and_signs_in_with_it(kampung: Place, origin: str, chrome: Browser) -> None:
    name = person(kampung, Role.OPERATOR)
    with visit(chrome, origin) as siti:
        with_authenticator(siti)
        fills_sign_in(siti, name)
        expect(siti.page.get_by_text("Your role needs a second factor.")).to_be_visible()
        siti.page.get_by_label("Name of the new one").fill("This browser")
        siti.page.get_by_role("button", name="Add a passkey").click()
        expect(siti.page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
        siti.page.get_by_role("link", name="I have them").click()
        siti.page.get_by_role("heading", level=1, name="What is going on").wait_for()

        siti.page.get_by_role("button", name="Sign out").click()
        fills_sign_in(siti, name)
        siti.page.get_by_role("button", name="Use a passkey").click()
        siti.page.get_by_role("heading", level=1, name="What is going on").wait_for()
        siti.open("/account/second-factor")
        expect(siti.page.get_by_text("last used")).to_be_visible()

        assert siti.faults == []


def test_the_account_pages_work_without_scripts_and_hinder_nobody(kampung: Place, origin: str, chrome: Browser) -> None:
    axe = axe_script()
    name, hindrances, wide = person(kampung, Role.ADMINISTRATOR, Role.ANALYST), {}, {}

    def look(at: Visit, what: str) -> None:
        at.page.locator("main details").evaluate_all("all => all.forEach(one => one.open = true)")
        hindrances[what] = at.hindrances(axe)
        wide[what] = at.page.evaluate("document.documentElement.scrollWidth")

    with visit(chrome, origin, viewport={"width": 360, "height": 740}) as siti:
        siti.open("/sign-in")
        look(siti, "sign-in")
        siti.open("/forgotten")
        look(siti, "forgotten")
        fills_sign_in(siti, name)
        expect(siti.page.get_by_role("heading", level=1)).to_have_text("Second factor")
        look(siti, "factors owed")
        siti.page.get_by_role("button", name="Set up an app").click()
        look(siti, "app")
        secret = siti.page.locator("main code").inner_text().replace(" ", "")
        siti.page.get_by_label("Code that the app shows").fill(pyotp.TOTP(secret).now())
        siti.page.get_by_role("button", name="It works").click()
        expect(siti.page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
        look(siti, "recovery codes")
        codes = siti.page.get_by_label("The codes").inner_text().split()
        for address in ("/account", "/account/second-factor", "/people"):
            siti.open(address)
            look(siti, address)
        siti.page.get_by_label("Name", exact=True).fill("Adi")
        siti.page.get_by_label("Mail address").fill("adi@cert.example")
        siti.page.get_by_role("group", name="Roles", exact=True).get_by_label("Analyst").check()
        siti.page.get_by_role("button", name="Invite").click()
        look(siti, "invited")
        link = siti.page.get_by_label("The address").inner_text()
        assert siti.faults == []

    with visit(chrome, origin, java_script_enabled=False) as again:
        fills_sign_in(again, name)
        again.page.get_by_label("Code").fill(codes[0])
        again.page.get_by_role("button", name="Go on").click()
        again.page.get_by_role("heading", level=1, name="What is going on").wait_for()

    with visit(chrome, origin, viewport={"width": 360, "height": 740}) as adi:
        adi.open("/link/" + link.rpartition("/")[2])
        look(adi, "link")
        fills_sign_in(adi, name)
        look(adi, "second factor")

    assert {address: found for address, found in hindrances.items() if found} == {}
    assert {address: width for address, width in wide.items() if width > 360} == {}
