"""STIX versions: what becomes of an object does not depend on how its history arrived."""

from datetime import UTC, datetime, timedelta
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from kentongan.domain.marking import Level, terms_defined
from kentongan.domain.versions import (
    KEPT_AS_OWN,
    Arriving,
    History,
    Known,
    Outcome,
    carried_by_many,
    decide,
    parts_beside,
    terms_carried,
)
from stories import Stix, domain_name, identity, incident, indicator, tlp

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(hours: int) -> datetime:
    return START + timedelta(hours=hours)


def mine(hours: int, content: bytes = b"", key: int = 1) -> Known:
    return Known(key, at(hours), content or bytes([hours]), True, True)


def others(hours: int, *, visible: bool) -> Known:
    return Known(9, at(hours), b"theirs", False, visible)


def levels(objects: list[Stix]) -> list[Level | None]:
    return [terms.level for terms in terms_carried(objects, {})]


def test_a_later_modified_is_a_new_version() -> None:
    assert decide(Arriving(at(2), b"b", False), History([mine(1)])).outcome is Outcome.NEW_VERSION


def test_an_earlier_modified_is_kept_as_history() -> None:
    assert decide(Arriving(at(1), b"b", False), History([mine(2)])).outcome is Outcome.OLDER_KEPT


def test_the_same_modified_with_other_content_is_a_conflict() -> None:
    assert decide(Arriving(at(1), b"b", False), History([mine(1, b"a")])).outcome is Outcome.CONFLICT


def test_what_many_carry_is_no_conflict() -> None:
    assert decide(Arriving(at(1), b"b", True), History([mine(1, b"a")])).outcome is Outcome.ACCEPTED


def test_another_organizations_newer_version_is_kept_as_its_own_and_it_is_told() -> None:
    decision = decide(Arriving(at(2), b"b", False), History([others(1, visible=True)]))

    assert (decision.outcome, decision.note) == (Outcome.ACCEPTED, KEPT_AS_OWN)


def test_nobody_learns_that_a_hidden_object_has_the_same_id() -> None:
    unknown = decide(Arriving(at(2), b"b", False), History([]))
    hidden = decide(Arriving(at(2), b"b", False), History([others(1, visible=False)]))

    assert hidden == unknown


def test_the_same_content_of_another_is_stored_once_and_not_told() -> None:
    hidden_twin = Known(9, at(2), b"b", False, False)

    decision = decide(Arriving(at(2), b"b", False), History([hidden_twin]))

    assert (decision.outcome, decision.note, decision.twin) == (Outcome.ACCEPTED, None, 9)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([b"a", b"b"])), max_size=12))
def test_history_never_holds_two_contents_of_one_version_and_the_newest_wins(arrivals: list[tuple[int, bytes]]) -> None:
    stored: list[Known] = []
    keys = count(1)

    for hours, content in arrivals:
        decision = decide(Arriving(at(hours), content + bytes([hours]), False), History(stored))
        if decision.outcome in {Outcome.ACCEPTED, Outcome.NEW_VERSION, Outcome.OLDER_KEPT}:
            assert decision.twin is None
            stored.append(mine(hours, content + bytes([hours]), next(keys)))

    assert len({k.modified for k in stored}) == len(stored)
    assert {k.modified for k in stored} == {at(hours) for hours, _ in arrivals}


def test_an_unmarked_object_is_never_looser_than_the_incident_it_came_with() -> None:
    red, unmarked, seen, victim = (
        incident(marking=Level.RED),
        indicator(marking=None),
        domain_name(),
        identity(marking=None),
    )

    found = levels([red, unmarked, seen, victim])

    assert found == [Level.RED, Level.RED, Level.RED, Level.RED]


def parts_told(objects: list[Stix]) -> list[set[Level | None]]:
    told = parts_beside(objects, terms_carried(objects, {}), terms_defined(objects))
    return [{terms.level for terms in each} for each in told]


def test_what_comes_unmarked_is_for_who_may_see_every_part_of_an_incident_but_the_incident_itself_is_not() -> None:
    of_description = [{"marking_ref": tlp(Level.RED), "selectors": ["description"]}]
    partly_red = incident(marking=Level.GREEN, description="d", granular_markings=of_description)
    unmarked = incident(marking=None, description="d", granular_markings=of_description)
    beside = [partly_red, indicator(), indicator(marking=None), domain_name()]

    assert levels(beside) == [Level.GREEN, Level.GREEN, Level.AMBER, Level.GREEN]
    assert parts_told(beside) == [set(), set(), {Level.RED}, {Level.RED}]
    assert parts_told([unmarked, domain_name()]) == [set(), {Level.RED}]
    assert parts_told([unmarked, partly_red]) == [{Level.RED}, set()]
    assert parts_told([unmarked, incident(marking=None)]) == [set(), {Level.RED}]


def test_without_any_marking_amber_applies() -> None:
    assert levels([incident(marking=None), indicator(marking=None), domain_name()]) == [Level.AMBER] * 3


def test_an_unmarked_address_follows_a_green_incident_but_an_unmarked_indicator_stays_amber() -> None:
    assert levels([incident(marking=Level.GREEN), domain_name(), indicator(marking=None)]) == [
        Level.GREEN,
        Level.GREEN,
        Level.AMBER,
    ]


def test_only_what_attack_itself_consists_of_is_carried_by_many() -> None:
    reference = [{"source_name": "mitre-attack", "external_id": "T1486"}]

    assert not carried_by_many(incident(external_references=reference))
    assert not carried_by_many(indicator(external_references=reference))
    assert carried_by_many({"type": "attack-pattern", "external_references": reference})
