"""What a door for programs may refuse: kinds with their status, and every fault of a request with its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from kentongan.domain.gate import Problem

Where = Literal["query", "path", "header", "body"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request.

    `where` is query, path, header or body; `path` is the parameter's name or, in a body, a JSON path; `rule` is a stable
    name; `reason` says what is wrong and `hint` what to do.
    """

    where: Where
    path: str
    rule: str
    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its status, its stable name and its title."""

    status: int
    name: str
    title: str


KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(400, "wrong-request", "The request is not as it should be"),
        Kind(400, "unreadable", "The document cannot be read"),
        Kind(401, "not-signed-in", "A valid token is needed"),
        Kind(403, "missing-scope", "The token may not be used for this"),
        Kind(404, "not-found", "There is no such thing for you"),
        Kind(405, "wrong-method", "This address does not take that method"),
        Kind(408, "too-slow", "The document did not come in time"),
        Kind(409, "key-reused", "The idempotency key was used for another document"),
        Kind(410, "erased", "It was yours and was erased"),
        Kind(413, "too-large", "The document is too large"),
        Kind(415, "wrong-type", "This kind of content is not taken"),
        Kind(422, "rejected", "Nothing of the document was accepted"),
        Kind(422, "refused", "This wish cannot be granted as it was put"),
        Kind(500, "our-fault", "Something broke on our side"),
        Kind(503, "unavailable", "The platform cannot answer just now"),
    )
}
RETRY_AFTER: Final = "10"
"""Seconds after which to try again what could not be answered just now."""
NOT_FOUND: Final = "It was never there, is gone, or is not shared with you; the answer is the same."


class Refusal(Exception):
    """A request is refused with this kind of problem. `more` are further members of the document."""

    def __init__(
        self,
        kind: str,
        detail: str,
        faults: Iterable[Fault] = (),
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = KINDS[kind]
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})
        self.more = dict(more or {})


def faults_of(problems: Iterable[Problem], where: Where = "body") -> tuple[Fault, ...]:
    """The gate's problems as a door tells them."""
    return tuple(Fault(where, problem.path, problem.rule, problem.reason, problem.hint) for problem in problems)
