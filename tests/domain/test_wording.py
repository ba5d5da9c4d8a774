"""The same thing, written by different people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.domain import wording
from kentongan.domain.incident import IncidentFacts, Moment, StixId
from kentongan.domain.text_bands import text_bands

DAY = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "spellings",
    [
        ("PT. Surya Kartikatama Energi (Persero)", "SURYA KARTIKATAMA ENERGI", "Surya Kartikatama Energi (SKE)"),
        ("Công ty Cổ phần Ngân hàng Minh Khang Phát", "Ngân hàng Minh Khang Phát JSC", "NGÂN HÀNG MINH KHANG PHÁT"),
        ("Kallang Reach Logistics Pte. Ltd.", "Kallang Reach Logistics Private Limited"),
        ("Rumah Sakit Anggrek", "Hospital Anggrek"),
    ],
)
def test_one_victim_has_one_key(spellings: tuple[str, ...]) -> None:
    assert len({wording.victim_keys(name)[0] for name in spellings}) == 1


def test_a_name_of_nothing_but_legal_forms_keeps_its_words() -> None:
    assert wording.victim_words("Holding Group Ltd") == ("holding", "group", "ltd")


@given(st.text(max_size=80))
def test_no_name_breaks_the_keys(name: str) -> None:
    assert all(len(key) <= 121 for key in wording.victim_keys(name))
    assert wording.plain(wording.plain(name)) == wording.plain(name)


def test_a_page_is_the_same_with_tracking_mirror_and_slash() -> None:
    spellings = ["https://www.a.com/x/?utm_source=rss", "http://a.com/x", "http://m.a.com/x/#top"]

    assert {wording.page_key(url) for url in spellings} == {"a.com/x"}
    assert wording.page_key("http://a.com/x?id=1") != wording.page_key("http://a.com/x?id=2")


def test_spans_that_touch_are_no_days_apart() -> None:
    assert wording.days_apart(Moment(DAY, "month"), Moment(DAY + timedelta(days=20), "second")) == 0
    assert wording.days_apart(Moment(DAY, "day"), Moment(DAY + timedelta(days=3), "day")) == pytest.approx(2)


def test_scripts_without_blanks_have_words_too() -> None:
    assert wording.telling_words("โรงพยาบาลถูกโจมตี") & wording.telling_words("การโจมตีโรงพยาบาล")


def test_values_and_dates_are_no_words() -> None:
    assert wording.telling_words("2026-03-02 evil[.]com hxxp://a.b/c " + "a" * 64 + " seen") == {"seen"}


STORY = "Attackers copied the payroll archive from an unpatched mail gateway before the weekend. They demanded payment later."


def bands(text: str) -> frozenset[int]:
    return text_bands(IncidentFacts(StixId("incident--1"), "Report", description=text))


def test_a_report_that_is_part_of_another_shares_a_band_with_it() -> None:
    assert bands(STORY) & bands(STORY.split(". ", maxsplit=1)[0] + ".")


def test_other_stories_share_no_band() -> None:
    assert not bands(STORY) & bands(
        "Power meters in two districts stopped reporting after somebody changed their firmware."
    )


def test_bands_fit_into_a_signed_number_of_64_bits() -> None:
    assert all(0 <= band < 2**63 for band in bands(STORY))
