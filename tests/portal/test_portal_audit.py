"""The audit trail in the portal: every page that shows something marked AMBER leaves an entry, and administrators read it."""

from __future__ import annotations

import pytest

from alert_stories import match, subscribed
from kentongan.domain.audit import Act
from kentongan.domain.identity import Identity, Role
from kentongan.domain.marking import Level
from kentongan.services.audit import AuditEntryView, AuditFilter, ReadAudit
from kentongan.storage.cases import Campaign, Case
from kentongan.storage.organizations import Organization
from kentongan.storage.submissions import Submission
from portal_stories import Place
from stories import NOON

SHOW = (
    "/",
    "/incidents",
    "/incidents/{incident}",
    "/incidents/{incident}/explanation/{incident}",
    "/cases",
    "/cases/{case}",
    "/campaigns",
    "/campaigns/{campaign}",
    "/deliveries",
)
OWN = ("/submissions/{submission}", "/submissions/{submission}/progress")
SHOW_NOTHING = (
    *("/incidents/{incident}/explanation", "/matching-report"),
    *("/submissions", "/submissions/{submission}/document", "/submissions/{submission}/erase", "/submit"),
    *("/subscriptions", "/audit", "/masking", "/retention", "/people", "/static/{file}", "/feeds"),
    *("/drafts", "/drafts/{draft}", "/incoming", "/incoming/{feed}"),
    *("/organization", "/organizations", "/tokens", "/groups", "/groups/{group}"),
    *("/account", "/account/second-factor", "/account/app", "/account/app.svg", "/forgotten", "/link/{secret}"),
    *("/sign-in", "/sign-in/second-factor", "/sign-in/elsewhere", "/sign-in/elsewhere/return"),
)


def story(place: Place) -> tuple[Identity, Identity, dict[str, str]]:
    """What ID-CERT reported for members alone, and SingCERT was told of."""
    with place.region() as region:
        owner, reader = region.joins("ID-CERT"), region.joins("SingCERT")
        subscribed(region.session, region.session.get_one(Organization, reader.organization_id))
        campaign = region.campaign()
        cases = [region.case(campaign) for _ in range(2)]
        rows = [region.reports(owner, f"Secret {n}", Level.AMBER, case=case) for n, case in enumerate(cases)]
        again = region.reports(owner, "Secret again", Level.AMBER, case=cases[0])
        region.duplicates(rows[0], again)
        region.related(rows[0], rows[1])
        match(region.session, *rows)
        submission = region.session.get_one(Submission, rows[0].submission_id).public_id
        names = _names(rows[0].public_id, cases[0], campaign) | {"submission": submission}
    return owner, reader, names


def _names(incident: str, case: Case, campaign: Campaign) -> dict[str, str]:
    return {"incident": incident, "case": case.public_id, "campaign": campaign.public_id}


def reads_of(place: Place, owner: Identity) -> list[AuditEntryView]:
    with place.kentongan.database.reading() as session:
        return list(ReadAudit(session).page(owner, AuditFilter(act=Act.READ)).items)


@pytest.mark.parametrize("address", SHOW)
def test_a_page_that_shows_what_is_marked_amber_is_one_entry(kampung: Place, address: str) -> None:
    owner, reader, names = story(kampung)

    kampung.signed_in(reader).sees(address.format(**names))

    (entry,) = reads_of(kampung, owner)
    assert (entry.organization, entry.address) == ("SingCERT", "127.0.0.1")


@pytest.mark.parametrize("address", OWN)
def test_a_receipt_that_shows_where_ones_incidents_are_is_one_entry(kampung: Place, address: str) -> None:
    owner, _, names = story(kampung)

    kampung.signed_in(owner).sees(address.format(**names))

    (entry,) = reads_of(kampung, owner)
    assert entry.organization == "ID-CERT"


def test_every_page_is_known_to_show_something_or_nothing(kampung: Place) -> None:
    rules = [rule for rule in kampung.app.url_map.iter_rules() if rule.endpoint.startswith("portal.")]
    pages = {rule.rule for rule in rules if rule.methods and "GET" in rule.methods}

    known = {_as_rule(address) for address in (*SHOW, *OWN, *SHOW_NOTHING)}

    assert {_as_rule(page) for page in pages} == known


def _as_rule(address: str) -> str:
    """An address with its parts left open, however they are called."""
    return "/".join("*" if part[:1] in ("{", "<") else part for part in address.split("/"))


def test_an_administrator_sees_who_read_what_and_from_where(kampung: Place) -> None:
    owner, reader, names = story(kampung)
    kampung.signed_in(reader).sees("/incidents/{incident}".format(**names))

    page = kampung.signed_in(owner, Role.ADMINISTRATOR).sees("/audit?act=read")

    assert "SingCERT" in page
    assert names["incident"] in page
    assert "127.0.0.1" in page
    assert names["incident"] not in kampung.signed_in(reader, Role.ADMINISTRATOR).sees("/audit")


def test_the_page_is_for_administrators_and_says_so(kampung: Place) -> None:
    owner, _, _ = story(kampung)
    analyst = kampung.signed_in(owner)

    assert analyst.get("/audit").status_code == 403
    assert "/audit" not in analyst.sees("/incidents")


@pytest.mark.parametrize("query", ["act=looked", "after=yesterday", "before=2026-02-30"])
def test_a_filter_that_cannot_be_is_refused(kampung: Place, query: str) -> None:
    owner, _, _ = story(kampung)

    assert kampung.signed_in(owner, Role.ADMINISTRATOR).get(f"/audit?{query}").status_code == 400


def test_days_and_acts_narrow_the_page(kampung: Place) -> None:
    owner, _, _ = story(kampung)
    kampung.kentongan.database._clock = lambda: NOON
    visitor = kampung.signed_in(owner, Role.ADMINISTRATOR)
    visitor.sees("/incidents")

    assert "Nothing fits this filter" in visitor.sees("/audit?after=2026-03-02&before=2026-03-02")
    assert "3 things" in visitor.sees("/audit?act=read&after=2026-03-02&before=2026-03-03")
