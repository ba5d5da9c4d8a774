"""What is not shared with a reader shows on no page, and asking for it is answered as asking for what never was."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from kentongan.domain.identity import OrganizationKind
from kentongan.domain.incident import Observable
from kentongan.domain.marking import Level
from kentongan.storage.submissions import Submission
from portal_stories import Place, Visitor
from reading_stories import counted, reason

SECRET = "Quiet trouble at the central bank"
HIDDEN_VALUE = Observable("domain", "hidden-from-you.example")
LISTS = ("/", "/incidents", "/cases", "/campaigns", "/submissions", "/deliveries")


def strangers_page(answer_text: str) -> str:
    """A page without what differs from visit to visit: the form's token."""
    return re.sub(r'name="csrf_token" value="[^"]+"', "", answer_text)


def nothing_there(visitor: Visitor, address: str) -> str:
    """The page one gets where there is nothing."""
    answer = visitor.get(address)
    assert answer.status_code == 404
    return strangers_page(answer.text)


@pytest.mark.parametrize("kind", [OrganizationKind.MEMBER, OrganizationKind.SUBSCRIBER, OrganizationKind.COORDINATOR])
def test_a_red_incident_shows_nowhere_but_to_its_reporter(kampung: Place, kind: OrganizationKind) -> None:
    with kampung.region() as region:
        jakarta, other = region.joins("ID-CERT"), region.joins("Another", kind)
        secret = region.reports(jakarta, SECRET, Level.RED, seen=(HIDDEN_VALUE,))
    reporter, stranger = kampung.signed_in(jakarta), kampung.signed_in(other)

    closed = {"/submissions"} if kind is OrganizationKind.SUBSCRIBER else set()
    lists = [stranger.sees(address) for address in LISTS if address not in closed]
    unknown = nothing_there(stranger, f"/incidents/{uuid4()}")

    assert SECRET in reporter.sees("/incidents")
    assert SECRET in reporter.sees(f"/incidents/{secret.public_id}")
    assert not [page for page in lists if SECRET in page]
    assert nothing_there(stranger, f"/incidents/{secret.public_id}") == unknown
    assert nothing_there(stranger, f"/incidents/{secret.stix_id}") == unknown


def test_a_hidden_value_finds_no_incident(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta, hanoi = region.joins("ID-CERT"), region.joins("VNCERT")
        region.reports(jakarta, "Phishing", Level.GREEN, seen=(HIDDEN_VALUE,), seen_at=Level.RED)
    reporter, stranger = kampung.signed_in(jakarta), kampung.signed_in(hanoi)

    asked = f"/incidents?observable={HIDDEN_VALUE.value}"

    assert "Phishing" in reporter.sees(asked)
    assert "Phishing" not in stranger.sees(asked)


def test_a_case_shows_only_the_visible_reports(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta, hanoi = region.joins("ID-CERT"), region.joins("VNCERT")
        case = region.case()
        shared = region.reports(jakarta, "Ransomware at a hospital", Level.GREEN, case=case)
        hidden = region.reports(jakarta, SECRET, Level.RED, case=case)
        region.duplicates(shared, hidden)
    reporter, stranger = kampung.signed_in(jakarta), kampung.signed_in(hanoi)

    whole, part = reporter.sees(f"/cases/{case.public_id}"), stranger.sees(f"/cases/{case.public_id}")

    assert "Case of 2 reports" in whole
    assert SECRET in whole
    assert "Case of 1 report\n" in part or "Case of 1 report<" in part
    assert SECRET not in part


def test_a_campaign_of_one_visible_case_is_none(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta, hanoi = region.joins("ID-CERT"), region.joins("VNCERT")
        campaign = region.campaign()
        shared = region.reports(jakarta, "Web shell", Level.GREEN, case=region.case(campaign))
        hidden = region.reports(jakarta, SECRET, Level.RED, case=region.case(campaign))
        region.related(shared, hidden)
    reporter, stranger = kampung.signed_in(jakarta), kampung.signed_in(hanoi)

    unknown = nothing_there(stranger, f"/campaigns/{uuid4()}")

    assert "Campaign of 2 cases" in reporter.sees(f"/campaigns/{campaign.public_id}")
    assert nothing_there(stranger, f"/campaigns/{campaign.public_id}") == unknown
    assert "Campaign" not in re.findall(r"<dt>Campaign</dt>.*", stranger.sees(f"/incidents/{shared.public_id}"))[0][30:]


def test_evidence_that_is_not_shared_is_not_told(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta, hanoi = region.joins("ID-CERT"), region.joins("VNCERT")
        campaign = region.campaign()
        one = region.reports(jakarta, "Web shell", case=region.case(campaign))
        two = region.reports(hanoi, "Another web shell", case=region.case(campaign))
        shared, red = one.audience_id, region.audience(jakarta, Level.RED)
        region.related(one, two, reason("both speak to evil.example", [shared]), reason("the same mutex", [red]))
    address = f"/campaigns/{campaign.public_id}"

    whole, part = kampung.signed_in(jakarta).sees(address), kampung.signed_in(hanoi).sees(address)

    assert "The same mutex" in whole
    assert "mutex" not in part
    assert "Both speak to evil.example" in part


def test_a_receipt_is_for_its_organization_alone(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta, hanoi = region.joins("ID-CERT"), region.joins("VNCERT")
        submission = region.reports(jakarta, "Shared with all", Level.CLEAR).submission_id
        public_id = region.session.get_one(Submission, submission).public_id
    stranger = kampung.signed_in(hanoi)

    unknown = nothing_there(stranger, f"/submissions/{uuid4()}")

    assert nothing_there(stranger, f"/submissions/{public_id}") == unknown
    assert nothing_there(stranger, f"/submissions/{public_id}/document") == unknown
    assert kampung.signed_in(jakarta).get(f"/submissions/{public_id}").status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "/incidents/x",
        "/cases/x",
        "/campaigns/x",
        "/submissions/x",
        "/incidents/%ff%fe",
        "/incidents/%00",
        "/no/such/page",
        "/%00",
    ],
)
def test_an_address_without_anything_behind_it_is_a_plain_404(kampung_everywhere: Place, address: str) -> None:
    with kampung_everywhere.region() as region:
        visitor_of = region.joins("ID-CERT")

    assert "Nothing here" in nothing_there(kampung_everywhere.signed_in(visitor_of), address)


def test_the_portal_asks_as_few_questions_for_a_long_list_as_for_a_short_one(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
        for number in range(15):
            region.reports(jakarta, f"Number {number}")
    visitor = kampung.signed_in(jakarta)
    counts = []

    for more in (0, 20):
        with kampung.region() as region:
            for number in range(more):
                region.reports(jakarta, f"Another {number}")
        with counted(kampung.kentongan.database) as said:
            for address in LISTS:
                visitor.sees(address)
        counts.append(len(said))

    assert counts[0] == counts[1]
