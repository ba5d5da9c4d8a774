"""The query filter takes the very decision of the rule, over all markings and relations, on both databases."""

from itertools import product

from sqlalchemy import select

from kentongan.domain.identity import OrganizationKind
from kentongan.domain.marking import Level
from kentongan.domain.policy import Audience, may_see
from kentongan.storage.database import Database
from kentongan.storage.visibility import AudienceRow, audience_id, audience_ids, visible
from stories import organization


def test_the_filter_is_the_rule(database: Database) -> None:
    with database.writing() as session:
        everyone = [
            organization(session, f"{kind.value} {number}", kind=kind)
            for kind, number in product(OrganizationKind, (1, 2))
        ]
        for owner, level in product(everyone, Level):
            audience_id(session, Audience(owner.id, level))

    with database.reading() as session:
        audiences = {row.id: row.audience() for row in session.scalars(select(AudienceRow))}
        for reader in (each.identity() for each in everyone):
            allowed = {number for number, audience in audiences.items() if may_see(reader, audience)}
            filtered = set(session.scalars(select(AudienceRow.id).where(visible(AudienceRow.id, reader))))
            assert filtered == allowed == audience_ids(session, reader)


def test_a_policy_class_is_made_once(database: Database) -> None:
    with database.writing() as session:
        member = organization(session, "CERT-ID")

        first = audience_id(session, Audience(member.id, Level.RED))
        again = audience_id(session, Audience(member.id, Level.RED))

    assert first == again
