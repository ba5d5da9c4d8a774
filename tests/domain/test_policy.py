"""Who may see what: the table of design, read aloud, marking by marking and relation by relation."""

import pytest

from kentongan.domain.identity import Identity, OrganizationKind
from kentongan.domain.marking import Level, level_of, levels_defined
from kentongan.domain.policy import Audience, may_see
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

    assert level_of(torn) is Level.AMBER_STRICT


def test_tlp_1_is_read_as_tlp_2() -> None:
    old = {level: incident(object_marking_refs=[tlp_1(level)]) for level in (Level.CLEAR, Level.GREEN, Level.RED)}

    assert {level: level_of(obj) for level, obj in old.items()} == {level: level for level in old}


def test_a_granular_marking_withholds_the_whole_object() -> None:
    partly_red = incident(
        marking=Level.GREEN, granular_markings=[{"marking_ref": tlp(Level.RED), "selectors": ["name"]}]
    )

    assert level_of(partly_red) is Level.RED


def test_a_definition_with_an_id_of_its_own_counts_by_its_level() -> None:
    own = {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": "marking-definition--11111111-1111-4111-8111-111111111111",
        "definition_type": "tlp",
        "definition": {"tlp": "red"},
    }
    marked = incident(object_marking_refs=[own["id"]])

    assert level_of(marked, levels_defined([own, marked])) is Level.RED


def test_nobody_can_redefine_a_well_known_marking() -> None:
    forged = {
        "type": "marking-definition",
        "id": tlp(Level.RED),
        "definition_type": "tlp",
        "definition": {"tlp": "white"},
    }
    red = incident(marking=Level.RED)

    assert level_of(red, levels_defined([forged, red])) is Level.RED
