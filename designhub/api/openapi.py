"""The API's description, generated from what the views say of themselves.

    @bp.post("/orders")
    @needs(Scope.ORDER)
    @describes("Accept a quote", takes=OrderAsk, gives=OrderMade, status=201)
    def order() -> ResponseReturnValue: ...

OpenAPI 3.1; the schemas are the message dataclasses themselves, so an answer and its description
cannot drift apart.
"""

import ast
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from enum import StrEnum
from functools import cache
from importlib import import_module
from itertools import pairwise
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin
from uuid import UUID

from flask import Flask, request

from basis.errors import Invalid
from basis.messages import Message, kinds_of

View = TypeVar("View", bound=Callable[..., Any])
Said = TypeVar("Said", bound=Message)

ERRORS: Mapping[int, str] = {
    401: "Sign in, or say a valid token",
    403: "Not yours, or the token lacks the scope",
    404: "No such thing, or none that you may see",
    409: "Not possible in this state",
    413: "Over a stated limit",
    415: "Send JSON",
    422: "The request itself is wrong",
    429: "Slow down; Retry-After says when",
    503: "Something the hub needs is away",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a view says of itself."""

    summary: str
    takes: type[Message] | None
    gives: type[Message] | None
    status: int
    query: Mapping[str, str]
    media: str
    body: str | None
    who: str


def describes(
    summary: str,
    *,
    takes: type[Message] | None = None,
    gives: type[Message] | None = None,
    status: int = 200,
    query: Mapping[str, str] | None = None,
    media: str = "application/json",
    body: str | None = None,
    who: str = "anybody",
) -> Callable[[View], View]:
    """Attach a description to a view. `query` names each parameter with its meaning; `who` is
    `anybody`, `account` or `agent`; `body` is the kind of a body that is no message."""

    def attach(view: View) -> View:
        view.__dict__["description"] = Description(
            summary=summary,
            takes=takes,
            gives=gives,
            status=status,
            query=query or {},
            media=media,
            body=body,
            who=who,
        )
        return view

    return attach


def said(kind: type[Said], *, strict: bool = True) -> Said:
    """The JSON body of the request as a message. Raises Invalid; unknown keys are refused, unless
    they may come from a newer program of ours."""
    try:
        data = request.get_json(silent=True)
    except RecursionError:  # brackets within brackets without end
        data = None
    if data is None:
        raise Invalid(f"send a JSON object ({kind.__name__}) with Content-Type: application/json")
    return kind.from_json(data, strict=strict)


def document(app: Flask, *, version: str) -> dict[str, Any]:
    """The whole description of the API under `/api/v1`."""
    schemas: dict[str, Any] = {"Problem": PROBLEM}
    paths: dict[str, Any] = {}
    areas: dict[str, str] = {}
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        view = inspect.unwrap(app.view_functions[rule.endpoint])
        description = _description_of(app.view_functions[rule.endpoint]) or _description_of(view)
        if description is None:
            continue
        path = re.sub(r"<(?:[a-z]+(?:\([^)]*\))?:)?([a-z_]+)>", r"{\1}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            operation = _operation(description, rule, view, schemas)
            scope = getattr(app.view_functions[rule.endpoint], "scope", None)
            if scope is not None:
                operation["x-scope"] = str(scope)
            areas.setdefault(operation["tags"][0], _first_line(inspect.getmodule(view)))
            paths.setdefault(path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "DesignHub",
            "version": version,
            "summary": "Open designs, orders, printers' work and the open book",
            "license": {"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in sorted(areas.items())],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic"},
                "agent": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _first_line(documented: object) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]


def _description_of(view: object) -> Description | None:
    found = getattr(view, "description", None)
    return found if isinstance(found, Description) else None


def _operation(
    description: Description, rule: Any, view: Callable[..., Any], schemas: dict[str, Any]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": rule.endpoint.replace(".", "_"),
        "tags": [rule.endpoint.partition(".")[0].removesuffix("_api")],
        "summary": description.summary,
        "description": inspect.cleandoc(view.__doc__ or ""),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": _path_schema(rule, name)}
            for name in sorted(rule.arguments)
        ]
        + [
            {
                "name": name,
                "in": "query",
                "description": text,
                "schema": QUERY.get(name, PLAIN[str]),
            }
            for name, text in description.query.items()
        ],
        "responses": _responses(description, schemas),
    }
    if description.takes is not None:
        schema = _message(description.takes, schemas)
        if description.who != "agent":  # an agent may be newer than its hub
            schemas[description.takes.__name__]["additionalProperties"] = False
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    if description.body is not None:
        content = {description.body: {"schema": {"type": "string", "format": "binary"}}}
        operation["requestBody"] = {"required": True, "content": content}
    if description.who != "anybody":
        ways = ["agent"] if description.who == "agent" else ["token", "password"]
        operation["security"] = [{way: []} for way in ways]
    return operation


def _responses(description: Description, schemas: dict[str, Any]) -> dict[str, Any]:
    ok: dict[str, Any] = {"description": description.summary}
    if description.gives is not None:
        ok["content"] = {description.media: {"schema": _message(description.gives, schemas)}}
    elif description.media != "application/json":
        ok["content"] = {description.media: {}}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    failures = {
        str(status): {"description": text, "content": problem} for status, text in ERRORS.items()
    }
    return {str(description.status): ok, **failures}


def _path_schema(rule: Any, name: str) -> dict[str, Any]:
    kind = type(rule._converters[name]).__name__
    if kind == "UUIDConverter":
        return {"type": "string", "format": "uuid"}
    if kind == "IntegerConverter":
        return {"type": "integer"}
    return {"type": "string", "minLength": 1}


def _message(kind: type[Message], schemas: dict[str, Any]) -> dict[str, Any]:
    """A reference to the schema of a message, which is added to `schemas` when it is new."""
    if kind.__name__ not in schemas:
        schemas[kind.__name__] = {}  # taken at once: messages may hold each other
        annotations = kinds_of(kind)
        named = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
        texts = _texts_in(kind.__module__).get(kind.__name__, {})
        required = [
            name
            for name, each in named.items()
            if each.default is MISSING and each.default_factory is MISSING
        ]
        schemas[kind.__name__] = {
            "type": "object",
            "description": inspect.cleandoc(kind.__doc__ or ""),
            "properties": {
                name: _field(annotations[name], each, texts.get(name), schemas)
                for name, each in named.items()
            },
            "required": required,
        }
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _field(
    kind: Any, each: Field[Any], text: str | None, schemas: dict[str, Any]
) -> dict[str, Any]:
    """One field of a message: its type, what it is when it is left out, and what it means."""
    schema = _value(kind, schemas)
    default = each.default
    if default is not MISSING and default is not None and "$ref" not in schema:
        schema = {**schema, "default": default}
    return {**schema, "description": text} if text else schema


@cache
def _texts_in(module: str) -> Mapping[str, Mapping[str, str]]:
    """What stands below the fields of the classes of a module in its source."""
    found: dict[str, dict[str, str]] = {}
    for kind in ast.parse(inspect.getsource(import_module(module))).body:
        if isinstance(kind, ast.ClassDef):
            texts = found.setdefault(kind.name, {})
            for field, below in pairwise(kind.body):
                if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
                    said = str(getattr(below.value, "value", ""))
                    texts[ast.unparse(field.target)] = " ".join(inspect.cleandoc(said).split())
    return found


def _value(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    origin = get_origin(kind)
    if origin is UnionType:
        wanted = next(each for each in get_args(kind) if each is not NoneType)
        return {"anyOf": [_value(wanted, schemas), {"type": "null"}]}
    if origin is list:
        return {"type": "array", "items": _value(get_args(kind)[0], schemas)}
    if origin is dict or kind is dict:
        return {"type": "object"}
    if kind in PLAIN:
        return PLAIN[kind]
    if issubclass(kind, StrEnum):
        return {"type": "string", "enum": [each.value for each in kind]}
    return _message(kind, schemas)


PLAIN: Mapping[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer", "format": "int64"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    UUID: {"type": "string", "format": "uuid"},
    Any: {},
}

QUERY: Mapping[str, dict[str, Any]] = {
    "after": {"type": "integer", "minimum": 0, "maximum": 1_000_000},
    "before": {"type": "integer", "minimum": 0, "maximum": 10**15 - 1},
}
"""Parameters of the query that are no plain text."""

PROBLEM = {
    "type": "object",
    "description": "What went wrong and what to do about it (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}
