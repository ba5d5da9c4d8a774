"""Whatever is changed in a chain of entries is found, and the first entry that does not hold is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from kentongan.domain.audit import (
    GENESIS,
    Act,
    Chained,
    Details,
    Entry,
    breaks,
    details_text,
    digest_of,
    entry_hash,
    read_details,
)
from kentongan.domain.audit_head import Head, NoHead, SignedHead, read_head

WORDS = st.text(st.characters(codec="utf-8"), max_size=12)
ROW_NUMBERS = st.none() | st.integers(1, 2**31)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
DETAILS = st.builds(
    Details, name=WORDS, address=WORDS, told=st.dictionaries(WORDS, WORDS | st.lists(WORDS), max_size=3), salt=WORDS
)
ENTRIES = st.builds(
    Entry,
    number=st.just(0),
    at=MOMENTS,
    organization_id=ROW_NUMBERS,
    organization=WORDS,
    person_id=ROW_NUMBERS,
    token_id=ROW_NUMBERS,
    act=st.sampled_from([act.value for act in Act]),
    subject=WORDS,
    about_id=ROW_NUMBERS,
    details_sha256=st.just(b""),
)


def chained(told: Sequence[tuple[Entry, Details]]) -> list[Chained]:
    """These as entries of one chain."""
    chain, previous = [], GENESIS
    for number, (entry, details) in enumerate(told, 1):
        text = details_text(details)
        placed = replace(entry, number=number, details_sha256=digest_of(text))
        chain.append(Chained(placed, text, previous, entry_hash(placed, previous)))
        previous = chain[-1].hash
    return chain


CHAINS = st.lists(st.tuples(ENTRIES, DETAILS), min_size=2, max_size=6).map(chained)


def first_broken(chain: Sequence[Chained]) -> int | None:
    return next((broken.number for broken in breaks(chain)), None)


def another(value: Any) -> Any:
    """Something else of the same kind."""
    if value is None:
        return 7
    if isinstance(value, bool | int):
        return value + 1
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:]
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1)
    return f"{value}x"


@given(CHAINS)
def test_an_untouched_chain_holds(chain: list[Chained]) -> None:
    assert first_broken(chain) is None


@given(CHAINS, st.data())
def test_a_change_of_any_field_of_any_entry_is_found_and_that_entry_is_named(
    chain: list[Chained], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(chain) - 1))
    name = data.draw(st.sampled_from([field.name for field in fields(Entry) if field.name != "number"]))
    changed = replace(chain[place].entry, **{name: another(getattr(chain[place].entry, name))})

    chain[place] = replace(chain[place], entry=changed)

    assert first_broken(chain) == place + 1


@given(CHAINS, st.data())
def test_changed_details_are_found(chain: list[Chained], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(chain) - 1))

    chain[place] = replace(chain[place], details=f"{chain[place].details} ")

    assert first_broken(chain) == place + 1


@given(CHAINS, st.data())
def test_an_entry_that_was_changed_with_its_hash_breaks_the_chain_behind_it(
    chain: list[Chained], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(chain) - 2))
    changed = replace(chain[place].entry, subject=chain[place].entry.subject + "x")

    chain[place] = replace(chain[place], entry=changed, hash=entry_hash(changed, chain[place].previous))

    assert first_broken(chain) == place + 2


@given(CHAINS, st.data())
def test_an_entry_that_was_taken_out_is_missed(chain: list[Chained], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(chain) - 2))

    del chain[place]

    assert first_broken(chain) == place + 1


@given(CHAINS, st.data())
def test_an_entry_that_was_taken_out_is_missed_also_when_the_others_are_numbered_anew(
    chain: list[Chained], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(chain) - 2))

    del chain[place]
    renumbered = [replace(link, entry=replace(link.entry, number=n)) for n, link in enumerate(chain, 1)]

    assert first_broken(renumbered) == place + 1


@given(CHAINS, ENTRIES, DETAILS, st.data())
def test_an_entry_that_was_put_in_between_is_found(
    chain: list[Chained], entry: Entry, details: Details, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(chain) - 1))
    before = chain[place - 1].hash if place else GENESIS
    text = details_text(details)
    forged = replace(entry, number=place + 1, details_sha256=digest_of(text))

    chain.insert(place, Chained(forged, text, before, entry_hash(forged, before)))
    renumbered = [replace(link, entry=replace(link.entry, number=n)) for n, link in enumerate(chain, 1)]

    assert first_broken(renumbered) == place + 2


@given(CHAINS, st.data())
def test_two_entries_that_changed_places_are_found(chain: list[Chained], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(chain) - 2))

    chain[place], chain[place + 1] = chain[place + 1], chain[place]

    assert first_broken(chain) == place + 1


@given(CHAINS)
def test_forgotten_details_leave_the_chain_whole(chain: list[Chained]) -> None:
    assert first_broken([replace(link, details=None) for link in chain]) is None


@given(DETAILS)
def test_details_are_read_as_they_were_told(details: Details) -> None:
    assert read_details(details_text(details)) == details


def head(key: Ed25519PrivateKey, number: int = 7) -> SignedHead:
    own = Head(
        "https://kentongan.example",
        number,
        "ab" * 32,
        "2026-03-02T12:00:00Z",
        key.public_key().public_bytes_raw().hex(),
    )
    return SignedHead(own.installation, own.number, own.hash, own.at, own.key, key.sign(own.signed_bytes()).hex())


def test_a_signed_head_is_genuine_and_reads_back_from_json() -> None:
    signed = head(Ed25519PrivateKey.generate())

    assert signed.is_genuine()
    assert read_head(signed.as_json()) == signed


@pytest.mark.parametrize("name", [field.name for field in fields(SignedHead)])
def test_a_head_with_anything_changed_is_not_genuine(name: str) -> None:
    signed = head(Ed25519PrivateKey.generate())
    value = getattr(signed, name)
    other = value + 1 if isinstance(value, int) else ("0" if value[0] != "0" else "1") + value[1:]

    assert not read_head(signed.as_json() | {name: other}).is_genuine()


@pytest.mark.parametrize(
    "given",
    [[], "head", {}, {"number": "7"}, head(Ed25519PrivateKey.generate()).as_json() | {"hash": "abc"}],
)
def test_what_is_no_head_is_refused_with_a_reason(given: Any) -> None:
    with pytest.raises(NoHead, match=r"."):
        read_head(given)
