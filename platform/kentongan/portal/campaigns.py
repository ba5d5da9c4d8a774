"""Campaigns: cases that belong together, and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from flask import render_template

from kentongan.domain.identity import Scope
from kentongan.domain.incident import Observable
from kentongan.portal.blueprint import kentongan, portal
from kentongan.portal.paging import PER_PAGE, asked_cursor, page_links
from kentongan.portal.presenting import country
from kentongan.portal.session import require
from kentongan.services.read_campaigns import ReadCampaigns
from kentongan.services.read_links import EvidenceView, LinkView

_MOST_REASONS: Final = 30
_MOST_LINKS: Final = 25


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason that holds a campaign together; `share` is its part, 0 to 1, of all that does, `links` how many it carries."""

    words: str
    observable: Observable | None
    share: float
    links: int


@dataclass(frozen=True, slots=True)
class Spread:
    """How many of the cases name this country or sector; `share` is their part of all cases, 0 to 1."""

    name: str
    cases: int
    share: float


@portal.get("/campaigns")
def campaigns() -> str:
    """The list, the last begun first."""
    reader = require(Scope.READ)
    with kentongan().database.reading_for(reader) as db:
        page = ReadCampaigns(db).page(reader, limit=PER_PAGE, cursor=asked_cursor())
    return render_template(
        "portal/campaigns.html", room="portal.campaigns", campaigns=page.items, pages=page_links(page)
    )


@portal.get("/campaigns/<public_id>")
def campaign(public_id: str) -> str:
    """One campaign."""
    reader = require(Scope.READ)
    with kentongan().database.reading_for(reader) as db:
        view = ReadCampaigns(db).campaign(reader, public_id)
    return render_template(
        "portal/campaign.html",
        room="portal.campaigns",
        view=view,
        reasons=reasons(view.links)[:_MOST_REASONS],
        countries=spread([map(country, case.countries) for case in view.cases]),
        sectors=spread([case.sectors for case in view.cases]),
        links=view.links[:_MOST_LINKS],
    )


def reasons(links: Sequence[LinkView]) -> list[Reason]:
    """The evidence of all links together, the heaviest first; the same words about the same value are one reason."""
    carried: dict[tuple[str, Observable | None], list[EvidenceView]] = defaultdict(list)
    for link in links:
        for item in link.evidence:
            if item.share > 0:
                carried[item.words, item.observable].append(item)
    total = sum(item.share for items in carried.values() for item in items) or 1.0
    found = [
        Reason(words, observable, sum(item.share for item in items) / total, len(items))
        for (words, observable), items in carried.items()
    ]
    return sorted(found, key=lambda reason: (-reason.share, reason.words))


def spread(named: Sequence[Iterable[str]]) -> list[Spread]:
    """How often each name occurs among the cases, the most frequent first."""
    counted = Counter(name for names in named for name in set(names))
    return [
        Spread(name, cases, cases / len(named)) for name, cases in sorted(counted.items(), key=lambda c: (-c[1], c[0]))
    ]
