"""A mail as a draft of an incident: what it says, what it names, what hangs on it, and what is left out."""

from __future__ import annotations

import hashlib
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeding_samples import mail
from kentongan.domain.gate import Unreadable
from kentongan.domain.mail_report import LONGEST_TEXT, MOST_NAMED, mail_report


def letter(text: str = "See below.", subject: str = "Phishing", **headers: str) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["Subject"], made["Date"] = "siti@partner.example", subject, "Sun, 01 Mar 2026 10:00:00 +0700"
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made


def read(made: EmailMessage | bytes) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    report = mail_report(made if isinstance(made, bytes) else made.as_bytes())
    by_type: dict[str, list[dict[str, Any]]] = {}
    for obj in report.objects:
        by_type.setdefault(obj["type"], []).append(obj)
    return by_type, [change.rule for change in report.changes]


def test_a_mail_is_an_incident_that_names_values() -> None:
    found, changes = read(
        letter("Seen today: hxxps://evil[.]example/login\nfrom 198.51.100.7, see http://news.example/a")
    )

    (incident,) = found["incident"]
    assert (incident["name"], incident["created"]) == ("Phishing", "2026-03-01T03:00:00.000Z")
    assert [each["value"] for each in found["url"]] == ["https://evil.example/login"]
    assert [each["value"] for each in found["ipv4-addr"]] == ["198.51.100.7"]
    assert {tie["source_ref"] for tie in found["relationship"]} == {incident["id"]}
    assert changes == []


def test_what_hangs_on_it_is_named_by_its_hashes_and_its_text_is_read() -> None:
    made = letter()
    made.add_attachment(b"MZ", maintype="application", subtype="octet-stream", filename="ใบแจ้งหนี้.exe")
    made.add_attachment("evil.example.net\n", filename="iocs.txt")

    found, changes = read(made)

    names = {each["name"]: each["hashes"]["SHA-256"] for each in found["file"]}
    assert names["ใบแจ้งหนี้.exe"] == hashlib.sha256(b"MZ").hexdigest()
    assert [each["value"] for each in found["domain-name"]] == ["evil.example.net"]
    assert changes == ["content-left-out"] * 2


def test_a_mail_within_a_mail_is_not_looked_into() -> None:
    outer = letter()
    outer.add_attachment(letter("inner.evil[.]example.net", "Inner"))

    found, _ = read(outer)

    assert "domain-name" not in found
    assert len(found["file"]) == 1


def test_of_a_page_the_words_and_the_targets_of_links_are_kept() -> None:
    made = EmailMessage()
    made["From"] = "a@b.example"
    made.set_content(
        '<style>x{}</style><p>Click <a href="hxxp://evil[.]example/a">here</a></p><script>alert(1)</script>',
        subtype="html",
    )

    found, changes = read(made)

    assert found["incident"][0]["description"] == "Click <hxxp://evil[.]example/a> here"
    assert [each["value"] for each in found["url"]] == ["http://evil.example/a"]
    assert changes == ["html-as-text"]


def test_too_much_is_cut_and_told() -> None:
    found, changes = read(
        letter("\n".join(f"h{n}[.]example.net" for n in range(MOST_NAMED + 500)) + "x" * LONGEST_TEXT)
    )

    assert len(found["incident"][0]["description"]) == LONGEST_TEXT
    assert len(found["domain-name"]) == MOST_NAMED
    assert changes == ["text-cut", "values-left-out"]


@pytest.mark.parametrize("charset", ["iso-8859-1", "no-such-charset", "utf-16", "tis-620"])
def test_whatever_it_says_of_its_letters_it_is_read(charset: str) -> None:
    raw = f"From: a@b.example\nContent-Type: text/plain; charset={charset}\n\n".encode() + "ข่าว é\n".encode()

    found, _ = read(raw)

    assert found["incident"][0]["name"] == "Mail without a subject"


@pytest.mark.parametrize("raw", [b"", b"\n", b"hello", b"X-Other: 1\n\nhello", b"\xff" * 100])
def test_what_is_no_mail_is_refused(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        mail_report(raw)


def test_a_deep_pile_of_parts_is_refused_or_read_and_nothing_worse() -> None:
    raw = b"From: a@b.example\n" + b"".join(
        b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(2_000)
    )

    with pytest.raises(Unreadable):
        mail_report(raw)


@given(st.binary(max_size=300), st.integers(0, 700), st.integers(0, 50))
def test_any_bytes_are_a_mail_or_refused(junk: bytes, at: int, gone: int) -> None:
    raw = mail(1, "Subject — ข่าว")
    raw = raw[:at] + junk + raw[at + gone :]

    try:
        assert mail_report(raw) == mail_report(raw)
    except Unreadable as error:
        assert error.problems
