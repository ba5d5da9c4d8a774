"""Looking for a value in any spelling."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from flask import Response
from pydantic import Field

from kentongan.api.asked import PRINTABLE, Paged
from kentongan.api.operation import Answer, answer, operation
from kentongan.domain.identity import Identity, Scope
from kentongan.domain.observables.kinds import KINDS
from kentongan.services.read_observables import ObservableView, ReadObservables
from kentongan.threshold.installation import installation

ObservableKind = StrEnum("ObservableKind", {kind: kind for kind in sorted(KINDS)})  # type: ignore[misc]  # made of a table


class ObservablesAsked(Paged):
    """Which value."""

    value: Annotated[str, Field(min_length=1, max_length=4000, pattern=PRINTABLE)]
    """The value, in any spelling: EVIL[.]example finds evil.example."""
    kind: ObservableKind | None = None
    """What it is, where the value does not say so itself."""


@operation(
    "GET",
    "/observables",
    "Look for a value",
    scope=Scope.READ,
    query=ObservablesAsked,
    answers={200: Answer("What it was read as and a page of incidents, the last received first.", ObservableView)},
)
def find_observable(reader: Identity, query: ObservablesAsked) -> Response:
    """Where a value was seen, as far as you may know. The value is looked up, never opened or resolved."""
    kind = query.kind.value if query.kind else None
    with installation().database.reading_for(reader) as session:
        view = ReadObservables(session).value(reader, query.value, kind=kind, limit=query.limit, cursor=query.cursor)
    return answer(view)
