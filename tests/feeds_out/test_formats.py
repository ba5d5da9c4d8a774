"""Every format is read by a parser that others wrote, and says there what was reported."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import dns.name
import dns.rdatatype
import dns.zone
import feedparser
import pytest
import stix2
from pymisp import MISPEvent
from sqlalchemy import select
from suricataparser import parse_rules

from feed_stories import FeedDoor, FeedReader
from kentongan.domain.marking import Level
from kentongan.domain.naming import campaign_id, case_id
from kentongan.services.publish import Publish
from kentongan.storage.cases import Case
from kentongan.storage.incidents import Incident
from kentongan_feeds.outbound.formats import LISTS
from kentongan_feeds.outbound.formats.rpz import trigger
from matching_stories import about
from stories import Stix, domain_name, file_hash, incident, indicator, ipv4, malware, relationship, sco, tlp, url

EVIL, OTHER = "kntg-c2-panel.com", "kntg-two.net"
ADDRESS, ADDRESS_6, NETWORK = "45.9.148.10", "2a0b:7280::5", "45.9.149.0/24"
PAGE, PAGE_OF_MANY = f"http://{EVIL}/a;b?x=1", "https://github.com/kntg-nobody/tool"
DIGEST = "b7" * 32
USED_BY_ALL = ("google.com", "8.8.8.8", "192.168.1.7")


@pytest.fixture
def told(sqlite_door: FeedDoor) -> FeedReader:
    """ID-CERT reports; VNCERT reads."""
    owner, reader = sqlite_door.reader("ID-CERT"), sqlite_door.reader("VNCERT")
    owner.sends(
        incident(
            'Web shell, "quoted" & <b>bold</b>; ပြည်သူ့',
            marking=Level.GREEN,
            description="Two lines,\nof which this is the second.",
            labels=["country:ID", "PAP:GREEN"],
        ),
        domain_name(EVIL),
        ipv4(ADDRESS),
        sco("ipv6-addr", value=ADDRESS_6),
        ipv4(NETWORK),
        url(PAGE),
        url(PAGE_OF_MANY),
        file_hash(DIGEST),
        domain_name(USED_BY_ALL[0]),
        *(ipv4(value) for value in USED_BY_ALL[1:]),
        indicator(f"[domain-name:value = '{OTHER}']"),
    )
    return reader


def test_feed_readers_read_the_atom_feed(told: FeedReader) -> None:
    found = feedparser.parse(told.ask("incidents.atom").data)

    assert not found.bozo, found.get("bozo_exception")
    assert found.version == "atom10"
    (entry,) = found.entries
    assert entry.title == '[TLP:GREEN] Web shell, "quoted" & <b>bold</b>; ပြည်သူ့'
    assert entry.title_detail.type == entry.content[0].type == "text/plain"
    assert "Two lines,\nof which this is the second." in entry.content[0].value
    assert {tag.term for tag in entry.tags} == {"TLP:GREEN", "PAP:GREEN", "ID"}
    assert entry.author == "ID-CERT"
    assert entry.link == f"https://kentongan.example/incidents/{entry.id.removeprefix('urn:uuid:')}"
    assert found.feed.links[0].href == "https://kentongan.example/feeds/incidents.atom"


def test_the_json_feed_has_what_version_1_1_asks_for(told: FeedReader) -> None:
    answer = told.ask("incidents.json")
    found = json.loads(answer.data)

    assert answer.mimetype == "application/feed+json"
    assert found["version"] == "https://jsonfeed.org/version/1.1"
    assert {"title", "items"} <= found.keys() <= {"version", "title", "home_page_url", "feed_url", "items"}
    (item,) = found["items"]
    assert isinstance(item["id"], str)
    assert item["content_text"]
    assert item["title"] == '[TLP:GREEN] Web shell, "quoted" & <b>bold</b>; ပြည်သူ့'
    assert item["date_published"].endswith("Z")
    assert item["authors"] == [{"name": "ID-CERT"}]


def test_scripts_read_the_lists_as_csv(told: FeedReader) -> None:
    (row,) = csv.DictReader(io.StringIO(told.text("incidents.csv"), newline=""), strict=True)
    values = list(csv.DictReader(io.StringIO(told.text("values.csv"), newline=""), strict=True))

    assert (row["title"], row["tlp"], row["pap"]) == (
        'Web shell, "quoted" & <b>bold</b>; ပြည်သူ့',
        "TLP:GREEN",
        "PAP:GREEN",
    )
    may = {each["value"]: each["may_block"] for each in values}
    blocked = {EVIL, OTHER, ADDRESS, ADDRESS_6, NETWORK, PAGE, PAGE_OF_MANY, DIGEST}
    assert may == {**dict.fromkeys(blocked, "yes"), **dict.fromkeys(USED_BY_ALL, "no")}


def test_plain_lists_hold_one_value_a_line_and_nothing_else(told: FeedReader) -> None:
    lists = {name: sorted(told.lines(f"{name}.txt")) for name in ("ipv4", "ipv6", "networks", "domains", "urls")}

    assert lists == {
        "ipv4": [ADDRESS],
        "ipv6": [ADDRESS_6],
        "networks": [NETWORK],
        "domains": [EVIL, OTHER],
        "urls": [PAGE, PAGE_OF_MANY],
    }
    assert told.lines("sha256.txt") == [DIGEST]
    assert told.lines("md5.txt") == []
    assert told.lines("domains.txt?kind=ipv4") == []


def test_a_hosts_file_leads_the_names_nowhere(told: FeedReader) -> None:
    lines = [line for line in told.lines("hosts.txt") if not line.startswith("#")]

    assert sorted(line.split() for line in lines) == [["0.0.0.0", EVIL], ["0.0.0.0", OTHER]]


def test_name_servers_read_the_policy_zone(told: FeedReader) -> None:
    zone = dns.zone.from_text(told.text("rpz.zone"), origin="rpz.cert.example.", check_origin=True)

    names = {
        name.to_text()
        for name, rdataset in zone.iterate_rdatasets(dns.rdatatype.CNAME)
        for record in rdataset
        if record.target.derelativize(dns.name.root) == dns.name.root
    }
    of_names = {EVIL, f"*.{EVIL}", OTHER, f"*.{OTHER}"}
    of_addresses = {f"{trigger(value)}.rpz-ip" for value in (ADDRESS, ADDRESS_6, NETWORK)}
    assert names == of_names | of_addresses
    assert "32.10.148.9.45.rpz-ip" in names
    assert zone.get_soa().serial > 0


@pytest.mark.parametrize(
    ("network", "named"),
    [
        ("203.0.113.7", "32.7.113.0.203"),
        ("10.0.0.0/8", "8.0.0.0.10"),
        ("2001:db8::1", "128.1.zz.db8.2001"),
        ("2001:db8::/48", "48.zz.db8.2001"),
        ("::1", "128.1.zz"),
        ("2001:db8:1:2:3:4:5:6", "128.6.5.4.3.2.1.db8.2001"),
    ],
)
def test_an_address_is_named_as_policy_zones_name_it(network: str, named: str) -> None:
    assert trigger(network) == named


def test_the_suricata_rules_are_rules(told: FeedReader) -> None:
    text = told.text("suricata.rules")

    rules = parse_rules(text)

    assert len(rules) == len(text.splitlines())
    assert {rule.action for rule in rules} == {"alert"}
    assert len({_number(rule) for rule in rules}) == len(rules)
    by_header = {rule.header: rule for rule in rules}
    assert {f"ip $HOME_NET any -> [{one}] any" for one in (ADDRESS, ADDRESS_6, NETWORK)} <= by_header.keys()
    contents = {option.value for rule in rules for option in rule.options if option.name == "content"}
    assert {f'".{EVIL}"', f'".{OTHER}"', '"/a|3b|b|3f|x|3d|1"'} <= contents


def _number(rule: Any) -> tuple[str, int]:
    """What Suricata tells rules apart by."""
    return next(option.value for option in rule.options if option.name == "gid"), rule.sid


def test_a_rule_is_the_same_tomorrow(told: FeedReader) -> None:
    before = told.text("suricata.rules")
    told.sends(incident("Another"), ipv4("45.9.148.11"))

    assert set(before.splitlines()) < set(told.lines("suricata.rules"))


def test_zeek_finds_its_fields(told: FeedReader) -> None:
    first, *rest = told.text("zeek.intel").splitlines()
    fields = first.removeprefix("#fields\t").split("\t")
    rows = list(csv.DictReader(rest, fields, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True))

    assert {(row["indicator"], row["indicator_type"]) for row in rows} == {
        (EVIL, "Intel::DOMAIN"),
        (OTHER, "Intel::DOMAIN"),
        (ADDRESS, "Intel::ADDR"),
        (ADDRESS_6, "Intel::ADDR"),
        (NETWORK, "Intel::SUBNET"),
        (PAGE.removeprefix("http://"), "Intel::URL"),
        (PAGE_OF_MANY.removeprefix("https://"), "Intel::URL"),
        (DIGEST, "Intel::FILE_HASH"),
    }


def test_pymisp_reads_the_feed_as_misp_fetches_it(told: FeedReader, tmp_path: Path) -> None:
    manifest: dict[str, Any] = json.loads(told.text("misp/manifest.json"))
    hashes = [line.split(",") for line in told.lines("misp/hashes.csv")]

    ((event_id, named),) = manifest.items()
    kept = tmp_path / f"{event_id}.json"
    kept.write_bytes(told.ask(f"misp/{event_id}.json").data)
    event = MISPEvent()
    event.load_file(kept)

    numbers = {key: int(named[key]) for key in ("analysis", "timestamp", "threat_level_id")}  # MISP writes them as text
    assert event.manifest[event_id] == {**named, **numbers, "Tag": event.manifest[event_id]["Tag"]}
    assert {tag["name"] for tag in named["Tag"]} == {tag.name for tag in event.tags} == {"tlp:green", "PAP:GREEN"}
    to_ids = {attribute.value: attribute.to_ids for attribute in event.attributes}
    assert {value for value, acts in to_ids.items() if not acts} == set(USED_BY_ALL)
    types = {attribute.value: attribute.type for attribute in event.attributes}
    assert (types[EVIL], types[ADDRESS], types[PAGE], types[DIGEST]) == ("domain", "ip-dst", "url", "sha256")
    assert sorted(hashes) == sorted([digest, event_id] for digest in event.attributes_hashes("md5"))
    assert hashlib.md5(EVIL.encode()).hexdigest() in {digest for digest, _ in hashes}


def test_misp_knows_every_type_we_say() -> None:
    from kentongan_feeds.outbound.formats.misp import TYPES  # noqa: PLC0415

    known = MISPEvent().describe_types["category_type_mappings"]

    assert [kind for kind, (name, category) in TYPES.items() if name not in known[category]] == []


def a_campaign(door: FeedDoor) -> tuple[FeedReader, list[Stix]]:
    """Two reports of one event and one more of the same campaign, with what came with them; VNCERT reads."""
    indonesia, thailand = door.reader("ID-CERT"), door.reader("ThaiCERT")
    rat = malware("KntgRAT")
    first = about("Kntg wiper at the port", victim="Port of Tanjung", files=("dropper", "wiper", "loader"))
    tie = relationship(first[0], "related-to", rat)
    indonesia.sends(*first, rat, tie)
    thailand.sends(
        *about("Kntg wiper at the port", victim="Port of Tanjung", files=("dropper", "wiper", "loader")),
    )
    indonesia.sends(*about("Kntg wiper at a dam", victim="A dam", files=("dropper", "wiper", "loader")))
    with door.database.writing() as session:
        incidents = [row.id for row in session.query(Incident)]
        Publish(session, door.clock).run(incidents)
    return door.reader("VNCERT"), [*first, rat, tie]


def test_a_case_is_a_bundle_that_names_nothing_that_is_missing(sqlite_door: FeedDoor) -> None:
    reader, sent = a_campaign(sqlite_door)
    with sqlite_door.database.reading() as session:
        first = session.scalars(select(Incident).where(Incident.stix_id == sent[0]["id"])).one()
        case, campaign = case_id(first.public_id), campaign_id(first.public_id)

    for name in (f"cases/{case}.json", f"campaigns/{campaign}.json"):
        answer = reader.ask(name)
        assert answer.mimetype == "application/stix+json"
        bundle = stix2.parse(answer.get_data(as_text=True), allow_custom=True)
        ids = [found["id"] for found in bundle.objects]
        assert len(ids) == len(set(ids))
        assert {obj["id"] for obj in sent} <= set(ids)
        assert references(json.loads(answer.data)) <= set(ids) | WELL_KNOWN
        assert bundle.id == stix2.parse(reader.text(name), allow_custom=True).id


WELL_KNOWN = {tlp(level) for level in Level}
"""TLP's own marking definitions, which every reader of STIX has."""


def references(value: Any) -> set[str]:
    """All ids that something refers to."""
    if isinstance(value, list):
        return set().union(*(references(each) for each in value))
    if not isinstance(value, dict):
        return set()
    named = [each for name, each in value.items() if name.endswith(("_ref", "_refs"))]
    own = {one for each in named for one in ([each] if isinstance(each, str) else each)}
    return own.union(*(references(each) for each in value.values()))


def test_the_links_that_were_found_are_in_the_bundle(sqlite_door: FeedDoor) -> None:
    reader, sent = a_campaign(sqlite_door)
    with sqlite_door.database.reading() as session:
        first = session.scalars(select(Incident).where(Incident.stix_id == sent[0]["id"])).one()
        case = session.get_one(Case, first.case_id)
        reports = {row.stix_id for row in session.query(Incident).filter_by(case_id=case.id)}

    objects = reader.ask(f"cases/{case_id(first.public_id)}.json").json["objects"]  # type: ignore[index]  # it is JSON

    assert len(reports) > 1
    links = [one for one in objects if one["type"] == "relationship" and one["relationship_type"] == "duplicate-of"]
    assert {ref for link in links for ref in (link["source_ref"], link["target_ref"])} == reports
    assert {link["created_by_ref"] for link in links} <= {one["id"] for one in objects}


def test_every_format_says_what_it_is_for() -> None:
    assert all(one.says.endswith(".") and one.media_type and name == one.name for name, one in LISTS.items())
