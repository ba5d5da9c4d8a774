"""Drafts in the portal: looked at, mended, submitted once, or thrown away; by their organization alone."""

from __future__ import annotations

import json
import re

import pytest
from sqlalchemy import select

from feeding_samples import mail
from kentongan.domain.feeding import bundle_of
from kentongan.domain.identity import Identity, Role
from kentongan.domain.mail_report import mail_report
from kentongan.domain.marking import Level
from kentongan.services.drafts import Drafts
from kentongan.storage.drafts import Draft
from kentongan.storage.jobs import Stage
from kentongan.storage.objects import StixObject
from portal_stories import Place, Visitor
from stories import tlp


@pytest.fixture
def laos(kampung: Place) -> Identity:
    with kampung.region() as region:
        return region.joins("LaoCERT")


def drafted(kampung: Place, who: Identity, words: str = "Phishing at a bank") -> str:
    report = mail_report(mail(7, words))
    with kampung.kentongan.database.writing() as session:
        document = bundle_of(report.objects, "bundle--0b6d4e5c-1c7e-4b0e-8e0e-000000000001")
        return Drafts(session, lambda: kampung.now).put(who, "mailbox", document, report.sender)


def stored(kampung: Place) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = {}
    with kampung.kentongan.database.reading() as session:
        for body in session.scalars(select(StixObject.body)):
            obj = json.loads(body)
            found.setdefault(obj["type"], []).append(obj)
    return found


def things(visitor: Visitor, public_id: str) -> list[str]:
    return re.findall(r'name="kept" value="([^"]+)"', visitor.sees(f"/drafts/{public_id}"))


def test_a_draft_is_mended_and_submitted(kampung: Place, laos: Identity) -> None:
    public_id = drafted(kampung, laos)
    visitor = kampung.signed_in(laos)
    assert "Phishing at a bank" in visitor.sees("/drafts")
    named = things(visitor, public_id)
    domain = next(each for each in named if each.startswith("domain-name--"))

    answer = visitor.send(
        f"/drafts/{public_id}/submit",
        form_page=f"/drafts/{public_id}",
        title="Phishing at the Bank of the Mekong",
        description="Mended.\r\nTwice.",
        level="TLP:GREEN",
        kept=domain,
    )

    assert (answer.status_code, answer.location[:13]) == (303, "/submissions/")
    found = stored(kampung)
    (incident,) = found["incident"]
    assert (incident["name"], incident["description"]) == ("Phishing at the Bank of the Mekong", "Mended.\nTwice.")
    assert incident["object_marking_refs"] == [tlp(Level.GREEN)]
    assert "file" not in found
    assert [tie["target_ref"] for tie in found["relationship"]] == [domain]
    assert kampung.nudged == [Stage.INDEX]
    assert "No draft waits" in visitor.sees("/drafts")
    with kampung.kentongan.database.reading() as session:
        (row,) = session.scalars(select(Draft)).all()
    assert (row.document, row.title, row.sender, row.submission) == (None, "", "", answer.location.rpartition("/")[2])


def test_what_is_settled_is_gone_for_whoever_comes_second(kampung: Place, laos: Identity) -> None:
    public_id = drafted(kampung, laos)
    one, other = kampung.signed_in(laos), kampung.signed_in(laos)
    form = {"title": "Mine", "description": "", "level": "TLP:AMBER"}
    one.send(f"/drafts/{public_id}/submit", form_page=f"/drafts/{public_id}", **form)

    late = other.send(f"/drafts/{public_id}/submit", form_page="/submit", **form)
    discarded = other.send(f"/drafts/{public_id}/discard", form_page="/submit")

    assert (late.status_code, discarded.status_code) == (404, 404)
    assert len(stored(kampung)["incident"]) == 1


def test_what_is_thrown_away_leaves_nothing_and_does_not_come_again(kampung: Place, laos: Identity) -> None:
    public_id = drafted(kampung, laos)

    answer = kampung.signed_in(laos).send(f"/drafts/{public_id}/discard", form_page=f"/drafts/{public_id}")

    assert answer.status_code == 303
    assert drafted(kampung, laos) == public_id
    with kampung.kentongan.database.reading() as session:
        assert Drafts(session, lambda: kampung.now).open(laos) == []
        assert session.scalars(select(Draft.document)).all() == [None]
    assert stored(kampung) == {}


@pytest.mark.parametrize("title", ["", "   ", "x" * 1_001])
def test_without_a_title_it_stays_a_draft(kampung: Place, laos: Identity, title: str) -> None:
    public_id = drafted(kampung, laos)
    visitor = kampung.signed_in(laos)

    answer = visitor.send(
        f"/drafts/{public_id}/submit",
        form_page=f"/drafts/{public_id}",
        title=title,
        description="Kept words",
        level="TLP:RED",
    )

    assert answer.status_code == 422
    assert "Kept words" in answer.text
    assert "Phishing at a bank" in visitor.sees("/drafts")


def test_a_marking_that_is_none_of_ours_is_read_as_the_strictest(kampung: Place, laos: Identity) -> None:
    public_id = drafted(kampung, laos)

    kampung.signed_in(laos).send(
        f"/drafts/{public_id}/submit", form_page=f"/drafts/{public_id}", title="A", description="", level="TLP:PINK"
    )

    assert stored(kampung)["incident"][0]["object_marking_refs"] == [tlp(Level.RED)]


def test_nothing_of_a_mail_is_markup(kampung: Place, laos: Identity) -> None:
    words = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    public_id = drafted(kampung, laos, words)
    visitor = kampung.signed_in(laos)

    for address in ("/drafts", f"/drafts/{public_id}"):
        assert "<script>alert" not in visitor.sees(address)
        assert "<img src=x" not in visitor.sees(address)


def test_another_organization_sees_no_draft(kampung: Place, laos: Identity) -> None:
    public_id = drafted(kampung, laos)
    with kampung.region() as region:
        vietnam = region.joins("VNCERT")
    stranger = kampung.signed_in(vietnam)

    assert "No draft waits" in stranger.sees("/drafts")
    assert stranger.get(f"/drafts/{public_id}").status_code == 404


def test_drafts_are_for_who_may_submit(kampung: Place, laos: Identity) -> None:
    reader = kampung.signed_in(laos, Role.ADMINISTRATOR)

    assert reader.get("/drafts").status_code == 403
    assert 'href="/drafts"' not in reader.sees("/")
