"""Does a print or filament profile go with a printer? The conditions in PrusaSlicer's bundles.

A condition is a line such as `printer_model=~/(MK3|MK3S)/ and nozzle_diameter[0]==0.4`. What is
written in another way, or speaks of a value that is not known here, is *unclear*: then nobody is
told that two profiles go together, and nobody is told that they do not.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from printers.bundles import Preset

__all__ = ["Unclear", "goes_with", "holds"]

MAX_CHARS = 4_000
MAX_DEPTH = 40

_TOKEN = re.compile(
    r"\s*(?:(?P<word>[A-Za-z_]\w*)(?:\[(?P<index>\d{1,2})\])?"
    r"|(?P<number>\d+(?:\.\d+)?)"
    r'|"(?P<text>[^"\n]*)"'
    r"|(?P<sign>==|!=|=~|!~|<=|>=|&&|\|\||[<>!()])"
    r"|/(?P<pattern>(?:[^/\\\n]|\\.)*)/)"
)
_SIGNS = {"&&": "and", "||": "or"}

DEFAULTS: Mapping[str, str] = {
    "printer_notes": "",
    "printer_model": "",
    "printer_variant": "",
    "nozzle_diameter": "0.4",
    "single_extruder_multi_material": "0",
}
"""What the slicer takes for a value that a profile does not name."""

Value = bool | float | str


class Unclear(Exception):
    """This condition says something that is not understood here."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    index: int | None = None


def goes_with(preset: Preset, printer: Preset) -> bool | None:
    """Whether a print or filament profile says that it goes with a printer; None when unclear.

    A list of names wins over a condition, as in the slicer; a profile with neither goes with all.
    """
    names = [each.strip().strip('"') for each in _said(preset, "compatible_printers").split(";")]
    if any(names):
        return printer.name in names
    condition = _said(preset, "compatible_printers_condition")
    if not condition:
        return True
    try:
        return holds(condition, printer.values)
    except Unclear:
        return None


def _said(preset: Preset, name: str) -> str:
    return preset.values.get(name, "").strip()


def holds(condition: str, values: Mapping[str, str]) -> bool:
    """Whether a condition is true of a printer's values. Raises Unclear."""
    if len(condition) > MAX_CHARS:
        raise Unclear("too long")
    return _Reader(list(_tokens(condition)), values).whole()


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    text = text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise Unclear(f"{text[at : at + 20]!r}")
        at = found.end()
        kind = found.lastgroup or ""
        if kind == "index":
            yield _Token("word", found["word"], int(found["index"]))
        elif found["word"] in {"and", "or", "not"}:
            yield _Token("sign", "!" if found["word"] == "not" else found["word"])
        else:
            yield _Token(kind, _SIGNS.get(found[kind], found[kind]))


class _Reader:
    """Reads by descent: or, and, comparison, not, and what stands alone or in parentheses."""

    def __init__(self, tokens: list[_Token], values: Mapping[str, str]) -> None:
        self._tokens, self._values, self._at, self._depth = tokens, values, 0, 0

    def whole(self) -> bool:
        found = self._any()
        if self._at != len(self._tokens):
            raise Unclear("it goes on after its end")
        return _truth(found)

    def _take(self, *signs: str) -> str:
        """The next token if it is one of these signs; else nothing is taken."""
        if self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.kind == "sign" and token.text in signs:
                self._at += 1
                return token.text
        return ""

    def _any(self) -> Value:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unclear("nested too deeply")
        found = self._all()
        while self._take("or"):
            other = self._all()  # read in any case: what follows must be understood too
            found = _truth(found) or _truth(other)
        self._depth -= 1
        return found

    def _all(self) -> Value:
        found = self._compared()
        while self._take("and"):
            other = self._compared()
            found = _truth(found) and _truth(other)
        return found

    def _compared(self) -> Value:
        left = self._one()
        sign = self._take("==", "!=", "=~", "!~", "<=", ">=", "<", ">")
        if not sign:
            return left
        if sign in {"=~", "!~"}:
            return self._matches(left) == (sign == "=~")
        right = self._one()
        if type(left) is not type(right):
            raise Unclear(f"{left!r} {sign} {right!r}")
        if sign in {"==", "!="}:
            return (left == right) == (sign == "==")
        if not isinstance(left, float) or not isinstance(right, float):
            raise Unclear("only numbers have an order")
        return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[
            sign
        ]

    def _matches(self, left: Value) -> bool:
        token = self._next()
        if token.kind != "pattern" or not isinstance(left, str):
            raise Unclear("=~ wants a text and a /pattern/")
        try:
            return re.fullmatch(token.text, left, re.DOTALL) is not None
        except re.error as exc:
            raise Unclear(f"the pattern {token.text!r}") from exc

    def _one(self) -> Value:
        negated = False
        while self._take("!"):
            negated = not negated
        if self._take("("):
            found = self._any()
            if not self._take(")"):
                raise Unclear("a ( without its )")
        else:
            found = self._named(self._next())
        return (not _truth(found)) if negated else found

    def _next(self) -> _Token:
        if self._at >= len(self._tokens):
            raise Unclear("it ends in the middle")
        self._at += 1
        return self._tokens[self._at - 1]

    def _named(self, token: _Token) -> Value:
        if token.kind == "number":
            return float(token.text)
        if token.kind == "text":
            return token.text
        if token.kind != "word":
            raise Unclear(f"{token.text!r} stands where a value should")
        if token.text == "num_extruders":
            return float(len(self._value("nozzle_diameter").split(",")))
        text = self._value(token.text)
        if token.index is not None:
            each = text.split(",")
            text = each[token.index] if token.index < len(each) else each[0]
        with suppress(ValueError):
            return float(text)
        return text.replace("\\n", "\n")

    def _value(self, name: str) -> str:
        if name in self._values:
            return self._values[name]
        if name in DEFAULTS:
            return DEFAULTS[name]
        raise Unclear(f"{name} is not known of this printer")


def _truth(value: Value) -> bool:
    if isinstance(value, str):
        raise Unclear(f"{value!r} is neither true nor false")
    return bool(value)
