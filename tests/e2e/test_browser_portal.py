"""People visit the portal with a real browser, while real workers run behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from browsing import NO_CHROMIUM, PATIENCE_MS, Visit, axe_script, browser, chromium, visit
from kentongan.domain.identity import OrganizationKind, Role
from kentongan.domain.marking import Level
from kentongan.services.organizations import Organizations
from kentongan.services.people import People
from kentongan.storage.database import Database
from kentongan.trial import Trial
from portal_stories import PASSWORD, QUICK_HASH
from stories import (
    CONSOLE,
    NOON,
    Stix,
    bundle,
    domain_name,
    file_hash,
    identity,
    incident,
    ipv4,
    later,
    observed,
    relationship,
)

pytestmark = [pytest.mark.browser, pytest.mark.skipif(chromium() is None, reason=NO_CHROMIUM)]

TELLING = "update-check.evil-portal.example"
TELLING_HASH = "1b7e90c4" * 8
HOSTILE = "<script>alert('kentongan')</script><img src=https://evil.example/x onerror=alert(1)> \u202e"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """Web, workers, scheduler and broker, really running."""
    with Trial(tmp_path_factory.mktemp("kampung")) as running:
        yield running


@pytest.fixture(scope="module")
def people(installation: Trial) -> dict[str, str]:
    """An analyst of everybody in the stories, by the name to sign in with; all have the same password."""
    database = Database(installation.settings().database)
    made = {}
    with database.writing() as session:
        organizations, people = Organizations(session, lambda: NOON, CONSOLE), People(session, lambda: NOON)
        for name in ("ID-CERT", "VNCERT", "ThaiCERT", "Quiet-CERT"):
            member = organizations.add(name, OrganizationKind.MEMBER)
            email = f"duty@{name.lower()}.example"
            people.add(CONSOLE, member, email=email, name=f"Duty of {name}", roles=[Role.ANALYST], kept=QUICK_HASH)
            made[name] = email
    database.close()
    return made


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    """One browser for all visits."""
    with browser() as started:
        yield started


def report(victim: str, title: str, hours: float = 0, country: str = "ID", marking: Level = Level.GREEN) -> str:
    """A bundle about one incident, with telling observables, as a CERT would send it."""
    times = {"created": later(hours=hours), "modified": later(hours=hours), "marking": marking}
    told = incident(title, labels=['rsit:intrusions="system-compromise"', f"country:{country}"], **times)
    target = identity(victim, **times)
    seen = [domain_name(TELLING), file_hash(TELLING_HASH), ipv4("8.8.8.8")]
    data = observed(*seen, first_observed=later(hours=hours), last_observed=later(hours=hours), marking=marking)
    ties: list[Stix] = [relationship(told, "targets", target, **times), relationship(told, "related-to", data, **times)]
    return json.dumps(bundle(told, target, *seen, data, *ties))


def until_complete(person: Visit) -> None:
    """Watch the receipt fill, without loading it again."""
    expect(person.page.locator("[data-complete]")).to_have_count(1, timeout=PATIENCE_MS)


def test_a_receipt_fills_and_leads_to_incident_case_and_campaign(
    installation: Trial, people: dict[str, str], chrome: Browser
) -> None:
    with visit(chrome, installation.url) as hanoi:
        hanoi.sign_in(people["VNCERT"], PASSWORD)
        hanoi.paste(report("Bank of the Delta", "Web shell at a bank", country="VN"))
        until_complete(hanoi)
        hanoi.paste(report("Mekong Power Company", "Intrusion at a power company", hours=30, country="VN"))
        until_complete(hanoi)
        assert hanoi.faults == []

    with visit(chrome, installation.url) as jakarta:
        jakarta.sign_in(people["ID-CERT"], PASSWORD)
        jakarta.paste(report("Bank of the Delta", "Compromise of a bank's web server", hours=1, country="VN"))
        expect(jakarta.page.get_by_role("link", name="Load again")).to_have_count(0)
        until_complete(jakarta)
        expect(jakarta.page.get_by_role("status")).to_have_text("Everything was compared and announced.")

        jakarta.page.get_by_role("link", name="Compromise of a bank's web server").click()
        expect(jakarta.page.get_by_role("heading", level=1)).to_have_text("Compromise of a bank's web server")
        expect(jakarta.page.locator("tr.dim")).to_contain_text("8.8.8.8")
        jakarta.page.get_by_text("As STIX").click()
        expect(jakarta.page.get_by_label("The incident as STIX")).to_contain_text('"type": "incident"')

        jakarta.page.get_by_role("link", name="2 reports of this event").click()
        expect(jakarta.page.get_by_text("Case of 2 reports")).to_be_visible()
        expect(jakarta.page.locator("tr.differs", has_text="Title")).to_contain_text("Web shell at a bank")
        expect(jakarta.page.get_by_role("heading", name="Why these are the same event")).to_be_visible()
        expect(jakarta.page.locator(".evidence").first).to_contain_text("%")

        jakarta.page.locator(".message a").click()
        expect(jakarta.page.get_by_text("Campaign of 2 cases")).to_be_visible()
        expect(jakarta.page.locator(".evidence").first).to_contain_text(TELLING_HASH[:8])
        assert jakarta.faults == []


def test_two_reports_are_parted_and_brought_back_together(
    installation: Trial, people: dict[str, str], chrome: Browser
) -> None:
    with visit(chrome, installation.url) as jakarta:
        jakarta.sign_in(people["ID-CERT"], PASSWORD)
        for title, victim in (("Theft at a harbour", "Port of Belawan"), ("Theft at the harbour", "Port of Belawan")):
            jakarta.paste(report(victim, title, hours=200))
            until_complete(jakarta)
        jakarta.page.get_by_role("link", name="Theft at the harbour").first.click()
        jakarta.page.get_by_role("link", name="2 reports of this event").click()
        jakarta.page.get_by_text("Confirm or reject").first.click()
        jakarta.page.get_by_label("Why", exact=True).first.fill("Two containers, two thefts")
        jakarta.page.get_by_role("button", name="Not the same event").first.click()

        expect(jakarta.page.get_by_role("status")).to_have_text("Decided, and taken up already.")
        expect(jakarta.page.get_by_text("They are not linked: people decided so.")).to_be_visible()
        jakarta.page.get_by_text("Take it back").first.click()
        jakarta.page.locator("input[id^='undo-']").fill("One theft after all")
        jakarta.page.get_by_role("button", name="Take it back").click()

        expect(jakarta.page.get_by_text("Taken back: not the same event")).to_be_visible()
        jakarta.page.get_by_role("link", name="its case").first.click()
        expect(jakarta.page.get_by_text("Case of 2 reports")).to_be_visible()
        assert jakarta.faults == []


def test_the_receipt_works_without_scripts(installation: Trial, people: dict[str, str], chrome: Browser) -> None:
    with visit(chrome, installation.url, java_script_enabled=False) as bangkok:
        bangkok.sign_in(people["ThaiCERT"], PASSWORD)
        bangkok.paste(report("โรงพยาบาลกรุงเทพ", "แรนซัมแวร์ที่โรงพยาบาล", country="TH"))
        again = bangkok.page.get_by_role("link", name="Load again")
        for _ in range(200):
            if again.count() == 0:
                break
            again.click()

        expect(bangkok.page.locator("[data-complete]")).to_have_count(1)
        expect(bangkok.page.get_by_role("link", name="แรนซัมแวร์ที่โรงพยาบาล")).to_be_visible()
        assert bangkok.faults == []


def test_a_hostile_title_runs_nothing_and_asks_nobody(
    installation: Trial, people: dict[str, str], chrome: Browser
) -> None:
    with visit(chrome, installation.url) as quiet:
        quiet.page.on("dialog", lambda dialog: quiet.faults.append(f"dialog: {dialog.message}"))
        quiet.sign_in(people["Quiet-CERT"], PASSWORD)
        quiet.paste(report(HOSTILE, HOSTILE, marking=Level.RED))
        until_complete(quiet)
        for address in ("/", "/incidents", "/cases"):
            quiet.open(address)
            expect(quiet.page.locator("main")).to_contain_text("<script>alert('kentongan')</script>")
        quiet.page.locator("main a.title").first.click()
        expect(quiet.page.get_by_role("heading", level=1)).to_contain_text("<script>")
        assert quiet.faults == []

    with visit(chrome, installation.url) as stranger:
        stranger.sign_in(people["VNCERT"], PASSWORD)
        stranger.open("/incidents?text=script")
        expect(stranger.page.get_by_text("Nothing that is shared with you fits this filter.")).to_be_visible()


def test_a_subscription_is_made_and_ended(installation: Trial, people: dict[str, str], chrome: Browser) -> None:
    with visit(chrome, installation.url) as quiet:
        quiet.sign_in(people["Quiet-CERT"], PASSWORD)
        quiet.open("/subscriptions")
        quiet.page.get_by_label("E-mail").check()
        quiet.page.get_by_label("Address").fill("duty@cert.example")
        quiet.page.get_by_label("Name").fill("Duty officer")
        quiet.page.get_by_text("Only some alerts").click()
        quiet.page.get_by_label("Indonesia").check()
        quiet.page.get_by_role("button", name="Subscribe").click()
        expect(quiet.page.get_by_text("Countries: Indonesia")).to_be_visible()

        quiet.page.get_by_text("End it").click()
        quiet.page.get_by_role("button", name="Duty officer").click()
        expect(quiet.page.get_by_text("The subscription has ended.")).to_be_visible()
        expect(quiet.page.get_by_text("Duty officer")).to_have_count(0)
        assert quiet.faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_hinders_anybody_or_overflows_a_small_screen(
    installation: Trial, people: dict[str, str], chrome: Browser, scheme: str
) -> None:
    axe = axe_script()
    hindrances: dict[str, list[str]] = {}
    wide: dict[str, int] = {}

    with visit(chrome, installation.url, color_scheme=scheme, viewport={"width": 360, "height": 740}) as person:
        person.open("/sign-in")
        hindrances["/sign-in"] = person.hindrances(axe)
        person.sign_in(people["VNCERT"], PASSWORD)
        if scheme == "light":
            person.paste(report("Bank of the Delta", f"Another report {scheme}", hours=2, country="VN"))
            until_complete(person)
        for address in addresses(person):
            person.open(address)
            person.page.locator("main details").evaluate_all("all => all.forEach(one => one.open = true)")
            hindrances[address] = person.hindrances(axe)
            wide[address] = person.page.evaluate("document.documentElement.scrollWidth")

    assert {address: found for address, found in hindrances.items() if found} == {}
    assert {address: width for address, width in wide.items() if width > 360} == {}


def addresses(person: Visit) -> list[str]:
    """Every list, and of each the first thing in it."""
    lists = ["/", "/submit", "/submissions", "/incidents", "/cases", "/campaigns", "/deliveries", "/subscriptions"]
    things = []
    for address in lists[2:6]:
        person.open(address)
        first = person.page.locator(f"main a[href^='{address}/']").first
        things.append(str(first.get_attribute("href")))
    person.open("/incidents")
    links = person.page.locator("main a[href^='/incidents/']")
    one, other = (str(links.nth(place).get_attribute("href")) for place in (0, 1))
    pair = f"{one}/explanation/{other.rpartition('/')[2]}"
    return [*lists, *things, pair, "/matching-report", "/incidents/none"]
