"""Each organization reads what was done to its own data; a head that somebody kept tells of a rewritten trail."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, text

from kentongan.domain.audit import GENESIS, Act, Details, Entry, details_text, digest_of, entry_hash
from kentongan.domain.audit_head import SignedHead
from kentongan.domain.identity import Identity, OrganizationKind, Role, Scope, at_the_console
from kentongan.domain.marking import Level
from kentongan.services.audit import AuditEntryView, AuditFilter, ReadAudit
from kentongan.services.audit_heads import Heads, SignHeads, Verdict, VerifyAudit
from kentongan.services.paging import WrongCursor
from kentongan.services.read_incidents import IncidentFilter, ReadIncidents
from kentongan.storage.audit import GUARDS, AuditEntry, forget_details, note
from kentongan.storage.database import Database
from reading_stories import Region
from stories import NOON

KEY = Ed25519PrivateKey.generate()
INDONESIA = Identity(1, "ID-CERT", OrganizationKind.MEMBER, frozenset({Scope.ADMIN}))
VIETNAM = Identity(2, "VNCERT", OrganizationKind.MEMBER, frozenset({Scope.ADMIN}))
OPERATOR = Identity(
    3, "Secretariat", OrganizationKind.COORDINATOR, frozenset({Scope.OPERATE}), frozenset({Role.OPERATOR})
)


def told(database: Database, *subjects: str, about: Identity | None = INDONESIA, act: Act = Act.CHANGED) -> None:
    for subject in subjects:
        with database.writing() as session:
            note(session, VIETNAM, act, subject, about_id=about.organization_id if about else None)


def known(database: Database, reader: Identity, wanted: AuditFilter | None = None) -> list[AuditEntryView]:
    """All pages, of two each."""
    seen: list[AuditEntryView] = []
    with database.reading() as session:
        cursor = None
        while True:
            page = ReadAudit(session).page(reader, wanted or AuditFilter(), 2, cursor)
            seen += page.items
            if (cursor := page.next) is None:
                return seen


def signed(database: Database, at: datetime = NOON, key: Ed25519PrivateKey = KEY) -> SignedHead:
    with database.writing() as session:
        made = SignHeads(session, lambda: at, key, "https://kentongan.example").sign()
    assert made is not None
    return made


def verdict(database: Database, *published: SignedHead) -> Verdict:
    with database.reading() as session:
        return VerifyAudit(session).verify(published)


def take_the_wall_down(database: Database) -> None:
    names = ("audit_entry_stays", "audit_entry_is_kept")
    on = "" if database.is_sqlite else " ON audit_entry"
    with database.engine.begin() as connection:
        for name in names:
            connection.execute(text(f"DROP TRIGGER {name}{on}"))


def put_the_wall_up(database: Database) -> None:
    with database.engine.begin() as connection:
        for statement in GUARDS[database.engine.dialect.name]:
            connection.execute(text(statement.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")))


@pytest.fixture
def opened(database: Database) -> Iterator[Database]:
    """A database whose owner took down what keeps the trail."""
    take_the_wall_down(database)
    yield database
    if not database.is_sqlite:
        put_the_wall_up(database)


def rewritten(database: Database, number: int, subject: str) -> None:
    """The owner changes one entry and makes all hashes behind it anew, as if it had always been so."""
    with database.engine.begin() as connection:
        rows = connection.execute(text("SELECT * FROM audit_entry ORDER BY number")).mappings().all()
        connection.execute(text("DELETE FROM audit_entry"))
        previous = GENESIS
        for row in rows:
            own = {name: row[name] for name in Entry.__dataclass_fields__}
            own["at"] = NOON
            if row["number"] == number:
                own["subject"] = subject
            made = Entry(**own)
            found = entry_hash(made, previous)
            connection.execute(
                insert(AuditEntry).values({**own, "details": row["details"], "previous": previous, "hash": found})
            )
            previous = found


def test_an_organization_reads_what_was_done_to_its_own_data_and_nothing_else(database: Database) -> None:
    told(database, "incident a", "token b")
    told(database, "incident c", about=VIETNAM)
    told(database, "platform started", about=None)

    assert [entry.subject for entry in known(database, INDONESIA)] == ["token b", "incident a"]
    assert [entry.subject for entry in known(database, VIETNAM)] == ["incident c"]


def test_without_the_scope_nothing_is_read(database: Database) -> None:
    told(database, "incident a")

    analyst = Identity(1, "ID-CERT", OrganizationKind.MEMBER, frozenset({Scope.READ, Scope.SUBMIT}))

    assert known(database, analyst) == []


def test_an_operator_reads_who_takes_part_and_not_who_reads_what(database: Database) -> None:
    told(database, "token kt_abcde", "organization ID-CERT", act=Act.ADDED)
    told(database, "incident a", "12 things", act=Act.READ)
    told(database, "submission b", act=Act.EXPORTED)
    told(database, "marking of incident--c", "subscription d", "tokens are no kind")

    for operator in (OPERATOR, at_the_console("root")):
        assert {entry.subject for entry in known(database, operator)} == {"token kt_abcde", "organization ID-CERT"}


def test_pages_hold_every_entry_once_newest_first_and_filters_narrow(database: Database) -> None:
    now = NOON
    database._clock = lambda: now
    for number in range(5):
        told(database, f"token {number}", act=Act.ADDED if number % 2 else Act.ENDED)
        now += timedelta(hours=1)

    added = AuditFilter(act=Act.ADDED)
    span = AuditFilter(after=NOON + timedelta(hours=1), before=NOON + timedelta(hours=3))

    assert [entry.subject[-1] for entry in known(database, INDONESIA)] == ["4", "3", "2", "1", "0"]
    assert [entry.subject[-1] for entry in known(database, INDONESIA, added)] == ["3", "1"]
    assert [entry.subject[-1] for entry in known(database, INDONESIA, span)] == ["2", "1"]


def test_a_cursor_of_another_organizations_list_is_refused(database: Database) -> None:
    told(database, *(f"token {number}" for number in range(3)))
    with database.reading() as session:
        cursor = ReadAudit(session).page(INDONESIA, AuditFilter(), 2).next

        with pytest.raises(WrongCursor):
            ReadAudit(session).page(VIETNAM, AuditFilter(), 2, cursor)


def test_what_was_forgotten_is_told_as_forgotten(database: Database) -> None:
    told(database, "token 1")
    with database.writing() as session:
        forget_details(session, datetime.max.replace(tzinfo=NOON.tzinfo))

    (entry,) = known(database, INDONESIA)

    assert (entry.organization, entry.subject) == ("VNCERT", "token 1")
    assert (entry.name, entry.address, entry.details) == (None, None, None)


def test_reading_marked_things_is_an_entry_about_their_owner_alone(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        jakarta, hanoi, reader = region.joins("ID-CERT"), region.joins("VNCERT"), region.joins("SingCERT")
        amber, strict = region.reports(jakarta, "A", Level.AMBER), region.reports(hanoi, "B", Level.AMBER_STRICT)
        region.reports(jakarta, "Green", Level.GREEN)
        own = region.reports(reader, "Own", Level.RED)

    with database.reading() as session:
        ReadIncidents(session).page(reader, IncidentFilter())

    for owner, incident in ((jakarta, amber), (hanoi, strict), (reader, own)):
        (entry,) = known(database, owner, AuditFilter(act=Act.READ))
        assert (entry.organization, entry.subject) == ("SingCERT", f"incident {incident.public_id}")
        assert entry.details == {"shown": [f"incident {incident.public_id}"]}


def test_an_untouched_trail_holds(database: Database) -> None:
    told(database, *(f"token {number}" for number in range(5)))
    head = signed(database)
    told(database, "token 5")

    found = verdict(database, head)

    assert found.holds
    assert (found.entries, found.heads) == (6, 2)


@pytest.mark.parametrize(
    ("change", "first"),
    [
        ("UPDATE audit_entry SET subject = 'nothing' WHERE number = 3", 3),
        ("UPDATE audit_entry SET at = at + 1 WHERE number IN (4, 2)", 2),
        ("UPDATE audit_entry SET details = '{}' WHERE number = 1", 1),
        ("DELETE FROM audit_entry WHERE number IN (2, 3)", 2),
        ("DELETE FROM audit_entry WHERE number > 4", 5),
    ],
)
def test_the_first_broken_entry_is_named(opened: Database, change: str, first: int) -> None:
    told(opened, *(f"token {number}" for number in range(6)))
    signed(opened)
    with opened.engine.begin() as connection:
        connection.execute(text(change))

    found = verdict(opened)

    assert not found.holds
    assert found.breaks[0].number == first


def test_a_trail_that_was_rewritten_as_a_whole_is_found_by_a_head_that_somebody_kept(opened: Database) -> None:
    told(opened, "token 0", "token 1")
    early = signed(opened)
    told(opened, *(f"token {number}" for number in range(2, 8)))
    late = signed(opened, NOON + timedelta(hours=1))

    rewritten(opened, 2, "token 1")  # the moments change: everything is another chain
    rewritten(opened, 5, "nothing happened")
    with opened.engine.begin() as connection:
        connection.execute(text("DELETE FROM audit_head"))

    assert verdict(opened).holds
    found = verdict(opened, late, early)
    assert (found.breaks[0].number, "rewritten" in found.breaks[0].why) == (1, True)


def test_between_a_head_that_fits_and_one_that_does_not_the_rewriting_began(opened: Database) -> None:
    opened._clock = lambda: NOON
    told(opened, *(f"token {number}" for number in range(3)))
    early = signed(opened)
    told(opened, *(f"token {number}" for number in range(3, 8)))
    late = signed(opened, NOON + timedelta(hours=1))

    rewritten(opened, 6, "nothing happened")

    found = verdict(opened, early, late)
    assert found.breaks[0].number == 4
    assert "entries 4 to 8" in found.breaks[0].why


def test_an_end_that_was_cut_off_is_found_by_a_kept_head(opened: Database) -> None:
    told(opened, *(f"token {number}" for number in range(5)))
    head = signed(opened)
    with opened.engine.begin() as connection:
        connection.execute(text("DELETE FROM audit_entry WHERE number > 3"))
        connection.execute(text("DELETE FROM audit_head"))

    assert verdict(opened).holds
    assert verdict(opened, head).breaks[0].number == 4


def test_a_head_that_nobody_signed_is_told(database: Database) -> None:
    told(database, "token 1")
    head = signed(database)
    forged = SignedHead(**{**head.as_json(), "at": "2026-01-01T00:00:00Z"})

    assert "does not bear the signature" in verdict(database, forged).breaks[0].why


def test_heads_are_due_once_an_hour_and_only_when_something_happened(database: Database) -> None:
    def due(at: datetime) -> bool:
        with database.writing() as session:
            return SignHeads(session, lambda: at, KEY, "here").is_due()

    assert not due(NOON)
    told(database, "token 1")
    assert due(NOON)
    first = signed(database)
    assert signed(database, NOON + timedelta(hours=5)) == first
    assert not due(NOON + timedelta(hours=5))
    told(database, "token 2")
    assert not due(NOON + timedelta(minutes=59))
    assert due(NOON + timedelta(hours=1))
    second = signed(database, NOON + timedelta(hours=1))
    with database.reading() as session:
        page = Heads(session).page(1)
        assert page.items == (second,)
        assert Heads(session).page(1, page.next).items == (first,)


def test_the_newest_entries_can_be_verified_alone(opened: Database) -> None:
    told(opened, *(f"token {number}" for number in range(12)))

    def last(many: int) -> Verdict:
        with opened.reading() as session:
            return VerifyAudit(session).verify_last(many)

    assert (last(5).holds, last(5).entries, last(100).entries) == (True, 5, 12)
    with opened.engine.begin() as connection:
        connection.execute(text("UPDATE audit_entry SET subject = 'x' WHERE number = 4"))
    assert last(5).holds
    assert last(9).breaks[0].number == 4


def test_a_long_trail_is_read_in_parts(database: Database) -> None:
    with database.writing() as session:
        for number in range(2_500):
            note(session, INDONESIA, Act.CHANGED, f"token {number}", padding=random.randbytes(20).hex())

    assert (verdict(database).holds, verdict(database).entries) == (True, 2_500)


def test_details_carry_a_salt_so_that_what_was_forgotten_cannot_be_guessed() -> None:
    plain = Details("Budi", "192.0.2.7", {}, "a")

    assert digest_of(details_text(plain)) != digest_of(details_text(Details("Budi", "192.0.2.7", {}, "b")))
