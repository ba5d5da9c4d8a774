"""Learn what each level of agreement tells about two reports being of one event, and measure it on what was not learned from.

    kentongan evaluate STREAM --output predictions.json --database sqlite:///stream.sqlite
    python scripts/learn_weights.py stream.sqlite TRUTH META [--write]

The stream is fed through the platform first; this reads the pairs that the indexes propose, with what every rule of
domain/duplicates.py finds in them. META says of each incident its source and what makes it hard ("source", "kinds").

The model is a logistic regression whose weights are drawn towards what each level should mean (MEANT below), the less the more
pairs speak otherwise. A weight keeps the sign of its meaning, and of ordered levels a better one never weighs less. Everything
printed but the last table is cross-validated: a source's pairs are judged by weights learned without any pair of that source.
With --write the weights learned from all pairs go to domain/learned_weights.py.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "platform"))

from kentongan.domain import duplicates  # noqa: E402 (the path is set above)
from kentongan.domain.duplicates import SAME_EVENT, Report  # noqa: E402
from kentongan.domain.learned_weights import FIXED  # noqa: E402
from kentongan.services.comparing import Comparing  # noqa: E402
from kentongan.storage.database import Database  # noqa: E402
from kentongan.storage.incidents import Incident  # noqa: E402

TARGET = ROOT / "platform/kentongan/domain/learned_weights.py"
LN2 = math.log(2.0)
PULL = 10.0
"""How strongly weights are drawn to their meaning: chosen by hand, and not the one with the least log loss, which is 3 (ADR 17)."""

MEANT_PRIOR = -7.0
MEANT = {
    "victim:same": 1.0,
    "victim:other": -9.0,
    "time:0": 3.0,
    "time:2": 2.5,
    "time:4": 1.5,
    "time:7": 0.5,
    "time:14": -1.5,
    "time:30": -4.0,
    "time:90": -7.0,
    "time:more": -10.0,
    "time:month": 1.0,
    "time:year": 0.5,
    "reported:10": 1.0,
    "reported:21": 0.0,
    "reported:45": -2.0,
    "reported:90": -4.0,
    "reported:more": -6.0,
    "value": 1.0,
    "other-values:most": -1.0,
    "other-values:all": -1.0,
    "country:same": 1.0,
    "country:other": -4.0,
    "sector:same": 1.0,
    "sector:other": -2.0,
    "culprit:same": 1.5,
    "culprit:other": -2.0,
    "wording:alike": 1.0,
    "wording:other": -3.0,
    "number": 1.5,
    "page": 1.0,
    "class:same": 0.5,
    "class:other": -1.0,
}
"""Bits per strength that each level should mean, set by hand while looking at the development stream; the figures inherit that."""

ORDERED = (
    ("time:0", "time:2", "time:4", "time:7", "time:14", "time:30", "time:90", "time:more"),
    ("reported:10", "reported:21", "reported:45", "reported:90", "reported:more"),
)
"""Levels of which a better one never weighs less, best first."""

Strengths = Mapping[str, float]
Weights = dict[str, float]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two reports, how strongly they agree on each level, and whether they are of one event."""

    ids: tuple[int, int]
    strengths: Strengths
    same: bool


@dataclass(frozen=True)
class Stream:
    """What was fed: the reports, the event and the notes of each, and the proposed pairs."""

    reports: Mapping[int, Report]
    events: Mapping[int, str]
    notes: Mapping[int, Mapping[str, Any]]
    pairs: Sequence[Pair]

    def source(self, number: int) -> str:
        return str(self.notes[number]["source"])


def read(database: str, truth: Mapping[str, Any], meta: Mapping[str, Any]) -> Stream:
    """All pairs that are proposed once everything has arrived."""
    store = Database(f"sqlite:///{database}")
    with store.reading() as session:
        comparing = Comparing(session, list(session.scalars(select(Incident.id))))
        proposed, rarity, reports = comparing.pairs(victims=True), comparing.rarity(), comparing.reports
    store.close()
    events = {number: first_report(truth, report.facts.stix_id) for number, report in reports.items()}
    pairs = []
    for one, other in proposed:
        strengths: dict[str, float] = defaultdict(float)
        for finding in duplicates.compare(reports[one], reports[other], rarity).findings:
            if finding.level in MEANT:
                strengths[finding.level] += finding.strength
        rounded = {level: round(strength, 1) for level, strength in strengths.items() if strength}
        pairs.append(Pair((one, other), rounded, events[one] == events[other]))
    return Stream(reports, events, {n: meta[r.facts.stix_id] for n, r in reports.items()}, pairs)


def first_report(truth: Mapping[str, Any], stix_id: str) -> str:
    while truth[stix_id]["duplicate_of"]:
        stix_id = truth[stix_id]["duplicate_of"]
    return stix_id


def bits(weights: Weights, pair: Pair) -> float:
    """The prior and every level's weight as often as it is met."""
    return weights["prior"] + sum(weights[level] * strength for level, strength in pair.strengths.items())


# The parameters that are learned: of ordered levels the worst one, and by how much each is better than the next.
BETTER = {level: chain[place:] for chain in ORDERED for place, level in enumerate(chain)}
NEXT = {chain[place]: chain[place + 1] for chain in ORDERED for place in range(len(chain) - 1)}


def meant(level: str) -> float:
    if level == "prior":
        return MEANT_PRIOR
    return MEANT[level] - MEANT[NEXT[level]] if level in NEXT else MEANT[level]


def within_bounds(level: str, value: float) -> float:
    if level == "prior":
        return value
    return max(0.0, value) if meant(level) >= 0 else min(0.0, value)


def learn(pairs: Iterable[Pair], pull: float = PULL, without: Callable[[str], bool] = lambda _: False) -> Weights:
    """Weights by coordinate-wise Newton steps on the penalised log loss, each kept within its bounds."""
    counted = Counter((tuple(sorted(expanded(pair.strengths, without).items())), pair.same) for pair in pairs)
    rows = [(dict(found), same, count) for (found, same), count in counted.items()]
    values = {level: meant(level) for level in ("prior", *MEANT) if not without(level)}
    scales = {level: max(1.0, abs(MEANT.get(level, 3.0))) for level in values}
    holding: dict[str, list[tuple[int, float, float, float]]] = {level: [] for level in values}
    for number, (found, same, count) in enumerate(rows):
        for level, strength in found.items():
            holding[level].append((number, strength, count * strength * LN2, float(same)))
    sums = [sum(values[level] * strength for level, strength in found.items()) for found, _, _ in rows]
    for _ in range(200):
        moved = 0.0
        for level, value in list(values.items()):
            reached = [one for one in values if level in BETTER.get(one, (one,))]
            slope = sum(pull * (told(values, one) - MEANT.get(one, MEANT_PRIOR)) / scales[one] ** 2 for one in reached)
            bend = sum(pull / scales[one] ** 2 for one in reached)
            for number, strength, slant, same in holding[level]:
                chance = 1.0 / (1.0 + 2.0 ** -max(-60.0, min(60.0, sums[number])))
                slope += slant * (chance - same)
                bend += slant * strength * LN2 * chance * (1.0 - chance)
            step = max(-2.0, min(2.0, -slope / bend))
            step = within_bounds(level, value + step) - value
            if step:
                values[level] += step
                moved = max(moved, abs(step))
                for number, strength, _, _ in holding[level]:
                    sums[number] += step * strength
        if moved < 0.01:
            break
    return {level: values.get(level, 0.0) if level == "prior" else told(values, level) for level in ("prior", *MEANT)}


def expanded(strengths: Strengths, without: Callable[[str], bool]) -> dict[str, float]:
    found: dict[str, float] = {"prior": 1.0}
    for level, strength in strengths.items():
        if not without(level):
            for step in BETTER.get(level, (level,)):
                found[step] = found.get(step, 0.0) + strength
    return found


def told(values: Mapping[str, float], level: str) -> float:
    return sum(values.get(step, 0.0) for step in BETTER.get(level, (level,)))


def fellegi_sunter(pairs: Sequence[Pair]) -> Weights:
    """Per level the logarithm of how much more often it is met in pairs of one event; rules count as independent."""
    same = [pair for pair in pairs if pair.same]
    others = len(pairs) - len(same)
    found: Weights = {"prior": math.log2(len(same) / others)}
    for level in MEANT:
        met = [pair for pair in pairs if level in pair.strengths]
        right = sum(pair.same for pair in met)
        usual = sum(pair.strengths[level] for pair in met) / len(met) if met else 1.0
        ratio = ((right + 0.5) / (len(same) + 1)) / ((len(met) - right + 0.5) / (others + 1))
        found[level] = math.log2(ratio) / usual
    return found


def by_source(stream: Stream, learner: Callable[[Sequence[Pair]], Weights]) -> dict[tuple[int, int], float]:
    """Each pair's bits by weights that were learned without its first report's source."""
    return in_folds(stream, learner, stream.source)


def by_campaign(
    stream: Stream, learner: Callable[[Sequence[Pair]], Weights], truth: Mapping[str, Any]
) -> dict[Any, float]:
    """The same with ten folds of whole campaigns, so that every kind of report is learned from."""

    def fold(number: int) -> int:
        return sum(str(truth[stream.reports[number].facts.stix_id]["cluster_id"]).encode()) % 10

    return in_folds(stream, learner, fold)


def in_folds(
    stream: Stream, learner: Callable[[Sequence[Pair]], Weights], fold: Callable[[int], Any]
) -> dict[Any, float]:
    found = {}
    for tested in sorted({fold(number) for number in stream.reports}):
        weights = learner([pair for pair in stream.pairs if tested not in map(fold, pair.ids)])
        found |= {pair.ids: bits(weights, pair) for pair in stream.pairs if fold(pair.ids[0]) == tested}
    return found


def cases(stream: Stream, found: Mapping[tuple[int, int], float], threshold: float) -> dict[int, int]:
    """The case of each report, as deduplicate makes them: strongest links first, none that ties two victims' events."""
    case = {number: number for number in stream.reports}
    members = {number: [number] for number in stream.reports}
    for (one, other), of in sorted(found.items(), key=lambda item: (-item[1], item[0])):
        mine, theirs = case[one], case[other]
        if of < threshold or mine == theirs or contradictory(stream, members[mine], members[theirs]):
            continue
        for moved in members.pop(theirs):
            case[moved] = mine
            members[mine].append(moved)
    return case


def contradictory(stream: Stream, some: Iterable[int], others: Sequence[int]) -> bool:
    return any(duplicates.other_names(stream.reports[a].names, stream.reports[b].names) for a in some for b in others)


def agreement(
    stream: Stream, case: Mapping[int, int], asked: Callable[[int], bool] = lambda _: True
) -> tuple[float, ...]:
    """Precision, recall and F1 over pairs of reports."""
    asked_for = [number for number in stream.reports if asked(number)]
    both = pairs_in(Counter((case[n], stream.events[n]) for n in asked_for))
    said, right = pairs_in(Counter(case[n] for n in asked_for)), pairs_in(Counter(stream.events[n] for n in asked_for))
    return both / max(1, said), both / max(1, right), 2 * both / max(1, said + right)


def pairs_in(counted: Counter[Any]) -> int:
    return sum(n * (n - 1) // 2 for n in counted.values())


def probability(of: float) -> float:
    return 1.0 / (1.0 + 2.0 ** -max(-60.0, min(60.0, of)))


def calibration(scored: Sequence[tuple[float, bool]]) -> tuple[float, list[tuple[float, int, float, float]]]:
    """The expected calibration error over ten equal steps of probability, and per step: from, pairs, said, true."""
    steps: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for said, same in scored:
        steps[min(9, int(said * 10))].append((said, same))
    table = [
        (step / 10, len(of), sum(said for said, _ in of) / len(of), sum(same for _, same in of) / len(of))
        for step, of in sorted(steps.items())
    ]
    return sum(count * abs(said - true) for _, count, said, true in table) / max(1, len(scored)), table


def log_loss(scored: Iterable[tuple[float, bool]]) -> float:
    return -sum(math.log2(max(1e-9, said if same else 1.0 - said)) for said, same in scored)


def scored_pairs(stream: Stream, found: Mapping[Any, float]) -> list[tuple[float, bool]]:
    return [(probability(found[pair.ids]), pair.same) for pair in stream.pairs]


def summary(stream: Stream, found: Mapping[Any, float], threshold: float) -> str:
    precision, recall, f1 = agreement(stream, cases(stream, found, threshold))
    scored = scored_pairs(stream, found)
    unsure = [(said, same) for said, same in scored if said > 0.05]
    return (
        f"P {precision:.3f}  R {recall:.3f}  F1 {f1:.4f}  ECE {calibration(scored)[0]:.4f} "
        f"(above 0.05: {calibration(unsure)[0]:.3f})  log loss {log_loss(scored):.0f}"
    )


def at_precision(stream: Stream, found: Mapping[Any, float], least: float) -> tuple[float, float, float]:
    """Of reports without values: the threshold with the most found duplicates at this precision, precision and recall."""

    def text_only(number: int) -> bool:
        return stream.notes[number]["kind"] == "text"

    tried = [(agreement(stream, cases(stream, found, step / 4), text_only), step / 4) for step in range(-12, 21)]
    (precision, recall, _), threshold = max(
        (one for one in tried if one[0][0] >= least), key=lambda one: one[0][1], default=((0.0, 0.0, 0.0), 0.0)
    )
    return threshold, precision, recall


def thresholds(stream: Stream, found: Mapping[Any, float]) -> dict[str, float]:
    """For each source the threshold, in bits, that gives the best F1 on all other sources."""
    sources = {stream.source(number) for number in stream.reports}
    tried = {step / 2: cases(stream, found, step / 2) for step in range(-2, 9)}
    return {
        tested: max(tried, key=lambda step: agreement(stream, tried[step], lambda n: stream.source(n) != tested)[2])  # noqa: B023
        for tested in sorted(sources)
    }


def by_kind(stream: Stream, case: Mapping[int, int]) -> dict[str, tuple[int, int]]:
    """Of each kind of re-submission: how many are in one case with the event's first report, of how many."""
    first = {stream.reports[n].facts.stix_id: n for n in stream.reports}
    found: dict[str, list[bool]] = defaultdict(list)
    for number, event in stream.events.items():
        if stream.reports[number].facts.stix_id != event:
            for kind in stream.notes[number]["kinds"]:
                found[kind].append(case[number] == case[first[event]])
    return {kind: (sum(right), len(right)) for kind, right in sorted(found.items())}


def without_kind(stream: Stream, kind: str) -> tuple[int, int]:
    """How many first-report pairs of this kind of re-submission are found by weights that never saw a pair of that kind."""

    def has(pair: Pair) -> bool:
        return any(kind in stream.notes[number]["kinds"] for number in pair.ids)

    weights = learn([pair for pair in stream.pairs if not (pair.same and has(pair))])
    tested = [pair for pair in stream.pairs if pair.same and has(pair)]
    return sum(bits(weights, pair) >= THRESHOLD for pair in tested), len(tested)


THRESHOLD = math.log2(SAME_EVENT / (1.0 - SAME_EVENT))
HEADER = '''"""What each level of agreement tells, in bits per strength: learned by scripts/learn_weights.py, not written by hand.

Learned from the development stream ({incidents} reports, {pairs} proposed pairs, {same} of them of one event). docs/matching.md has
the model and how well it holds on what it did not learn from; the script's first lines say how to learn anew.
"""

from __future__ import annotations

from collections.abc import Mapping

FIXED: Mapping[str, float] = {fixed}
"""Not learned: what an equal id means needs no data, and the stream has none."""

PRIOR_BITS = {prior}

LEARNED: Mapping[str, float] = {{
    **FIXED,
{lines}
}}
'''


def write(stream: Stream, weights: Weights) -> None:
    lines = "\n".join(f'    "{level}": {round(weights[level], 2) + 0.0},' for level in MEANT)
    TARGET.write_text(
        HEADER.format(
            incidents=len(stream.reports),
            pairs=len(stream.pairs),
            same=sum(pair.same for pair in stream.pairs),
            fixed=json.dumps(FIXED),
            prior=round(weights["prior"], 2),
            lines=lines,
        ),
        "utf-8",
    )


def say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database")
    parser.add_argument("truth", type=Path)
    parser.add_argument("meta", type=Path)
    parser.add_argument("--write", action="store_true", help="replace domain/learned_weights.py")
    parser.add_argument("--quick", action="store_true", help="only the headline")
    given = parser.parse_args()
    truth = json.loads(given.truth.read_text("utf-8"))
    stream = read(given.database, truth, json.loads(given.meta.read_text("utf-8")))
    found = by_source(stream, learn)
    say(f"by source, threshold {SAME_EVENT}: {summary(stream, found, THRESHOLD)}")
    say(
        "text only at precision 0.95: threshold {:.2f} bits, P {:.3f}, R {:.3f}".format(
            *at_precision(stream, found, 0.95)
        )
    )
    chosen = thresholds(stream, found)
    say(f"best threshold without each source, in bits: {chosen}")
    shifted = {ids: of - chosen[stream.source(ids[0])] for ids, of in found.items()}
    say(
        "by source, each by its own: P {:.3f}  R {:.3f}  F1 {:.4f}".format(
            *agreement(stream, cases(stream, shifted, 0.0))
        )
    )
    weights = learn(stream.pairs)
    say(f"fitted: {summary(stream, {p.ids: bits(weights, p) for p in stream.pairs}, THRESHOLD)}")
    if not given.quick:
        say_more(stream, found, truth)
    if given.write:
        write(stream, weights)


def say_more(stream: Stream, found: Mapping[Any, float], truth: Mapping[str, Any]) -> None:
    say(f"by campaign: {summary(stream, by_campaign(stream, learn, truth), THRESHOLD)}")
    for name, learner in models().items():
        say(f"{name}: {summary(stream, by_source(stream, learner), THRESHOLD)}")
    case = cases(stream, found, THRESHOLD)
    for source in sorted({stream.source(number) for number in stream.reports}):
        of = agreement(stream, case, lambda n, source=source: stream.source(n) == source)  # type: ignore[misc]
        say("  {}: P {:.3f}  R {:.3f}  F1 {:.3f}".format(source, *of))
    for step, count, said, true in calibration(scored_pairs(stream, found))[1]:
        say(f"  from {step:.1f}: {count} pairs, said {said:.3f}, true {true:.3f}")
    for kind, (right, of) in by_kind(stream, case).items():
        say(f"  {kind}: {right}/{of}, pairs never learned from: {'{}/{}'.format(*without_kind(stream, kind))}")
    for rule in sorted({level.partition(":")[0] for level in MEANT}):

        def left_out(level: str, rule: str = rule) -> bool:
            return level.partition(":")[0] == rule

        ablated = by_source(stream, lambda pairs, left_out=left_out: learn(pairs, without=left_out))
        say(f"  without {rule}: {summary(stream, ablated, THRESHOLD)}")


def models() -> dict[str, Callable[[Sequence[Pair]], Weights]]:
    return {
        "as meant, nothing learned": lambda _: {"prior": MEANT_PRIOR, **MEANT},
        "Fellegi and Sunter": fellegi_sunter,
        **{f"pull {pull}": lambda pairs, pull=pull: learn(pairs, pull) for pull in (0.3, 1.0, 10.0, 30.0)},
    }


if __name__ == "__main__":
    main()
