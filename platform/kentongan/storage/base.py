"""What every table shares: naming of constraints, moments as integers, JSON as text, public ids."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import orjson
from sqlalchemy import ARRAY, BigInteger, ColumnElement, Dialect, Integer, MetaData, Text, any_, func, literal, select
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Item = TypeVar("Item")

BigId = BigInteger().with_variant(Integer(), "sqlite")
"""A 64-bit key; SQLite counts up only what it calls INTEGER, which is 64 bits wide there too."""


class Base(DeclarativeBase):
    """All tables. Constraint names are fixed, so that migrations can name what they change."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def microseconds(moment: datetime) -> int:
    """A moment as `Instant` stores it. Refuses a naive datetime with ValueError: nobody knows which moment it means."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return (moment - _EPOCH) // _MICROSECOND


class Instant(TypeDecorator[datetime]):
    """An aware moment, kept as whole microseconds since 1970 UTC: sorts, compares and round-trips alike on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Raises ValueError for a naive datetime."""
        if value is None:
            return None
        return microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Back to an aware UTC datetime."""
        return None if value is None else _EPOCH + value * _MICROSECOND


class Json(TypeDecorator[Any]):
    """A JSON value kept as text: read as a whole, never searched inside."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Serialize; None stays NULL."""
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        """Parse."""
        return None if value is None else orjson.loads(value)


def in_parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Pieces that fit into one statement each: databases bound how many parameters a statement takes."""
    for start in range(0, len(items), 5_000):
        yield items[start : start + 5_000]


def is_one_of(
    session: Session, column: InstrumentedAttribute[int] | ColumnElement[int], numbers: Collection[int]
) -> ColumnElement[bool]:
    """Whether a column holds one of these row numbers, which are one parameter: the statement stays the same for any number."""
    ordered = sorted(numbers)
    if session.get_bind().dialect.name == "postgresql":
        return column == any_(literal(ordered, ARRAY(BigInteger)))
    return column.in_(select(func.json_each(literal(ordered, Json)).table_valued("value").c.value))


def new_public_id() -> str:
    """A random id to show outside: it tells neither how many there are nor which came first."""
    return str(uuid.uuid4())


def new_stix_identity() -> str:
    """A random STIX id for somebody of this platform, by which markings name them."""
    return f"identity--{uuid.uuid4()}"
