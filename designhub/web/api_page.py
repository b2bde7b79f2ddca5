"""The API to read: its own OpenAPI document as a page, with an example of every call."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, current_app, render_template
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape

from designhub.hub import base_url
from designhub.language import _

bp = Blueprint("api_page", __name__)

SAID: Mapping[str, Any] = {
    "design": "ada/hinge-box",
    "place": "Ulm, DE",
    "name": "hinge-box",
    "material": "PLA",
    "colour": "black",
    "left_mg": 1_000_000,
    "price_per_kg_minor": 2_500,
    "scopes": ["order"],
    "printers": ["one"],
    "owner": "ada",
    "version": "v1.0",
    "accepting": False,
}
"""What stands in examples under a name; anything else is made up from its type."""

UNITS = (
    ("_mg", "mg"),
    ("_um", "µm"),
    ("_mm", "mm"),
    ("_m", "m"),
    ("_s", "s"),
    ("_ppm", "ppm"),
    ("_pct", "%"),
    ("_udeg", "µ°"),
    ("_bp", "0.01 %"),
    ("_mwh", "mWh"),
    ("_bytes", "bytes"),
    ("_minor", "minor units"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """The type of a value; `message` names the message it is, if it is one."""

    text: str
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A parameter or a field."""

    name: str
    kind: Kind
    required: bool
    default: str | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What may come back."""

    status: str
    text: str
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call."""

    id: str
    method: str
    path: str
    summary: str
    text: str
    who: str
    scope: str | None
    parameters: list[Given]
    """In the path and in the query."""
    body: str | None
    fields: list[Given]
    answers: list[Answer]
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Calls that belong together."""

    name: str
    text: str
    operations: list[Operation]


@bp.get("/docs/api")
def api() -> ResponseReturnValue:
    """Every call by area, then every message."""
    document: Mapping[str, Any] = current_app.ensure_sync(current_app.view_functions["openapi"])()
    messages: Mapping[str, Any] = document["components"]["schemas"]
    return render_template(
        "api.html",
        version=document["info"]["version"],
        areas=list(_areas(document)),
        messages={name: (each, fields_of(each)) for name, each in sorted(messages.items())},
        marked=marked,
    )


def marked(text: str) -> Markup:
    """A text of the source, its `code` and *names* marked as such."""
    safe = str(escape(text))
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    return Markup(re.sub(r"\*([^*\n]+)\*", r"<em>\1</em>", safe))  # noqa: S704 - escaped above


def _areas(document: Mapping[str, Any]) -> Iterator[Area]:
    messages = document["components"]["schemas"]
    for tag in document["tags"]:
        operations = [
            _operation(method, path, said, messages)
            for path, methods in document["paths"].items()
            for method, said in methods.items()
            if tag["name"] in said["tags"]
        ]
        yield Area(name=tag["name"], text=tag["description"], operations=operations)


def _operation(
    method: str, path: str, said: Mapping[str, Any], messages: Mapping[str, Any]
) -> Operation:
    media = said.get("requestBody", {}).get("content", {})
    json_body = media.get("application/json")
    body = kind_of(json_body["schema"]).message if json_body else None
    return Operation(
        id=said["operationId"],
        method=method.upper(),
        path=path,
        summary=said["summary"],
        text=said["description"],
        who=_who(said),
        scope=said.get("x-scope"),
        parameters=[_parameter(each) for each in said["parameters"]],
        body=body,
        fields=fields_of(messages[body]) if body else [],
        answers=[_answer(status, each) for status, each in said["responses"].items()],
        example=_example(method.upper(), path, said, messages.get(body or "")),
    )


def _who(said: Mapping[str, Any]) -> str:
    ways = {way for each in said.get("security", ()) for way in each}
    if not ways:
        return _("anybody")
    return _("an agent, by its token") if ways == {"agent"} else _("an account, by a token")


def _parameter(said: Mapping[str, Any]) -> Given:
    where = _("in the path") if said["in"] == "path" else _("in the query")
    text = said.get("description", "")
    return Given(
        name=said["name"],
        kind=Kind(text=f"{kind_of(said['schema']).text}, {where}"),
        required=said.get("required", False),
        default=None,
        text=text,
    )


def _answer(status: str, said: Mapping[str, Any]) -> Answer:
    kind = Kind(text="")
    for media, each in said.get("content", {}).items():
        kind = kind_of(each["schema"]) if "schema" in each else Kind(text=media)
    return Answer(status=status, text=said["description"], kind=kind)


def fields_of(schema: Mapping[str, Any]) -> list[Given]:
    """The fields of a message."""
    return [
        Given(
            name=name,
            kind=_with_unit(name, kind_of(each)),
            required=name in schema.get("required", ()),
            default=json.dumps(each["default"]) if "default" in each else None,
            text=each.get("description", ""),
        )
        for name, each in schema["properties"].items()
    ]


def kind_of(schema: Mapping[str, Any]) -> Kind:
    """The type of a value in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Kind(text=name, message=name)
    if "anyOf" in schema:
        inner = kind_of(schema["anyOf"][0])
        return Kind(text=_("%(kind)s or null", kind=inner.text), message=inner.message)
    if schema.get("type") == "array":
        inner = kind_of(schema["items"])
        return Kind(text=_("list of %(kind)s", kind=inner.text), message=inner.message)
    if "enum" in schema:
        return Kind(text=_("one of %(words)s", words=", ".join(schema["enum"])))
    plain = {
        "string": _("text"),
        "integer": _("whole number"),
        "number": _("number"),
        "boolean": _("true or false"),
        "object": _("object"),
    }
    named = {"uuid": "UUID", "date-time": _("moment")}.get(schema.get("format", ""))
    text = named or plain.get(str(schema.get("type")), _("anything"))
    return Kind(text=text + _bounds(schema))


def _bounds(schema: Mapping[str, Any]) -> str:
    low = schema.get("minimum", schema.get("minLength"))
    high = schema.get("maximum", schema.get("maxLength"))
    if low is None and high is None:
        return ""
    if high is None:
        return " " + _("from %(low)s", low=low)
    return " " + _("%(low)s to %(high)s", low=low or 0, high=high)


def _with_unit(name: str, kind: Kind) -> Kind:
    unit = next((unit for ending, unit in UNITS if name.endswith(ending)), None)
    return Kind(text=f"{kind.text}, {unit}", message=kind.message) if unit else kind


def _example(
    method: str, path: str, said: Mapping[str, Any], body: Mapping[str, Any] | None
) -> str:
    for each in said["parameters"]:
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", str(SAID.get(each["name"], "…")))
    said_by_itself = "POST" if body is not None else "GET"
    lines = [f"curl {base_url()}{path}"]
    if method != said_by_itself:
        lines.append(f"-X {method}")
    if said.get("security"):
        lines.append("-H 'Authorization: Bearer TOKEN'")
    if body is not None:
        needed = body.get("required") or list(body["properties"])[:1]
        filled = {name: _made_up(name, body["properties"][name]) for name in needed}
        lines.append("-H 'Content-Type: application/json'")
        lines.append(f"-d {shlex.quote(json.dumps(filled, ensure_ascii=False))}")
    return " \\\n  ".join(lines)


def _made_up(name: str, schema: Mapping[str, Any]) -> Any:
    if name in SAID:
        return SAID[name]
    kind = schema.get("type", "")
    return {"integer": 1, "number": 1.0, "boolean": True, "array": [], "object": {}}.get(kind, "…")
