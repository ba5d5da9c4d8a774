"""People decide: what they say outranks what was found, is shown to who may know of it, and taken back it leaves nothing."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from deciding_stories import (
    MEMBERS,
    analyst,
    coordinator,
    decide,
    groups_of,
    picture,
    seven_reports,
    undo,
)
from erasing_stories import Region as Road
from kentongan.domain.decisions import Verdict
from kentongan.domain.identity import Identity, Scope
from kentongan.domain.marking import Level
from kentongan.services.errors import NotFound, Refused
from kentongan.services.explain import Explain
from kentongan.services.read_decisions import DecisionView, ReadDecisions
from kentongan.storage import jobs
from kentongan.storage.cases import DUPLICATE_OF, RELATED_TO
from kentongan.storage.database import Database
from kentongan.storage.decisions import DecisionRow
from kentongan.storage.jobs import Stage
from matching_stories import Region, about
from stories import later

TOGETHER, APART = Verdict.TOGETHER, Verdict.APART


@pytest.fixture
def region(database: Database) -> Region:
    return Region(database)


@pytest.fixture(scope="module")
def told(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Region, list[str]]:
    """A file in which seven reports are settled, to copy; made once."""
    path = tmp_path_factory.mktemp("decisions") / "told.sqlite"
    shutil.copy(sqlite_template, path)
    region = Region(Database(f"sqlite:///{path}"))
    reports = seven_reports(region)
    region.member("Coordinator")
    region.database.close()
    return path, region, reports


def of_file(told: tuple[Path, Region, list[str]], folder: Path) -> Iterator[Region]:
    path, made, _ = told
    copy = folder / "copy.sqlite"
    for name in (copy, Path(f"{copy}-wal"), Path(f"{copy}-shm")):
        name.unlink(missing_ok=True)
    shutil.copy(path, copy)
    region = Region(Database(f"sqlite:///{copy}"), made.now, dict(made.members))
    try:
        yield region
    finally:
        region.database.close()


STEPS = st.lists(
    st.tuples(
        st.sampled_from([*MEMBERS, "Coordinator"]),
        st.sampled_from(list(combinations(range(7), 2))),
        st.sampled_from([TOGETHER, APART]),
        st.sampled_from([DUPLICATE_OF, RELATED_TO]),
        st.none() | st.integers(0, 5),  # then that of the decisions in force is taken back
    ),
    min_size=1,
    max_size=8,
)


def play(region: Region, reports: list[str], steps: list[Any], order: Any) -> None:
    """Decide and take back step by step, then take back what is left in any order."""
    open_: list[tuple[Identity, DecisionView]] = []
    for name, (one, other), verdict, kind, back in steps:
        who = coordinator(region) if name == "Coordinator" else analyst(region, name)
        try:
            open_.append((who, decide(region, who, reports[one], reports[other], verdict, kind)))
        except Refused:  # said already
            continue
        if back is not None and open_:
            by, made = open_.pop(back % len(open_))
            undo(region, by, made.id)
    for by, made in order.draw(st.permutations(open_)) if hasattr(order, "draw") else order(open_):
        undo(region, by, made.id)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, order=st.data())
def test_whatever_was_decided_taken_back_in_any_order_leaves_what_was(
    told: tuple[Path, Region, list[str]], tmp_path: Path, steps: list[Any], order: Any
) -> None:
    for region in of_file(told, tmp_path):
        before = picture(region.database)

        play(region, told[2], steps, order)

        assert known(picture(region.database), before) == before


def test_the_same_on_postgresql(postgres_database: Database) -> None:
    region = Region(postgres_database)
    reports = seven_reports(region)
    before = picture(region.database)
    steps = [
        ("CERT-ID", (0, 5), TOGETHER, DUPLICATE_OF, None),
        ("CERT-TH", (0, 1), APART, DUPLICATE_OF, None),
        ("Coordinator", (2, 6), TOGETHER, RELATED_TO, 0),
        ("CERT-VN", (2, 3), TOGETHER, DUPLICATE_OF, None),
        ("CERT-ID", (3, 2), APART, DUPLICATE_OF, 1),
        ("Coordinator", (1, 4), APART, RELATED_TO, None),
    ]

    play(region, reports, steps, lambda open_: [*open_[1::2], *open_[::2]])

    assert known(picture(region.database), before) == before


def known(after: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Without the cases that were opened meanwhile, which lead somewhere now."""
    return after | {"leads": {one: at for one, at in after["leads"].items() if one in before["leads"]}}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_what_was_decided_holds(told: tuple[Path, Region, list[str]], tmp_path: Path, steps: list[Any]) -> None:
    """What is apart never stands in one case or campaign; and the platform comes to the same when it works all out anew."""
    for region in of_file(told, tmp_path):
        reports = told[2]
        apart: set[tuple[int, frozenset[str]]] = set()
        for name, (one, other), verdict, kind, _ in steps:
            who = coordinator(region) if name == "Coordinator" else analyst(region, name)
            try:
                made = decide(region, who, reports[one], reports[other], verdict, kind)
            except Refused:
                continue
            if made.capacity != "opinion" and verdict is APART:
                apart.add((0 if kind == DUPLICATE_OF else 1, frozenset((reports[one], reports[other]))))
            elif made.capacity != "opinion":
                apart -= {(0 if kind == DUPLICATE_OF else 1, frozenset((reports[one], reports[other])))}
        cases = groups_of(region.database)

        for column, pair in apart:
            together = any(pair <= group for group in groups_of(region.database, column))
            # One case is in one campaign, whatever was said of that.
            assert not together or (column == 1 and any(pair <= group for group in cases))


def test_a_merge_ties_whatever_the_score_and_the_older_id_stays(region: Region) -> None:
    reports = seven_reports(region)
    places = picture(region.database)["places"]

    made = decide(region, analyst(region, "CERT-ID"), reports[6], reports[5], TOGETHER)

    assert (made.capacity, made.in_force, made.author) == ("owner", True, "Sari of CERT-ID")
    after = picture(region.database)["places"]
    assert after[reports[6]] == after[reports[5]] == places[reports[5]]
    undo(region, analyst(region, "CERT-ID"), made.id)
    assert picture(region.database)["places"] == places


def test_a_split_holds_also_through_others_and_when_more_is_reported(region: Region) -> None:
    reports = seven_reports(region)
    decide(region, analyst(region, "CERT-TH"), reports[0], reports[1], APART)

    third = region.report("CERT-VN", "Ransomware at Bank Kirana", victim="Bank Kirana", files=["dropper", "implant"])

    assert region.case_of(reports[0]) != region.case_of(reports[1])
    assert region.case_of(third) in (region.case_of(reports[0]), region.case_of(reports[1]))


def test_a_merge_holds_when_a_report_is_amended(region: Region) -> None:
    reports = seven_reports(region)
    decide(region, analyst(region, "CERT-ID"), reports[5], reports[6], TOGETHER)
    first, *rest = about("Phishing of the ministry", victim="Kementerian Laut", files=["letter", "second letter"])

    region.submit(
        "CERT-ID", [first | {"id": reports[6], "modified": later(days=3)}, *_renamed(rest, first["id"], reports[6])]
    )
    region.settle()

    assert region.row(reports[6]).title == "Phishing of the ministry"
    assert region.case_of(reports[5]) == region.case_of(reports[6])


def _renamed(objects: list[dict[str, Any]], old: str, new: str) -> list[dict[str, Any]]:
    return [{key: new if value == old else value for key, value in one.items()} for one in objects]


def test_what_is_withdrawn_leaves_its_case_whatever_was_decided(region: Region) -> None:
    reports = seven_reports(region)
    decide(region, analyst(region, "CERT-ID"), reports[5], reports[6], TOGETHER)
    first = about("Phishing of a ministry")[0]

    region.submit("CERT-ID", [first | {"id": reports[6], "modified": later(days=3), "revoked": True}])
    region.settle()

    assert region.case_of(reports[5]) != region.case_of(reports[6])


def test_apart_wins_where_two_organizations_contradict_each_other(region: Region) -> None:
    reports = seven_reports(region)
    against = decide(region, analyst(region, "CERT-VN"), reports[5], reports[6], APART)
    decide(region, analyst(region, "CERT-ID"), reports[5], reports[6], TOGETHER)

    assert region.case_of(reports[5]) != region.case_of(reports[6])

    undo(region, coordinator(region), against.id)
    assert region.case_of(reports[5]) == region.case_of(reports[6])


def test_of_one_organization_the_later_word_counts(region: Region) -> None:
    reports = seven_reports(region)
    who = analyst(region, "CERT-ID")
    decide(region, who, reports[5], reports[6], APART)
    later_word = decide(region, who, reports[5], reports[6], TOGETHER)

    assert region.case_of(reports[5]) == region.case_of(reports[6])

    undo(region, who, later_word.id)
    assert region.case_of(reports[5]) != region.case_of(reports[6])


def test_merges_that_would_join_what_is_apart_give_way_to_earlier_ones(region: Region) -> None:
    reports = seven_reports(region)
    who = coordinator(region)
    decide(region, who, reports[4], reports[6], APART)
    decide(region, who, reports[4], reports[5], TOGETHER)
    decide(region, who, reports[5], reports[6], TOGETHER)

    assert region.case_of(reports[4]) == region.case_of(reports[5]) != region.case_of(reports[6])


def test_the_word_of_who_owns_neither_is_an_opinion(region: Region) -> None:
    reports = seven_reports(region)
    before = picture(region.database)

    said = decide(region, analyst(region, "CERT-VN"), reports[0], reports[1], APART)

    assert said.capacity == "opinion"
    assert picture(region.database) == before


def test_a_report_that_its_other_side_does_not_know_merges_nothing(region: Region) -> None:
    reports = seven_reports(region)
    secret = region.report("CERT-ID", "Hidden bridge", victim="Nobody", files=["bridge"], marking=Level.RED)
    before = groups_of(region.database)

    for target in (reports[5], reports[4]):
        assert decide(region, analyst(region, "CERT-ID"), secret, target, TOGETHER).capacity == "opinion"

    assert groups_of(region.database) == before


def test_who_does_not_see_both_can_neither_say_nor_learn_anything(region: Region) -> None:
    reports = seven_reports(region)
    secret = region.report("CERT-ID", "Secret", victim="Bank Kirana", files=["dropper"], marking=Level.RED)
    own = region.report("CERT-ID", "Own", victim="Bank Melati", files=["other"])
    made = decide(region, analyst(region, "CERT-ID"), own, secret, TOGETHER, why="the words of the ransom note")
    stranger = analyst(region, "CERT-VN")

    for wish in (
        lambda: decide(region, stranger, secret, reports[5], TOGETHER),
        lambda: undo(region, stranger, made.id),
        lambda: undo(region, coordinator(region), made.id),
    ):
        with pytest.raises(NotFound):
            wish()
    with region.database.reading_for(stranger) as session:
        assert ReadDecisions(session).about(stranger, own) == ()
    with region.database.reading_for(stranger) as session, pytest.raises(NotFound):
        ReadDecisions(session).one(stranger, made.id)
    with region.database.reading_for(region.member("CERT-ID")) as session:
        (shown,) = ReadDecisions(session).about(region.member("CERT-ID"), own)
    assert shown.reason == "the words of the ransom note"


def test_only_who_said_it_or_the_coordinator_takes_it_back(region: Region) -> None:
    reports = seven_reports(region)
    made = decide(region, analyst(region, "CERT-ID"), reports[5], reports[6], TOGETHER)

    with pytest.raises(NotFound):
        undo(region, analyst(region, "CERT-VN"), made.id)
    taken = undo(region, coordinator(region), made.id)
    with pytest.raises(Refused, match="already"):
        undo(region, analyst(region, "CERT-ID"), made.id)
    with pytest.raises(Refused, match="decide anew"):
        undo(region, coordinator(region), taken.id)

    with region.database.reading_for(coordinator(region)) as session:
        history = ReadDecisions(session).between(coordinator(region), reports[5], reports[6])
    assert [(one.undoes, one.in_force) for one in history] == [(made.id, False), (None, False)]


@pytest.mark.parametrize("why", ["", "   ", "\u202e", "x" * 1001])
def test_a_decision_needs_a_reason(region: Region, why: str) -> None:
    reports = seven_reports(region)

    with pytest.raises(Refused, match="say why"):
        decide(region, analyst(region, "CERT-ID"), reports[5], reports[6], TOGETHER, why=why)


def test_who_may_not_decide_and_what_cannot_be_decided(region: Region) -> None:
    reports = seven_reports(region)
    reader = region.member("CERT-ID")
    assert Scope.DECIDE not in reader.scopes

    with pytest.raises(NotFound):
        decide(region, reader, reports[5], reports[6], TOGETHER)
    with pytest.raises(Refused, match="one and the same"):
        decide(region, analyst(region, "CERT-ID"), reports[5], reports[5], TOGETHER)
    with pytest.raises(Refused, match="said this already"):
        for _ in range(2):
            decide(region, analyst(region, "CERT-ID"), reports[5], reports[6], TOGETHER)


def test_a_confirmed_link_says_so_and_a_rejected_one_is_told_no_more(region: Region) -> None:
    reports = seven_reports(region)
    who = analyst(region, "CERT-ID")
    decide(region, who, reports[0], reports[2], APART, RELATED_TO)
    decide(region, who, reports[0], reports[1], TOGETHER)

    with region.database.reading_for(who) as session:
        confirmed = Explain(session).explain(who, reports[0], reports[1]).answers[0]
        rejected = Explain(session).explain(who, reports[0], reports[2]).answers[1]
    words = [item.words for link in region.links(DUPLICATE_OF) for item in _items(link) if item.rule == "decision"]

    assert (confirmed.linked, confirmed.decided) == (True, "together")
    assert (rejected.linked, rejected.decided) == (False, "apart")
    assert words == ["people of CERT-ID decided that both report one event"]


def _items(link: Any) -> list[Any]:
    from kentongan.services import evidence_codec  # noqa: PLC0415  # what is stored is the codec's alone

    return list(evidence_codec.read(link.evidence))


def test_erasing_an_incident_takes_what_was_decided_about_it_along(region: Region) -> None:
    from kentongan.services.erase import Erase  # noqa: PLC0415

    reports = seven_reports(region)
    owner = analyst(region, "CERT-ID", Scope.SUBMIT)
    made = decide(region, owner, reports[5], reports[6], TOGETHER)
    undo(region, owner, made.id)
    decide(region, owner, reports[5], reports[6], TOGETHER)

    with region.database.writing() as session:
        Erase(session, lambda: region.now).incident(owner, owner.organization_id, reports[6])
    region.settle()

    with region.database.reading() as session:
        assert session.scalars(select(DecisionRow)).all() == []
    assert region.case_of(reports[5]) is not None


def test_nobody_hears_again_of_what_they_were_told(database: Database) -> None:
    region = Road(database)
    reports = seven_reports(region)
    region.subscribes("CERT-VN")
    told = [(message.payload["kind"], message.payload["incident"]["stix_id"]) for message in _heard(region, reports)]
    assert {stix_id for _, stix_id in told} == {reports[number] for number in (0, 1, 3, 4, 6)}  # not its own
    who = analyst(region, "CERT-ID")

    for one, other, verdict, kind in (
        (reports[5], reports[6], TOGETHER, DUPLICATE_OF),
        (reports[0], reports[1], APART, DUPLICATE_OF),
        (reports[0], reports[2], APART, RELATED_TO),
    ):
        made = decide(region, who, one, other, verdict, kind)
        region.settle()
        undo(region, who, made.id)
        region.settle()

    assert region.deliver() == []


def _heard(region: Road, reports: list[str]) -> list[Any]:
    """What a subscription is told once its stage looks at the reports."""
    with region.database.writing() as session:
        jobs.add(session, Stage.MATCH, [region.row(report).id for report in reports], region.now)
    region.settle()
    return region.deliver()


def test_a_campaign_that_people_make_is_told_once(database: Database) -> None:
    region = Road(database)
    reports = seven_reports(region)
    region.subscribes("CERT-VN")
    _heard(region, reports)
    who = analyst(region, "CERT-ID")

    made = decide(region, who, reports[5], reports[6], TOGETHER, RELATED_TO)
    region.settle()
    first = region.deliver()
    undo(region, who, made.id)
    region.settle()
    decide(region, who, reports[5], reports[6], TOGETHER, RELATED_TO)
    region.settle()

    assert [message.payload["kind"] for message in first] == ["campaign-grew"]
    assert region.deliver() == []


def test_the_order_of_the_reports_changes_nothing_where_people_decided(sqlite_template: Path, tmp_path: Path) -> None:
    """Said of the same reports, whenever they have come: the decisions in their order, and the reports in any."""
    said = [(0, 5, TOGETHER), (0, 1, APART), (2, 3, APART), (3, 4, TOGETHER), (4, 6, TOGETHER), (5, 6, APART)]
    seen: set[Any] = set()
    for seed in range(6):
        path = tmp_path / f"{seed}.sqlite"
        shutil.copy(sqlite_template, path)
        region = Region(Database(f"sqlite:///{path}"))
        order = random.Random(seed).sample(range(len(REPORTS)), len(REPORTS))
        waiting, ids = list(said), {}
        for number in order:
            name, objects = REPORTS[number]
            ids[number] = region.submit(name, objects)
            if seed % 2:  # decided as soon as both are there and everything that was said before is
                region.settle()
                while waiting and {waiting[0][0], waiting[0][1]} <= ids.keys():
                    one, other, verdict = waiting.pop(0)
                    decide(region, coordinator(region), ids[one], ids[other], verdict)
        region.settle()
        for one, other, verdict in waiting:
            decide(region, coordinator(region), ids[one], ids[other], verdict)
        seen.add((frozenset(groups_of(region.database)), frozenset(groups_of(region.database, 1))))
        region.database.close()

    assert len(seen) == 1


REPORTS = [
    (name, about(title, victim=victim, files=files))
    for name, title, victim, files in (
        ("CERT-ID", "Ransomware at a bank", "Bank Kirana", ["dropper", "implant"]),
        ("CERT-TH", "Ransomware at Bank Kirana", "Bank Kirana", ["dropper", "implant"]),
        ("CERT-VN", "Ransomware at a port", "Port of Belawan", ["dropper", "loader"]),
        ("CERT-ID", "Port hit by ransomware", "Port of Belawan", ["dropper", "loader"]),
        ("CERT-TH", "Ransomware at a clinic", "Klinik Melati", ["loader", "third"]),
        ("CERT-VN", "Defaced pages of a school", "Sekolah Anggrek", ["page"]),
        ("CERT-ID", "Phishing of a ministry", "Kementerian Laut", ["letter"]),
    )
]
