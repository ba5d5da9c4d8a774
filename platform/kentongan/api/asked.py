"""Reading what a request asks: query parameters, ids and small JSON bodies, each against a pydantic model.

What is wrong is told all at once, with its place, rule and hint. Nothing is guessed: an unknown parameter is an error, for a
misspelt filter would otherwise show more than was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeVar

from flask import request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from kentongan.domain.marking import Level
from kentongan.services.paging import MOST_PER_PAGE
from kentongan.threshold.refusals import Fault, Refusal, Where

M = TypeVar("M", bound=BaseModel)

_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
_LABELS: Final = {level.label: level for level in Level}
PRINTABLE: Final = r"^[^\x00-\x1f\x7f]*$"
UUID: Final = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


class Asked(BaseModel):
    """What may be asked for; nothing else is taken."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def _whole_number(text: Any) -> Any:  # Any: what pydantic was given
    if isinstance(text, str) and not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        raise ValueError("is no whole number")
    return text


def _moment(text: Any) -> Any:  # Any: what pydantic was given
    if not isinstance(text, str):
        return text
    # A plus sign in a query is a blank unless it was written as %2B; a blank cannot stand there otherwise.
    text = text.replace(" ", "+")
    if not _RFC_3339.fullmatch(text):
        raise ValueError("is no moment with a time zone, as RFC 3339 writes it: 2026-03-02T12:00:00Z")
    return datetime.fromisoformat(_six_digits(text.upper()))


def _six_digits(text: str) -> str:
    return re.sub(r"(\.\d{1,6})\d*", lambda fraction: fraction[1].ljust(7, "0"), text)


def as_label(text: Any) -> Any:  # Any: what pydantic was given
    label = str(text).upper().replace(" ", "+")
    return label if label.startswith("TLP:") else f"TLP:{label}"


def _true_or_false(text: Any) -> Any:  # Any: what pydantic was given
    if text not in ("true", "false"):
        raise ValueError("is neither true nor false")
    return text == "true"


Limit = Annotated[int, Field(ge=1, le=MOST_PER_PAGE), BeforeValidator(_whole_number)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Flag = Annotated[bool, BeforeValidator(_true_or_false)]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=PRINTABLE)]
PublicId = Annotated[str, Field(pattern=UUID)]
Tlp = Annotated[
    Literal["TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"],
    BeforeValidator(as_label),
    AfterValidator(str),
]


class Paged(Asked):
    """A page of a list."""

    limit: Limit = 50
    """How many at most."""
    cursor: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_-]+$")] | None = None
    """Where to go on: the `next` of the page before. It belongs to the same list and filter."""


def level_of_label(label: str) -> Level:
    """The level that a label of TLP 2.0 names."""
    return _LABELS[label]


def query_as(model: type[M]) -> M:
    """The query parameters. Raises Refusal with everything that is wrong with them."""
    given = request.args.to_dict(flat=False)
    if repeated := [name for name, values in given.items() if len(values) > 1]:
        hint = "Give it once."
        raise _wrong(Fault("query", name[:80], "repeated", "stands there more than once", hint) for name in repeated)
    return _validated(model, {name: values[0] for name, values in given.items()}, "query")


def body_as(model: type[M], parsed: Any) -> M:  # Any: parsed JSON
    """A parsed JSON body. Raises Refusal with everything that is wrong with it."""
    return _validated(model, parsed, "body")


def no_query() -> None:
    """For an address without query parameters. Raises Refusal if there are some."""
    if request.args:
        raise _wrong(
            Fault("query", name[:80], "unknown", "is not taken here", "Leave it out.") for name in request.args
        )


def _validated(model: type[M], given: Any, where: Where) -> M:  # Any: parsed JSON
    try:
        return model.model_validate(given)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        raise _wrong(_fault(detail, where, model) for detail in details[:100]) from None


def _wrong(faults: Iterable[Fault]) -> Refusal:
    return Refusal("wrong-request", "Nothing was done. What is wrong stands under problems.", faults)


def _fault(detail: ErrorDetails, where: Where, model: type[BaseModel]) -> Fault:
    place = [str(step)[:80] for step in detail["loc"]]
    rule = "unknown" if detail["type"] == "extra_forbidden" else detail["type"].replace("_", "-")
    path = ".".join(place) if where == "query" else "$" + "".join(_step(step) for step in detail["loc"])
    return Fault(where, path, rule, _reason(detail), _hint(place, model.model_fields))


def _step(step: int | str) -> str:
    return f"[{step}]" if isinstance(step, int) else f".{step[:80]}"


def _reason(detail: ErrorDetails) -> str:
    if detail["type"] == "extra_forbidden":
        return "is not taken here"
    said = detail["msg"].removeprefix("Value error, ")
    return said[:1].lower() + said[1:]


def _hint(place: list[str], fields: Mapping[str, Any]) -> str:
    field = fields.get(place[0]) if place else None
    if field is None:
        return f"Use some of: {', '.join(fields)}."
    return field.description or "The page at /api/v1/docs says what may stand there."
