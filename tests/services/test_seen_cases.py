"""One law: the cases a reader is told of are those that there would be if nothing were hidden, because it was never there.

Generated reports, links and decisions, some of them hidden, are grouped by the stages' own rule; then again without what is hidden.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from kentongan.domain.campaigns import PRIOR_BITS, RELATED
from kentongan.domain.duplicates import SAME_EVENT
from kentongan.domain.evidence import bits_in_favour
from kentongan.domain.identity import Identity, OrganizationKind
from kentongan.domain.incident import Victim
from kentongan.domain.learned_weights import PRIOR_BITS as PRIOR_BITS_OF_DUPLICATES
from kentongan.domain.marking import Level
from kentongan.domain.naming import campaign_id, case_id
from kentongan.services.errors import NotFound
from kentongan.services.read_campaigns import ReadCampaigns
from kentongan.services.read_cases import ReadCases
from kentongan.services.read_incidents import IncidentFilter, ReadIncidents
from kentongan.services.settling import settle_cases
from kentongan.services.standing import lay_on, standing_of
from kentongan.storage.cases import DUPLICATE_OF, RELATED_TO
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident
from kentongan.storage.second_wall import step_behind
from reading_stories import Region, reason
from stories import NOON, incident

RULES = {DUPLICATE_OF: (PRIOR_BITS_OF_DUPLICATES, SAME_EVENT), RELATED_TO: (PRIOR_BITS, RELATED)}
NAMES = (None, "Bank Kirana", "Port of Belawan")


@dataclass(frozen=True)
class Told:
    """A report: whether it is hidden from the reader, and which victim it names."""

    hidden: bool = False
    victim: str | None = None


@dataclass(frozen=True)
class Tie:
    """A link of two reports by their places: how far what is open speaks for it, and what is hidden."""

    one: int
    other: int
    kind: str = DUPLICATE_OF
    open: float = 1.5
    hidden: float = 0.0


@dataclass(frozen=True)
class Said:
    """What the coordinator decided of two reports."""

    one: int
    other: int
    verdict: str


@dataclass(frozen=True)
class World:
    """Reports, and what ties them."""

    reports: tuple[Told, ...]
    ties: tuple[Tie, ...]
    said: tuple[Said, ...] = ()


def ends(count: int) -> st.SearchStrategy[tuple[int, int]]:
    pairs = [(one, other) for other in range(count) for one in range(other)]
    return st.sampled_from(pairs)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    reports = draw(st.lists(st.builds(Told, st.booleans(), st.sampled_from(NAMES)), min_size=3, max_size=6))
    weights = st.sampled_from([0.0, 0.6, 1.0, 1.25, 2.0])
    kinds = st.sampled_from([DUPLICATE_OF, DUPLICATE_OF, RELATED_TO])
    ties = draw(st.lists(st.tuples(ends(len(reports)), kinds, weights, weights), max_size=9))
    said = draw(st.lists(st.tuples(ends(len(reports)), st.sampled_from(["together", "apart"])), max_size=2))
    return World(
        tuple(reports),
        tuple({(pair, kind): Tie(*pair, kind, seen, unseen) for pair, kind, seen, unseen in ties}.values()),
        tuple({pair: Said(*pair, verdict) for pair, verdict in said}.values()),
    )


def without_the_hidden(world: World) -> World:
    seen = {place for place, report in enumerate(world.reports) if not report.hidden}
    return replace(
        world,
        ties=tuple(replace(tie, hidden=0.0) for tie in world.ties if {tie.one, tie.other} <= seen),
        said=tuple(said for said in world.said if {said.one, said.other} <= seen),
    )


def played(session: Session, world: World, *, hidden: bool) -> Identity:
    """LaoCERT reports it all, in the same order with the same ids; gives the reader."""
    region = Region(session)
    laos, bank = region.joins("LaoCERT"), region.joins("A bank", OrganizationKind.SUBSCRIBER)
    secret, rows = region.audience(laos, Level.RED), dict[int, Incident]()
    for place, told in enumerate(world.reports):
        if told.hidden and not hidden:
            continue
        rows[place] = row = region.reports(
            laos,
            f"Report {place}",
            Level.RED if told.hidden else Level.GREEN,
            stix=incident(
                f"Report {place}",
                id=f"incident--{UUID(int=place + (4 << 76) + (2 << 62))}",
                marking=Level.RED if told.hidden else Level.GREEN,
            ),
            victims=(Victim(told.victim),) if told.victim else (),
            public_id=public_id(place),
        )
        row.received_at = row.amended_at = NOON + timedelta(minutes=(7 * place) % 5)
    for tie in world.ties:
        _link(region, tie, rows, secret)
    for said in world.said:
        decision = region.decides(laos, rows[said.one], rows[said.other], said.verdict)
        decision.capacity, decision.decided_at = "coordinator", NOON
    session.flush()
    ids = [row.id for row in rows.values()]
    lay_on(session, DUPLICATE_OF, standing_of(session, DUPLICATE_OF, ids))
    settle_cases(session, ids, NOON)
    session.flush()
    session.expire_all()
    return bank


def _link(region: Region, tie: Tie, rows: dict[int, Incident], secret: int) -> None:
    left, right = rows[tie.one], rows[tie.other]
    both = sorted({left.audience_id, right.audience_id})
    items = [reason("open", both, tie.open)] if tie.open else []
    items += [reason("secret", [*both, secret], tie.hidden)] if tie.hidden else []
    if tie.open + tie.hidden >= 1.0:
        link = (region.duplicates if tie.kind == DUPLICATE_OF else region.related)(left, right, *items)
        link.bits = bits_in_favour([(item["weight"], 0.0) for item in items], *RULES[tie.kind])
        link.found_at = NOON


def public_id(place: int) -> str:
    return str(UUID(int=(4 << 76) + (2 << 62) + ((place + 1) << 90)))


def everything(session: Session, reader: Identity, count: int) -> Iterator[tuple[str, Any]]:
    """What the reader is told of incidents and cases, by what was asked."""
    incidents, cases = ReadIncidents(session), ReadCases(session)
    yield "incidents", incidents.page(reader, IncidentFilter())
    for limit in (1, 50):
        cursor = None
        for number in range(count + 1):
            page = cases.page(reader, limit=limit, cursor=cursor)
            yield f"cases by {limit}, page {number}", page
            if (cursor := page.next) is None:
                break
    for place in range(count):
        named = case_id(public_id(place))
        yield f"in case {place}", incidents.page(reader, IncidentFilter(case=named))
        for what, ask in (
            ("incident", lambda place=place: incidents.incident(reader, public_id(place))),
            ("case", lambda named=named: cases.case(reader, named)),
        ):
            try:
                yield f"{what} {place}", replace(ask(), campaign=None)
            except NotFound as error:
                yield f"{what} {place}", str(error)


MERGED = World((Told(), Told(hidden=True), Told()), (Tie(0, 1), Tie(1, 2), Tie(0, 2, RELATED_TO)))
BY_PARTS = World((Told(), Told()), (Tie(0, 1, open=0.6, hidden=1.0), Tie(0, 1, RELATED_TO)))
SPLIT = World(
    (Told(), Told(hidden=True, victim=NAMES[1]), Told(victim=NAMES[2])), (Tie(0, 1, open=2.0), Tie(0, 2, open=1.0))
)
OLDEST = World((Told(hidden=True), Told(), Told()), (Tie(0, 1), Tie(1, 2)))
DECIDED = World((Told(), Told(), Told(hidden=True)), (Tie(0, 2), Tie(1, 2), Tie(0, 1)), (Said(0, 1, "apart"),))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(worlds())
@example(MERGED)
@example(BY_PARTS)
@example(SPLIT)
@example(OLDEST)
@example(DECIDED)
def test_a_readers_cases_are_those_of_a_world_in_which_nothing_is_hidden(database: Database, world: World) -> None:
    answers: list[dict[str, Any]] = []
    for one, hidden in ((world, True), (without_the_hidden(world), False)):
        with database.reading() as session:  # each world leaves nothing behind
            reader = played(session, one, hidden=hidden)
            step_behind(session, reader)
            answers.append(dict(everything(session, reader, len(world.reports))))

    with_it, without_it = answers
    assert with_it.keys() == without_it.keys()
    changed = [asked for asked in with_it if with_it[asked] != without_it[asked]]
    assert changed == [], (world, [(with_it[asked], without_it[asked]) for asked in changed[:1]])


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(worlds())
@example(MERGED)
@example(OLDEST)
def test_a_readers_campaigns_hang_together_by_what_the_reader_is_told(sqlite_database: Database, world: World) -> None:
    with sqlite_database.reading() as session:
        reader = played(session, world, hidden=True)
        reading = ReadCampaigns(session)
        listed = [campaign.id for campaign in reading.page(reader).items]
        found = set(_named(reading, reader, len(world.reports)))

        assert len(listed) == len(set(listed))
        assert set(listed) == found
        for campaign in listed:
            view = reading.campaign(reader, campaign)
            cases = [case.id for case in view.cases]
            assert len(cases) > 1
            assert _reached(cases[0], [(link.incident.case_id, link.other.case_id) for link in view.links]) == set(
                cases
            )


def _named(reading: ReadCampaigns, reader: Identity, count: int) -> Iterator[str]:
    for place in range(count):
        try:
            yield reading.campaign(reader, campaign_id(public_id(place))).campaign.id
        except NotFound:
            continue


def _reached(start: str, pairs: Sequence[tuple[str | None, str | None]]) -> set[str]:
    reached: set[str] = {start}
    for _ in pairs:
        reached |= {str(end) for pair in pairs if reached & set(pair) for end in pair}
    return reached


def test_the_worlds_that_are_compared_do_differ(sqlite_database: Database) -> None:
    with sqlite_database.reading() as session:
        played(session, MERGED, hidden=True)
        laos = Region(session).session.get_one(Incident, 1)

        assert laos.case_id == session.get_one(Incident, 3).case_id


@pytest.mark.parametrize("text", ["", "x", "%", "00000000-0000-4000-8000-00000000000G", "{" + public_id(0) + "}"])
def test_what_is_no_id_is_unknown(sqlite_database: Database, text: str) -> None:
    with sqlite_database.reading() as session:
        reader = played(session, MERGED, hidden=True)

        with pytest.raises(NotFound):
            ReadCases(session).case(reader, text)
