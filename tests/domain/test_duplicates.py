"""Two reports of one event: what makes it likelier, what speaks against it, and what says nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.domain.duplicates import SAME_EVENT, Rarity, Report, compare, other_names
from kentongan.domain.incident import IncidentFacts, Moment, Observable, StixId, Victim
from kentongan.domain.rarity import Spread

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FILES = [Observable("sha256", digit * 64) for digit in "123456"]
STORE = Rarity({}, {}, {})


def report(
    *,
    victim: str | None = "PT Tirta Energi Tbk",
    values: list[Observable] = FILES[:3],
    within: list[Observable] = (),  # type: ignore[assignment]  # an empty tuple is as good
    days: float = 0,
    reported: float = 0,
    precision: str = "day",
    **facts: object,
) -> Report:
    told = {"title": "Intrusion", "countries": ("ID",), "sectors": ("energy",), **facts}
    told.setdefault("happened", Moment(NOON + timedelta(days=days), precision))
    number = abs(hash((victim, tuple(values), days, reported, tuple(sorted(map(str, told.items()))))))
    own = IncidentFacts(stix_id=StixId(f"incident--{number}"), victims=(Victim(victim),), **told)  # type: ignore[arg-type]
    received = NOON + timedelta(days=reported)
    return Report(own, received, 1, dict.fromkeys(values, 1), dict.fromkeys(within, 1))


def score(one: Report, other: Report, rarity: Rarity = STORE) -> float:
    return compare(one, other, rarity).score


def rules(one: Report, other: Report, rarity: Rarity = STORE) -> dict[str, float]:
    return {reason.rule: reason.weight for reason in compare(one, other, rarity).evidence}


@pytest.mark.parametrize(
    "other_name",
    [
        "PT Tirta Energi Tbk",
        "TIRTA ENERGI",
        "Tirta Energi (TE)",
        "PT. Tirta Energi (Persero)",
        "Tirta Énergi",
        "Tirtta Energi",
        "Tirta Energy",
        "Energi Tirta",
        None,
    ],
)
def test_a_victim_written_otherwise_is_the_same_event(other_name: str | None) -> None:
    assert score(report(), report(victim=other_name, days=1, reported=2)) >= SAME_EVENT


@pytest.mark.parametrize("other_name", ["PT Tirta Logistik", "Bank Kirana", "Universitas Tirta"])
def test_another_victim_of_the_same_attacker_is_another_event(other_name: str) -> None:
    assert score(report(), report(victim=other_name)) < 0.25


@pytest.mark.parametrize("days", [40, 90, 400])
def test_the_same_victim_months_apart_is_another_event(days: int) -> None:
    assert score(report(), report(days=days, reported=days, values=FILES[3:])) < 0.05


def test_a_time_told_coarsely_fits_whatever_lies_within_it() -> None:
    monthly = report(happened=Moment(datetime(2026, 3, 1, tzinfo=UTC), "month"))

    assert score(report(days=20, reported=22), monthly) >= SAME_EVENT
    assert score(report(days=20), monthly) > score(report(days=75, reported=75), monthly)


def test_a_shared_value_tells_less_the_more_incidents_carry_it() -> None:
    one, other = report(victim=None), report(victim=None, reported=1)

    scores = [score(one, other, Rarity(dict.fromkeys(FILES, Spread(n)), {}, {})) for n in (2, 10, 50, 300)]

    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.9
    assert scores[-1] < SAME_EVENT


def test_a_host_instead_of_the_url_is_a_value_in_common() -> None:
    url, host = Observable("url", "http://a.evil.com/x"), Observable("domain", "a.evil.com")
    one = report(victim=None, values=[url], within=[host])
    other = report(victim=None, values=[host])

    assert rules(one, other)["value"] > 0
    assert "within it" in next(r.words for r in compare(one, other, STORE).evidence if r.rule == "value")


def test_texts_alone_can_tell() -> None:
    told = (
        "Visitors of the ministry's tender portal were led to a counterfeit sign-in page and their passwords were sold "
        "on a forum together with scanned contracts."
    )
    one = report(victim=None, values=[], description=told, rsit_class="fraud")
    other = report(
        victim=None, values=[], title="Tender portal", description=told[:130], reported=3, rsit_class="fraud"
    )

    assert score(one, other) >= SAME_EVENT
    assert (
        score(one, report(victim=None, values=[], description="Power meters stopped reporting after a faulty update."))
        < 0.1
    )


def test_a_number_in_both_texts_tells_across_languages() -> None:
    english = "Somebody offered the archive of 48,213 passports for sale on a closed forum."
    one = report(victim=None, values=[], description=english)
    other = report(
        victim=None, values=[], description="Arsip berisi 48.213 paspor ditawarkan di sebuah forum tertutup."
    )

    told = {reason.rule: reason.words for reason in compare(one, other, STORE).evidence}

    assert told["number"] == "both texts tell the number 48213"
    assert "wording" not in told


def test_words_that_every_report_uses_tell_less_than_others() -> None:
    common = "Hackers stole personal records, passwords and payment data of customers and employees"
    own = "Burglars carried seven shipping manifests, harbour permits and ballast charts aboard trawlers"

    weights = [
        next(f.bits for f in compare(one, replace(one, audience_id=2), STORE).findings if f.rule == "wording")
        for one in (report(description=text) for text in (common, own))
    ]

    assert weights[0] < weights[1]


def test_a_page_that_lists_many_events_tells_nothing() -> None:
    page = "https://news.example.com/roundup"
    one, other = (report(victim=None, values=[], references=(page,), reported=n) for n in range(2))

    assert "page" in rules(one, other)
    assert "page" not in rules(one, other, Rarity({}, {}, {"news.example.com/roundup": Spread(40)}))
    assert score(one, other) < SAME_EVENT


def test_the_same_incident_id_from_two_organizations_is_one_event() -> None:
    one = report()
    other = replace(report(victim="Somebody Else", values=[]), facts=replace(report().facts, victims=(Victim("Else"),)))

    assert score(one, replace(other, facts=replace(other.facts, stix_id=one.facts.stix_id))) > 0.9


def test_evidence_is_shown_only_to_who_may_see_all_it_comes_from() -> None:
    one = replace(report(), audience_id=10, values={FILES[0]: 11})
    other = replace(report(), audience_id=20, values={FILES[0]: 21})

    told = {reason.rule: reason.audiences for reason in compare(one, other, STORE).evidence}

    assert told["value"] == (10, 11, 20, 21)
    assert told["victim"] == (10, 20)


def test_a_weight_is_a_share_of_what_the_prior_and_all_that_speaks_against_it_ask_for() -> None:
    judged = compare(report(), report(countries=("PH",)), STORE)
    weights = [reason.weight for reason in judged.evidence]
    threshold = log2(SAME_EVENT / (1 - SAME_EVENT))

    assert sum(weight for weight in weights if weight > 0) > 1
    assert min(weights) < 0
    in_favour = sum(finding.bits for finding in judged.findings if finding.bits > 0)
    assert judged.bits - threshold == pytest.approx(in_favour - judged.needed, abs=0.001)


def test_words_count_nothing_that_may_be_hidden() -> None:
    judged = compare(report(), report(), Rarity(dict.fromkeys(FILES, Spread(7)), {"tirtaenergi": Spread(7)}, {}))

    assert not any("7" in reason.words for reason in judged.evidence)


def test_two_that_name_other_victims_are_known_as_such() -> None:
    assert other_names(report().names, report(victim="Bank Kirana").names)
    assert not other_names(report().names, report(victim=None).names)


_reports = st.builds(
    report,
    victim=st.sampled_from([None, "PT Tirta Energi", "Tirta Energi (TE)", "Bank Kirana", "TE", "Rumah Sakit Ibu"]),
    values=st.lists(st.sampled_from(FILES), max_size=5, unique=True),
    days=st.sampled_from([0, 0.5, 3, 20, 200]),
    reported=st.sampled_from([0, 1, 9, 40]),
    precision=st.sampled_from(["second", "day", "month", "year", "unknown"]),
    countries=st.sampled_from([(), ("ID",), ("PH",), ("ID", "PH")]),
    malware=st.sampled_from([(), ("Emotet",), ("emo-tet", "x"), ("Other",)]),
    description=st.sampled_from(
        ["", "One two three four five six seven eight nine", "Eins zwei drei vier fuenf sechs sieben acht"]
    ),
    references=st.sampled_from([(), ("https://www.a.com/x/",), ("http://a.com/x", "http://b.com")]),
)


@given(_reports, _reports)
def test_it_does_not_matter_which_report_stands_first(one: Report, other: Report) -> None:
    there, back = compare(one, other, STORE), compare(other, one, STORE)

    assert there.score == back.score
    assert there.bits == pytest.approx(back.bits)


@given(_reports, _reports, st.sampled_from(FILES), st.integers(2, 60), st.integers(2, 60))
def test_more_carriers_never_tell_more(one: Report, other: Report, value: Observable, some: int, more: int) -> None:
    fewer, most = sorted((some, more))

    def bits(carriers: int) -> float:
        counted = Rarity({value: Spread(carriers)}, {"tirtaenergi": Spread(carriers)}, {"a.com/x": Spread(carriers)})
        return compare(one, other, counted).bits

    assert bits(most) <= bits(fewer) + 1e-9


@given(_reports, _reports)
def test_a_score_is_a_probability(one: Report, other: Report) -> None:
    assert 0.0 <= score(one, other) <= 1.0


@pytest.mark.parametrize("native", ["โรงพยาบาลศิริราช", "ศิริราช", "မြန်မာ့စီးပွားရေးဘဏ်"])
def test_a_name_and_its_transliteration_speak_neither_for_one_event_nor_against(native: str) -> None:
    told = {
        finding.rule for finding in compare(report(victim="Siriraj Hospital"), report(victim=native), STORE).findings
    }

    assert not any(rule.startswith("victim") for rule in told)
    assert not other_names(("Siriraj Hospital",), (native,))


def test_two_names_in_one_script_are_still_two_names() -> None:
    assert other_names(("โรงพยาบาลศิริราช",), ("โรงพยาบาลรามาธิบดี",))
    assert other_names(("โรงพยาบาลศิริราช", "Siriraj Hospital"), ("Ramathibodi Hospital",)) is False
