"""Whatever somebody wrote into a field stays in that field, in every format."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import dns.zone
import feedparser
from hypothesis import example, given
from hypothesis import strategies as st
from pymisp import MISPEvent
from suricataparser import parse_rules

from feed_stories import FeedDoor
from kentongan.domain.blocking import may_be_blocked
from kentongan.domain.feeds import FeedHead, FeedIncident, FeedValue, Rows
from kentongan.domain.incident import IncidentFacts, Observable, StixId
from kentongan.domain.marking import Level
from kentongan.domain.observables import normal_form
from kentongan.domain.pap import Pap
from kentongan_feeds.outbound.formats import LISTS
from kentongan_feeds.outbound.formats.misp import event_of
from kentongan_feeds.outbound.formats.text import one_line
from stories import NOON, Stix, domain_name, incident, url

HEAD = FeedHead("Kentongan", "https://kentongan.example/feeds/x", "https://kentongan.example", NOON)
PLAIN = Observable("domain", "kntg-c2-panel.com")
HOSTILE = (
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd",
    "+1\r\n=HYPERLINK(1)",
    '","yes"\r\n"domain","google.com',
    "</title></entry><entry><title>",
    "]]><!--&#0;&bad;",
    "\x00\x0b\x1b[31m\x7f\x85\u2028\u2029\ufffe\uffff\ud800",
    "\u202egnp.exe",
    '";) alert ip any any -> any any (sid:1;',
    "a.com\n0.0.0.0 google.com",
    "evil.com CNAME .\n*",
    "x\tIntel::DOMAIN\tme",
    "$INCLUDE /etc/passwd",
    "#",
    "",
)
texts = st.sampled_from(HOSTILE) | st.text(max_size=60)
moments = st.integers(0, 10**6).map(lambda seconds: NOON + timedelta(seconds=seconds))
paps = st.none() | st.sampled_from(Pap)
levels = st.sampled_from([level for level in Level if level < Level.RED])


def value_of(observable: Observable, may_block: bool, pap: Pap | None = None) -> FeedValue:
    return FeedValue(observable, Level.GREEN, pap, 1, NOON, NOON, may_block)


observables = st.one_of(
    st.builds(Observable, st.sampled_from(["mutex", "other", "file-name", "url", "domain", "registry-key"]), texts),
    st.just(PLAIN),
)
values = st.builds(lambda one, pap: value_of(one, may_be_blocked(one), pap), observables, paps)


@st.composite
def incidents(draw: st.DrawFn) -> FeedIncident:
    facts = IncidentFacts(
        StixId("incident--0b2a4c1e-8f4e-4c53-9a37-5d3b2f0f3f11"),
        draw(texts),
        description=draw(texts),
        rsit_class=draw(st.none() | texts),
        rsit_type=draw(st.none() | texts),
        severity=draw(st.none() | texts),
        countries=tuple(draw(st.lists(texts, max_size=2))),
        sectors=tuple(draw(st.lists(texts, max_size=2))),
        malware=tuple(draw(st.lists(texts, max_size=2))),
    )
    return FeedIncident(
        str(UUID(int=draw(st.integers(0, 2**128 - 1)), version=4)),
        facts.stix_id,
        draw(texts),
        "ID",
        draw(levels),
        draw(moments),
        draw(moments),
        draw(st.booleans()),
        facts,
        draw(paps),
        tuple(draw(st.lists(values, max_size=3))),
    )


rows_of_incidents = st.lists(incidents(), max_size=4, unique_by=lambda one: one.id)


def written(name: str, rows: list[Any]) -> str:
    """What a feed says, as it leaves the house."""
    return "".join(LISTS[name].lines(HEAD, rows)).encode().decode()


def given_to(name: str, rows: list[FeedValue]) -> list[FeedValue]:
    """The values that a format for machines is given."""
    kinds = LISTS[name].kinds
    return [one for one in rows if one.may_block and (kinds is None or one.observable.kind in kinds)]


@given(texts)
@example("".join(HOSTILE))
def test_one_line_is_one_line(text: str) -> None:
    line = one_line(text)

    assert len(line.splitlines()) <= 1
    assert line.isprintable() or not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in line)
    line.encode()


TITLES = "{http://www.w3.org/2005/Atom}entry/{http://www.w3.org/2005/Atom}title"


@given(rows_of_incidents)
def test_atom_has_an_entry_for_each_and_no_more(rows: list[FeedIncident]) -> None:
    found = feedparser.parse(written("incidents.atom", rows).encode())

    assert not found.bozo, found.get("bozo_exception")
    assert [entry.id for entry in found.entries] == [f"urn:uuid:{one.id}" for one in rows]
    # What is written is asked of XML itself: feedparser takes some titles for a text that was encoded twice, and mends it.
    titles = [
        title.text or "" for title in ElementTree.fromstring(written("incidents.atom", rows)).iterfind(TITLES)
    ]  # our own
    for entry, one, title in zip(found.entries, rows, titles, strict=True):
        assert entry.title_detail.type == entry.content[0].type == "text/plain"
        assert one_line(one.facts.title) in title


@given(rows_of_incidents)
def test_the_json_feed_has_an_item_for_each_and_no_more(rows: list[FeedIncident]) -> None:
    found = json.loads(written("incidents.json", rows))

    assert [item["id"] for item in found["items"]] == [f"urn:uuid:{one.id}" for one in rows]
    assert all("content_html" not in item for item in found["items"])


@given(rows_of_incidents, st.lists(values, max_size=5))
def test_csv_has_a_line_for_each_and_no_formula(told: list[FeedIncident], seen: list[FeedValue]) -> None:
    for name, rows in (("incidents.csv", told), ("values.csv", seen)):
        text = written(name, rows)
        head, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)

        assert [len(line) for line in lines] == [len(head)] * len(rows)
        assert len(text.splitlines()) == len(rows) + 1
        assert [field for line in lines for field in line if field.startswith(("=", "+", "-", "@", "\t", "\r"))] == []


@given(st.lists(values, max_size=6))
def test_machines_read_the_values_they_were_given_and_no_other(seen: list[FeedValue]) -> None:
    for name, made in LISTS.items():
        if made.rows is not Rows.VALUES or name == "values.csv":
            continue
        rows = given_to(name, seen)
        lines = [line for line in written(name, rows).splitlines() if not line.startswith(("#", "$", "@"))]
        per_value = {"rpz.zone": 2, "suricata.rules": None}.get(name, 1)
        if per_value is not None:
            assert len(lines) == per_value * len(rows), name
    rows = given_to("rpz.zone", seen)
    dns.zone.from_text(written("rpz.zone", rows), origin="rpz.cert.example.", check_origin=True)
    text = written("suricata.rules", given_to("suricata.rules", seen))
    assert len(parse_rules(text)) == len(text.splitlines())


@given(rows_of_incidents)
def test_misp_has_an_event_for_each_and_no_more(rows: list[FeedIncident]) -> None:
    manifest = json.loads(written("misp/manifest.json", rows))
    hashes = written("misp/hashes.csv", rows)

    assert manifest.keys() == {one.id for one in rows}
    assert all(len(line.split(",")) == 2 and len(line) == 69 for line in hashes.splitlines())
    for one in rows:
        event = MISPEvent()
        event.from_dict(**json.loads(event_of(one))["Event"])
        acts = {attribute.value for attribute in event.attributes if attribute.to_ids}
        assert acts <= {each.observable.value for each in one.values if each.may_block}


@given(st.sampled_from(["domain", "url", "ipv4", "ipv6", "cidr", "sha256"]), texts)
def test_what_the_gate_makes_of_it_breaks_out_of_nothing(kind: str, text: str) -> None:
    found = normal_form(kind, text)

    if found is not None and may_be_blocked(found):
        assert len(f"{found.value}\n".splitlines()) == 1
        assert found.value.isascii()
        assert " " not in found.value


def test_hostile_words_of_a_submission_stay_in_their_fields(sqlite_door: FeedDoor) -> None:
    owner, reader = sqlite_door.reader("ID-CERT"), sqlite_door.reader("VNCERT")
    words = [text for text in HOSTILE if text and "\x00" not in text]
    told: list[Stix] = [incident(text, description=text, labels=["country:ID"]) for text in words]
    owner.sends(*told[:1], domain_name("kntg-c2-panel.com"), url("http://kntg-c2-panel.com/'\"><script>&,;|"))
    for one in told[1:]:
        owner.sends(one)

    assert len(feedparser.parse(reader.ask("incidents.atom").data).entries) == len(words)
    assert len(json.loads(reader.text("incidents.json"))["items"]) == len(words)
    assert len(list(csv.reader(io.StringIO(reader.text("incidents.csv"), newline=""), strict=True))) == len(words) + 1
    assert len(json.loads(reader.text("misp/manifest.json"))) == len(words)
    assert len(parse_rules(reader.text("suricata.rules"))) == 3
    assert "google.com" not in reader.text("hosts.txt")
