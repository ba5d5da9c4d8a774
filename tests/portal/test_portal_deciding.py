"""Deciding in the portal: where the forms stand, what they do, and who is shown what of it."""

from __future__ import annotations

import pytest

from kentongan.domain.identity import Identity, OrganizationKind, Role
from kentongan.domain.marking import Level
from kentongan.storage.cases import Case
from kentongan.storage.jobs import Stage
from portal_stories import Place
from reading_stories import reason


@pytest.fixture
def told(kampung: Place) -> tuple[Identity, Identity, dict[str, str]]:
    """ID-CERT and ThaiCERT reported one event; ID-CERT another one, and a secret."""
    with kampung.region() as region:
        owner, other = region.joins("ID-CERT"), region.joins("ThaiCERT")
        case = region.case()
        rows = {
            "one": region.reports(owner, "Web shell", case=case),
            "twin": region.reports(other, "Web shell at a ministry", case=case),
            "alone": region.reports(owner, "Defacement"),
            "secret": region.reports(owner, "Secret", Level.RED),
        }
        for name in ("one", "alone", "secret"):
            region.session.get_one(Case, rows[name].case_id).home_id = rows[name].id
        both = [rows["one"].audience_id, rows["twin"].audience_id]
        region.duplicates(rows["one"], rows["twin"], reason("the same rare value", both))
        names = {name: row.public_id for name, row in rows.items()} | {"case": case.public_id}
    return owner, other, names


def test_reports_of_a_case_are_parted_and_brought_back(
    kampung: Place, told: tuple[Identity, Identity, dict[str, str]]
) -> None:
    owner, _, names = told
    visitor = kampung.signed_in(owner)
    page = visitor.sees(f"/cases/{names['case']}")
    assert "Not the same event" in page and "Whoever sees both incidents reads this" in page

    wished = {"other": names["twin"], "kind": "duplicate-of", "verdict": "apart", "reason": "two branches"}
    answer = visitor.send(f"/incidents/{names['one']}/decisions", form_page=f"/cases/{names['case']}", **wished)

    assert answer.status_code == 303
    assert {Stage.MATCH, Stage.PUBLISH} <= set(kampung.nudged)
    shown = visitor.sees(answer.location)
    assert "two branches" in shown and "Siti of ID-CERT" in shown
    assert "They are not linked: people decided so." in shown
    assert "Web shell at a ministry" in visitor.sees(f"/incidents/{names['one']}")  # in what was decided
    assert "the only report" in visitor.sees(f"/incidents/{names['one']}").lower()

    decision = shown.split("/decisions/")[-1].split("/undo")[0]
    back = visitor.send(f"/decisions/{decision}/undo", form_page=answer.location, reason="one branch after all")
    assert back.status_code == 303
    assert "2 reports of this event" in visitor.sees(f"/incidents/{names['twin']}")
    assert "Taken back" in visitor.sees(back.location)


def test_an_incident_is_merged_with_another_by_its_id(
    kampung: Place, told: tuple[Identity, Identity, dict[str, str]]
) -> None:
    owner, _, names = told
    visitor = kampung.signed_in(owner)

    to_pair = visitor.get(f"/incidents/{names['alone']}/explanation?other={names['twin']}")
    assert "Merge them, or keep them apart" in visitor.sees(to_pair.location)
    wrong = visitor.get(f"/incidents/{names['alone']}/explanation?other=nothing")
    assert wrong.location.endswith(f"/incidents/{names['alone']}")
    assert "no incident of this id that is shared with you" in visitor.sees(wrong.location)

    wished = {"other": names["twin"], "kind": "duplicate-of", "verdict": "together", "reason": "one intrusion"}
    visitor.send(f"/incidents/{names['alone']}/decisions", form_page=to_pair.location, **wished)
    assert "3 reports of this event" in visitor.sees(f"/incidents/{names['alone']}")


@pytest.mark.parametrize("wrong", [{"reason": " "}, {"verdict": "maybe"}, {"verdict": ""}, {"kind": "same"}])
def test_what_is_wrong_is_said_on_the_page_and_stores_nothing(
    kampung: Place, told: tuple[Identity, Identity, dict[str, str]], wrong: dict[str, str]
) -> None:
    owner, _, names = told
    visitor = kampung.signed_in(owner)
    page = f"/incidents/{names['one']}/explanation/{names['twin']}"
    wished = {"other": names["twin"], "kind": "duplicate-of", "verdict": "apart", "reason": "why", **wrong}

    answer = visitor.send(f"/incidents/{names['one']}/decisions", form_page=page, **wished)

    assert answer.status_code == 422
    assert "message-bad" in answer.text
    assert "Nothing yet." in visitor.sees(page)


def test_the_forms_are_for_who_may_decide(kampung: Place, told: tuple[Identity, Identity, dict[str, str]]) -> None:
    _, _, names = told
    with kampung.region() as region:
        bank = region.joins("A bank", OrganizationKind.SUBSCRIBER)
    visitor = kampung.signed_in(bank, Role.SUBSCRIBER)

    for page in (f"/cases/{names['case']}", f"/incidents/{names['one']}/explanation/{names['twin']}"):
        assert "Not the same event" not in visitor.sees(page)
    assert visitor.send(f"/incidents/{names['one']}/decisions", form_page="/account", other="x").status_code == 403


def test_a_decision_about_what_is_hidden_shows_nowhere(
    kampung: Place, told: tuple[Identity, Identity, dict[str, str]]
) -> None:
    owner, other, names = told
    wished = {"other": names["secret"], "kind": "duplicate-of", "verdict": "together", "reason": "quiet words"}
    kampung.signed_in(owner).send(f"/incidents/{names['twin']}/decisions", form_page="/account", **wished)
    visitor = kampung.signed_in(other)

    for page in (f"/incidents/{names['twin']}", f"/cases/{names['case']}"):
        assert "quiet words" not in visitor.sees(page)
        assert "What people decided" not in visitor.sees(page)
    assert visitor.get(f"/incidents/{names['twin']}/explanation/{names['secret']}").status_code == 404
