"""Whatever is done to a chain of entries, it is found, and the first broken one is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from kentongan.domain.audit import GENESIS, Chained, Entry, breaks, details_text, digest_of, entry_hash
from stories import NOON

texts = st.text(max_size=12)
tellings = st.tuples(texts, texts, st.none() | st.integers(1, 99), st.dictionaries(texts, texts, max_size=2))
chains = st.lists(tellings, min_size=1, max_size=6)


def chained(told: Sequence[tuple[str, str, int | None, dict[str, str]]]) -> list[Chained]:
    chain: list[Chained] = []
    previous = GENESIS
    for number, (name, subject, about, more) in enumerate(told, 1):
        details = details_text(more)
        at = NOON + timedelta(seconds=number)
        entry = Entry(number, at, 1, "CERT-ID", None, 7, name, "192.0.2.1", "read", subject, about, digest_of(details))
        chain.append(Chained(entry, details, previous, entry_hash(entry, previous)))
        previous = chain[-1].hash
    return chain


@given(chains)
def test_an_untouched_chain_holds(told: list[tuple[str, str, int | None, dict[str, str]]]) -> None:
    assert list(breaks(chained(told))) == []


@given(chains, st.data())
def test_a_changed_entry_is_named(told: list[tuple[str, str, int | None, dict[str, str]]], data: st.DataObject) -> None:
    chain = chained(told)
    place = data.draw(st.integers(0, len(chain) - 1))
    field = data.draw(st.sampled_from(["name", "subject", "about_id", "address", "act", "at", "organization_id"]))
    before = chain[place].entry
    changed = {"about_id": 98_765, "organization_id": 98_765, "at": before.at + timedelta(microseconds=1)}
    entry = replace(before, **{field: changed.get(field, "somebody else entirely")})  # type: ignore[arg-type]

    chain[place] = replace(chain[place], entry=entry)

    assert next(breaks(chain)).number == place + 1


@given(chains, st.data())
def test_an_entry_that_was_made_anew_breaks_the_one_behind_it(
    told: list[tuple[str, str, int | None, dict[str, str]]], data: st.DataObject
) -> None:
    assume(len(told) > 1)
    chain = chained(told)
    place = data.draw(st.integers(0, len(chain) - 2))
    entry = replace(chain[place].entry, subject="somebody else entirely")

    chain[place] = replace(chain[place], entry=entry, hash=entry_hash(entry, chain[place].previous))

    assert next(breaks(chain)).number == place + 2


@given(chains, st.data())
def test_a_removed_a_doubled_and_a_swapped_entry_are_found(
    told: list[tuple[str, str, int | None, dict[str, str]]], data: st.DataObject
) -> None:
    assume(len(told) > 2)
    chain = chained(told)
    place = data.draw(st.integers(0, len(chain) - 2))

    without = [*chain[:place], *chain[place + 1 :]]
    doubled = [*chain[: place + 1], *chain[place:]]
    swapped = [*chain[:place], chain[place + 1], chain[place], *chain[place + 2 :]]

    assert next(breaks(without)).number == place + 1
    assert next(breaks(doubled)).number == place + 2
    assert next(breaks(swapped)).number == place + 1


@given(chains, st.data())
def test_details_may_be_forgotten_but_not_changed(
    told: list[tuple[str, str, int | None, dict[str, str]]], data: st.DataObject
) -> None:
    chain = chained(told)
    place = data.draw(st.integers(0, len(chain) - 1))

    forgotten = [*chain[:place], replace(chain[place], details=None), *chain[place + 1 :]]
    changed = [*chain[:place], replace(chain[place], details='{"it":"was otherwise"}'), *chain[place + 1 :]]

    assert list(breaks(forgotten)) == []
    assert next(breaks(changed)).number == place + 1
