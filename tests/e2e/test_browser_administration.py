"""The administrators' pages in a real Chromium: they work without scripts, hinder nobody, and fit a small screen."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from werkzeug.serving import make_server

from browsing import NO_CHROMIUM, Visit, axe_script, browser, chromium, visit
from kentongan.domain.identity import OrganizationKind, Role
from kentongan.services.organizations import Organizations
from kentongan.storage.database import Database
from pgp_keys import ED25519, ED25519_FINGERPRINT
from portal_stories import Place, place
from stories import CONSOLE

pytestmark = [pytest.mark.browser, pytest.mark.skipif(chromium() is None, reason=NO_CHROMIUM)]


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    """One browser for all visits."""
    with browser() as started:
        yield started


@pytest.fixture
def kampung(sqlite_database: Database, tmp_path: Path) -> Place:
    """An installation of a member with a long name and its bank."""
    made = place(sqlite_database, str(tmp_path))
    with sqlite_database.writing() as session:
        organizations = Organizations(session, made.kentongan.clock, CONSOLE)
        member = organizations.add("Pusat Operasi Keamanan Siber Nasional " * 3, OrganizationKind.MEMBER, "ID")
        organizations.add("Bank Nusantara", OrganizationKind.SUBSCRIBER, "ID", member)
    return made


@pytest.fixture
def origin(kampung: Place) -> Iterator[str]:
    """Where it listens."""
    server = make_server("127.0.0.1", 0, kampung.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(10)


def signs_in(kampung: Place, visit: Visit, *roles: Role) -> None:
    """Somebody of the member, by the cookie of a visit that showed its second factor already."""
    with kampung.kentongan.database.reading() as session:
        member = Organizations(session, kampung.kentongan.clock, CONSOLE).all()[1].identity()
    cookie = kampung.signed_in(member, *roles).client.get_cookie("kentongan")
    assert cookie is not None
    visit.page.context.add_cookies([{"name": "kentongan", "value": cookie.value, "url": visit.origin}])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_of_administration_hinder_nobody(kampung: Place, origin: str, chrome: Browser, scheme: str) -> None:
    axe = axe_script()
    hindrances, wide = {}, {}

    def look(at: Visit, what: str) -> None:
        at.page.locator("main details").evaluate_all("all => all.forEach(one => one.open = true)")
        hindrances[what] = at.hindrances(axe)
        wide[what] = at.page.evaluate("document.documentElement.scrollWidth")

    with visit(chrome, origin, color_scheme=scheme, viewport={"width": 360, "height": 740}) as siti:
        signs_in(kampung, siti, Role.ADMINISTRATOR, Role.OPERATOR)
        siti.open("/organization")
        siti.page.get_by_label("What").select_option(label="PGP key")
        siti.page.get_by_label("Value").fill(ED25519)
        siti.page.get_by_label("Until").fill("2099-01-01")
        siti.page.get_by_role("button", name="Tell").click()
        expect(siti.page.get_by_role("code").get_by_text(ED25519_FINGERPRINT)).to_be_visible()
        look(siti, "organization")

        siti.open("/tokens")
        siti.page.get_by_role("button", name="Make a token").click()
        expect(siti.page.get_by_role("alert")).to_contain_text("at least one scope")
        look(siti, "refused")
        assert ["422" in fault for fault in siti.faults] == [True]  # Chromium names every refused form in its console
        siti.faults.clear()
        siti.page.get_by_label("Read: incidents").check()
        siti.page.get_by_label("From these networks only").fill("192.0.2.0/24\n2001:db8::/32")
        siti.page.get_by_role("button", name="Make a token").click()
        expect(siti.page.get_by_label("The token")).to_contain_text("kt_")
        look(siti, "the token")
        siti.open("/tokens")
        look(siti, "tokens")

        siti.open("/groups")
        siti.page.get_by_label("Name").fill("Banks of the archipelago and their providers " * 3)
        siti.page.get_by_role("button", name="Found the group").click()
        siti.page.get_by_role("combobox", name="Organization").select_option(label="Bank Nusantara")
        siti.page.get_by_label("Things reach it up to").select_option(label="TLP:AMBER")
        siti.page.get_by_role("button", name="Let it in").click()
        expect(siti.page.get_by_text("constituent")).to_be_visible()
        look(siti, "group")
        siti.open("/groups")
        look(siti, "groups")

        siti.open("/incoming")
        look(siti, "incoming")
        siti.page.get_by_label("Name").fill("Reports of the national ISAC " * 3)
        siti.page.get_by_label("Kind").select_option("csv")
        siti.page.get_by_label("columns").fill('{"name": "Title", "started": "Date"}')
        siti.page.get_by_label("Some of what the source has").fill("Title,Date,Ticket\nPhishing,2026-03-01,7\nx,,")
        siti.page.get_by_role("button", name="Only try it").click()
        expect(siti.page.get_by_role("cell", name="Phishing")).to_be_visible()
        look(siti, "a sample tried")
        siti.page.get_by_role("button", name="Set up").click()
        expect(siti.page.get_by_role("heading", name="To push to it")).to_be_visible()
        look(siti, "one that comes in")

        siti.open("/organizations")
        siti.page.get_by_label("From", exact=True).fill("2099-01-01")
        siti.page.get_by_role("button", name="Hand it over").click()
        siti.open("/organizations")
        expect(siti.page.get_by_text("1 Jan 2099")).to_be_visible()
        look(siti, "directory")
        assert siti.faults == []

    assert {what: found for what, found in hindrances.items() if found} == {}
    assert {what: width for what, width in wide.items() if width > 360} == {}
