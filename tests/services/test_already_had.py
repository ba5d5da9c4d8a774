"""Whoever tightens a marking is told who has it already."""

from __future__ import annotations

from alert_stories import match, subscribed
from kentongan.domain.identity import OrganizationKind
from kentongan.domain.marking import Level
from kentongan.services.already_had import AlreadyHad, already_had
from kentongan.services.index import Index
from kentongan.services.read_incidents import ReadIncidents
from kentongan.services.receipts import Receipts
from kentongan.storage.alerts import Delivery
from kentongan.storage.database import Database
from kentongan.storage.organizations import Organization
from reading_stories import Region
from stories import NOON, incident, newer, tlp


def test_who_was_sent_it_or_read_it_and_is_left_out_now_is_named(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        laos, vietnam, malaysia, bank, other = (
            region.joins("LaoCERT"),
            region.joins("VNCERT"),
            region.joins("MyCERT"),
            region.joins("A bank", OrganizationKind.SUBSCRIBER),
            region.joins("Another bank", OrganizationKind.SUBSCRIBER),
        )
        subscribed(session, session.get_one(Organization, bank.organization_id))
        first = incident(marking=Level.GREEN)
        row = region.reports(laos, "Seen", Level.GREEN, stix=first)
        match(session, row)
        for delivery in session.query(Delivery):
            delivery.state = "delivered"
        public_id = row.public_id
        second = region.sends(laos, newer(first, object_marking_refs=[tlp(Level.AMBER)]))
        Index(session, lambda: NOON).run([second.id])
    with database.reading() as session:
        ReadIncidents(session).incident(vietnam, public_id)
        ReadIncidents(session).incident(malaysia, public_id)
    with database.writing() as session:
        region = Region(session, NOON)
        third = region.sends(
            laos, newer(first, modified="2026-04-01T00:00:00.000Z", object_marking_refs=[tlp(Level.RED)])
        )
        Index(session, lambda: NOON).run([third.id])
        receipts = [Receipts(session).receipt(laos, one.public_id) for one in (second, third)]

    with database.reading() as session:
        now = already_had(session, laos, receipts[1])
        for_bank = already_had(session, other, receipts[1])

    assert now == (AlreadyHad(first["id"], ("A bank", "MyCERT", "VNCERT")),)
    assert for_bank == ()
