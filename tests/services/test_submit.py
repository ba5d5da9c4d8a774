"""What a CERT sends is kept as sent, once, under its own name, also when two send at the same moment."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, select

from kentongan.domain.gate import Limits, Unreadable
from kentongan.domain.identity import Identity
from kentongan.domain.marking import Level
from kentongan.domain.versions import KEPT_AS_OWN, Outcome
from kentongan.services.errors import NotFound
from kentongan.services.examine import examine
from kentongan.services.receipts import Receipt, Receipts
from kentongan.services.submit import KeyReused, Rejected, Submit
from kentongan.storage import jobs
from kentongan.storage.database import Database
from kentongan.storage.objects import ObjectCarrier, StixObject, carried_by
from kentongan.storage.submissions import Submission
from kentongan.storage.visibility import AudienceRow
from stories import NOON, as_bytes, bundle, domain_name, incident, indicator, newer, organization


def join(database: Database, *names: str) -> list[Identity]:
    with database.writing() as session:
        return [organization(session, name).identity() for name in names]


def send(database: Database, identity: Identity, document: Any, **how: Any) -> Receipt:
    raw = document if isinstance(document, bytes) else as_bytes(document)
    with database.writing() as session:
        return Submit(session, lambda: NOON).submit(identity, examine(raw, Limits()), **how)


def outcomes(receipt: Receipt) -> list[Outcome]:
    return [outcome.outcome for outcome in receipt.objects]


def how_many(database: Database, table: type) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_an_object_comes_back_as_it_was_sent_unknown_properties_included(database: Database) -> None:
    (indonesia,) = join(database, "CERT-ID")
    sent = incident("Tampilan situs diubah — ຂ່າວ", x_note={"deep": [1, 2.5, None, True]}, x_big=2**53, x_small=1e-7)

    send(database, indonesia, bundle(sent))

    with database.reading() as session:
        stored = session.scalars(select(StixObject.body)).one()
    assert json.loads(stored) == sent


def test_the_bytes_come_back_to_their_sender_alone(database: Database) -> None:
    indonesia, philippines = join(database, "CERT-ID", "CERT-PH")
    raw = b'  {"type": "bundle" , "id": "bundle--' + b"1" * 8 + b'-1111-4111-8111-111111111111", "objects": ['
    raw += json.dumps(incident()).encode() + b"]}\n"
    receipt = send(database, indonesia, raw)
    assert receipt.id is not None

    with database.reading() as session:
        assert Receipts(session).content(indonesia, receipt.id) == raw
        with pytest.raises(NotFound) as hidden:
            Receipts(session).content(philippines, receipt.id)
        with pytest.raises(NotFound) as unknown:
            Receipts(session).content(philippines, receipt.id[::-1])
    assert str(hidden.value).replace(receipt.id, "") == str(unknown.value).replace(receipt.id[::-1], "")


def test_a_submission_promises_its_indexing(database: Database) -> None:
    (indonesia,) = join(database, "CERT-ID")

    send(database, indonesia, incident())

    with database.reading() as session:
        assert jobs.counts(session) == {"index": 1, "failed": 0}


def test_the_same_bytes_get_the_same_receipt(database: Database) -> None:
    (indonesia,) = join(database, "CERT-ID")
    raw = as_bytes(bundle(incident()))

    first, again = send(database, indonesia, raw), send(database, indonesia, raw, idempotency_key="k1")

    assert (again.id, again.objects, again.repeated) == (first.id, first.objects, True)
    assert how_many(database, Submission) == 1


def test_a_key_stands_for_one_document(database: Database) -> None:
    (indonesia,) = join(database, "CERT-ID")
    send(database, indonesia, incident(), idempotency_key="k1")

    with pytest.raises(KeyReused):
        send(database, indonesia, incident(), idempotency_key="k1")

    assert how_many(database, Submission) == 1


def test_concurrent_twins_get_one_receipt(database: Database) -> None:
    (indonesia,) = join(database, "CERT-ID")
    raw, together = as_bytes(bundle(incident(), indicator())), Barrier(4)

    def one(_: int) -> Receipt:
        together.wait(10)
        return send(database, indonesia, raw, idempotency_key="same")

    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(one, range(4)))

    assert len({receipt.id for receipt in receipts}) == 1
    assert [receipt.repeated for receipt in receipts].count(False) == 1
    assert (how_many(database, Submission), how_many(database, StixObject)) == (1, 2)


def test_concurrent_strangers_never_share_a_number_nor_lose_an_object(database: Database) -> None:
    members = join(database, "CERT-ID", "CERT-PH", "CERT-SG", "CERT-MY")
    shared, together = domain_name(), Barrier(4)

    def one(member: Identity) -> Receipt:
        together.wait(10)
        return send(database, member, bundle(incident(), shared))

    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(one, members))

    assert all(outcomes(receipt) == [Outcome.ACCEPTED, Outcome.ACCEPTED] for receipt in receipts)
    assert how_many(database, StixObject) == 5
    assert how_many(database, ObjectCarrier) == 8


def test_a_partly_valid_bundle_is_accepted_in_its_valid_part(database: Database) -> None:
    (indonesia,) = join(database, "CERT-ID")
    broken = indicator(pattern="[domain-name:value = ")

    receipt = send(database, indonesia, bundle(incident(), broken))

    assert outcomes(receipt) == [Outcome.ACCEPTED, Outcome.REFUSED]
    (problem,) = receipt.objects[1].problems
    assert problem.path == "$.objects[1].pattern"
    assert how_many(database, StixObject) == 1


@pytest.mark.parametrize("atomic", [True, False])
def test_what_is_rejected_leaves_nothing_behind(database: Database, atomic: bool) -> None:
    (indonesia,) = join(database, "CERT-ID")
    broken = indicator(pattern="[domain-name:value = ")
    document = bundle(incident(), broken) if atomic else bundle(broken)

    with pytest.raises(Rejected):
        send(database, indonesia, document, atomic=atomic)

    for table in (Submission, StixObject, ObjectCarrier, AudienceRow, jobs.JobRow):
        assert how_many(database, table) == 0


def test_trying_out_tells_the_same_and_stores_nothing(database: Database) -> None:
    (indonesia,) = join(database, "CERT-ID")
    raw = as_bytes(bundle(incident(), indicator(pattern="[broken"), domain_name()))

    with database.reading() as session:
        tried = Submit(session, lambda: NOON).try_out(indonesia, examine(raw, Limits()))

    assert how_many(database, Submission) == how_many(database, StixObject) == 0
    assert tried.objects == send(database, indonesia, raw).objects


def test_the_versions_of_one_document_are_all_kept(database: Database) -> None:
    (indonesia,) = join(database, "CERT-ID")
    first = incident()
    second = newer(first, name="Now we know more")

    receipt = send(database, indonesia, bundle(second, first))
    conflict = send(database, indonesia, bundle(incident(), {**second, "name": "Something else"}))

    assert outcomes(receipt) == [Outcome.ACCEPTED, Outcome.OLDER_KEPT]
    assert outcomes(conflict) == [Outcome.ACCEPTED, Outcome.CONFLICT]
    assert how_many(database, StixObject) == 3


def test_another_organizations_newer_version_stays_beside_the_owners(database: Database) -> None:
    indonesia, philippines = join(database, "CERT-ID", "CERT-PH")
    original = incident(marking=Level.GREEN)
    send(database, indonesia, original)

    claimed = send(database, philippines, newer(original, name="Taken over"))

    assert (outcomes(claimed), claimed.objects[0].note) == ([Outcome.ACCEPTED], KEPT_AS_OWN)
    with database.reading() as session:
        owners = session.scalars(select(StixObject.owner_id).order_by(StixObject.id)).all()
    assert owners == [indonesia.organization_id, philippines.organization_id]


def test_the_receipt_does_not_tell_that_a_hidden_incident_has_the_same_id(database: Database) -> None:
    indonesia, philippines = join(database, "CERT-ID", "CERT-PH")
    hidden = incident(marking=Level.RED)
    send(database, indonesia, hidden)

    receipt = send(database, philippines, newer(hidden, name="By chance"))

    assert (outcomes(receipt), receipt.objects[0].note) == ([Outcome.ACCEPTED], None)


def test_a_tightened_incident_takes_its_history_with_it(database: Database) -> None:
    (indonesia,) = join(database, "CERT-ID")
    first = incident(marking=Level.GREEN)
    send(database, indonesia, first)

    send(database, indonesia, newer(first, object_marking_refs=incident(marking=Level.RED)["object_marking_refs"]))

    with database.reading() as session:
        levels = session.scalars(
            select(AudienceRow.level).join(ObjectCarrier, ObjectCarrier.audience_id == AudienceRow.id)
        )
        assert set(levels) == {Level.RED}


def test_a_late_older_version_is_no_way_around_a_tightened_marking(database: Database) -> None:
    (indonesia,) = join(database, "CERT-ID")
    first = incident(marking=Level.GREEN)
    send(database, indonesia, newer(first, object_marking_refs=incident(marking=Level.RED)["object_marking_refs"]))

    receipt = send(database, indonesia, first)

    assert outcomes(receipt) == [Outcome.OLDER_KEPT]
    with database.reading() as session:
        levels = session.scalars(
            select(AudienceRow.level).join(ObjectCarrier, ObjectCarrier.audience_id == AudienceRow.id)
        )
        assert set(levels) == {Level.RED}


def test_a_document_that_cannot_be_read_is_refused_as_a_whole(database: Database) -> None:
    (indonesia,) = join(database, "CERT-ID")

    with pytest.raises(Unreadable):
        send(database, indonesia, b'{"type": "bundle", "type": "bundle"}')

    assert how_many(database, Submission) == 0


def test_a_submission_knows_what_it_carried(database: Database) -> None:
    (indonesia,) = join(database, "CERT-ID")
    red, seen = incident(marking=Level.RED), domain_name()
    send(database, indonesia, bundle(red, seen))

    with database.reading() as session:
        submission = session.scalars(select(Submission)).one()
        carried = carried_by(session, [submission.id])[submission.id]
        levels = {row.id: row.level for row in session.scalars(select(AudienceRow))}

    assert [(each.object.stix_id, levels[each.audience_id]) for each in carried] == [
        (red["id"], Level.RED),
        (seen["id"], Level.RED),
    ]
