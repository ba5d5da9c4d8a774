"""Mail text: readable, and with nothing in it to click but our own pages."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.domain.alert import AlertContent, AlertKind, Related
from kentongan.domain.alert_text import LONGEST_SUBJECT, defanged, harmless, subject, text
from kentongan.domain.incident import IncidentFacts, Moment, Observable, StixId
from kentongan.domain.marking import Level
from kentongan.domain.observables import recognise
from stories import NOON

PAGE = "https://kentongan.example/incidents/1"


def content(title: str = "Web shell", *observables: Observable, **facts: object) -> AlertContent:
    return AlertContent(
        kind=AlertKind.NEW_REPORT,
        created_at=NOON,
        incident_id="1",
        organization="ID-CERT",
        level=Level.AMBER,
        facts=IncidentFacts(stix_id=StixId("incident--1"), title=title, **facts),  # type: ignore[arg-type]
        revoked=False,
        case_id="2",
        campaign_id=None,
        pages={"incident": PAGE},
        related=(Related("3", "See http://evil.example/a", "duplicate-of", ("both name evil.example",), PAGE + "3"),),
        observables=observables,
        objects=(),
        complete=True,
    )


def test_a_mail_tells_what_happened() -> None:
    made = content(
        "Web shell",
        Observable("url", "http://evil.example/a"),
        rsit_class="intrusions",
        countries=("ID",),
        happened=Moment(NOON, "month"),
    )

    assert text(made).splitlines() == [
        "TLP:AMBER: share this alert no further than that allows.",
        "",
        "Another report of a known case: Web shell",
        "",
        "Submitted by: ID-CERT",
        "Countries: ID",
        "Class: intrusions",
        "Happened: 2026-03-02 (to the month)",
        "",
        "The same event: See hxxp[://]evil[.]example/a",
        "  because both name evil[.]example",
        f"  {PAGE}3",
        "",
        "Observables (defanged):",
        "  url: hxxp[://]evil[.]example/a",
        "",
        f"Incident: {PAGE}",
    ]


@pytest.mark.parametrize(
    "value",
    [
        "https://user@evil.example:8443/a.b?c=d",
        "evil.example",
        "198.51.100.7",
        "someone@evil.example",
        "ftp://evil.example/x",
    ],
)
def test_a_defanged_value_can_be_read_back_and_not_clicked(value: str) -> None:
    made = defanged(value)

    assert recognise(made) == recognise(value) is not None
    assert not re.search(r"https?:|ftp:|://|\w\.\w|\w@\w", made.replace("[://]", " "))


@pytest.mark.parametrize("title", ["Update to 2.1", "v2.1 of (3.5) tools", "50% on 3.11"])
def test_numbers_stay_readable(title: str) -> None:
    assert harmless(title) == title


@given(st.text())
def test_no_title_makes_a_link_or_another_line(title: str) -> None:
    line = harmless(title)

    assert len(line.splitlines()) <= 1
    assert "://" not in line.replace("[://]", "")
    assert not re.search(r"[a-z]\.[a-z]|[a-z]@[a-z]", line)


def test_a_title_cannot_turn_the_line_around() -> None:
    assert harmless("a\u202egnp.exe\u2066b") == "a gnp[.]exe b"


@given(st.text())
def test_a_subject_is_one_short_line_with_the_level_first(title: str) -> None:
    line = subject(content(title))

    assert line.startswith("[TLP:AMBER] Another report")
    assert len(line) <= LONGEST_SUBJECT
    assert len(line.splitlines()) == 1
