"""The second wall behind the policy filter: on PostgreSQL a reader's transaction runs as a role that row-level security binds.

What the role may read stands in the migration that made it (v0008); docs/adr/0012-row-level-security.md says what it keeps out
and what it does not.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ARRAY, BigInteger, Connection, Select, func, select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from kentongan.domain.identity import Identity, Role
from kentongan.storage.visibility import ASKED_ONCE, audiences_of

READER: Final = "kentongan_reader"
"""The role, and the schema with what it reads instead of tables. Roles belong to the whole server, schemas to one database."""

_NOT_ALLOWED: Final = "42501"  # insufficient_privilege
_BEHIND: Final = "kentongan_behind_the_wall"
_BY_INDEX: Final = "kentongan_by_index"
_STEP: Final = text(
    f"num_nulls(set_config('role', '{READER}', true), "
    f"set_config('search_path', '{READER},' || current_setting('search_path'), true), "
    "set_config('kentongan.organization', CAST(:organization AS text), true), "
    "set_config('kentongan.person', CAST(:person AS text), true), "
    "set_config('kentongan.audiences', CAST(kentongan_audiences(CAST(:organization AS bigint), :kind, "
    "CAST(nullif(:person, '') AS bigint), :operator) AS text), true))"
)


class NoReaderRole(Exception):
    """The database's role for readers is missing, and this login may not make it; the message holds what to run."""


_KEEP_TO_INDEXES: Final = (
    "num_nulls(set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true), "
    "set_config('enable_bitmapscan', 'off', true))"
)


def step_behind(session: Session, reader: Identity, *, by_index: bool = False) -> None:
    """From here until its end this transaction reads only what is for `reader`, whatever it asks; one round trip.

    `by_index`: as after `keep_to_indexes`, in the same round trip.

    The reader's audiences are worked out once, here: every statement then only looks into them. Those of the policy's filter are
    asked in the same breath, and in front of the wall: the two answers owe nothing to each other.
    """
    if session.get_bind().dialect.name != "postgresql":
        return
    question = audiences_of(reader)
    audiences = session.execute(
        _step(question, by_index),
        {
            "organization": str(reader.organization_id),
            "person": "" if reader.person_id is None else str(reader.person_id),
            "kind": reader.kind.value,
            "operator": Role.OPERATOR in reader.roles,
        },
    ).scalar_one()
    session.info[_BEHIND] = True
    session.info[_BY_INDEX] = by_index
    session.info.setdefault(ASKED_ONCE, {})[question] = frozenset(audiences)


@lru_cache(maxsize=4096)
def _step(question: Select[int], by_index: bool) -> Select[*tuple[Any, ...]]:
    """Both in one statement, kept ready as the question is. The settings are counted to be one column that nobody reads."""
    told = [text(_KEEP_TO_INDEXES)] if by_index else []
    return select(func.array(question.scalar_subquery(), type_=ARRAY(BigInteger)), _STEP, *told)


def keep_to_indexes(session: Session) -> None:
    """Until PostgreSQL has counted a new table it takes it for nearly empty, and sorts all of it for each page."""
    if session.get_bind().dialect.name == "postgresql" and not session.info.get(_BY_INDEX):
        session.execute(text(f"SELECT {_KEEP_TO_INDEXES}"))  # our own words
        session.info[_BY_INDEX] = True


def is_behind(session: Session) -> bool:
    """Whether this session reads behind the wall."""
    return bool(session.info.get(_BEHIND))


def require_reader_role(connection: Connection) -> None:
    """Make the role and its schema as far as they are missing. Raises NoReaderRole where this login may not.

    Several databases of one server share the role, and may make it at the same moment.
    """
    try:
        for statement in _MAKE:
            with connection.begin_nested():
                connection.exec_driver_sql(statement)
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", "") != _NOT_ALLOWED:
            raise
        login, schema = connection.exec_driver_sql(
            "SELECT quote_ident(session_user), quote_ident(current_database())"
        ).one()
        raise NoReaderRole(
            f"this login may not make what readers are kept by ({str(error.orig).splitlines()[0]}). Have a database "
            f"administrator run, connected to {schema}: CREATE ROLE {READER} NOLOGIN; GRANT {READER} TO {login}; "
            f"CREATE SCHEMA {READER} AUTHORIZATION {login}; then: kentongan migrate"
        ) from error


_MAKE: Final = (
    f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{READER}') THEN CREATE ROLE {READER} NOLOGIN; END IF; "
    "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
    # To be a member is not enough from PostgreSQL 16 on: whether the role can be taken is found out by taking it.
    f"DO $$ BEGIN SET LOCAL ROLE {READER}; RESET ROLE; EXCEPTION WHEN insufficient_privilege THEN "
    f"BEGIN EXECUTE format('GRANT {READER} TO %%I', session_user); "
    "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END; END $$",
    f"CREATE SCHEMA IF NOT EXISTS {READER}",
)
