"""What every table shares: naming of constraints, moments as integers, JSON as text, public ids."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import orjson
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Dialect,
    Integer,
    MetaData,
    Text,
    any_,
    bindparam,
    func,
    literal,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import and_ as and_op
from sqlalchemy.sql.operators import or_ as or_op
from sqlalchemy.types import TypeDecorator, TypeEngine

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


class _Listed(TypeDecorator[Any]):
    """Many values as one parameter: an array on PostgreSQL, their JSON on SQLite."""

    impl = Text
    cache_ok = True

    def __init__(self, item: type[BigInteger] | type[Text]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """How each database takes it."""
        kept: TypeEngine[Any] = ARRAY(self.item) if dialect.name == "postgresql" else Text()
        return dialect.type_descriptor(kept)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """A sequence of numbers or of texts."""
        return value if dialect.name == "postgresql" else orjson.dumps(value).decode()


class _Among(FunctionElement[bool]):
    """What `among` makes: a column and the parameter."""

    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> Any:  # Any: an operator, as SQLAlchemy names it
        """As it is: asked whether it equals true, no index would be used for it."""
        return self if against in (and_op, or_op, None) else super().self_group(against)


@compiles(_Among, "sqlite")
def _among_on_sqlite(element: _Among, compiler: Any, **how: Any) -> str:  # Any: SQLAlchemy's compilers are untyped
    column, listed = (compiler.process(each, **how) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({listed}))"  # noqa: S608  # our own words, and a bound parameter


@compiles(_Among, "postgresql")
def _among_on_postgresql(element: _Among, compiler: Any, **how: Any) -> str:  # Any: the same
    column, listed = (compiler.process(each, **how) for each in element.clauses)
    return f"{column} = ANY ({listed})"


def among(column: Any, name: str, item: type[BigInteger] | type[Text] = BigInteger) -> ColumnElement[bool]:
    """Whether a column holds one of the values bound as `name`, a list: for statements that are built once.

    The list is one parameter, however long: SQLAlchemy writes out a parameter for each value of its own `in_` in each run, which
    takes longer than most such statements, and PostgreSQL would plan a statement of its own for each length.
    """
    return _Among(column, bindparam(name, type_=_Listed(item)))


def new_public_id() -> str:
    """A random id to show outside: it tells neither how many there are nor which came first."""
    return str(uuid.uuid4())


def new_stix_identity() -> str:
    """A random STIX id for somebody of this platform, by which markings name them."""
    return f"identity--{uuid.uuid4()}"
