"""The cases that incidents are in for one reader: what the rule of grouping makes of the incidents this reader may see and the
links it is told of, and of nothing else (docs/adr/0023).

What the stages keep of cases is not looked at here: whatever is hidden, a reader's cases are those that there would be without it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, bindparam, select, union_all
from sqlalchemy.orm import Session, aliased

from kentongan.domain import naming
from kentongan.domain.campaigns import components
from kentongan.domain.decisions import Decision, Verdict, in_force, words_in_force
from kentongan.domain.grouping import grouped, reached
from kentongan.domain.identity import Identity
from kentongan.services.settling import MOST_TIED, contradicting, tied_to
from kentongan.services.told_ties import told_tie
from kentongan.storage import cases
from kentongan.storage.base import among, in_parts
from kentongan.storage.cases import DUPLICATE_OF, Link, Pair
from kentongan.storage.decisions import decisions_about
from kentongan.storage.incidents import Incident
from kentongan.storage.visibility import ASKED_ONCE, audience_ids, visible

_KNOWN: Final = "kentongan_seen_cases"


class Report(NamedTuple):
    """An incident, as far as its case needs it."""

    public_id: str
    received_at: datetime


class End(NamedTuple):
    """The same of an end of a link."""

    public_id: str
    received_at: datetime
    audience_id: int
    revoked: bool


@dataclass(frozen=True, slots=True)
class SeenCase:
    """One case as one reader sees it: the row numbers of its reports, that of the oldest first, after which it is called."""

    members: tuple[int, ...]
    oldest: str
    """The public id of the oldest."""
    first: int
    """Which of them came first, by when it was received."""

    @property
    def key(self) -> int:
        """Told by this from all other cases of the reader."""
        return self.members[0]

    @property
    def id(self) -> str:
        """As it is shown."""
        return naming.case_id(self.oldest)


def seen_cases(session: Session, reader: Identity, incidents: Mapping[int, Report]) -> dict[int, SeenCase]:
    """The case of each of these incidents, which the reader sees; by row numbers.

    For any number of them one statement, and one more for each step that the cases reach beyond; three where one has more than two
    reports. A session that only reads is asked once for each.
    """
    mine = audience_ids(session, reader)
    known: dict[int, SeenCase] = session.info.setdefault((_KNOWN, mine), {}) if _only_reads(session) else {}
    if missing := {key: report for key, report in incidents.items() if key not in known}:
        known |= _Looking(session, mine, missing, _Links(session, mine)).cases()
    return {key: known[key] for key in incidents}


class CasesForMany:
    """The same for many readers at once, each by the audiences it belongs to: the database is asked once for all of them."""

    def __init__(self, session: Session, incidents: Mapping[int, Report]) -> None:
        """`incidents` are those that will be asked for: their links are read when the first reader asks."""
        self._session, self._incidents = session, dict(incidents)
        self._links = _Links(session, None)
        self._known: dict[frozenset[int], dict[int, SeenCase]] = {}

    def of(self, incident_id: int, mine: frozenset[int]) -> SeenCase:
        """The case of one of these incidents, which is seen by who belongs to `mine`."""
        known = self._known.setdefault(mine, {})
        if incident_id not in known:
            self._links.read(self._incidents)
            one = {incident_id: self._incidents[incident_id]}
            if not self._links.of(one):  # most are alone for everybody
                return SeenCase((incident_id,), one[incident_id].public_id, incident_id)
            known |= _Looking(self._session, mine, one, self._links).cases()
        return known[incident_id]

    def report(self, incident_id: int) -> End:
        """Another report of such a case."""
        return self._links.ends[incident_id]


def report_named(session: Session, reader: Identity, public_id: str) -> int:
    """The row number of the incident of this id, which a case or a campaign is called after (domain/naming.py), if the reader sees
    it; else 0, which no row has."""
    named = select(Incident.id).where(Incident.public_id == public_id)
    return session.scalar(named.where(visible(session, Incident.audience_id, reader))) or 0


def parted_by_people(
    history: Iterable[Decision], kind: str, within: Collection[int]
) -> tuple[list[Pair], dict[Pair, int]]:
    """What people decided of pairs of these incidents and is in force: who is to stay apart, and since which decision whoever is
    together is."""
    about: dict[Pair, list[Decision]] = defaultdict(list)
    for entry in history:
        if entry.kind == kind and all(one in within for one in entry.pair):
            about[entry.pair].append(entry)
    apart = [pair for pair, said in about.items() if words_in_force(said).get(kind) is Verdict.APART]
    since = {
        pair: min((entry.number for entry in in_force(said) if entry.verdict is Verdict.TOGETHER), default=0)
        for pair, said in about.items()
    }
    return apart, since


def _only_reads(session: Session) -> bool:
    return ASKED_ONCE in session.info


class _Looking:
    """One look for the cases of some incidents."""

    def __init__(self, session: Session, mine: frozenset[int], incidents: Mapping[int, Report], links: _Links) -> None:
        self._session, self._mine, self._links = session, mine, links
        self._wanted = frozenset(incidents)
        self._reports: dict[int, Report | End] = dict(incidents)
        self._together: set[Pair] = set()

    def cases(self) -> dict[int, SeenCase]:
        """The cases of these incidents, by every incident in them."""
        found: dict[Pair, float] = {}

        def tied(some: Collection[int]) -> Iterable[Pair]:
            ties = self._ties(some)
            found.update(ties)
            return [*ties, *self._put_together(some)]

        members, whole = reached(self._wanted, tied, max(MOST_TIED, len(self._wanted)))
        if whole:
            return self._grouped(members, found)
        known: dict[int, SeenCase] = {}
        for one in sorted(self._wanted):
            if one not in known:
                known |= self._grouped(*tied_to([one], self._ties, self._put_together))
        return known

    def _ties(self, some: Collection[int]) -> dict[Pair, float]:
        """The links of these incidents that the reader is told of and that rules found, each with its bits."""
        ties: dict[Pair, float] = {}
        for link in self._links.of(some):
            ends = self._links.ends[link.left_id], self._links.ends[link.right_id]
            if not all(end.audience_id in self._mine for end in ends):
                continue
            tie = told_tie(self._mine, DUPLICATE_OF, link.bits, link.evidence)
            if tie is None:
                continue
            pair = (link.left_id, link.right_id)
            self._reports |= dict(zip(pair, ends, strict=True))
            if tie.together:
                self._together.add(pair)
            if tie.bits is not None:
                ties[pair] = tie.bits
        return ties

    def _put_together(self, some: Collection[int]) -> list[Pair]:
        return [pair for pair in self._together if pair[0] in some or pair[1] in some]

    def _grouped(self, members: Collection[int], ties: Mapping[Pair, float]) -> dict[int, SeenCase]:
        parts = components(sorted(members), [*ties, *self._together])
        # Two that are tied are one event. Of three, two may contradict each other, or be parted by people.
        several = {one for part in parts if len(part) > 2 for one in part}
        groups = [part for part in parts if len(part) <= 2] + (self._weighed(several, ties) if several else [])
        made = [self._case(group) for group in groups]
        return {one: case for case in made for one in case.members}

    def _weighed(self, members: Collection[int], ties: Mapping[Pair, float]) -> list[list[int]]:
        order = cases.in_lasting_order(self._session, members)
        apart, since = parted_by_people(decisions_about(self._session, members), DUPLICATE_OF, members)
        together = sorted((pair for pair in self._together if pair[0] in members), key=lambda pair: since.get(pair, 0))
        contradict = contradicting(self._session, order, ties, together)
        return grouped(order, ties, between=max, together=together, parted=apart, apart=contradict)

    def _case(self, group: Iterable[int]) -> SeenCase:
        members = tuple(sorted(group))
        first = min(members, key=lambda one: (self._reports[one].received_at, one))
        return SeenCase(members, self._reports[members[0]].public_id, first)


_Left: Final = aliased(Incident, name="left_incident")
_Right: Final = aliased(Incident, name="right_incident")


class _Links:
    """The duplicate-of links of incidents, with both ends, as far as both may be seen by who belongs to `mine`; None: all of them.

    What was read once is not read again.
    """

    def __init__(self, session: Session, mine: frozenset[int] | None) -> None:
        self._session, self._mine = session, mine
        self._links: dict[int, dict[Pair, Row[Any]]] = {}
        self.ends: dict[int, End] = {}

    def of(self, some: Collection[int]) -> Collection[Row[Any]]:
        """Those of these incidents, each once."""
        self.read(some)
        every: dict[Pair, Row[Any]] = {}
        for one in sorted(some):
            every |= self._links[one]
        return every.values()

    def read(self, some: Collection[int]) -> None:
        """Those of these incidents are needed soon."""
        new = set(some) - self._links.keys()
        self._links |= {one: {} for one in new}
        for part in in_parts(sorted(new)):
            for row in self._session.connection().execute(_links_of(self._mine is None), self._given(part)):
                self.ends[row.left_id] = End(row.left_name, row.left_at, row.left_audience, row.left_revoked)
                self.ends[row.right_id] = End(row.right_name, row.right_at, row.right_audience, row.right_revoked)
                for end in {row.left_id, row.right_id} & new:
                    self._links[end][row.left_id, row.right_id] = row

    def _given(self, some: Collection[int]) -> dict[str, Any]:
        return {"some": list(some), "kind": DUPLICATE_OF} | ({} if self._mine is None else {"mine": sorted(self._mine)})


_ENDS: Final = tuple(
    column.label(f"{side}_{name}")
    for side, end in (("left", _Left), ("right", _Right))
    for name, column in (
        ("name", end.public_id),
        ("at", end.received_at),
        ("audience", end.audience_id),
        ("revoked", end.revoked),
    )
)


@cache
def _links_of(everybodys: bool) -> Any:
    """Built once: building it takes longer than running it. Two look-ups by index: a database asked for either end at once may read
    all links."""
    # The kind is written so that SQLite does not walk all links of it to find the right-hand ones.
    links = (
        select(Link.left_id, Link.right_id, Link.bits.label("bits"), Link.evidence.label("evidence"), *_ENDS)
        .join(_Left, _Left.id == Link.left_id)
        .join(_Right, _Right.id == Link.right_id)
        .where(Link.kind.concat("") == bindparam("kind"))
    )
    if not everybodys:
        links = links.where(*(among(end.audience_id, "mine") for end in (_Left, _Right)))
    return union_all(*(links.where(among(end, "some")) for end in (Link.left_id, Link.right_id)))
