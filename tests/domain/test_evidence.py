"""A link is told of only where the reasons that may be told make it by themselves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kentongan.domain import campaigns, duplicates
from kentongan.domain.duplicates import Rarity, Report
from kentongan.domain.evidence import MOST_REASONS, Finding, Judgement, hold, judged
from kentongan.domain.incident import IncidentFacts, Observable, StixId
from kentongan.domain.rarity import Spread
from kentongan.services import evidence_codec

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
OPEN, STRICTER = 1, 2
VALUES = [Observable("sha256", f"{number:064d}") for number in range(6)]
PAGE = "https://news.example/article"


def told(judgement: Judgement, *mine: int) -> bool:
    """Whether who belongs to these audiences is told of the link."""
    return bool(evidence_codec.told(mine, evidence_codec.written(judgement.evidence)))


def report(values: dict[Observable, int], days: int = 0, **facts: object) -> Report:
    return Report(
        IncidentFacts(stix_id=StixId("incident--1"), title="Intrusion", **facts),  # type: ignore[arg-type]
        NOON + timedelta(days=days),
        OPEN,
        values,
        {},
    )


def without_what_is_hidden(whole: Report) -> Report:
    return replace(whole, values={value: audience for value, audience in whole.values.items() if audience == OPEN})


held = st.dictionaries(st.sampled_from(VALUES), st.sampled_from([OPEN, STRICTER]), min_size=3)
carried = st.fixed_dictionaries({value: st.integers(2, 60) for value in VALUES})
culprits = st.sampled_from([(), ("Emotet",), ("Qakbot",)])
pages = st.sampled_from([(), (PAGE,)])


@given(held, held, carried, culprits, culprits, pages, st.integers(0, 500))
def test_a_campaign_link_is_told_exactly_where_what_is_seen_would_make_it(
    mine: dict[Observable, int],
    theirs: dict[Observable, int],
    carriers: dict[Observable, int],
    one_culprit: tuple[str, ...],
    other_culprit: tuple[str, ...],
    refers: tuple[str, ...],
    days: int,
) -> None:
    rarity = Rarity({value: Spread(count) for value, count in carriers.items()}, {}, {})
    one = report(mine, malware=one_culprit, references=refers)
    other = report(theirs, days, malware=other_culprit, references=refers)
    whole = campaigns.compare(one, other, rarity)
    assume(whole.score >= campaigns.RELATED)

    seen = campaigns.compare(without_what_is_hidden(one), without_what_is_hidden(other), rarity)

    assert told(whole, OPEN, STRICTER)
    assume(abs(seen.bits) > 0.02)  # weights are kept with four digits
    assert told(whole, OPEN) == (seen.score >= campaigns.RELATED)


@given(st.integers(1, 60), st.integers(0, 40))
def test_a_duplicate_is_told_to_who_sees_all_of_it_however_many_reasons_there_are(values: int, days: int) -> None:
    both = {Observable("sha256", f"{number:064d}"): OPEN for number in range(values)}
    judgement = duplicates.compare(report(both), report(both, days), Rarity({}, {}, {}))
    assume(judgement.score >= duplicates.SAME_EVENT)

    assert told(judgement, OPEN)
    assert len(judgement.evidence) <= MOST_REASONS + 1


@pytest.mark.parametrize("hidden", range(1, 30))
def test_small_reasons_count_together_and_only_for_who_sees_them(hidden: int) -> None:
    findings = [
        Finding("value", 0.4, f"{number}", None, (STRICTER if number < hidden else OPEN,)) for number in range(30)
    ]
    judgement = judged(findings, -5.5, 0.5)

    assert told(judgement, OPEN, STRICTER)
    assert told(judgement, OPEN) == ((30 - hidden) * 0.4 >= 5.5)
    assert told(judgement, STRICTER) == (hidden * 0.4 >= 5.5)


def test_what_speaks_against_a_link_must_be_outweighed_by_what_is_seen() -> None:
    findings = [
        Finding("value", 8.0, "a file", None, (OPEN,)),
        Finding("victim", 4.0, "the same victim", None, (STRICTER,)),
        Finding("time", -4.0, "a year apart", None, (OPEN,)),
    ]
    judgement = judged(findings, -5.5, 0.5)

    assert told(judgement, OPEN, STRICTER)
    assert not told(judgement, OPEN)


def test_of_values_that_come_in_sets_the_next_one_moves_up_where_the_first_is_hidden() -> None:
    assert hold([(1.5, 1.5), (0.6, 1.2)])
    assert hold([(0.6, 1.2)])
    assert not hold([(0.3, 0.6), (0.1, 0.6)])


def test_a_prior_that_links_everything_is_refused() -> None:
    with pytest.raises(ValueError, match="everything"):
        judged([], 3.0, 0.5)
