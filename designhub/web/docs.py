"""Pages that explain: for now every code an error may carry."""

import inspect
from dataclasses import dataclass
from http import HTTPStatus

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from basis.errors import HubError
from designhub.errors import status_of_kind
from designhub.web.api_page import marked

bp = Blueprint("docs", __name__)

PLAIN_HTTP = (400, 404, 405, 406, 408, 411, 413, 415, 416, 417, 500)
"""Refusals of HTTP itself, before any of our own words were read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One code and what it means."""

    code: str
    status: int
    text: str


@bp.get("/docs/errors")
def error_codes() -> ResponseReturnValue:
    """Every code; `type` in an answer leads here."""
    return render_template("errors.html", codes=codes(), marked=marked)


def codes() -> list[Code]:
    """The codes of every error class, and those of HTTP itself, by code."""
    found = {
        kind.code: Code(
            code=kind.code,
            status=status_of_kind(kind),
            text=" ".join(inspect.cleandoc(kind.__doc__ or "").replace("`", "").split()),
        )
        for kind in _kinds(HubError)
        if "code" in vars(kind)
    }
    for number in PLAIN_HTTP:
        phrase = HTTPStatus(number)
        code = phrase.phrase.lower().replace(" ", "_")
        text = f"{phrase.description or phrase.phrase}."
        found.setdefault(code, Code(code=code, status=number, text=text))
    return [found[code] for code in sorted(found)]


def _kinds(kind: type[HubError]) -> list[type[HubError]]:
    """An error class and all below it, those that come first deciding for their code."""
    return [kind, *(below for each in kind.__subclasses__() for below in _kinds(each))]
