"""What the gate says about a document: its problems, the limits it holds a document to, and the refusal of a whole one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final

MIB: Final = 1024 * 1024
MOST_PROBLEMS: Final = 100
"""So many problems are told in one answer; more would only hide what is wrong."""
MOST_COUNTED: Final = 10_000
"""Further problems are neither kept nor counted, so that a document made of nothing but faults costs little."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or worth a warning.

    `path` is a JSON path into the document as sent (`$.objects[3].pattern`), `rule` a stable kebab-case name that
    docs/stix-validation.md lists, `reason` says what is wrong and `hint` what to do.
    """

    path: str
    rule: str
    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one document may ask of us; lengths in bytes or characters, everything else counted.

    `max_values` bounds what the document becomes in memory: 32 MiB of `[],[],[]` would be most of a gigabyte.
    """

    max_bytes: int = 32 * MIB
    max_objects: int = 20_000
    max_depth: int = 64
    max_string: int = 5 * MIB
    max_digits: int = 64
    max_values: int = 2_000_000


class Unreadable(Exception):
    """The whole document is refused and nothing of it is stored.

    `problems` come through `shortened` where there may be many. `too_large` tells the door that a limit on bytes or
    objects was passed (413), not a rule of form.
    """

    def __init__(self, problems: Iterable[Problem], *, too_large: bool = False) -> None:
        self.problems = tuple(islice(problems, MOST_PROBLEMS + 1))
        self.too_large = too_large
        super().__init__("; ".join(f"{problem.path}: {problem.reason}" for problem in self.problems[:3]))


def shortened(problems: Iterable[Problem], most: int = MOST_PROBLEMS) -> tuple[Problem, ...]:
    """The first `most` problems, and one more that says how many were left out."""
    if isinstance(problems, list) and len(problems) <= most:
        return tuple(problems)
    every = iter(problems)
    told = tuple(islice(every, most))
    left_out = sum(1 for _ in islice(every, MOST_COUNTED))
    if not left_out:
        return told
    count = f"at least {left_out}" if most + left_out >= MOST_COUNTED else str(left_out)
    more = Problem("$", "more-problems", f"{count} more are not listed", "Repair these and send it again.")
    return (*told, more)


def quoted(value: object, longest: int = 80) -> str:
    """A value for a message: printable, in quotes, never longer than `longest` characters.

    Example: quoted("a\\nb") == "'a\\\\nb'"
    """
    if isinstance(value, str):
        if len(value) <= longest and "'" not in value and value.isprintable() and "\\" not in value:
            return f"'{value}'"
        value = value[: longest + 1]
    elif isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    shown = ascii(value) if not str(value).isprintable() else repr(value)
    return shown if len(shown) <= longest else shown[:longest] + "…'"
