"""Two incidents side by side: why they are tied or not, and never from what the reader may not see."""

from __future__ import annotations

from typing import Any

import pytest

from kentongan.domain.marking import Level
from kentongan.services.errors import NotFound
from kentongan.services.explain import NOTHING, ONE_CASE, OUTWEIGHED, SAME, Answer, Explain
from kentongan.storage.database import Database
from matching_stories import Region, about, sha256
from stories import Stix, file_hash

BANK, COLLEGE = "Bank Kirana", "Universitas Melati"


@pytest.fixture
def region(database: Database) -> Region:
    return Region(database)


def explained(region: Region, reader: str, one: str, other: str) -> dict[str, Answer]:
    who = region.member(reader)
    with region.database.reading_for(who) as session:
        return {answer.kind: answer for answer in Explain(session).explain(who, one, other).answers}


def reports(region: Region, name: str, victim: str, files: list[str], **how: Any) -> str:
    return region.report(name, "Ransomware on a file server", victim=victim, files=files, **how)


def test_duplicates_are_explained_by_what_both_name(region: Region) -> None:
    one = reports(region, "CERT-ID", BANK, ["dropper", "implant"])
    other = reports(region, "CERT-SG", BANK, ["dropper", "implant"])

    answers = explained(region, "CERT-VN", one, other)
    answer = answers["duplicate-of"]

    assert answer.linked
    assert (answers["related-to"].linked, answers["related-to"].words) == (False, ONE_CASE)
    assert "both reports name the same victim" in {one.words for one in answer.evidence}
    assert any(one.observable and one.observable.value == sha256("implant") for one in answer.evidence)


def test_two_events_are_explained_by_what_speaks_against(region: Region) -> None:
    one = reports(region, "CERT-ID", BANK, ["dropper"])
    other = reports(region, "CERT-SG", COLLEGE, ["another"], country="SG")

    answers = explained(region, "CERT-VN", one, other)

    assert not answers["duplicate-of"].linked
    assert answers["duplicate-of"].words == OUTWEIGHED
    against = {one.words for one in answers["duplicate-of"].evidence if one.share < 0}
    assert {"the reports name different victims", "different countries"} <= against
    assert answers["related-to"].words == NOTHING


def test_an_incident_beside_itself(region: Region) -> None:
    one = reports(region, "CERT-ID", BANK, ["dropper"])

    assert {answer.words for answer in explained(region, "CERT-ID", one, one).values()} == {SAME}


def test_who_may_not_see_one_of_them_finds_neither(region: Region) -> None:
    one = reports(region, "CERT-ID", BANK, ["dropper"])
    hidden = reports(region, "CERT-SG", BANK, ["dropper"], marking=Level.RED)

    for pair in ((one, hidden), (hidden, one)):
        with pytest.raises(NotFound):
            explained(region, "CERT-VN", *pair)
    assert explained(region, "CERT-SG", one, hidden)["duplicate-of"].linked


def test_a_hidden_value_speaks_neither_for_nor_against(region: Region) -> None:
    """VNCERT is told the same whether the strict file is shared or not."""
    seen = []
    for case, files in (("shared", ["strict", "strict"]), ("not shared", ["strict", "other"])):
        one, other = (
            region.submit(name, [*about("Intrusion", victim=f"{victim} {case}"), _strict(f"{file} {case}")])
            for name, victim, file in (("CERT-ID", BANK, files[0]), ("CERT-SG", COLLEGE, files[1]))
        )
        region.settle()
        seen.append(explained(region, "CERT-VN", one, other))

    assert seen[0] == seen[1]


def _strict(name: str) -> Stix:
    return file_hash(sha256(name), marking=Level.RED)
