"""Indicators in the words of a report, and names that only happen to stand there."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kentongan.domain.observables import found_in_text, mentions, normal_form

MD5 = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("The loader came from hxxps://evil[.]com/a?b=c, then slept.", ["https://evil.com/a?b=c"]),
        ("(hxxps://evil[.]com/a).", ["https://evil.com/a"]),
        ("http[:]//evil.com and evil[dot]net", ["http://evil.com/", "evil.net"]),
        ("it beacons to evil [.] com every hour", ["evil.com"]),
        ("mail from Boss[at]Evil[.]com", ["boss@evil.com"]),
        ("IOC: fb[.]evil[.]org, pre.evil[.]org, plain.evil.org", ["fb.evil.org", "pre.evil.org", "plain.evil.org"]),
        ("IOC: 193[.]109[.]69[.]5, 8.8.8[.]8", ["193.109.69.5", "8.8.8.8"]),
        ("Indikator:\n- evil.com: server C2\n- bad.net\n\nLihat vendor.com", ["evil.com", "bad.net"]),
        ("evil.com\nbad.net", ["evil.com", "bad.net"]),
        (f"dropped sha256={MD5}{MD5} on disk", [MD5 + MD5]),
        (f"MD5:{MD5.upper()};", [MD5]),
        ("Cuộc tấn công dùng máy chủ 10.0.0.1:8080", ["10.0.0.1"]),
        ("พบการเชื่อมต่อไปยังevil[.]com และ 1.2.3[.]4", ["evil.com", "1.2.3.4"]),
        ("恶意域名：evil[.]com，hxxp://1.2.3[.]4/x。", ["evil.com", "http://1.2.3.4/x"]),
        ("server 2001:db8::1 from 00:11:22:33:44:55, AS64500", ["2001:db8::1", "00:11:22:33:44:55", "AS64500"]),
        ("network 192.168.1[.]0/24", ["192.168.1.0/24"]),
    ],
)
def test_values_that_are_given_as_indicators_are_found(text: str, values: list[str]) -> None:
    found = found_in_text(text)

    assert [one.value for one in found] == values


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Upgrade firmware to version 1.2.3.4 today.",
        "run setup.py, open invoice.zip, e.g. i.e. etc.",
        "Data was stolen.In 2013 the firm said.The end.",
        "According to centralny.ynn.com the clinic was robbed; see http://www.news.example.com/story",
        "at 12:30:45 on 10:20, ratio 3:1, Node.js and ASP.NET",
        "ransom of 1,000.50 paid to nobody@",
        "the number 12345678901234567890123456789012345 is long",
    ],
)
def test_ordinary_words_are_no_indicators(text: str) -> None:
    assert found_in_text(text) == []


def test_names_in_prose_are_mentions_that_do_not_tell() -> None:
    text = "According to centralny.ynn.com, see http://www.news.example.com/story"

    found = {mention.observable.value: mention.telling for mention in mentions(text)}

    assert found == {"centralny.ynn.com": False, "http://www.news.example.com/story": False}


@given(text=st.text(max_size=300))
@settings(max_examples=500)
def test_no_text_breaks_the_reader_and_all_it_finds_is_in_normal_form(text: str) -> None:
    for mention in mentions(text):
        assert normal_form(mention.observable.kind, mention.observable.value) == mention.observable
