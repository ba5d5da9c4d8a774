"""Which things belong together, from what ties them two by two: incidents to cases, cases to campaigns.

Agglomerative grouping: the two groups with the strongest tie between them become one, again and again, as long as a tie is strong
enough for the sizes of its groups. What comes out depends on the ties alone and not on the order in which they came; what people
said outranks what was found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import product
from typing import Generic, TypeVar

Node = TypeVar("Node", bound=Hashable)


def grouped(
    nodes: Sequence[Node],
    ties: Mapping[tuple[Node, Node], float],
    *,
    between: Callable[[float, float], float],
    needed: Callable[[int, int], float] = lambda _smaller, _larger: 0.0,
    together: Iterable[tuple[Node, Node]] = (),
    parted: Iterable[tuple[Node, Node]] = (),
    apart: Callable[[Node, Node], bool] = lambda _one, _other: False,
) -> list[list[Node]]:
    """The groups of `nodes`, each in the order of `nodes`, the groups in the order of their first.

    `ties` are in bits, each pair once; those of what is not a node are ignored. The tie of two groups is what `between` makes of
    the ties of their members: `max`, or their sum. Groups of some sizes are joined if their tie has at least `needed` bits and no
    two of their members are to stay `apart`. Of equal ties between groups of equal sizes the one whose groups come first in `nodes`
    goes first: give the nodes in an order that does not depend on their arrival.

    People outrank all that: what is `together` is in one group, whatever its ties, and what is `parted` never is, also not through
    others. Where pairs that are together would bring together what is parted, those that come first in `together` are joined.
    """
    places = {node: place for place, node in enumerate(nodes)}
    growing = _Growing(nodes, between, needed, apart)
    for one, other in parted:
        if one in places and other in places:
            growing.part(places[one], places[other])
    for one, other in together:
        if one in places and other in places:
            growing.unite(places[one], places[other])
    for (one, other), bits in ties.items():
        if one in places and other in places:
            growing.tie(places[one], places[other], bits)
    growing.grow()
    return growing.groups()


class _Growing(Generic[Node]):
    """Groups while they grow, each known by the place of its first member."""

    def __init__(
        self,
        nodes: Sequence[Node],
        between: Callable[[float, float], float],
        needed: Callable[[int, int], float],
        apart: Callable[[Node, Node], bool],
    ) -> None:
        self._nodes = nodes
        self._between, self._needed, self._apart = between, needed, apart
        self._members: dict[int, list[int]] = {place: [place] for place in range(len(nodes))}
        self._group = list(range(len(nodes)))
        self._ties: dict[int, dict[int, float]] = defaultdict(dict)
        self._parted: dict[int, set[int]] = defaultdict(set)

    def groups(self) -> list[list[Node]]:
        return [[self._nodes[place] for place in sorted(self._members[first])] for first in sorted(self._members)]

    def tie(self, one: int, other: int, bits: float) -> None:
        one, other = self._group[one], self._group[other]
        if one != other:
            known = self._ties[one].get(other)
            self._ties[one][other] = self._ties[other][one] = bits if known is None else self._between(known, bits)

    def part(self, one: int, other: int) -> None:
        """Never make the groups of two places one."""
        self._parted[one].add(other)
        self._parted[other].add(one)

    def unite(self, one: int, other: int) -> int:
        """Make the groups of two places one, unless they are parted; gives the first place of that of `one`."""
        first, second = sorted((self._group[one], self._group[other]))
        if first == second or second in self._parted.get(first, ()):
            return self._group[one]
        for enemy in self._parted.pop(second, set()):
            self._parted[enemy].discard(second)
            self.part(first, enemy)
        moved = self._members.pop(second)
        self._members[first] += moved
        for place in moved:
            self._group[place] = first
        for other_group, bits in self._ties.pop(second, {}).items():
            del self._ties[other_group][second]
            self.tie(first, other_group, bits)
        return first

    def grow(self) -> None:
        """Join what may be joined, the strongest tie first, and of equal ones that of the smaller groups: so a chain of equal ties
        becomes many short pieces, and not one that swallows link after link. Whoever grew is looked at again: a larger group has
        other ties, and needs others."""
        waiting = [self._waiting(one, other) for one, ties in self._ties.items() for other in ties if one < other]
        heapify(waiting)
        while waiting:
            known = heappop(waiting)
            *_, one, other = known
            if other not in self._ties.get(one, ()) or known != self._waiting(one, other):
                continue
            if self._may_join(one, other):
                joined = self.unite(one, other)
                for neighbour in self._ties[joined]:
                    heappush(waiting, self._waiting(min(joined, neighbour), max(joined, neighbour)))

    def _waiting(self, one: int, other: int) -> tuple[float, int, int, int]:
        return -self._ties[one][other], len(self._members[one]) + len(self._members[other]), one, other

    def _may_join(self, one: int, other: int) -> bool:
        if other in self._parted.get(one, ()):
            return False
        mine, others = self._members[one], self._members[other]
        if self._ties[one][other] < self._needed(min(len(mine), len(others)), max(len(mine), len(others))):
            return False
        return not any(self._apart(self._nodes[a], self._nodes[b]) for a, b in product(mine, others))


def reached(
    start: Collection[Node], tied: Callable[[Collection[Node]], Iterable[tuple[Node, Node]]], most: int
) -> tuple[set[Node], bool]:
    """Everything that is reached from `start` over pairs that `tied` gives for some nodes, and whether that is all: it ends as
    soon as more than `most` were reached."""
    found, edge = set(start), set(start)
    while edge and len(found) <= most:
        edge = {node for pair in tied(edge) for node in pair} - found
        found |= edge
    return found, not edge
