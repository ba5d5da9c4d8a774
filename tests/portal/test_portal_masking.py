"""Masking in the portal: an administrator says what takes part by keyed hash, and the reporter is told the one sentence."""

from __future__ import annotations

from kentongan.domain.identity import Role
from kentongan.domain.marking import Level
from kentongan.domain.masking import MaskingWish
from kentongan.services.maskings import Maskings
from kentongan.storage.blind import BlindLink
from portal_stories import Place
from stories import NOON

SENTENCE = "Another member holds something related; ask the coordinator."


def test_an_administrator_says_what_takes_part_by_keyed_hash(kampung_everywhere: Place) -> None:
    with kampung_everywhere.region() as region:
        who = region.joins("ID-CERT")
    visitor = kampung_everywhere.signed_in(who, Role.ADMINISTRATOR)

    answer = visitor.send("/masking", form_page="/masking", red="yes")

    assert answer.status_code == 303
    assert visitor.sees("/masking").count(" checked") == 1
    with kampung_everywhere.kentongan.database.reading() as db:
        assert Maskings(db, lambda: NOON).of(who.organization_id) == MaskingWish(red=True)


def test_who_does_not_administer_is_not_led_to_it(kampung: Place) -> None:
    with kampung.region() as region:
        who = region.joins("ID-CERT")
    analyst = kampung.signed_in(who, Role.ANALYST)

    assert 'href="/masking"' not in analyst.sees("/")
    assert analyst.get("/masking").status_code == 403
    assert analyst.send("/masking", red="yes").status_code == 403
    with kampung.kentongan.database.reading() as db:
        assert Maskings(db, lambda: NOON).of(who.organization_id) == MaskingWish()


def test_the_sentence_stands_on_the_page_of_the_reporter_alone(kampung_everywhere: Place) -> None:
    with kampung_everywhere.region() as region:
        jakarta, hanoi = region.joins("ID-CERT"), region.joins("VNCERT")
        shown = region.reports(jakarta, "Phishing", Level.GREEN)
        masked = region.reports(hanoi, "Extortion", Level.RED)
        region.session.add(BlindLink(incident_id=shown.id, other_id=masked.id, evidence=[], told=True, found_at=NOON))
        page = f"/incidents/{shown.public_id}"
    reporter, stranger = kampung_everywhere.signed_in(jakarta), kampung_everywhere.signed_in(hanoi)

    assert SENTENCE in reporter.sees(page)
    assert SENTENCE not in stranger.sees(page)
