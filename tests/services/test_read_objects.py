"""An object is read back as it was sent, by whoever belongs to an audience it was carried to; so is a value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kentongan.domain.identity import Identity, OrganizationKind
from kentongan.domain.incident import Observable
from kentongan.domain.marking import Level
from kentongan.domain.timestamp import parse_timestamp
from kentongan.services.errors import NotFound
from kentongan.services.read_objects import ReadObjects
from kentongan.services.read_observables import ReadObservables
from kentongan.storage.database import Database
from reading_stories import Region
from stories import domain_name, identity, indicator, malware, newer, relationship, sdo

EVIL = Observable("domain", "evil.example")


def read(region: Region, reader: Identity, stix_id: str, **version: Any) -> Any:
    return json.loads(ReadObjects(region.session).object(reader, stix_id, **version).body)


def test_an_object_is_read_back_as_it_was_sent_in_every_version(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos, thailand = region.joins("LaoCERT"), region.joins("ThaiCERT")
        first = indicator(x_odd={"kept": [1, None, "ສະບາຍດີ"]})
        second = newer(first, name="Amended")
        region.sends(laos, first)
        region.sends(laos, second)

        versions = ReadObjects(session).versions(thailand, first["id"])

        assert read(region, thailand, first["id"]) == second
        assert read(region, thailand, first["id"], modified=parse_timestamp(first["modified"])) == first
        assert read(region, thailand, first["id"], sha256=versions[1].sha256) == first
        assert [(v.newest, v.tlp, v.organizations) for v in versions] == [
            (True, "TLP:GREEN", ("LaoCERT",)),
            (False, "TLP:GREEN", ("LaoCERT",)),
        ]


def test_an_id_stands_for_its_owners_version_then_for_ones_own(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos, thailand, brunei = region.joins("LaoCERT"), region.joins("ThaiCERT"), region.joins("BruCERT")
        laotian = malware("RAT", marking=Level.GREEN)
        hidden = malware("Secret RAT", marking=Level.RED)
        region.sends(laos, laotian, hidden)
        region.sends(thailand, newer(laotian, name="RAT, as Thailand has it"))
        region.sends(thailand, newer(hidden, name="Its own", object_marking_refs=laotian["object_marking_refs"]))

        assert read(region, thailand, laotian["id"])["name"] == "RAT"
        assert read(region, brunei, laotian["id"])["name"] == "RAT"
        assert read(region, laos, hidden["id"])["name"] == "Secret RAT"
        assert read(region, thailand, hidden["id"])["name"] == "Its own"
        assert read(region, brunei, hidden["id"])["name"] == "Its own"
        assert [v.organizations for v in ReadObjects(session).versions(brunei, hidden["id"])] == [("ThaiCERT",)]


def test_what_many_carry_is_seen_through_any_of_them_and_names_only_those_seen(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos, thailand = region.joins("LaoCERT"), region.joins("ThaiCERT")
        bank = region.joins("A bank", OrganizationKind.SUBSCRIBER)
        shared = domain_name("evil.example")
        region.reports(laos, level=Level.RED, objects=(shared,))
        with pytest.raises(NotFound):
            ReadObjects(session).object(bank, shared["id"])
        region.reports(thailand, level=Level.GREEN, objects=(shared,))

        (version,) = ReadObjects(session).versions(bank, shared["id"])

    assert (version.organizations, version.tlp, version.modified) == (("ThaiCERT",), "TLP:GREEN", None)


@pytest.mark.parametrize("hidden_end", ["source", "target"])
def test_a_relationship_is_seen_only_with_both_its_ends(database: Database, hidden_end: str) -> None:
    with database.writing() as session:
        region = Region(session)
        laos, thailand = region.joins("LaoCERT"), region.joins("ThaiCERT")
        seen, hidden = malware(), identity(marking=Level.RED)
        tie = relationship(*((hidden, "uses", seen) if hidden_end == "source" else (seen, "targets", hidden)))
        dangling = relationship(seen, "targets", "identity--00000000-0000-4000-8000-000000000000")
        sighting = sdo("sighting", sighting_of_ref=seen["id"], where_sighted_refs=[hidden["id"]])
        both = relationship(seen, "related-to", malware_two := malware("Other"))
        region.sends(laos, seen, hidden, tie, dangling, sighting, both, malware_two)
        objects = ReadObjects(session)
        ids = [obj["id"] for obj in (tie, dangling, sighting, both)]

        assert objects.among(laos, ids) == set(ids)
        assert objects.among(thailand, ids) == {both["id"]}
        assert read(region, thailand, both["id"]) == both
        for stix_id in ids[:3]:
            with pytest.raises(NotFound):
                objects.object(thailand, stix_id)


def test_a_value_is_found_in_any_spelling_and_only_where_it_may_be_known(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos, thailand = region.joins("LaoCERT"), region.joins("ThaiCERT")
        shared, secret = domain_name("evil.example", marking=Level.GREEN), indicator(marking=Level.RED)
        region.reports(laos, "Open", seen=(EVIL,), objects=(shared, secret))
        region.reports(laos, "Its source is secret", seen=(EVIL,), seen_at=Level.RED)
        region.reports(laos, "All secret", Level.RED, seen=(EVIL,))
        for carrier in (shared, secret):
            region.carries(carrier["id"], EVIL)
        reading = ReadObservables(session)

        own = reading.value(laos, "EVIL[.]example.")
        others = reading.value(thailand, "Evil[dot]example", kind="domain")
        unknown = reading.value(thailand, "never.example")

    assert [found.title for found in own.incidents.items] == ["All secret", "Its source is secret", "Open"]
    assert own.objects == tuple(sorted((shared["id"], secret["id"])))
    assert [found.title for found in others.incidents.items] == ["Open"]
    assert others.objects == (shared["id"],)
    assert (unknown.read_as, unknown.incidents.items, unknown.objects) == (
        (Observable("domain", "never.example"),),
        (),
        (),
    )


def test_a_value_that_does_not_say_what_it_is_is_looked_for_as_every_kind(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos = region.joins("LaoCERT")
        region.reports(laos, "Has the mutex", seen=(Observable("mutex", "Global\\Drum"),))

        found = ReadObservables(session).value(laos, "Global\\Drum")

    assert [incident.title for incident in found.incidents.items] == ["Has the mutex"]
