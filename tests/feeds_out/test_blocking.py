"""What machines may act on: nothing that everybody needs, that counts no more, or that its reporter forbids to be used so."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feed_stories import FeedDoor
from kentongan.domain.blocking import HASHES, KINDS, has_its_form, may_be_blocked
from kentongan.domain.incident import Observable
from kentongan.domain.marking import Level
from kentongan.domain.observables import recognise
from kentongan.domain.pap import Pap, Use, allows, pap_of, stricter
from kentongan.domain.warninglists import WarningLists
from stories import NOON, Stix, domain_name, incident, indicator, ipv4, later, newer, stamp

EVIL = "kntg-c2-panel.com"
MACHINES = ("domains.txt", "hosts.txt", "rpz.zone", "suricata.rules")

MAY: dict[str, str] = {
    "domain": "kntg-c2-panel.com kntg.github.io kntg.duckdns.org kntg.evil.co.id xn--bcher-kva.com expyuzz4wqqyqhjn.onion",
    "ipv4": "45.9.148.10",
    "ipv6": "2a0b:7280::5",
    "cidr": "45.9.149.0/24 2a0b:7280:0:1::/64",
    "url": "http://kntg-c2-panel.com/ https://github.com/kntg-nobody/tool http://45.9.148.10:8080/x ftp://kntg-c2-panel.com/a",
    "md5": "b" * 32,
    "sha1": "b" * 40,
    "sha256": "b" * 64,
    "sha512": "b" * 128,
}
MAY_NOT: dict[str, str] = {
    "domain": "google.com www.google.com mail.google.com github.io duckdns.org co.id com localhost printer.local evil.example "
    "_dmarc a..b -x.com x" + "y" * 64 + ".com",
    "ipv4": "8.8.8.8 10.0.0.1 127.0.0.1 192.168.1.1 169.254.1.1 224.0.0.1 198.51.100.7 100.64.0.1 0.0.0.0 255.255.255.255 1.2.3",
    "ipv6": "::1 fe80::1 2001:db8::1 2001:4860:4860::8888 fc00::1 ff02::1 45.9.148.10",
    "cidr": "0.0.0.0/0 45.0.0.0/8 8.8.8.0/24 10.0.0.0/24 45.9.149.1/24 ::/0",
    "url": "http://google.com/ https://www.google.com http://10.0.0.1/x http://localhost/x http://printer/x javascript:x http:///x",
    "md5": "d41d8cd98f00b204e9800998ecf8427e " + "B" * 32 + " " + "b" * 31,
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "email": "victim@kntg-c2-panel.com",
    "file-name": "kntg.exe",
    "mutex": "kntg",
    "ssdeep": "3:abc:def",
    "user-agent": "kntg",
    "other": "kntg",
}


@pytest.mark.parametrize("kind", MAY)
def test_what_is_somebodys_alone_may_be_blocked(kind: str) -> None:
    assert [value for value in MAY[kind].split() if not may_be_blocked(Observable(kind, value))] == []


@pytest.mark.parametrize("kind", MAY_NOT)
def test_what_everybody_needs_or_is_no_such_value_may_not(kind: str) -> None:
    assert [value for value in MAY_NOT[kind].split() if may_be_blocked(Observable(kind, value))] == []


@given(st.sampled_from(sorted(KINDS)), st.text(max_size=80))
def test_a_value_with_a_break_blank_or_quote_in_it_has_no_form(kind: str, text: str) -> None:
    if has_its_form(Observable(kind, text)):
        assert text.isascii()
        assert not set(text) & set(" \t\r\n\x0b\x0c\x00\x7f")


@given(st.sampled_from(["ipv4", "ipv6"]), st.integers(0, 2**32 - 1), st.integers(0, 2**128 - 1))
def test_no_address_that_is_not_public_may_be_blocked(kind: str, small: int, large: int) -> None:
    found = ip_address(small if kind == "ipv4" else large)

    if may_be_blocked(Observable(kind, str(found))):
        assert found.is_global
        assert not found.is_multicast
        assert not WarningLists.load().hits(Observable(kind, str(found)))


def test_whatever_may_be_blocked_is_what_a_reader_of_its_text_takes_it_for() -> None:
    for kind, values in MAY.items():
        for value in values.split():
            if kind not in HASHES:
                assert recognise(value) == Observable(kind, value)


@pytest.mark.parametrize(
    ("labels", "step"),
    [
        (["PAP:RED"], Pap.RED),
        (["pap:amber", "country:ID"], Pap.AMBER),
        (["PAP:WHITE"], Pap.CLEAR),
        (["PAP:GREEN", "pap:Red"], Pap.RED),
        ([" PAP : CLEAR "], Pap.CLEAR),
        (["PAP:PURPLE", "tlp:red", "not PAP:RED", 7, None], None),
        ([], None),
    ],
)
def test_a_step_is_read_from_labels(labels: list[Any], step: Pap | None) -> None:
    assert pap_of(labels) == step


@given(st.none() | st.sampled_from(Pap), st.none() | st.sampled_from(Pap))
def test_of_two_steps_the_stricter_forbids_more(one: Pap | None, other: Pap | None) -> None:
    both = stricter(one, other)

    for use in Use:
        assert allows(both, use) == (allows(one, use) and allows(other, use))
    assert not allows(Pap.RED, Use.DETECT)
    assert allows(Pap.AMBER, Use.DETECT)
    assert not allows(Pap.AMBER, Use.BLOCK)


@pytest.mark.parametrize("where", ["incident", "indicator", "another incident"])
@pytest.mark.parametrize(
    ("label", "blocks", "detects"),
    [("PAP:RED", False, False), ("PAP:AMBER", False, True), ("pap:green", True, True), ("PAP:CLEAR", True, True)],
)
def test_what_may_be_done_is_honoured(
    sqlite_door: FeedDoor, where: str, label: str, blocks: bool, detects: bool
) -> None:
    owner, reader = sqlite_door.reader("ID-CERT"), sqlite_door.reader("VNCERT")
    told = {"labels": [label]}
    hunted = indicator(f"[domain-name:value = '{EVIL}']", **(told if where == "indicator" else {}))
    owner.sends(incident(**(told if where == "incident" else {})), hunted, domain_name(EVIL))
    if where == "another incident":
        owner.sends(incident("Another", **told), domain_name(EVIL))

    for name in MACHINES:
        assert (EVIL in reader.text(name)) is blocks, name
    assert (EVIL in reader.text("zeek.intel")) is detects
    assert f'"{EVIL}","TLP:GREEN","{label.upper()}","{"yes" if blocks else "no"}"' in reader.text("values.csv")


def test_a_step_that_is_hidden_changes_nothing(door: FeedDoor) -> None:
    owner, reader = door.reader("ID-CERT"), door.reader("VNCERT")
    owner.sends(incident(), domain_name(EVIL))
    before = {name: reader.text(name) for name in (*MACHINES, "values.csv", "zeek.intel")}

    owner.sends(incident("Quiet", marking=Level.RED, labels=["PAP:RED"]), domain_name(EVIL, object_marking_refs=None))
    owner.sends(indicator(f"[domain-name:value = '{EVIL}']", marking=Level.RED, labels=["PAP:RED"]))

    assert {name: reader.text(name) for name in before} == before


def hunted(**more: Any) -> Stix:
    return indicator(f"[domain-name:value = '{EVIL}']", **more)


def test_an_indicator_counts_until_it_is_past_or_revoked(door: FeedDoor) -> None:
    owner, reader = door.reader("ID-CERT"), door.reader("VNCERT")
    mine = hunted(valid_until=later(hours=3))
    owner.sends(incident(), mine)

    assert reader.lines("domains.txt") == [EVIL]
    door.tick(hours=4)
    assert reader.lines("domains.txt") == []

    again = newer(mine, modified=stamp(NOON + timedelta(hours=4)), valid_until=None)
    owner.sends(again)
    assert reader.lines("domains.txt") == [EVIL]

    owner.sends(newer(again, revoked=True))
    assert reader.lines("domains.txt") == []
    assert EVIL in reader.text("values.csv")


def test_one_indicator_that_holds_is_enough(sqlite_door: FeedDoor) -> None:
    owner, reader = sqlite_door.reader("ID-CERT"), sqlite_door.reader("VNCERT")
    owner.sends(incident(), hunted(revoked=True), hunted())

    assert reader.lines("domains.txt") == [EVIL]


def test_an_incident_that_is_withdrawn_takes_its_values_along(door: FeedDoor) -> None:
    owner, reader = door.reader("ID-CERT"), door.reader("VNCERT")
    mine = incident()
    owner.sends(mine, domain_name(EVIL))
    assert reader.lines("domains.txt") == [EVIL]

    owner.sends(newer(mine, revoked=True))

    assert [reader.lines(name) for name in ("domains.txt", "ipv4.txt")] == [[], []]
    assert "Withdrawn: " in reader.text("incidents.atom")
    assert reader.ask("misp/manifest.json").json == {}


def test_what_only_stands_in_a_text_is_shown_and_not_blocked(sqlite_door: FeedDoor) -> None:
    owner, reader = sqlite_door.reader("ID-CERT"), sqlite_door.reader("VNCERT")
    owner.sends(
        incident(
            description=f"Seen hxxp://{EVIL}/login and 45.9.148[.]10.",
            external_references=[{"source_name": "newspaper", "url": "https://kntg-newspaper.com/article"}],
        )
    )

    assert [reader.lines(name) for name in ("domains.txt", "ipv4.txt", "urls.txt")] == [[], [], []]
    assert '"45.9.148.10","TLP:GREEN","","no"' in reader.text("values.csv")


def test_the_host_of_a_url_is_not_blocked_for_the_page(sqlite_door: FeedDoor) -> None:
    owner, reader = sqlite_door.reader("ID-CERT"), sqlite_door.reader("VNCERT")
    owner.sends(incident(), indicator("[url:value = 'https://kntg-hijacked-shop.com/x']"))

    assert reader.lines("domains.txt") == []
    assert reader.lines("urls.txt") == ["https://kntg-hijacked-shop.com/x"]


def test_values_on_warning_lists_are_in_no_blocklist(sqlite_door: FeedDoor) -> None:
    owner, reader = sqlite_door.reader("ID-CERT"), sqlite_door.reader("VNCERT")
    needed = {"google.com", "8.8.8.8", "10.1.2.3", "192.168.0.1"}
    owner.sends(
        incident(),
        domain_name("google.com"),
        *(ipv4(value) for value in sorted(needed - {"google.com"})),
        *(indicator(f"[ipv4-addr:value = '{value}']") for value in sorted(needed - {"google.com"})),
    )

    for name in (*MACHINES, "ipv4.txt", "zeek.intel"):
        text = reader.text(name)
        assert [value for value in needed if value in text] == [], name
    assert {value for value in needed if f'"{value}"' in reader.text("values.csv")} == needed
