"""The API's description in OpenAPI 3.1, made of the very models that requests are read with, and a page to read it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, get_args, get_origin

import orjson
from flask import Response, render_template
from pydantic import BaseModel, TypeAdapter

from kentongan.api.operation import OPERATIONS, Answer, Operation, api, guarded, with_headers
from kentongan.api.problems import CONTENT_TYPE, ProblemDocument
from kentongan.threshold.refusals import KINDS, Kind

Schema = dict[str, Any]

_STYLESHEET: Final = Path(__file__).with_name("page.css")
_REFERENCE: Final = "#/components/schemas/{model}"
_PATH_PART: Final = re.compile(r"<(\w+)>")
_EVERYWHERE: Final = ("wrong-request", "not-signed-in", "missing-scope", "our-fault", "unavailable")
_PATH_PATTERN: Final = "^[A-Za-z0-9-]{1,255}$"
_ABOUT: Final = (
    "Submit STIX 2.1 incidents; read incidents, the cases and campaigns found among them, and STIX objects as far as their "
    "markings let you see them. What you may not see looks exactly like what never was. Lists are paged: ask again with "
    "`cursor` set to the `next` of the page before. Every refusal is a problem document of RFC 9457."
)


@api.get("/openapi.json")
@guarded
def openapi_document() -> Response:
    """The description, for programs. It tells nothing of what is stored, so it needs no token."""
    return with_headers(Response(_written(), content_type="application/json"), {"Cache-Control": "public, max-age=300"})


@api.get("/docs")
@guarded
def readable_page() -> Response:
    """The same for people: one page, no script."""
    return with_headers(Response(_page(), content_type="text/html; charset=utf-8"))


@api.get("/docs.css")
@guarded
def stylesheet_of_page() -> Response:
    """How that page looks."""
    return with_headers(
        Response(_STYLESHEET.read_bytes(), content_type="text/css; charset=utf-8"),
        {"Cache-Control": "public, max-age=300"},
    )


@cache
def document() -> Schema:
    """The whole description."""
    schemas = _Schemas()
    paths: dict[str, Schema] = {}
    for operation in OPERATIONS:
        address = "/api/v1" + _PATH_PART.sub(r"{\1}", operation.path)
        paths.setdefault(address, {})[operation.method.lower()] = _described(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Kentongan", "version": version("kentongan"), "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "A token: kt_..."}},
            "schemas": schemas.named,
        },
    }


@cache
def _written() -> bytes:
    return orjson.dumps(document())


@cache
def _page() -> bytes:
    # Rendering it takes a second; nothing in it changes while the program runs.
    return render_template("api/page.html", document=document(), kinds=KINDS.values()).encode()


class _Schemas:
    """JSON schemas of models and dataclasses, each named once."""

    def __init__(self) -> None:
        self.named: dict[str, Schema] = {}

    def answered(self, shape: Any) -> Schema:  # Any: a type
        return self._kept(shape, TypeAdapter(shape).json_schema(mode="serialization", ref_template=_REFERENCE))

    def asked(self, model: type[BaseModel]) -> Schema:
        return self._kept(model, model.model_json_schema(ref_template=_REFERENCE))

    def _kept(self, shape: Any, schema: Schema) -> Schema:  # Any: a type
        self.named.update(schema.pop("$defs", {}))
        if schema.get("type") != "object" or "properties" not in schema:
            return schema
        name = _name(shape)
        self.named[name] = {**schema, "title": name}
        return {"$ref": _REFERENCE.format(model=name)}


def _name(shape: Any) -> str:  # Any: a type
    """`IncidentView`; of a page of something `Page_IncidentSummary_`, which is what pydantic calls it inside others."""
    inner = [part.__name__ for part in get_args(shape) if isinstance(part, type)]
    return "_".join([getattr(get_origin(shape) or shape, "__name__", ""), *inner, ""]) if inner else str(shape.__name__)


def _described(operation: Operation, schemas: _Schemas) -> Schema:
    described: Schema = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": f"{operation.description} Needs the scope `{operation.scope.value}`.",
        "parameters": [*_path(operation), *_query(operation, schemas), *_headers(operation)],
        "responses": {
            **{str(status): _answer(each, schemas) for status, each in operation.answers.items()},
            **_refusals((*_EVERYWHERE, *operation.refuses), schemas),
        },
    }
    if operation.body is not None:
        schema = schemas.asked(operation.body.model) if operation.body.model else dict(operation.body.schema)
        content = {content_type: {"schema": schema} for content_type in operation.body.content_types}
        described["requestBody"] = {
            "description": operation.body.says,
            "required": operation.body.required,
            "content": content,
        }
    return described


def _path(operation: Operation) -> Iterable[Schema]:
    for name in _PATH_PART.findall(operation.path):
        schema = {"type": "string", "pattern": _PATH_PATTERN}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query(operation: Operation, schemas: _Schemas) -> Iterable[Schema]:
    if operation.query is None:
        return
    model = operation.query.model_json_schema(ref_template=_REFERENCE)
    schemas.named.update(model.pop("$defs", {}))
    for name, schema in model.get("properties", {}).items():
        required = name in model.get("required", ())
        parameter = {"name": name, "in": "query", "required": required, "schema": _without_null(schema)}
        if about := schema.get("description"):
            parameter["description"] = about
        yield parameter


def _without_null(schema: Schema) -> Schema:
    """A parameter that is not asked for is left out; it cannot be null."""
    kept = {name: value for name, value in schema.items() if name not in ("title", "description")}
    if kept.get("default", 0) is None:
        del kept["default"]
    choices = [choice for choice in kept.pop("anyOf", ()) if choice.get("type") != "null"]
    return {**kept, **choices[0]} if len(choices) == 1 else kept


def _headers(operation: Operation) -> Iterable[Schema]:
    for name, header in operation.request_headers.items():
        yield {"name": name, "in": "header", "required": False, **header}


def _answer(told: Answer, schemas: _Schemas) -> Schema:
    described: Schema = {"description": told.says}
    if told.shape is not None:
        described["content"] = {told.content_type: {"schema": schemas.answered(told.shape)}}
    if told.headers:
        described["headers"] = {
            name: {"description": says, "schema": {"type": "string"}} for name, says in told.headers.items()
        }
    return described


def _refusals(names: Iterable[str], schemas: _Schemas) -> Schema:
    by_status: dict[int, list[Kind]] = {}
    for kind in (KINDS[name] for name in names):
        by_status.setdefault(kind.status, []).append(kind)
    content = {CONTENT_TYPE: {"schema": schemas.answered(ProblemDocument)}}
    return {
        str(status): {"description": "; ".join(kind.title for kind in kinds) + ".", "content": content}
        for status, kinds in sorted(by_status.items())
    }
