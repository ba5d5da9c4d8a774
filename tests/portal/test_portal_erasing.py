"""Erasing and retention in the portal: asked once more before it is done, and only offered to who may."""

from __future__ import annotations

import pytest

from kentongan.domain.identity import Identity, Role
from kentongan.storage.jobs import Stage
from kentongan.storage.submissions import Submission
from portal_stories import Markup, Place, Visitor
from stories import incident


def reported(kampung: Place, name: str = "ID-CERT", *roles: Role) -> tuple[Identity, Visitor, str]:
    with kampung.region() as region:
        who = region.joins(name)
        receipt = region.sends(who, incident("Kenari intrusion")).public_id
    return who, kampung.signed_in(who, *roles), receipt


def test_a_submission_is_erased_from_its_receipt_after_one_more_question(kampung_everywhere: Place) -> None:
    _, visitor, receipt = reported(kampung_everywhere)

    assert f'href="/submissions/{receipt}/erase"' in visitor.sees(f"/submissions/{receipt}")
    question = visitor.sees(f"/submissions/{receipt}/erase")
    answer = visitor.send(
        f"/submissions/{receipt}/erase", form_page=f"/submissions/{receipt}/erase", reason="sent <b>by mistake</b>"
    )

    assert "Erase it for good" in question
    assert all(tag != "script" for tag, _ in Markup(question).elements)
    assert answer.status_code == 303
    assert receipt not in visitor.sees("/submissions")
    assert kampung_everywhere.nudged[-2:] == [Stage.DEDUPLICATE, Stage.DELIVER]
    gone = visitor.get(f"/submissions/{receipt}")
    assert gone.status_code == 410
    assert "sent &lt;b&gt;by mistake&lt;/b&gt;" in gone.text
    assert visitor.get(f"/submissions/{receipt}/document").status_code == 410
    assert visitor.get(f"/submissions/{receipt}/erase").status_code == 410


def test_another_organization_finds_nothing_to_erase(kampung: Place) -> None:
    _, mine, receipt = reported(kampung)
    _, stranger, _ = reported(kampung, "PH-CERT")

    pages = [stranger.get(f"/submissions/{one}/erase") for one in (receipt, "nothing")]
    sent = stranger.send(f"/submissions/{receipt}/erase")

    assert {page.status_code for page in (*pages, sent)} == {404}
    assert mine.get(f"/submissions/{receipt}").status_code == 200


def test_opening_the_question_erases_nothing_and_a_form_of_another_site_neither(kampung: Place) -> None:
    _, visitor, receipt = reported(kampung)

    visitor.sees(f"/submissions/{receipt}/erase")
    forged = visitor.client.post(f"/submissions/{receipt}/erase", data={})

    assert forged.status_code == 400
    with kampung.kentongan.database.reading() as db:
        assert db.query(Submission).count() == 1


def test_an_administrator_sets_how_long_things_are_kept(kampung_everywhere: Place) -> None:
    _, visitor, _ = reported(kampung_everywhere, "ID-CERT", Role.ADMINISTRATOR)

    answer = visitor.send("/retention", form_page="/retention", incident_days="365", content_days="", log_days="40")

    assert answer.status_code == 303
    page = visitor.sees("/retention")
    values = {
        a["name"]: a["value"] for tag, a in Markup(page).elements if tag == "input" and a.get("name") != "csrf_token"
    }
    assert values == {"incident_days": "365", "content_days": "", "log_days": "40"}


@pytest.mark.parametrize(("days", "status"), [("29", 422), ("999999", 422), ("-4", 400), ("ten", 400), ("1e3", 400)])
def test_days_that_cannot_be_are_refused(kampung: Place, days: str, status: int) -> None:
    _, visitor, _ = reported(kampung, "ID-CERT", Role.ADMINISTRATOR)

    answer = visitor.send("/retention", form_page="/retention", incident_days=days)

    assert answer.status_code == status
    assert 'value="29"' not in visitor.sees("/retention")


def test_who_does_not_administer_is_not_led_to_it(kampung: Place) -> None:
    who, _, receipt = reported(kampung)
    analyst, reader = kampung.signed_in(who, Role.ANALYST), kampung.signed_in(who, Role.SUBSCRIBER)

    assert 'href="/retention"' not in analyst.sees("/")
    assert analyst.get("/retention").status_code == 403
    assert reader.get(f"/submissions/{receipt}/erase").status_code == 403
