"""The query filter and the second wall take the very decision of the rule, whoever shares what with whom."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from kentongan.domain.feeds import EVERYBODY, PUBLIC
from kentongan.domain.identity import Identity, OrganizationKind, Role
from kentongan.domain.marking import Level, Mask
from kentongan.domain.policy import NOBODY, Audience, may_see
from kentongan.storage.database import Database
from kentongan.storage.groups import GroupMember, SharingGroup, memberships
from kentongan.storage.organizations import Organization
from kentongan.storage.second_wall import step_behind
from kentongan.storage.visibility import (
    AudienceRow,
    audience_id,
    audience_ids,
    audiences,
    belongs,
    policy,
    read_no_further,
    visible,
)
from stories import organization

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
ORGANIZATIONS = list(product(OrganizationKind, (1, 2)))
some_organizations = st.sets(st.integers(0, len(ORGANIZATIONS) - 1))
groups = st.tuples(
    st.dictionaries(
        st.integers(0, len(ORGANIZATIONS) - 1), st.sampled_from([Level.AMBER, Level.AMBER_STRICT, Level.RED])
    ),
    st.booleans(),
)
marks = st.tuples(
    st.integers(0, len(ORGANIZATIONS) - 1),
    st.sampled_from(Level),
    st.sets(st.integers(0, 3)),  # of three groups, and one that is not there
    some_organizations,
    st.sets(st.sampled_from([41, 42])),
    st.booleans(),
    st.sampled_from(Mask),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # each example leaves nothing behind
@given(st.lists(groups, min_size=3, max_size=3), st.lists(marks, max_size=8))
def test_the_filter_is_the_rule(
    database: Database,
    told_groups: list[tuple[dict[int, Level], bool]],
    told_marks: list[tuple[int, Level, set[int], set[int], set[int], bool, Mask]],
) -> None:
    with database.reading() as session:
        everyone = [organization(session, f"{kind.value} {n}", kind=kind) for kind, n in ORGANIZATIONS]
        group_ids = [_group(session, n, everyone, told, ended) for n, (told, ended) in enumerate(told_groups)]
        for mark in told_marks:
            audience_id(session, _audience(mark, everyone, [*group_ids, NOBODY]))

        known, living = audiences(session), memberships(session)
        for reader in _readers(everyone):
            allowed = {number for number, audience in known.items() if may_see(reader, audience, living)}
            filtered = set(session.scalars(select(AudienceRow.id).where(visible(session, AudienceRow.id, reader))))
            assert filtered == allowed == audience_ids(session, reader)
            if not database.is_sqlite:
                step_behind(session, reader)
                walled = session.scalar(select(func.kentongan_seen()))
                behind = set(session.scalars(select(AudienceRow.id)))
                filtered_behind = set(
                    session.scalars(select(AudienceRow.id).where(visible(session, AudienceRow.id, reader)))
                )
                session.execute(text("RESET ROLE"))
                assert set(walled or ()) == behind == filtered_behind == allowed
        pairs = select(AudienceRow.id, Organization.id).join(Organization, belongs())
        joined = {(row[0], row[1]) for row in session.execute(pairs)}
        at_once = {(number, one.id) for one in everyone for number in policy(session).visible_to(one.identity())}
        assert (
            joined
            == at_once
            == {
                (number, one.id)
                for one in everyone
                for number, audience in known.items()
                if may_see(one.identity(), audience, living)
            }
        )


def _group(session: Session, number: int, everyone: list[Organization], told: dict[int, Level], ended: bool) -> int:
    group = SharingGroup(
        name=f"group {number}", owner_id=everyone[0].id, created_at=NOON, ended_at=NOON if ended else None
    )
    session.add(group)
    session.flush()
    session.add_all(
        GroupMember(group_id=group.id, organization_id=everyone[who].id, strictest=int(level))
        for who, level in told.items()
    )
    session.flush()
    return group.id


def _audience(
    mark: tuple[int, Level, set[int], set[int], set[int], bool, Mask],
    everyone: list[Organization],
    group_ids: list[int],
) -> Audience:
    owner, level, in_groups, teams, persons, for_members, masked = mark
    return Audience(
        everyone[owner].id,
        level,
        frozenset(group_ids[number] for number in in_groups),
        frozenset(everyone[number].id for number in teams),
        frozenset(persons),
        for_members,
        masked,
    )


def _readers(everyone: list[Organization]) -> list[Identity]:
    roles = (frozenset[Role](), frozenset({Role.OPERATOR}))
    return [
        Identity(one.id, one.name, OrganizationKind(one.kind), roles=held, person_id=person)
        for one, held, person in product(everyone, roles, (None, 41))
    ]


def test_a_policy_class_is_made_once(database: Database) -> None:
    with database.writing() as session:
        member = organization(session, "CERT-ID")
        to_siti = Audience(member.id, Level.RED, persons=frozenset({41}))

        first = [audience_id(session, each) for each in (Audience(member.id, Level.RED), to_siti)]
        again = [audience_id(session, each) for each in (Audience(member.id, Level.RED), to_siti)]

    assert first == again
    assert len(set(first)) == 2


@pytest.mark.parametrize("strictest", Level)
@pytest.mark.parametrize("kind", OrganizationKind)
def test_a_session_that_reads_no_further_shows_that_much_in_both_walls(
    database: Database, strictest: Level, kind: OrganizationKind
) -> None:
    with database.writing() as session:
        owner, reader = organization(session, "CERT-ID"), organization(session, "Reader", kind=kind).identity()
        for mask, level, whose in product(Mask, Level, (owner.id, reader.organization_id)):
            named = frozenset({reader.organization_id})
            audience_id(
                session, Audience(whose, level, organizations=named if level is Level.RED else frozenset(), mask=mask)
            )

    with database.reading_for(reader) as session:
        read_no_further(session, reader, strictest)
        seen = audience_ids(session, reader)
        filtered = set(session.scalars(select(AudienceRow.id).where(visible(session, AudienceRow.id, reader))))
        walled = set(session.scalars(select(AudienceRow.id)))
    with database.reading() as session:
        known = audiences(session)

    assert (
        seen
        == filtered
        == {
            number
            for number, audience in known.items()
            if may_see(reader, audience, {}) and audience.level <= strictest
        }
    )
    assert walled == (set(known) if database.is_sqlite else seen)


def test_who_shows_nothing_reads_what_is_clear(database: Database) -> None:
    with database.writing() as session:
        owner = organization(session, "CERT-ID")
        wanted = audience_id(session, Audience(owner.id, Level.CLEAR))
        for mask, level in product(Mask, Level):
            audience_id(session, Audience(owner.id, level, mask=mask))

    with database.reading_for(EVERYBODY) as session:
        read_no_further(session, EVERYBODY, PUBLIC)
        assert audience_ids(session, EVERYBODY) == {wanted}
