"""CERTs mark for a group or for named recipients, and it is they who see it; what others would see is told before sending."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

from alert_stories import subscribed
from kentongan.domain.gate import Limits
from kentongan.domain.identity import Identity, OrganizationKind, Role
from kentongan.domain.marking import Level
from kentongan.domain.versions import Outcome
from kentongan.services.errors import NotFound
from kentongan.services.examine import Examined, examine
from kentongan.services.preview import ForeseenAlert, Preview, Previews
from kentongan.services.read_objects import ReadObjects
from kentongan.services.receipts import Receipt
from kentongan.services.sharing_books import SharingBooks
from kentongan.services.submit import Rejected, Submit
from kentongan.storage import Base
from kentongan.storage.database import Database
from kentongan.storage.groups import GroupMember, SharingGroup
from kentongan.storage.organizations import Organization
from kentongan.storage.persons import Person
from stories import (
    NOON,
    Stix,
    as_bytes,
    bundle,
    group_of,
    incident,
    newer,
    organization,
    person,
    sharing_marking,
    tlp,
)

SUBSCRIBER = OrganizationKind.SUBSCRIBER


class Region:
    """Three CERTs and two banks; the first two CERTs and one bank are in a group."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.writing() as session:
            self.indonesia, self.philippines, self.vietnam = (
                organization(session, name) for name in ("ID-CERT", "PH-CERT", "VN-CERT")
            )
            self.bank = organization(session, "Bank Nusantara", kind=SUBSCRIBER)
            self.stranger = organization(session, "Some Bank", kind=SUBSCRIBER)
            self.banks = group_of(session, "Banks", self.indonesia, self.philippines, self.bank)
            self.siti = person(session, "Siti", self.vietnam)
            self.others = group_of(session, "Others", self.vietnam)

    def examined(self, sender: Organization, *objects: Stix) -> Examined:
        def look_up(names: Any) -> Any:
            with self.database.reading() as session:
                return SharingBooks(session).book(sender.identity(), names)

        return examine(as_bytes(bundle(*objects)), Limits(), look_up)

    def sends(self, sender: Organization, *objects: Stix) -> Receipt:
        examined = self.examined(sender, *objects)
        with self.database.writing() as session:
            return Submit(session, lambda: NOON).submit(sender.identity(), examined)

    def previews(self, sender: Organization, *objects: Stix) -> Preview:
        examined = self.examined(sender, *objects)
        with self.database.trying() as session:
            return Previews(session, lambda: NOON).preview(sender.identity(), examined)

    def readers(self, stix_id: str) -> set[str]:
        with self.database.reading() as session:
            return {name for name, who in self._everyone() if _sees(ReadObjects(session), who, stix_id)}

    def _everyone(self) -> Iterator[tuple[str, Identity]]:
        for one in (self.indonesia, self.philippines, self.vietnam, self.bank, self.stranger):
            yield one.name, one.identity()
        yield "Siti", _as(self.siti, self.vietnam)


def _as(who: Person, of: Organization) -> Identity:
    team = of.identity()
    return Identity(team.organization_id, team.organization_name, team.kind, roles=who.holds(), person_id=who.id)


def _sees(objects: ReadObjects, who: Identity, stix_id: str) -> bool:
    try:
        objects.object(who, stix_id)
    except NotFound:
        return False
    return True


@pytest.fixture
def region(database: Database) -> Region:
    return Region(database)


def test_amber_for_a_group_is_read_by_its_members_and_constituents_and_strict_by_its_members(region: Region) -> None:
    group = [region.banks.stix_id]
    for_all, for_members = (
        sharing_marking(level=Level.AMBER, groups=group),
        sharing_marking(level=Level.AMBER_STRICT, groups=group),
    )
    amber, strict = (incident(object_marking_refs=[each["id"]]) for each in (for_all, for_members))

    region.sends(region.indonesia, for_all, amber, for_members, strict)

    assert region.readers(amber["id"]) == {"ID-CERT", "PH-CERT", "Bank Nusantara"}
    assert region.readers(strict["id"]) == {"ID-CERT", "PH-CERT"}


def test_a_group_beside_a_level_of_the_standard_means_both(region: Region) -> None:
    only_a_group = sharing_marking(groups=[region.banks.stix_id])
    marked = incident(object_marking_refs=[tlp(Level.AMBER_STRICT), only_a_group["id"]])

    receipt = region.sends(region.indonesia, only_a_group, marked)

    assert region.readers(marked["id"]) == {"ID-CERT", "PH-CERT"}
    assert [problem.rule for outcome in receipt.objects for problem in outcome.warnings] == []


def test_red_reaches_the_named_team_and_the_named_person_and_nobody_else(region: Region) -> None:
    to_both = sharing_marking(recipients=[region.philippines.stix_id, region.siti.stix_id])
    red = incident(object_marking_refs=[to_both["id"]])

    region.sends(region.indonesia, to_both, red)

    assert region.readers(red["id"]) == {"ID-CERT", "PH-CERT", "Siti"}


def test_a_definition_that_was_sent_before_counts_when_it_is_referred_to(region: Region) -> None:
    for_banks = sharing_marking(level=Level.AMBER, groups=[region.banks.stix_id])
    region.sends(region.indonesia, for_banks, incident(object_marking_refs=[for_banks["id"]]))
    alone = incident(object_marking_refs=[for_banks["id"]])

    receipt = region.sends(region.indonesia, alone)

    assert receipt.objects[0].warnings == ()
    assert region.readers(alone["id"]) == {"ID-CERT", "PH-CERT", "Bank Nusantara"}


def test_a_group_one_is_not_in_and_a_group_that_is_not_there_are_refused_alike(region: Region) -> None:
    nowhere = "identity--00000000-0000-4000-8000-000000000000"
    problems = []
    for named in (region.others.stix_id, nowhere):
        marking = sharing_marking(groups=[named])
        with pytest.raises(Rejected) as rejected:
            region.sends(region.indonesia, marking, incident(object_marking_refs=[marking["id"]]))
        told = [problem for outcome in rejected.value.receipt.objects for problem in outcome.problems]
        problems.append([(each.path, each.rule, each.reason.replace(named, "it"), each.hint) for each in told])

    assert problems[0] == problems[1]
    assert {rule for _, rule, _, _ in problems[0]} == {"unknown-reader"}


def test_whoever_leaves_a_group_sees_nothing_of_it_any_more_and_an_ended_group_admits_nobody(region: Region) -> None:
    for_banks = sharing_marking(level=Level.AMBER, groups=[region.banks.stix_id])
    marked = incident(object_marking_refs=[for_banks["id"]])
    region.sends(region.indonesia, for_banks, marked)

    with region.database.writing() as session:
        session.delete(session.get(GroupMember, (region.banks.id, region.bank.id)))
    assert region.readers(marked["id"]) == {"ID-CERT", "PH-CERT"}

    with region.database.writing() as session:
        session.get_one(SharingGroup, region.banks.id).ended_at = NOON
    assert region.readers(marked["id"]) == {"ID-CERT"}


def test_a_new_version_for_fewer_takes_the_earlier_ones_along(region: Region) -> None:
    for_banks = sharing_marking(level=Level.AMBER, groups=[region.banks.stix_id])
    wide = incident(marking=Level.AMBER)
    region.sends(region.indonesia, wide)
    assert "VN-CERT" in region.readers(wide["id"])

    region.sends(region.indonesia, for_banks, newer(wide, object_marking_refs=[for_banks["id"]]))

    assert region.readers(wide["id"]) == {"ID-CERT", "PH-CERT", "Bank Nusantara"}
    with region.database.reading() as session:
        philippines, bank = (
            ReadObjects(session).versions(one.identity(), wide["id"]) for one in (region.philippines, region.bank)
        )
    # The first version was for member CERTs, the second is for the group: who is in both sees both.
    assert (len(philippines), len(bank)) == (2, 1)


def test_what_comes_unmarked_with_an_incident_is_for_no_more_than_the_incident(region: Region) -> None:
    for_banks = sharing_marking(level=Level.AMBER_STRICT, groups=[region.banks.stix_id])
    marked, unmarked = incident(object_marking_refs=[for_banks["id"]]), incident(marking=None)

    region.sends(region.indonesia, for_banks, marked, unmarked)

    assert region.readers(unmarked["id"]) == {"ID-CERT", "PH-CERT"}


@pytest.mark.parametrize(
    ("level", "named", "rule"),
    [(Level.GREEN, "groups", "sharing-extension"), (Level.AMBER, "recipients", "sharing-extension")],
)
def test_readers_at_a_level_that_has_none_are_refused(region: Region, level: Level, named: str, rule: str) -> None:
    marking = sharing_marking(level=level, **{named: [region.banks.stix_id]})  # type: ignore[arg-type]  # one of two names

    with pytest.raises(Rejected) as rejected:
        region.sends(region.indonesia, marking)

    assert rule in {problem.rule for problem in rejected.value.receipt.objects[0].problems}


def test_before_sending_it_is_told_who_would_see_what_and_who_would_be_alerted(region: Region) -> None:
    with region.database.writing() as session:
        for one in (region.bank, region.vietnam):
            subscribed(session, session.merge(one))
    for_banks = sharing_marking(level=Level.AMBER, groups=[region.banks.stix_id])
    to_siti = sharing_marking(recipients=[region.siti.stix_id])
    marked, red, clear = (
        incident(object_marking_refs=[for_banks["id"]]),
        incident(object_marking_refs=[to_siti["id"]]),
        incident(marking=Level.CLEAR),
    )
    before = _everything(region.database)

    preview = region.previews(region.indonesia, for_banks, marked, to_siti, red, clear)

    told = {position: readers for readers in preview.readers for position in readers.objects}
    assert told[1].organizations == ("Bank Nusantara", "ID-CERT", "PH-CERT")
    assert told[1].sharing_groups == ("Banks",)
    assert (told[3].organizations, told[3].persons) == (("ID-CERT",), ("Siti",))
    assert told[4].everyone
    assert set(preview.alerts) == {
        ForeseenAlert("Bank Nusantara", "webhook", marked["id"], update=False),
        ForeseenAlert("Bank Nusantara", "webhook", clear["id"], update=False),
        ForeseenAlert("VN-CERT", "webhook", clear["id"], update=False),
    }
    assert preview.receipt.id is None
    assert _everything(region.database) == before


def test_of_an_amendment_it_is_told_that_it_would_be_one(region: Region) -> None:
    with region.database.writing() as session:
        subscribed(session, session.merge(region.philippines))
    first = incident(marking=Level.GREEN)
    region.sends(region.indonesia, first)

    preview = region.previews(region.indonesia, newer(first, name="It was another server"))

    assert [outcome.outcome for outcome in preview.receipt.objects] == [Outcome.NEW_VERSION]
    assert [alert.incident for alert in preview.alerts] == [first["id"]]


def test_an_operator_sees_nothing_strict_through_a_member_cert(region: Region) -> None:
    operator = Identity(
        region.philippines.id, "PH-CERT", OrganizationKind.MEMBER, roles=frozenset({Role.OPERATOR}), person_id=7
    )
    amber, strict = incident(marking=Level.AMBER), incident(marking=Level.AMBER_STRICT)
    region.sends(region.indonesia, amber, strict)

    with region.database.reading() as session:
        objects = ReadObjects(session)
        assert [_sees(objects, operator, each["id"]) for each in (amber, strict)] == [True, False]


def _everything(database: Database) -> dict[str, int]:
    with database.reading() as session:
        return {
            name: session.scalar(select(func.count()).select_from(table)) or 0
            for name, table in Base.metadata.tables.items()
        }
