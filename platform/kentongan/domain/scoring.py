"""How well predicted duplicates and campaigns agree with a known truth.

Pairs: of all pairs that are together in the prediction, the share that is together in truth is the precision, and the other
way round the recall. B-cubed (Bagga and Baldwin, 1998): the same per incident, averaged, so that one large group does not
outweigh all others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prediction:
    """Of one incident: the first incident of its case (None: itself), and any name of its campaign."""

    duplicate_of: str | None
    cluster_id: str | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Precision, recall and their harmonic mean, 0 to 1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """2PR / (P + R)."""
        together = self.precision + self.recall
        return 2 * self.precision * self.recall / together if together else 0.0


@dataclass(frozen=True, slots=True)
class Scores:
    """A prediction against the truth."""

    incidents: int
    duplicates: Agreement
    cluster_pairs: Agreement
    clusters: Agreement
    """B-cubed."""
    largest_cluster: int


def scores(truth: Mapping[str, Prediction], found: Mapping[str, Prediction]) -> Scores:
    """Score over the incidents of the truth; one that was not predicted counts as unique and alone."""
    ids = sorted(truth)
    true_cases, found_cases = _cases(truth, ids), _cases(found, ids)
    true_clusters, found_clusters = _clusters(truth, ids), _clusters(found, ids)
    return Scores(
        incidents=len(ids),
        duplicates=by_pairs(true_cases, found_cases),
        cluster_pairs=by_pairs(true_clusters, found_clusters),
        clusters=b_cubed(true_clusters, found_clusters),
        largest_cluster=max(Counter(found_clusters.values()).values(), default=0),
    )


def by_pairs(truth: Mapping[str, Hashable], found: Mapping[str, Hashable]) -> Agreement:
    """Agreement over pairs; both map the same incidents to the names of their groups."""
    both = _pairs(Counter((truth[one], found[one]) for one in truth).values())
    in_truth, in_found = _pairs(Counter(truth.values()).values()), _pairs(Counter(found.values()).values())
    return Agreement(both / in_found if in_found else 1.0, both / in_truth if in_truth else 1.0)


def b_cubed(truth: Mapping[str, Hashable], found: Mapping[str, Hashable]) -> Agreement:
    """Agreement per incident, averaged."""
    both = Counter((truth[one], found[one]) for one in truth)
    in_truth, in_found = Counter(truth.values()), Counter(found.values())
    count = len(truth) or 1
    right = [(both[truth[one], found[one]], in_found[found[one]], in_truth[truth[one]]) for one in truth]
    return Agreement(sum(n / of for n, of, _ in right) / count, sum(n / of for n, _, of in right) / count)


def _pairs(sizes: Iterable[int]) -> int:
    return sum(size * (size - 1) // 2 for size in sizes)


def _cases(given: Mapping[str, Prediction], ids: Iterable[str]) -> dict[str, str]:
    """The first incident that each leads to, over any number of steps."""
    roots: dict[str, str] = {}
    for one in ids:
        way = [one]
        while (known := given.get(way[-1])) and known.duplicate_of and known.duplicate_of not in way:
            way.append(known.duplicate_of)
        roots[one] = way[-1]
    return roots


def _clusters(given: Mapping[str, Prediction], ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    return {
        one: ("cluster", known.cluster_id) if (known := given.get(one)) and known.cluster_id else ("alone", one)
        for one in ids
    }
