"""The same thing, written by different people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.domain import wording
from kentongan.domain.glossary import SPOKEN
from kentongan.domain.incident import IncidentFacts, Moment, StixId
from kentongan.domain.synonyms import known_name
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


def test_a_number_told_in_two_languages_is_a_band_in_common() -> None:
    told = "The archive of 48,213 passports was offered for sale by somebody nobody knew before."

    assert bands(told) & bands("Arsip berisi 48.213 paspor ditawarkan oleh pihak yang belum pernah dikenal sebelumnya.")


def test_bands_fit_into_a_signed_number_of_64_bits() -> None:
    assert all(0 <= band < 2**63 for band in bands(STORY))


@pytest.mark.parametrize("told", ["12,000", "12.000", "12000", "12 ribu", "12 thousand", "๑๒,๐๐๐", "12 nghìn"])
def test_a_number_is_the_same_in_every_spelling(told: str) -> None:
    assert "#12000" in wording.telling_words(f"Stolen: {told} passports")


@given(st.integers(100, 999_999_999), st.sampled_from([",", "."]))
def test_whatever_separates_its_thousands_a_number_is_its_digits(number: int, mark: str) -> None:
    spelled = f"{number:,}".replace(",", mark)

    told = wording.telling_words(f"records: {spelled}")

    assert told == ({"=records"} if 1990 <= number <= 2040 and spelled.isdigit() else {"=records", f"#{number}"})


def test_dates_years_and_ids_are_no_numbers() -> None:
    assert not [
        w
        for w in wording.telling_words("In 2019, 2026-03-02, CVE-2022-1388, T1566, 10.20.30.40, port/8080")
        if w[0] == "#"
    ]


@pytest.mark.parametrize(
    ("told", "concepts"),
    [
        ("Kebocoran data pelanggan", {"=leak", "=data", "=customers"}),
        ("Rò rỉ dữ liệu khách hàng", {"=leak", "=data", "=customers"}),
        ("Vazamento de dados de clientes", {"=leak", "=data", "=customers"}),
        ("ข้อมูลลูกค้ารั่วไหล", {"=leak", "=data", "=customers"}),
        ("ទិន្នន័យអតិថិជនលេចធ្លាយ", {"=leak", "=data", "=customers"}),
    ],
)
def test_what_every_report_speaks_of_is_one_concept_in_all_languages(told: str, concepts: set[str]) -> None:
    assert concepts <= wording.telling_words(told)


def test_every_phrase_of_the_glossary_gives_its_concept() -> None:
    assert [phrase for phrase, concept in SPOKEN.items() if concept not in wording.telling_words(f"- {phrase} -")] == []


@pytest.mark.parametrize(("one", "other"), [("Fancy Bear", "APT28"), ("APT-28", "fancybear"), ("Emo-tet", "EMOTET")])
def test_who_uses_another_of_its_names_means_the_same(one: str, other: str) -> None:
    assert wording.any_in_common([one], [other])


def test_other_malware_stays_other() -> None:
    assert not wording.any_in_common(["Emotet", "APT28"], ["APT29", "QakBot"])


@given(st.text(max_size=30), st.sampled_from(["fancybear", "apt28", "emotet"]))
def test_a_name_stands_for_one_name_only(name: str, known: str) -> None:
    for key in (wording.name_key(name), known):
        assert known_name(known_name(key)) == known_name(key)


@pytest.mark.parametrize("body", ["Hospital", "University", "Bank", "Ministry"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_body_is_translated_wherever_it_stands(body: str, place: int) -> None:
    spelled = {
        "Hospital": ["Rumah Sakit", "Bệnh viện", "โรงพยาบาล", "Ospital", "ໂຮງໝໍ"],
        "University": ["Universitas", "Đại học", "มหาวิทยาลัย", "Unibersidad", "Universidade"],
        "Bank": ["Ngân hàng", "ธนาคาร", "Bangko", "Banco", "ធនាគារ"],
        "Ministry": ["Kementerian", "กระทรวง", "Kagawaran", "ក្រសួង"],
    }[body]

    def named(words: str) -> tuple[str, ...]:
        return wording.victim_words(f"{words} Anggrek" if place else f"Anggrek {words}")

    assert {named(words) for words in spelled} == {named(body)}
