"""Behind the second wall PostgreSQL itself keeps from a reader what is not for it, whatever SQL is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from sqlalchemy import URL, create_engine, make_url, select, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.orm import Session

from alert_stories import subscribed
from kentongan.domain.identity import Identity, OrganizationKind
from kentongan.domain.incident import Observable
from kentongan.domain.marking import Level
from kentongan.storage import Base
from kentongan.storage.cases import Link
from kentongan.storage.database import Database
from kentongan.storage.migrate import migrate
from kentongan.storage.organizations import Organization
from kentongan.storage.second_wall import READER, NoReaderRole
from reading_stories import Region, reason
from stories import indicator, malware, relationship

CLOSED = frozenset(
    {
        "attempt",
        "audit_entry",
        "audit_head",
        "authenticator_app",
        "blind_posting",
        "coordinatorship",
        "date_added",
        "crowd",
        "device",
        "feed_state",
        "finding_member",
        "foreign_account",
        "idempotency_key",
        "masking",
        "organization_attribute",
        "passkey",
        "password",
        "person",
        "person_link",
        "person_session",
        "recovery_code",
        "relink_before",
        "relink_run",
        "retention",
        "text_band",
        "tie_end",
        "token",
    }
)
"""What no reader's session needs."""

VIEWS = ("link", "subscription", "finding", "feed", "feed_run", "feed_item")
"""What a reader finds as a view, not as the table."""


@dataclass
class Hidden:
    """LaoCERT's RED things, and who must not see them."""

    laos: Identity
    bank: Identity
    secret: str


@pytest.fixture
def hidden(postgres_database: Database) -> Hidden:
    with postgres_database.writing() as session:
        region = Region(session)
        laos, bank = region.joins("LaoCERT"), region.joins("A bank", OrganizationKind.SUBSCRIBER)
        campaign, value = region.campaign(), Observable("domain", "hidden.example")
        rat, hunted = malware(marking=Level.RED), indicator(marking=Level.RED)
        tie = relationship(rat, "uses", hunted, marking=Level.GREEN)
        one = region.reports(
            laos,
            "One",
            Level.RED,
            objects=(rat, hunted, tie),
            seen=(value,),
            countries=("LA",),
            case=region.case(campaign),
        )
        other = region.reports(laos, "Other", Level.RED, seen=(value,), case=region.case(campaign))
        region.related(one, other)
        region.carries(hunted["id"], value)
        old, old_campaign = region.case(), region.campaign()
        old.merged_into_id, old_campaign.merged_into_id = one.case_id, campaign.id
        mine = subscribed(session, session.get_one(Organization, laos.organization_id))
        mine.secret = "whsec_secret"
        return Hidden(laos, bank, mine.secret)


def rows(session: Session, table: str) -> int:
    return int(session.scalar(text(f"SELECT count(*) FROM (SELECT FROM {table}) AS every")) or 0)


def readable() -> list[str]:
    return sorted(set(Base.metadata.tables) - CLOSED)


def test_every_table_is_behind_the_wall_or_closed(postgres_database: Database, hidden: Hidden) -> None:
    refused = set()
    for table in Base.metadata.tables:
        with postgres_database.reading_for(hidden.laos) as session:
            try:
                session.execute(text(f"SELECT count(*) FROM {table}"))
            except ProgrammingError:
                refused.add(table)

    assert refused == CLOSED


def test_who_may_see_nothing_finds_every_table_empty(postgres_database: Database, hidden: Hidden) -> None:
    with postgres_database.reading_for(hidden.bank) as session:
        found = {table: rows(session, table) for table in readable()}
    with postgres_database.reading_for(hidden.laos) as session:
        own = {table: rows(session, table) for table in readable()}

    # The tie is GREEN, and hidden because its ends are: that something of LaoCERT's is GREEN is all that is left of it.
    assert {table: count for table, count in found.items() if count} == {
        "organization": 2,
        "audience": 1,
        "object_carrier": 1,
        "collection_entry": 1,
    }
    told = {"incident", "object_carrier", "stix_object", "posting", "observable", "object_observable", "incident_tag"}
    told |= {"incident_case", "campaign", "link", "submission", "subscription", "audience", "job"}
    assert told <= {table for table, count in own.items() if count}
    assert (own["incident_case"], own["campaign"]) == (3, 2)  # what was merged away leads its own readers on


def test_without_a_reader_the_role_sees_nothing(postgres_database: Database, hidden: Hidden) -> None:
    with postgres_database.reading() as session:
        session.execute(text(f"SET LOCAL ROLE {READER}"))

        found = {table: rows(session, table) for table in readable() if table not in VIEWS}
        views = {name: rows(session, f"{READER}.{name}") for name in VIEWS}

    assert set(found.values()) | set(views.values()) == {0}


def test_a_reader_writes_nothing(postgres_database: Database, hidden: Hidden) -> None:
    for statement in (
        "UPDATE incident SET title = 'mine'",
        "DELETE FROM link",
        "UPDATE subscription SET target = 'https://example.org'",
        "CREATE TABLE mine (id int)",
    ):
        with postgres_database.reading_for(hidden.laos) as session, pytest.raises(DBAPIError):
            session.execute(text(statement))


def test_not_even_its_own_reader_reads_a_secret_or_a_score(postgres_database: Database, hidden: Hidden) -> None:
    with postgres_database.reading_for(hidden.laos) as session:
        assert session.scalars(text("SELECT secret FROM subscription")).all() == [""]
        assert session.scalars(text("SELECT score FROM link")).all() == [0.0]
        with pytest.raises(ProgrammingError):
            session.execute(text("SELECT secret FROM public.subscription"))


def test_evidence_is_shown_item_by_item(postgres_database: Database) -> None:
    with postgres_database.writing() as session:
        region = Region(session)
        laos, thailand = region.joins("LaoCERT"), region.joins("ThaiCERT")
        one, other, third = (region.reports(laos, title) for title in ("One", "Other", "Third"))
        secret, against = region.audience(laos, Level.RED), reason("another country", [one.audience_id], -0.5)
        region.related(one, other, reason("open", [one.audience_id]), reason("secret", [one.audience_id, secret]))
        region.related(one, third, reason("secret", [secret]), against)

    with postgres_database.reading_for(thailand) as session:
        shown = [[item["words"] for item in link.evidence] for link in session.scalars(select(Link))]
    with postgres_database.reading_for(laos) as session:
        whole = [[item["words"] for item in link.evidence] for link in session.scalars(select(Link).order_by(Link.id))]

    assert shown == [["open"]]
    assert whole == [["open", "secret"], ["secret", "another country"]]


def test_the_next_transaction_of_a_connection_stands_in_front_of_the_wall(
    postgres_database: Database, hidden: Hidden
) -> None:
    with postgres_database.reading_for(hidden.bank) as session:
        behind = session.scalar(text("SELECT pg_backend_pid()")), rows(session, "incident")
    with postgres_database.reading() as session:
        before = session.scalar(text("SELECT pg_backend_pid()")), rows(session, "incident")
        settings = session.execute(
            text("SELECT current_setting('kentongan.audiences', true), current_setting('search_path'), current_user")
        ).one()

    assert behind[0] == before[0]
    assert (behind[1], before[1]) == (0, 2)
    assert (settings[0] or "", READER in settings[1], settings[2] == READER) == ("", False, False)


def test_what_a_policy_reads_is_worked_out_once_for_a_statement(postgres_database: Database, hidden: Hidden) -> None:
    with postgres_database.reading_for(hidden.laos) as session:
        plan = "\n".join(session.scalars(text("EXPLAIN (VERBOSE) SELECT id FROM incident")))

    assert "hashed SubPlan" in plan


def test_two_databases_of_one_server_are_migrated_at_once(postgres_server: URL) -> None:
    urls = [postgres_server.set(database=f"kentongan_wall_{number}") for number in range(2)]
    with _databases(postgres_server, urls):
        failed: list[BaseException] = []
        threads = [threading.Thread(target=_migrated, args=(url, failed)) for url in urls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert failed == []


def test_a_login_that_may_make_no_role_is_told_what_to_have_run(postgres_server: URL) -> None:
    login = postgres_server.set(username="kentongan_plain", database="kentongan_wall_plain")
    _say(postgres_server, "DROP ROLE IF EXISTS kentongan_plain", "CREATE ROLE kentongan_plain LOGIN")
    with _databases(postgres_server, [login], owner="kentongan_plain"):
        database = Database(login.render_as_string(hide_password=False))
        with pytest.raises(NoReaderRole, match=f"GRANT {READER} TO kentongan_plain") as refused:
            migrate(database)
        told = [line for line in str(refused.value).split("; ") if line.strip().startswith(("GRANT", "CREATE SCHEMA"))]
        _say(login.set(username=postgres_server.username), *told)

        migrate(database)

        with database.reading_for(Identity(0, "nobody", OrganizationKind.SUBSCRIBER)) as session:
            assert session.scalar(text("SELECT current_user")) == READER
        database.close()
    _say(postgres_server, "DROP ROLE kentongan_plain")


def _migrated(url: URL, failed: list[BaseException]) -> None:
    database = Database(url.render_as_string(hide_password=False))
    try:
        migrate(database)
    except BaseException as error:  # told to the test
        failed.append(error)
    finally:
        database.close()


@contextmanager
def _databases(server: URL, urls: list[URL], owner: str | None = None) -> Iterator[None]:
    for url in urls:
        _say(
            server,
            f"DROP DATABASE IF EXISTS {url.database} WITH (FORCE)",
            f"CREATE DATABASE {url.database} TEMPLATE template0 ENCODING 'UTF8'" + (f" OWNER {owner}" if owner else ""),
        )
    try:
        yield
    finally:
        for url in urls:
            _say(server, f"DROP DATABASE {url.database} WITH (FORCE)")


def _say(server: URL, *statements: str) -> None:
    engine = create_engine(make_url(server), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()
