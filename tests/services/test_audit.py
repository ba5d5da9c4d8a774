"""What happened stands in the trail: once, in order, whole, and for whom it concerns to read."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from audit_writing import WHO, write_many
from kentongan.domain.audit import Act, breaks, entry_hash
from kentongan.domain.gate import Limits
from kentongan.domain.identity import Identity, OrganizationKind, Role, Scope
from kentongan.domain.marking import Level
from kentongan.services.audit import AuditTrail, SignHeads, WrongHead, read_head, written_head
from kentongan.services.examine import examine
from kentongan.services.read_incidents import IncidentFilter, ReadIncidents
from kentongan.services.read_objects import ReadObjects
from kentongan.services.receipts import Receipts
from kentongan.services.submit import Submit
from kentongan.storage.audit import AuditEntry, entries, forget_details, note
from kentongan.storage.database import Database
from reading_stories import Region
from stories import NOON, as_bytes, bundle, incident, newer, organization


def trail(database: Database) -> list[AuditEntry]:
    with database.reading() as session:
        return list(session.scalars(select(AuditEntry).order_by(AuditEntry.number)))


def said(database: Database, *subjects: str) -> None:
    for subject in subjects:
        with database.writing() as session:
            note(session, WHO, Act.CHANGED, subject, about_id=1)


def test_an_entry_says_who_did_what_when_and_from_where(database: Database) -> None:
    with database.writing() as session:
        indonesia = organization(session, "CERT-ID").identity()
        receipt = Submit(session, lambda: NOON).submit(
            indonesia, examine(as_bytes(bundle(incident(), {"type": "incident"})), Limits())
        )

    (entry,) = trail(database)

    assert (entry.number, entry.organization, entry.act) == (1, "CERT-ID", "submitted")
    assert (entry.subject, entry.about_id) == (f"submission {receipt.id}", indonesia.organization_id)
    assert entry.details is not None
    assert '"accepted":1' in entry.details


def test_what_was_not_committed_left_no_entry(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.writing() as session:
        note(session, WHO, Act.CHANGED, "something")
        raise ZeroDivisionError

    with database.trying() as session:
        note(session, WHO, Act.CHANGED, "something else")

    assert trail(database) == []


def test_reading_from_amber_on_is_entered_once_for_each_whose_it_is(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        indonesia, vietnam, laos = (region.joins(name) for name in ("CERT-ID", "CERT-VN", "LaoCERT"))
        amber = [region.reports(indonesia, f"Amber {n}", Level.AMBER) for n in range(2)]
        region.reports(indonesia, "Green", Level.GREEN)
        strict = region.reports(vietnam, "Strict", Level.AMBER_STRICT)
        region.reports(vietnam, "Red", Level.RED)
        ids = [each.public_id for each in amber], strict.public_id
    before = len(trail(database))

    with database.reading() as session:
        ReadIncidents(session).page(laos, IncidentFilter())

    read = trail(database)[before:]
    assert {(entry.act, entry.organization) for entry in read} == {("read", "LaoCERT")}
    told = {entry.about_id: entry.details or "" for entry in read}
    assert set(told) == {indonesia.organization_id, vietnam.organization_id}
    assert all(each in told[indonesia.organization_id] for each in ids[0])
    assert told[vietnam.organization_id].count("incident ") == 1
    assert ids[1] in told[vietnam.organization_id]


def test_what_everybody_may_read_is_read_without_an_entry(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        indonesia, laos = region.joins("CERT-ID"), region.joins("LaoCERT")
        shared = region.reports(indonesia, "Green", Level.GREEN)
    before = len(trail(database))

    with database.reading() as session:
        ReadIncidents(session).incident(laos, shared.public_id)
        ReadObjects(session).object(laos, shared.stix_id)

    assert len(trail(database)) == before


def test_downloading_and_tightening_are_entered(database: Database) -> None:
    with database.writing() as session:
        region = Region(session)
        indonesia = region.joins("CERT-ID")
        first = incident(marking=Level.GREEN)
        sent = region.sends(indonesia, first).public_id
        region.sends(indonesia, newer(first, object_marking_refs=incident(marking=Level.RED)["object_marking_refs"]))
    with database.reading() as session:
        Receipts(session).content(indonesia, sent)

    acts = [(entry.act, entry.subject) for entry in trail(database)]

    assert ("changed", f"marking of {first['id']}") in acts
    assert acts[-1] == ("exported", f"submission {sent}")


def test_an_organization_reads_what_is_about_it_and_an_operator_what_was_administered(database: Database) -> None:
    with database.writing() as session:
        for about, act in ((1, Act.READ), (2, Act.READ), (2, Act.CHANGED)):
            note(session, WHO, act, f"of {about}", about_id=about)
    operator = Identity(
        9, "Host", OrganizationKind.MEMBER, scopes=frozenset({Scope.OPERATE}), roles=frozenset({Role.OPERATOR})
    )

    with database.reading() as session:
        own = AuditTrail(session).page(Identity(1, "CERT-ID", OrganizationKind.MEMBER))
        administered = AuditTrail(session).page(operator)

    assert [entry.subject for entry in own.items] == ["of 1"]
    assert [(entry.act, entry.subject) for entry in administered.items] == [("changed", "of 2")]


def test_pages_go_on_where_the_last_one_ended(database: Database) -> None:
    said(database, *(f"thing {number}" for number in range(5)))

    with database.reading() as session:
        first = AuditTrail(session).page(WHO, limit=3)
        second = AuditTrail(session).page(WHO, limit=3, before=first.next)

    assert [entry.number for entry in (*first.items, *second.items)] == [5, 4, 3, 2, 1]
    assert second.next is None


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_entry WHERE number = 2",
        "UPDATE audit_entry SET subject = 'nothing' WHERE number = 2",
        "UPDATE audit_entry SET details = '{}' WHERE number = 2",
    ],
)
def test_the_database_refuses_to_change_an_entry(database: Database, statement: str) -> None:
    said(database, "one", "two", "three")

    with pytest.raises(DatabaseError), database.writing() as session:
        session.execute(text(statement))

    with database.reading() as session:
        assert AuditTrail(session).verify().broken == ()


def test_details_are_forgotten_and_the_chain_still_proves(database: Database) -> None:
    said(database, "one", "two")

    with database.writing() as session:
        forgotten = forget_details(session, NOON + timedelta(days=36_500), 1)

    assert forgotten == 2
    assert [entry.details for entry in trail(database)] == [None, None]
    with database.reading() as session:
        assert AuditTrail(session).verify().broken == ()


def test_a_trail_made_anew_is_found_by_a_head_that_somebody_kept(sqlite_database: Database) -> None:
    said(sqlite_database, "one", "two", "three")
    key = Ed25519PrivateKey.generate()
    with sqlite_database.writing() as session:
        kept = SignHeads(session, lambda: NOON, key).sign()
    assert kept is not None

    _rewrite(sqlite_database, 2, "nothing to see")

    with sqlite_database.reading() as session:
        alone = AuditTrail(session).verify()
        compared = AuditTrail(session).verify(kept)
    assert alone.broken == ()
    assert [found.number for found in compared.broken] == [3]


def _rewrite(database: Database, number: int, subject: str) -> None:
    """What an operator could do who owns the database: take down the guards and make every later entry anew."""
    with database.writing() as session:
        for trigger in ("audit_entry_stays", "audit_entry_is_kept"):
            session.execute(text(f"DROP TRIGGER {trigger}"))
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.number)).all()
        previous = rows[number - 2].hash
        rows[number - 1].subject = subject
        for row in rows[number - 1 :]:
            row.previous = previous
            row.hash = previous = entry_hash(row.chained().entry, previous)


def test_the_first_broken_entry_is_named(sqlite_database: Database) -> None:
    said(sqlite_database, "one", "two", "three")
    with sqlite_database.writing() as session:
        session.execute(text("DROP TRIGGER audit_entry_is_kept"))
        session.execute(text("UPDATE audit_entry SET subject = 'nothing' WHERE number = 2"))

    with sqlite_database.reading() as session:
        verdict = AuditTrail(session).verify()

    assert (verdict.entries, verdict.broken[0].number) == (3, 2)


def test_a_head_is_signed_when_the_last_one_is_an_hour_old(database: Database) -> None:
    key, now = Ed25519PrivateKey.generate(), [NOON]
    said(database, "one")

    def sign() -> int:
        with database.writing() as session:
            signed = SignHeads(session, lambda: now[0], key).sign(if_due=True)
        assert signed is not None
        return signed.head.number

    assert sign() == 1
    said(database, "two")
    assert sign() == 1
    now[0] += timedelta(hours=1)
    assert sign() == 2
    with database.reading() as session:
        assert [one.head.number for one in AuditTrail(session).heads()] == [2, 1]


def test_a_head_that_its_key_did_not_sign_is_refused(database: Database) -> None:
    said(database, "one")
    with database.writing() as session:
        signed = SignHeads(session, lambda: NOON, Ed25519PrivateKey.generate()).sign()
    assert signed is not None
    told: dict[str, Any] = written_head(signed)
    told["head"]["number"] = 2

    with database.reading() as session, pytest.raises(WrongHead):
        AuditTrail(session).verify(read_head(as_bytes(told)))
    with pytest.raises(WrongHead):
        read_head(b'{"head": {}}')


def test_processes_that_are_killed_while_writing_leave_a_whole_chain(database: Database, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    url = database.engine.url.render_as_string(hide_password=False)
    writers = [context.Process(target=write_many, args=(url, number), daemon=True) for number in (1, 2, 3)]
    for writer in writers:
        writer.start()
    until = time.monotonic() + 60
    while len({entry.about_id for entry in trail(database)}) < len(writers) and time.monotonic() < until:
        time.sleep(0.05)

    for writer in writers:
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()

    said(database, "afterwards")
    with database.reading() as session:
        chain = list(entries(session))
    assert list(breaks(chain)) == []
    assert len(chain) % 2 == 1
    assert {link.entry.about_id for link in chain} == {1, 2, 3}
