"""One member floods the region with what others report: it neither joins strangers nor takes away what ties others' reports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from kentongan.storage.cases import Case
from kentongan.storage.database import Database
from matching_stories import Region, about
from stories import Stix

POISONER = "CERT-SG"
MANY = 70
"""More than one organization's incidents count at all (domain/rarity.py: OWN_STEPS)."""

WORDS = ["amber", "basalt", "cobalt", "dune", "ember", "fjord", "garnet", "harbor", "indigo", "jasper"]
GOOGLE = "[domain-name:value = 'google.com']"
RARE, FAMOUS, PAGE = "implant of the real ones", "Bank Kirana", "https://news.example/one-article"


def fake(number: int, **poison: object) -> list[Stix]:
    """An incident of nobody's, in other words and at another place each time, that carries the poison."""
    first, second = WORDS[number % 10], WORDS[number // 10 % 10]
    own: dict[str, object] = {"victim": f"PT {first} {second}", "files": [f"own {number}"], "country": "SG"}
    return about(f"{first} {second} outage", **{**own, **poison})  # type: ignore[arg-type]


def with_rare_hash(number: int) -> list[Stix]:
    return fake(number, files=[RARE, f"own {number}"])


def with_famous_victim(number: int) -> list[Stix]:
    return fake(number, victim=FAMOUS)


def with_everybodys_site(number: int) -> list[Stix]:
    return fake(number, patterns=[GOOGLE, f"[domain-name:value = 'own{number}.example']"])


def with_the_article(number: int) -> list[Stix]:
    return fake(number, pages=[PAGE])


class Truth:
    """Two members report one event, and a third one of the same campaign elsewhere; a fourth has nothing to do with it."""

    def __init__(self, region: Region) -> None:
        self._region = region

    def first(self) -> None:
        self.one = self._region.report(
            "CERT-ID",
            "Ransomware stops payments",
            victim=FAMOUS,
            files=[RARE, "locker"],
            patterns=[GOOGLE],
            pages=[PAGE],
        )

    def rest(self) -> None:
        self.twin = self._region.report(
            "CERT-PH", "Payments stopped by ransomware", victim="Bank Kirana Tbk", files=[RARE], pages=[PAGE]
        )
        self.cousin = self._region.report(
            "CERT-TH", "Loader in a hospital", victim="Rumah Sakit Anggrek", files=[RARE], country="TH"
        )
        self.stranger = self._region.report(
            "CERT-MY",
            "School site defaced",
            victim="Universitas Melati",
            patterns=[GOOGLE, "[domain-name:value = 'melati.example']"],
            sector="education",
            country="MY",
            after=timedelta(days=40),
        )

    def holds_without(self, others: set[str]) -> None:
        """The event and the campaign were found, and nothing of these others in them."""
        with self._region.database.reading() as session:

            def campaign(one: str) -> int | None:
                return session.get_one(Case, self._region.case_of(one)).campaign_id

            assert self._region.case_of(self.one) == self._region.case_of(self.twin)
            assert self._region.case_of(self.one) != self._region.case_of(self.cousin)
            assert campaign(self.one) is not None
            assert campaign(self.one) == campaign(self.cousin)
            assert campaign(self.stranger) is None
            ours = {
                self._region.case_of(self.one),
                self._region.case_of(self.cousin),
                self._region.case_of(self.stranger),
            }
            assert not ours & {self._region.case_of(one) for one in others}
            assert campaign(self.one) not in {campaign(one) for one in others}


@pytest.mark.parametrize("poison", [with_rare_hash, with_famous_victim, with_everybodys_site, with_the_article])
@pytest.mark.parametrize("when", ["before", "between", "after"])
def test_a_flood_neither_joins_strangers_nor_hides_what_is_true(
    sqlite_database: Database, poison: Callable[[int], list[Stix]], when: str
) -> None:
    region = Region(sqlite_database)
    truth = Truth(region)
    steps: list[Callable[[], None]] = [truth.first, truth.rest]
    sent: set[str] = set()

    def flood() -> None:
        sent.update(region.submit(POISONER, poison(number), timedelta(hours=7)) for number in range(MANY))
        region.settle()

    steps.insert(["before", "between", "after"].index(when), flood)
    for step in steps:
        step()

    truth.holds_without(sent)
