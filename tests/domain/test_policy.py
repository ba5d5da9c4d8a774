"""Who may see what: the table of design, read aloud, marking by marking and relation by relation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.domain.identity import Identity, OrganizationKind, Role
from kentongan.domain.marking import Level, terms_defined, terms_of
from kentongan.domain.policy import NOBODY, Audience, covers, may_see, meet
from stories import incident, tlp, tlp_1

OWNER, OTHER_MEMBER, SUBSCRIBER, COORDINATOR = "owner", "another member", "subscriber", "coordinator"
MAY_SEE = {
    Level.CLEAR: {OWNER, OTHER_MEMBER, SUBSCRIBER, COORDINATOR},
    Level.GREEN: {OWNER, OTHER_MEMBER, SUBSCRIBER, COORDINATOR},
    Level.AMBER: {OWNER, OTHER_MEMBER},
    Level.AMBER_STRICT: {OWNER, OTHER_MEMBER},
    Level.RED: {OWNER},
}
READERS = {
    OWNER: Identity(1, "CERT-ID", OrganizationKind.MEMBER),
    OTHER_MEMBER: Identity(2, "CERT-PH", OrganizationKind.MEMBER),
    SUBSCRIBER: Identity(3, "Bank Nusantara", OrganizationKind.SUBSCRIBER),
    COORDINATOR: Identity(4, "Coordinator", OrganizationKind.COORDINATOR),
}


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("reader", READERS)
def test_each_relation_sees_each_marking_as_the_table_says(level: Level, reader: str) -> None:
    audience = Audience(owner_id=1, level=level)

    assert may_see(READERS[reader], audience) == (reader in MAY_SEE[level])


def test_a_subscriber_sees_its_own_red_report() -> None:
    bank = READERS[SUBSCRIBER]

    assert may_see(bank, Audience(bank.organization_id, Level.RED))


def test_of_several_markings_the_strictest_wins() -> None:
    torn = incident(object_marking_refs=[tlp(Level.CLEAR), tlp(Level.AMBER_STRICT), tlp(Level.GREEN)])

    assert terms_of(torn).level is Level.AMBER_STRICT


def test_tlp_1_is_read_as_tlp_2() -> None:
    old = {level: incident(object_marking_refs=[tlp_1(level)]) for level in (Level.CLEAR, Level.GREEN, Level.RED)}

    assert {level: terms_of(obj).level for level, obj in old.items()} == {level: level for level in old}


def test_who_may_see_every_part_is_told_by_the_strictest_of_its_markings() -> None:
    partly_red = incident(
        marking=Level.GREEN, granular_markings=[{"marking_ref": tlp(Level.RED), "selectors": ["name"]}]
    )

    assert terms_of(partly_red).level is Level.RED


def test_a_definition_with_an_id_of_its_own_counts_by_its_level() -> None:
    own = {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": "marking-definition--11111111-1111-4111-8111-111111111111",
        "definition_type": "tlp",
        "definition": {"tlp": "red"},
    }
    marked = incident(object_marking_refs=[own["id"]])

    assert terms_of(marked, terms_defined([own, marked])).level is Level.RED


def test_nobody_can_redefine_a_well_known_marking() -> None:
    forged = {
        "type": "marking-definition",
        "id": tlp(Level.RED),
        "definition_type": "tlp",
        "definition": {"tlp": "white"},
    }
    red = incident(marking=Level.RED)

    assert terms_of(red, terms_defined([forged, red])).level is Level.RED


ASEAN_BANKS = 7
BANKS = {ASEAN_BANKS: {2: Level.RED, 3: Level.AMBER_STRICT}}


@pytest.mark.parametrize(
    ("level", "allowed"),
    [(Level.AMBER, {OWNER, OTHER_MEMBER, SUBSCRIBER}), (Level.AMBER_STRICT, {OWNER, OTHER_MEMBER})],
)
def test_a_group_lists_members_and_constituents_and_strict_leaves_the_constituents_out(
    level: Level, allowed: set[str]
) -> None:
    for_banks = Audience(1, level, frozenset({ASEAN_BANKS}))

    assert {name for name, reader in READERS.items() if may_see(reader, for_banks, BANKS)} == allowed


def test_a_group_bounds_how_strict_a_thing_may_reach_each_of_its_organizations() -> None:
    for_banks = Audience(1, Level.AMBER_STRICT, frozenset({ASEAN_BANKS}))
    philippines = READERS[OTHER_MEMBER]

    assert may_see(philippines, for_banks, {ASEAN_BANKS: {2: Level.AMBER_STRICT}})
    assert not may_see(philippines, for_banks, {ASEAN_BANKS: {2: Level.AMBER}})


@pytest.mark.parametrize("unknown", [NOBODY, 99])
def test_a_group_that_is_not_known_admits_nobody(unknown: int) -> None:
    audience = Audience(1, Level.AMBER, frozenset({ASEAN_BANKS, unknown}))

    assert [name for name, reader in READERS.items() if may_see(reader, audience, BANKS)] == [OWNER]


def test_red_is_for_the_team_or_the_person_it_names() -> None:
    to_philippines = Audience(1, Level.RED, organizations=frozenset({2}))
    to_siti = Audience(1, Level.RED, persons=frozenset({41}))
    siti = Identity(2, "CERT-PH", OrganizationKind.MEMBER, person_id=41)
    juan = Identity(2, "CERT-PH", OrganizationKind.MEMBER, person_id=42)

    assert [may_see(reader, to_philippines) for reader in (siti, juan, READERS[SUBSCRIBER])] == [True, True, False]
    assert [may_see(reader, to_siti) for reader in (siti, juan, READERS[OTHER_MEMBER])] == [True, False, False]


def test_who_runs_the_platform_reads_nothing_strict_of_others() -> None:
    operator = Identity(2, "CERT-PH", OrganizationKind.MEMBER, roles=frozenset({Role.OPERATOR}), person_id=41)
    named = Audience(1, Level.RED, organizations=frozenset({2}), persons=frozenset({41}))

    assert may_see(operator, Audience(1, Level.AMBER))
    assert not may_see(operator, Audience(1, Level.AMBER_STRICT))
    assert not may_see(operator, named)
    assert may_see(operator, Audience(2, Level.RED))


GROUPS = {7: {2: Level.RED, 3: Level.AMBER}, 8: {2: Level.AMBER, 3: Level.RED, 4: Level.RED}}
ANY_READER = st.builds(
    Identity,
    st.integers(1, 5),
    st.just(""),
    st.sampled_from(OrganizationKind),
    roles=st.sampled_from([frozenset(), frozenset({Role.OPERATOR})]),
    person_id=st.sampled_from([None, 41, 42]),
)


def some(*numbers: int) -> st.SearchStrategy[frozenset[int]]:
    return st.frozensets(st.sampled_from(numbers))


@st.composite
def audiences(draw: st.DrawFn) -> Audience:
    level = draw(st.sampled_from(Level))
    groups = draw(some(7, 8, NOBODY)) if level >= Level.AMBER else frozenset()
    if level is Level.RED:
        return Audience(1, level, groups, draw(some(2, 3, 4)), draw(some(41, 42)), draw(st.booleans()))
    return Audience(1, level, groups)


@given(ANY_READER, audiences(), audiences())
def test_what_follows_from_two_things_is_only_for_who_may_see_both(
    reader: Identity, one: Audience, other: Audience
) -> None:
    if may_see(reader, meet(one, other), GROUPS):
        assert may_see(reader, one, GROUPS)
        assert may_see(reader, other, GROUPS)


@given(ANY_READER, audiences(), audiences())
def test_a_wider_audience_holds_every_reader_of_a_narrower_one(
    reader: Identity, one: Audience, other: Audience
) -> None:
    if covers(one, other) and may_see(reader, other, GROUPS):
        assert may_see(reader, one, GROUPS)


@given(audiences(), audiences(), audiences())
def test_in_which_order_things_are_put_together_changes_nothing(one: Audience, two: Audience, three: Audience) -> None:
    assert meet(one, two) == meet(two, one)
    assert meet(one, meet(two, three)) == meet(meet(one, two), three)
    assert covers(one, meet(one, two))
