"""Cases that share what belongs to an attacker make a campaign; nothing that everybody has, and no chain, makes a giant."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import func, select

from kentongan.services.correlate import Correlate
from kentongan.storage.cases import RELATED_TO, Campaign, Case
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan.storage.jobs import JobRow, Stage
from matching_stories import Region, about
from stories import newer

NAMES = [
    "Bank Kirana",
    "Universitas Melati",
    "Rumah Sakit Anggrek",
    "Kementerian Cempaka",
    "PT Dahlia Ritel",
    "PT Teratai Baja",
]


@pytest.fixture
def region(database: Database) -> Region:
    return Region(database)


def campaigns_of(region: Region, stix_ids: Sequence[str]) -> list[int | None]:
    with region.database.reading() as session:
        return [session.get_one(Case, region.case_of(one)).campaign_id for one in stix_ids]


def test_cases_that_share_a_rare_file_make_a_campaign(region: Region) -> None:
    one = region.report("CERT-ID", "Intrusion", victim=NAMES[0], files=["implant", "a"])
    other = region.report("CERT-PH", "Infection", victim=NAMES[1], files=["implant", "b"])

    first, second = campaigns_of(region, [one, other])
    (link,) = region.links(RELATED_TO)
    assert first is not None and first == second
    assert link.score >= 0.5
    assert "which few reports name" in link.evidence[0]["words"]


def test_a_case_alone_belongs_to_no_campaign(region: Region) -> None:
    alone = region.report("CERT-ID", "Intrusion", victim=NAMES[0], files=["implant"])

    assert campaigns_of(region, [alone]) == [None]
    with region.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Campaign)) == 0


def test_a_campaign_grows_and_keeps_its_id(region: Region) -> None:
    sent = [region.report("CERT-ID", "Intrusion", victim=name, files=["implant", name]) for name in NAMES[:2]]
    (began, _) = campaigns_of(region, sent)

    sent.append(region.report("CERT-PH", "Intrusion", victim=NAMES[2], files=["implant", "third"]))

    assert campaigns_of(region, sent) == [began] * 3


def test_two_campaigns_that_turn_out_one_keep_the_older_id(region: Region) -> None:
    older = [region.report("CERT-ID", "Intrusion", victim=name, files=["a1", "a2", name]) for name in NAMES[:2]]
    younger = [region.report("CERT-PH", "Infection", victim=name, files=["b1", "b2", name]) for name in NAMES[2:4]]
    kept, merged = campaigns_of(region, [older[0], younger[0]])
    assert kept != merged

    bridge = region.report("CERT-MY", "Both", victim=NAMES[4], files=["a1", "a2", "b1", "b2"])

    assert campaigns_of(region, [*older, *younger, bridge]) == [kept] * 5
    with region.database.reading() as session:
        assert session.get_one(Campaign, merged).merged_into_id == kept


@pytest.mark.parametrize(
    "shared",
    [
        {"culprit": "Emotet"},
        {"pages": ["https://news.example.com/many-attacks"]},
        {"culprit": "Emotet", "pages": ["https://news.example.com/many-attacks"]},
        {"description": "Exploitation of CVE-2021-44228 on an internet-facing server."},
        {"patterns": ["[ipv4-addr:value = '8.8.8.8']", "[domain-name:value = 'google.com']"]},
        {"patterns": ["[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']", "[ipv4-addr:value = '10.0.0.5']"]},
    ],
)
def test_what_everybody_shares_joins_nobody(region: Region, shared: dict[str, object]) -> None:
    one = region.report("CERT-ID", "Intrusion", victim=NAMES[0], **shared)
    other = region.report("CERT-PH", "Infection", victim=NAMES[1], **shared)

    assert campaigns_of(region, [one, other]) == [None, None]
    assert region.links(RELATED_TO) == []


def test_a_value_that_joins_everything_weighs_nothing(sqlite_database: Database) -> None:
    """A member that puts one odd address into every report must not join strangers."""
    region = Region(sqlite_database)
    sent = [
        region.submit("CERT-ID", about(f"Event {_word(n)}", victim=f"PT {_word(n)}", files=["odd", _word(n)]))
        for n in range(130)
    ]
    region.settle()

    late = [region.report("CERT-PH", "Late", victim=name, files=["odd", name]) for name in NAMES[:2]]

    assert set(campaigns_of(region, sent)) == {None}
    assert not any(link.left_id <= len(sent) for link in region.links(RELATED_TO))  # the late ones name it between them
    assert len(set(campaigns_of(region, late))) == 1


def test_no_chain_of_single_values_makes_a_giant(sqlite_database: Database) -> None:
    """Each case shares one value with the next one only: two long chains do not meet over one more such value."""
    region = Region(sqlite_database)
    left = [region.report("CERT-ID", "Left", victim=f"PT {_word(n)}", files=[f"l{n}", f"l{n + 1}"]) for n in range(8)]
    right = [
        region.report("CERT-ID", "Right", victim=f"PT {_word(n + 50)}", files=[f"r{n}", f"r{n + 1}"]) for n in range(8)
    ]

    bridge = region.report("CERT-PH", "Bridge", victim=NAMES[0], files=["l8", "r0"])

    ends = campaigns_of(region, [left[0], right[0], bridge])
    assert None not in ends
    assert ends[0] != ends[1]


def test_an_amendment_that_takes_the_tie_lets_the_campaign_fall_apart(region: Region) -> None:
    left = [region.report("CERT-ID", "Intrusion", victim=name, files=["a1", "a2", name]) for name in NAMES[:2]]
    report = about("Both", victim=NAMES[4], files=["a1", "a2", "b1", "b2"])
    bridge = region.submit("CERT-MY", report)
    region.settle()
    right = region.report("CERT-PH", "Infection", victim=NAMES[2], files=["b1", "b2", "c"])
    began = campaigns_of(region, [left[0]])[0]
    assert campaigns_of(region, [*left, bridge, right]) == [began] * 4

    region.submit(
        "CERT-MY",
        [
            newer(report[0]),
            *about("x", victim=NAMES[4], files=["unrelated"])[1:2],
            *about("x", files=["unrelated"])[3:],
        ],
    )
    region.settle()

    assert campaigns_of(region, left) == [began] * 2
    assert campaigns_of(region, [bridge, right]) == [None, None]


def test_every_incident_is_promised_the_next_stage(region: Region) -> None:
    region.report("CERT-ID", "Intrusion")

    with region.database.reading() as session:
        promised = session.scalars(select(JobRow.subject_id).where(JobRow.stage == Stage.MATCH.value)).all()
        assert set(promised) == set(session.scalars(select(Incident.id)))


def test_running_twice_changes_nothing(region: Region) -> None:
    sent = [region.report("CERT-ID", "Intrusion", victim=name, files=["implant", name]) for name in NAMES[:3]]
    everything = [region.row(one).id for one in sent]

    found = []
    for _ in range(2):
        with region.database.writing() as session:
            Correlate(session, lambda: region.now).run(everything)
        links = [(link.id, link.score, link.evidence, link.found_at) for link in region.links(RELATED_TO)]
        found.append((campaigns_of(region, sent), links))

    assert found[0] == found[1]
    assert len(found[0][1]) == 3


def _word(number: int) -> str:
    """A name unlike all others, without digits."""
    return "".join("bcdfgklmnp"[int(d)] + "aeiouaeiou"[int(d)] for d in f"{number * 7919 % 100000:05d}").capitalize()


def test_what_was_looked_up_before_a_report_was_withdrawn_is_looked_up_again(region: Region) -> None:
    kept = region.report("CERT-ID", "Intrusion", victim=NAMES[0], files=["implant"])
    report = about("Intrusion", victim=NAMES[1], files=["implant"])
    withdrawn = region.submit("CERT-PH", report)
    region.settle()
    with region.database.reading() as session:
        outrun = Correlate(session, lambda: region.now).look([region.row(one).id for one in (kept, withdrawn)])
    assert outrun.judged

    region.submit("CERT-PH", [newer(report[0], revoked=True)])
    region.settle()
    with region.database.writing() as session:
        Correlate(session, lambda: region.now).keep(outrun)

    assert region.links(RELATED_TO) == []
    assert campaigns_of(region, [kept, withdrawn]) == [None, None]
