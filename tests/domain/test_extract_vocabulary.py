"""Words of the vocabularies are recognised, all others kept as sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.domain.vocabulary import RSIT, country, is_country, rsit, sector

CODES = {
    "id": "ID",
    "IDN": "ID",
    " Viet  Nam ": "VN",
    "อินโดนีเซีย": "ID",
    "timor-leste": "TL",
    "Burma": "MM",
    "united_kingdom": "GB",
}


@pytest.mark.parametrize(("sent", "code"), CODES.items())
def test_a_country_by_code_or_name_is_its_code(sent: str, code: str) -> None:
    assert country(sent) == code
    assert is_country(sent)


def test_an_unknown_country_is_kept_as_sent() -> None:
    assert country("Atlantis") == "Atlantis"
    assert not is_country("Atlantis")


@given(sent=st.text(max_size=20))
def test_a_country_read_twice_is_the_same(sent: str) -> None:
    assert country(country(sent)) == country(sent)


def test_every_type_of_the_taxonomy_is_read_from_its_tag() -> None:
    for name, types in RSIT.items():
        assert [rsit(f'rsit:{name}="{one}"') for one in types] == [(name, one) for one in types]


@pytest.mark.parametrize(
    ("label", "tag"),
    [
        ('RSIT:Fraud="Phishing"', ("fraud", "phishing")),
        ("rsit:fraud=phishing", ("fraud", "phishing")),
        ("rsit:fraud", ("fraud", None)),
        ('rsit:Own="Word"', ("Own", "Word")),
        ("rsit:", None),
        ("country:ID", None),
        ("", None),
    ],
)
def test_a_tag_is_read_however_it_is_written(label: str, tag: tuple[str, str | None] | None) -> None:
    assert rsit(label) == tag


def test_a_sector_is_spelled_as_stix_does_or_kept() -> None:
    assert sector("Financial_Services") == "financial-services"
    assert sector("Basket weaving") == "Basket weaving"
