"""What members send is text on our pages, whatever it is made of."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kentongan.domain.identity import OrganizationKind, Role, Scope
from kentongan.domain.incident import Observable
from kentongan.domain.marking import Level
from kentongan.portal.presenting import in_order, shortened, spelled_out
from kentongan.services.coordination import Coordination
from kentongan.services.groups import Groups
from kentongan.services.organizations import Organizations
from kentongan.services.tokens import Tokens
from portal_stories import HOSTILE, Markup, Place, assert_harmless
from reading_stories import reason
from stories import CONSOLE, NOON, incident


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_title_is_text_on_every_page(kampung: Place, text: str) -> None:
    with kampung.region() as region:
        jakarta, hanoi = region.joins("ID-CERT <b>&"), region.joins("VNCERT")
        campaign = region.campaign()
        case = region.case(campaign)
        facts = {"countries": (text[:200],), "sectors": (text[:200],), "description": text}
        seen = (Observable("domain", text),)
        columns = {"rsit_class": text[:100], "severity": text[:40]}
        one = region.reports(jakarta, text, case=case, stix=incident(text), seen=seen, **facts, **columns)
        two = region.reports(hanoi, text, case=case, stix=incident(text), seen=seen)
        three = region.reports(hanoi, text, case=region.case(campaign), stix=incident(text))
        region.duplicates(one, two, reason(text, [one.audience_id, two.audience_id], value=text))
        region.related(two, three, reason(text, [two.audience_id, three.audience_id], value=text))
    visitor = kampung.signed_in(jakarta)

    pages = ["/", "/incidents", "/cases", "/campaigns", "/submissions"]
    pages += [f"/incidents/{one.public_id}", f"/cases/{case.public_id}", f"/campaigns/{campaign.public_id}"]

    for address in pages:
        assert_harmless(visitor.sees(address))


@pytest.mark.parametrize("text", [text for text in HOSTILE if text[:200].isprintable()])
def test_hostile_names_of_organizations_groups_and_tokens_are_text(kampung: Place, text: str) -> None:
    name = text[:200]
    with kampung.kentongan.database.writing() as session:
        organizations = Organizations(session, lambda: NOON, CONSOLE)
        mine = organizations.add(name, OrganizationKind.MEMBER)
        bank = organizations.add("Bank", OrganizationKind.SUBSCRIBER, vouched_by=mine)
        organizations.tell(mine, "host-agency", text[:500])
        Tokens(session, lambda: NOON, CONSOLE).create(mine, frozenset({Scope.READ}), label=name)
        group = Groups(session, lambda: NOON, CONSOLE).create(mine, name).id
        Groups(session, lambda: NOON, CONSOLE).admit(group, bank, Level.AMBER)
        Coordination(session, lambda: NOON, CONSOLE).hand_over(mine, NOON)
    visitor = kampung.signed_in(mine.identity(), Role.ADMINISTRATOR)

    for page in ("/organization", "/tokens", "/groups", f"/groups/{group}", "/organizations"):
        assert_harmless(visitor.sees(page))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_filter_is_text_in_its_own_form(kampung: Place, text: str) -> None:
    with kampung.region() as region:
        visitor_of = region.joins("ID-CERT")
    visitor = kampung.signed_in(visitor_of)

    names = ("text", "country", "sector", "rsit_class", "severity", "observable")
    answer = visitor.client.get("/incidents", query_string=dict.fromkeys(names, text[:500]))

    assert answer.status_code == 200
    assert_harmless(answer.text)


def test_an_observable_is_never_a_link(kampung: Place) -> None:
    value = "http://evil.example/login"
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
        row = region.reports(jakarta, "Phishing", seen=(Observable("url", value),))

    page = kampung.signed_in(jakarta).sees(f"/incidents/{row.public_id}")

    assert value in page
    assert not [attributes for _, attributes in Markup(page).elements if value in str(attributes)]


def test_a_hidden_direction_mark_in_a_value_is_spelled_out(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
        row = region.reports(jakarta, "Mail", seen=(Observable("file-name", "invoice\u202efdp.exe"),))

    page = kampung.signed_in(jakarta).sees(f"/incidents/{row.public_id}")

    assert "invoice⟨U+202E⟩fdp.exe" in page


def test_a_title_cannot_turn_the_letters_around(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
        row = region.reports(jakarta, "Mail with gpj.\u202eexe.invoice")

    pages = [kampung.signed_in(jakarta).sees(address) for address in ("/incidents", f"/incidents/{row.public_id}")]

    assert not [page for page in pages if "\u202e" in page.partition("As STIX")[0]]
    assert all("gpj.⟨U+202E⟩exe.invoice" in page for page in pages)


@pytest.mark.parametrize("text", ["ភាសា\u200bខ្មែរ", "မြန်\u200cမာ", "ب\u200dـ", "Việt Nam"])
def test_what_writing_needs_stays(text: str) -> None:
    assert in_order(text) == text


def test_what_everybody_has_is_dimmed_with_its_reason(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
        seen = (Observable("ipv4", "8.8.8.8"), Observable("domain", "evil-portal.example"))
        row = region.reports(jakarta, "Beacon", seen=seen)

    page = kampung.signed_in(jakarta).sees(f"/incidents/{row.public_id}")

    dimmed = [attributes for name, attributes in Markup(page).elements if attributes.get("class") == "dim"]
    assert len(dimmed) == 1
    assert page.index("evil-portal.example") < page.index("8.8.8.8")
    assert "Everybody has it: " in page


@given(text=st.text(max_size=400), longest=st.integers(2, 50))
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_a_shortened_text_is_never_longer_than_asked(text: str, longest: int) -> None:
    assert len(shortened(text, longest)) <= longest


@given(text=st.text())
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_spelling_out_leaves_nothing_to_spell_out(text: str) -> None:
    once = spelled_out(text)

    assert spelled_out(once) == once
