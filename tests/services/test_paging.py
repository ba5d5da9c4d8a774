"""A cursor leads back to where it was given, in the list it was given for, and nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.services.paging import CURSOR_LENGTH, Position, WrongCursor, read_cursor, write_cursor

MOMENTS = st.datetimes(timezones=st.just(UTC))
IDS = st.uuids().map(str)
FILTERS = st.dictionaries(st.sampled_from(["country", "text", "limit"]), st.none() | st.text() | MOMENTS)


@given(at=MOMENTS, public_id=IDS, asked=FILTERS)
def test_a_cursor_leads_back_to_its_place(at: datetime, public_id: str, asked: dict[str, object]) -> None:
    cursor = write_cursor(Position(at, public_id), asked)

    assert read_cursor(cursor, asked) == Position(at, public_id)
    assert len(cursor) == CURSOR_LENGTH


@given(at=MOMENTS, public_id=IDS, asked=FILTERS, other=FILTERS)
def test_a_cursor_is_refused_with_another_filter(
    at: datetime, public_id: str, asked: dict[str, object], other: dict[str, object]
) -> None:
    cursor = write_cursor(Position(at, public_id), asked)

    if asked != other:
        with pytest.raises(WrongCursor):
            read_cursor(cursor, other)


@given(text=st.text() | st.text("ABCabc012_-", min_size=CURSOR_LENGTH, max_size=CURSOR_LENGTH))
def test_whatever_else_is_sent_as_a_cursor_is_refused(text: str) -> None:
    with pytest.raises(WrongCursor):
        read_cursor(text, {"list": "incidents"})


def test_a_cursor_of_our_list_with_a_moment_that_cannot_be_is_refused() -> None:
    asked = {"list": "incidents"}
    good = write_cursor(Position(datetime.max.replace(tzinfo=UTC), str(UUID(int=0))), asked)

    beyond = good[:11] + "_" * 5 + good[16:]

    with pytest.raises(WrongCursor):
        read_cursor(beyond, asked)


def test_without_a_cursor_a_list_begins_at_its_beginning() -> None:
    assert read_cursor(None, {}) is None
