"""What is asked all day is answered by an index, as the databases' own plans say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Select, select, text
from sqlalchemy.orm import Session

from kentongan.domain.identity import Identity, OrganizationKind
from kentongan.domain.marking import Level
from kentongan.domain.object_filter import ALL, ObjectFilter
from kentongan.domain.policy import Audience
from kentongan.services.summaries import visible_incidents
from kentongan.storage.alerts import Delivery
from kentongan.storage.collection_pages import SEEN, entries_after
from kentongan.storage.database import Database
from kentongan.storage.incidents import Incident, IncidentTag
from kentongan.storage.migrate import migrate
from kentongan.storage.objects import ObjectCarrier, StixObject
from kentongan.storage.observables import Posting, StoredObservable
from kentongan.storage.submissions import Submission
from kentongan.storage.visibility import audience_id, visible
from reading_stories import counted
from stories import organization

READER = Identity(1, "VNCERT", OrganizationKind.MEMBER)
ID = "00000000-0000-4000-8000-000000000000"
Query = Select[Any]

HOT: dict[str, tuple[str, Callable[[Session], Query]]] = {
    "the list of incidents": (
        "ix_incident_received_at_id",
        lambda s: visible_incidents(s, READER).order_by(Incident.received_at.desc(), Incident.id.desc()).limit(51),
    ),
    "an incident by its id": (
        "uq_incident_public_id",
        lambda s: visible_incidents(s, READER).where(Incident.public_id == ID),
    ),
    "the reports of a case": (
        "ix_incident_case_id",
        lambda s: visible_incidents(s, READER).where(Incident.case_id == 7),
    ),
    "an object by its STIX id": (
        "ix_stix_object_stix_id",
        lambda s: (
            select(StixObject.id)
            .join(ObjectCarrier, ObjectCarrier.object_id == StixObject.id)
            .where(StixObject.stix_id == "x", visible(s, ObjectCarrier.audience_id, READER))
        ),
    ),
    "a value": (
        "uq_observable_digest",
        lambda _: select(StoredObservable.id).where(StoredObservable.digest == b"x" * 16),
    ),
    "who carries a value": (
        "pk_posting",
        lambda s: select(Posting.incident_id).where(
            Posting.observable_id == 7, visible(s, Posting.audience_id, READER)
        ),
    ),
    "the incidents of a country": (
        "pk_incident_tag",
        lambda s: select(IncidentTag.incident_id).where(
            IncidentTag.kind == "country", IncidentTag.value == "th", visible(s, IncidentTag.audience_id, READER)
        ),
    ),
    "one's own submissions": (
        "ix_submission_organization_id_id",
        lambda _: select(Submission.id).where(Submission.organization_id == 1).order_by(Submission.id.desc()).limit(26),
    ),
    "one's own deliveries": (
        "ix_delivery_organization_id_id",
        lambda _: select(Delivery.id).where(Delivery.organization_id == 1).order_by(Delivery.id.desc()).limit(51),
    ),
}
SQLITE_NAMES = {
    "pk_posting": "PRIMARY KEY",
    "pk_incident_tag": "PRIMARY KEY",
    "uq_incident_public_id": "sqlite_autoindex_incident",
    "uq_observable_digest": "sqlite_autoindex_observable",
}
"""SQLite names the indexes of constraints itself."""


def plan_in_sqlite(session: Session, query: Query) -> str:
    compiled = query.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
    return "\n".join(row[3] for row in session.execute(text(f"EXPLAIN QUERY PLAN {compiled}".replace(":", r"\:"))))


def plan_in_postgresql(session: Session, query: Query) -> str:
    # Empty tables are read from end to end, which is quickest there; what is asked is whether an index could serve.
    session.execute(text("SET LOCAL enable_seqscan = off"))
    session.execute(text("SET LOCAL enable_bitmapscan = off"))
    session.execute(text("SET LOCAL enable_sort = off"))  # a few rows are put in order sooner than an index is walked
    compiled = query.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
    return "\n".join(session.scalars(text(f"EXPLAIN {compiled}".replace(":", r"\:"))))


@pytest.mark.parametrize("what", HOT)
def test_sqlite_answers_by_an_index(sqlite_database: Database, what: str) -> None:
    index, query = HOT[what]

    with sqlite_database.reading() as session:
        plan = plan_in_sqlite(session, query(session))

    assert SQLITE_NAMES.get(index, index) in plan, plan


@pytest.fixture
def untouched(empty_postgres_url: str) -> Iterator[Database]:
    """Tables of which PostgreSQL knows nothing yet: what other tests left in its statistics would decide the plan."""
    database = Database(empty_postgres_url)
    migrate(database)
    with database.writing() as session:
        audience_id(session, Audience(organization(session, "VNCERT").id, Level.GREEN))
    yield database
    database.close()


@pytest.mark.parametrize("walled", [False, True], ids=["in front of the wall", "behind it"])
def test_postgresql_answers_by_an_index(untouched: Database, walled: bool) -> None:
    opened: Callable[[], Any] = lambda: untouched.reading_for(READER) if walled else untouched.reading()  # noqa: E731

    for what, (index, query) in HOT.items():
        with opened() as session:
            plan = plan_in_postgresql(session, query(session))
        assert index in plan, f"{what}: {plan}"


def test_the_other_entries_of_an_object_are_looked_up_by_its_id(sqlite_database: Database) -> None:
    questions = (ObjectFilter(), ObjectFilter(types=frozenset({"indicator"})), ObjectFilter(versions=ALL))
    with sqlite_database.reading() as session, counted(sqlite_database) as said:
        for asked in questions:
            entries_after(session, READER, range(1, 50), asked, 0, 100)
        plans = [_plan_of(session, statement) for statement in list(said) if "other_entry" in statement]

    assert len(plans) == len(questions)
    for plan in plans:
        assert "USING INDEX ix_collection_entry_stix_id (stix_id=?)" in plan, plan
        assert "TEMP B-TREE" not in plan, plan


def _plan_of(session: Session, statement: str) -> str:
    nothing = (0,) * statement.count("?")
    return "\n".join(row[3] for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", nothing))


def test_postgresql_compiles_no_statement_of_ours(postgres_database: Database) -> None:
    """Where it knows a table badly it would, and take 300 ms for a statement of one."""
    with postgres_database.reading() as session:
        assert session.scalar(text("SHOW jit")) == "off"


def test_the_ends_of_ties_are_looked_up_one_by_one(untouched: Database) -> None:
    """Joined, all that is carried to the reader was read for each page while PostgreSQL had not counted the table."""
    with untouched.reading_for(READER, by_index=True) as session:
        compiled = str(SEEN.compile(dialect=session.get_bind().dialect))
        asked = session.connection().exec_driver_sql(f"EXPLAIN {compiled}", {"ids": ["file--1"], "mine": [1]})
        plan = "\n".join(row[0] for row in asked)

    assert "using ix_stix_object_stix_id" in plan, plan
    assert "Join" not in plan, plan
    assert "Nested Loop" not in plan, plan
