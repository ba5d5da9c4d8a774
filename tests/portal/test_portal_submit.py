"""Handing in a document, and the receipt it gets."""

from __future__ import annotations

import gzip
import io
import json
import re

import pytest
from sqlalchemy import func, select

from kentongan.services.index import Index
from kentongan.storage.jobs import Stage
from kentongan.storage.submissions import Submission
from portal_stories import Place, Visitor
from stories import NOON, as_bytes, bundle, incident, indicator, newer


def someone(kampung: Place) -> Visitor:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
    return kampung.signed_in(jakarta)


def stored(kampung: Place) -> int:
    with kampung.kentongan.database.reading() as session:
        return session.scalar(select(func.count(Submission.id))) or 0


def text_of(*objects: dict[str, object]) -> str:
    return as_bytes(bundle(*objects)).decode()


def test_a_pasted_bundle_leads_to_its_receipt(kampung: Place) -> None:
    visitor = someone(kampung)
    sent = incident("Web shell")

    answer = visitor.send("/submit", pasted=text_of(sent))

    assert answer.status_code == 303
    assert re.fullmatch(r"/submissions/[0-9a-f-]{36}", answer.location)
    assert kampung.nudged == [Stage.INDEX]
    receipt = visitor.sees(answer.location)
    assert sent["id"] in receipt
    assert "<b>1</b>accepted" in receipt


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_is_kept_byte_for_byte_whether_compressed_or_not(kampung: Place, pack: type[bytes]) -> None:
    visitor = someone(kampung)
    document = json.dumps(bundle(incident()), indent=3).encode()

    answer = visitor.send("/submit", file=(io.BytesIO(pack(document)), "incidents.json"))
    saved = visitor.get(answer.location + "/document")

    assert saved.data == document
    assert saved.headers["Content-Disposition"].startswith("attachment")
    assert saved.headers["Content-Type"] == "application/json"


def test_the_same_document_again_gets_the_same_receipt(kampung: Place) -> None:
    visitor = someone(kampung)
    document = text_of(incident())

    first = visitor.send("/submit", pasted=document)
    second = visitor.send("/submit", pasted=document)

    assert second.location == first.location + "?repeated=1"
    assert "the very same document before" in visitor.sees(second.location)
    assert stored(kampung) == 1


def test_trying_stores_nothing(kampung: Place) -> None:
    visitor = someone(kampung)

    answer = visitor.send("/submit", pasted=text_of(incident()), dry_run="1")

    assert answer.status_code == 200
    assert "This would be accepted" in answer.text
    assert stored(kampung) == 0
    assert kampung.nudged == []


def test_the_good_part_is_kept_and_the_refusal_says_where_why_and_what_to_do(kampung: Place) -> None:
    visitor = someone(kampung)

    answer = visitor.send("/submit", pasted=text_of(incident(), indicator("[domain-name:value = ]")))
    receipt = visitor.sees(answer.location)

    assert "<b>1</b>accepted" in receipt
    assert "<b>1</b>refused" in receipt
    assert "$.objects[1].pattern" in receipt
    assert "What was refused, and why" in receipt


def test_all_or_nothing_keeps_nothing_when_one_object_is_refused(kampung: Place) -> None:
    visitor = someone(kampung)

    answer = visitor.send("/submit", pasted=text_of(incident(), indicator("nonsense")), atomic="1")

    assert answer.status_code == 422
    assert "Rejected as a whole" in answer.text
    assert "You asked for all or nothing" in answer.text
    assert stored(kampung) == 0


@pytest.mark.parametrize(
    ("pasted", "rule"),
    [
        ("{", "not-json"),
        ('{"a": 1, "a": 2}', "duplicate-key"),
        ('{"a": NaN}', "not-a-number"),
        ("[" * 10_000, "too-deep"),
        ('"\\u0000"', "nul-character"),
    ],
)
def test_a_document_that_cannot_be_read_is_shown_again_with_its_problems(
    kampung: Place, pasted: str, rule: str
) -> None:
    visitor = someone(kampung)

    answer = visitor.send("/submit", pasted=pasted)

    assert answer.status_code == 400
    assert "nothing of it was stored" in answer.text
    assert f"rule <code>{rule}</code>" in answer.text
    assert stored(kampung) == 0


def test_no_document_at_all_is_asked_for(kampung: Place) -> None:
    answer = someone(kampung).send("/submit", pasted="  \n")

    assert answer.status_code == 400
    assert "There is no document yet" in answer.text


def test_a_gzip_bomb_is_refused_as_too_large(kampung: Place) -> None:
    bomb = gzip.compress(b" " * (kampung.kentongan.limits.max_bytes + 1))

    answer = someone(kampung).send("/submit", file=(io.BytesIO(bomb), "bomb.json.gz"))

    assert answer.status_code == 413
    assert "larger than allowed" in answer.text


def test_a_pasted_text_of_several_megabytes_is_taken(kampung: Place) -> None:
    visitor = someone(kampung)

    answer = visitor.send("/submit", pasted=text_of(incident(description="long " * 600_000)))

    assert answer.status_code == 303


def test_the_receipt_fills_as_the_stages_go_on(kampung: Place) -> None:
    visitor = someone(kampung)
    location = visitor.send("/submit", pasted=text_of(incident("Web shell in Bandung"))).location

    before = visitor.sees(location + "/progress")
    with kampung.kentongan.database.writing() as session:
        number = session.scalars(select(Submission.id)).one()
        Index(session, lambda: NOON).run([number])
    after = visitor.sees(location + "/progress")

    assert "data-complete" not in before
    assert "Web shell in Bandung" not in before
    assert "Web shell in Bandung" in after
    assert "<html" not in after
    assert after in visitor.sees(location)


def test_a_conflict_is_told_beside_its_object(kampung: Place) -> None:
    visitor = someone(kampung)
    first = incident("Web shell")
    visitor.send("/submit", pasted=text_of(first))

    changed = {**first, "name": "Something else"}
    answer = visitor.send("/submit", pasted=text_of(changed, newer(incident())))

    assert "conflict" in visitor.sees(answer.location)


def test_submissions_are_paged_forth_and_back(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta = region.joins("ID-CERT")
        for number in range(60):
            region.sends(jakarta, incident(f"Number {number}"))
    visitor = kampung.signed_in(jakarta)

    first = visitor.sees("/submissions")
    second = visitor.sees(linked(first, "next"))
    third = visitor.sees(linked(second, "next"))
    back = visitor.sees(linked(third, "prev"))

    assert receipts(first) | receipts(second) | receipts(third) == receipts(first) ^ receipts(second) ^ receipts(third)
    assert [len(receipts(page)) for page in (first, second, third)] == [25, 25, 10]
    assert receipts(back) == receipts(second)
    assert receipts(visitor.sees(linked(back, "prev"))) == receipts(first)
    assert 'rel="next"' not in third


def linked(page: str, relation: str) -> str:
    """The address that the next or previous link of a page leads to."""
    found = re.search(rf'rel="{relation}" href="([^"]+)"', page)
    assert found, relation
    return found[1].replace("&amp;", "&")


def receipts(page: str) -> set[str]:
    """The receipts that a list links to."""
    return set(re.findall(r'href="/submissions/([0-9a-f-]{36})"', page))
