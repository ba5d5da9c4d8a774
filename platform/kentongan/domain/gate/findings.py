"""What the rules write down about one object, and what they may know of the objects that came with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from kentongan.domain.gate.problem import MOST_COUNTED, Problem
from kentongan.domain.gate.schema import TypeSchema
from kentongan.domain.marking import Terms
from kentongan.domain.sharing import SharingBook

StixObject = dict[str, Any]


class Findings:
    """The problems and warnings of one object; `path` is where it stands in the document."""

    __slots__ = ("path", "problems", "warnings")

    def __init__(self, path: str) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def refuse(self, step: str, rule: str, reason: str, hint: str) -> None:
        """Note what keeps the object out; `step` is appended to its path, e.g. `.pattern`."""
        if len(self.problems) <= MOST_COUNTED:
            self.problems.append(Problem(self.path + step, rule, reason, hint))

    def warn(self, step: str, rule: str, reason: str, hint: str) -> None:
        """Note what the sender should know, though the object is accepted."""
        if len(self.warnings) <= MOST_COUNTED:
            self.warnings.append(Problem(self.path + step, rule, reason, hint))


@dataclass(slots=True)
class Company:
    """What a rule may know of the whole document.

    `ids` are the ids of all its objects; `markings` the terms of each marking-definition known, here, by the
    standard or from earlier submissions; `statements` the marking-definitions without any; `book` holds what the terms may
    name. `pattern_budget` is what is left of the characters that the slow pattern parser may read for this document.
    """

    ids: frozenset[str]
    markings: dict[str, Terms]
    statements: frozenset[str]
    book: SharingBook
    pattern_budget: int


class Rule(Protocol):
    """One semantic rule: looks at one object of a valid shape and writes down what it finds."""

    def __call__(self, obj: StixObject, schema: TypeSchema, company: Company, found: Findings, /) -> None: ...
