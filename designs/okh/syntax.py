"""TOML, YAML and JSON to plain values with line numbers, safely.

The parsers we stand on were made for files one trusts. So: sizes, depths and node counts are
limited, YAML gives text only (`1.10`, `no` and `12:30` stay what was written) and may not use
aliases, and a key given twice is told in every format.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

import yaml

MAX_BYTES = 128 * 1024  # the largest manifest we saw has 10 kB
MAX_DEPTH = 16
MAX_NODES = 5_000

Path = tuple[str | int, ...]
Value = Any
"""dict with text keys, list, str (or Plain), int, float (or Number), bool, or None."""


class Plain(str):
    """An unquoted YAML scalar: text that may be meant as a number, a truth value or nothing."""

    __slots__ = ()


class Number(float):
    """A number with a point, which remembers how it was written: 1.10 is not 1.1 in a version."""

    text: str

    def __new__(cls, text: str) -> "Number":
        number = super().__new__(cls, text)
        number.text = text
        return number


@dataclass(slots=True)
class Parsed:
    """The values of a file, where each key stands, and the keys given twice."""

    values: Value
    lines: dict[Path, int] = field(default_factory=dict)
    repeated: list[tuple[Path, int | None]] = field(default_factory=list)
    more_documents: int | None = None  # the line of a second YAML document


class Unreadable(Exception):
    """The text does not follow its format, or passes a limit."""

    def __init__(self, code: str, line: int | None, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.line = line
        self.text = text


def key_text(path: Path) -> str:
    """`part[0].export[1]` for ("part", 0, "export", 1)."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)[
        :200
    ].strip(".")


def tidy(value: Value) -> Value:
    """Values a database can keep: dates as text, no lone surrogates or NUL, no endless integers.

    Raises Unreadable when the value is nested too deeply or has too many nodes.
    """
    nodes = 0

    def visit(inner: Value, depth: int) -> Value:
        nonlocal nodes
        nodes += 1
        if depth > MAX_DEPTH:
            raise Unreadable("too_deep", None, f"it is nested more than {MAX_DEPTH} levels deep")
        if nodes > MAX_NODES:
            raise Unreadable("too_many_values", None, f"it holds more than {MAX_NODES} values")
        if isinstance(inner, dict):
            return {_text(key): visit(each, depth + 1) for key, each in inner.items()}
        if isinstance(inner, list):
            return [visit(each, depth + 1) for each in inner]
        if isinstance(inner, (datetime, date, time)):
            return inner.isoformat()
        if isinstance(inner, str):
            return Plain(_text(inner)) if isinstance(inner, Plain) else _text(inner)
        if isinstance(inner, int) and not isinstance(inner, bool) and abs(inner) > 2**53:
            return Number(repr(float(inner))) if abs(inner) < 10**300 else Number("inf")
        return inner

    return visit(value, 0)


def _text(text: str) -> str:
    return re.sub("[\x00\ud800-\udfff]", "\ufffd", text)


# --- TOML -----------------------------------------------------------------------------------

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_KEY = re.compile(rf"[ \t]*({_DOTTED})[ \t]*=[ \t]*(.*)")
_HEADER = re.compile(rf"[ \t]*(\[\[?)[ \t]*({_DOTTED})[ \t]*\]\]?[ \t]*(?:#.*)?")
# The library needs time in the square of a dotted key's length: 16,000 dots take six seconds.
_ENDLESS_KEY = re.compile(
    r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){32}"""
)


def toml(text: str) -> Parsed:
    """Parse TOML. Raises Unreadable; code `repeated_key` when a key or table is given twice."""
    endless = _ENDLESS_KEY.search(text)
    if endless:
        start = text.count("\n", 0, endless.start()) + 1
        raise Unreadable("too_deep", start, "a key has more than 32 dotted parts")
    try:
        values = tomllib.loads(text, parse_float=Number)
    except RecursionError:
        raise Unreadable("too_deep", None, "it is nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, and plain ValueError for endless digits
        message = str(error)
        line: int | None = None
        found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
        if found:
            line = int(found[1]) if found[1] else text.rstrip().count("\n") + 1
            message = message[: found.start()]
        twice = message.startswith(("Cannot overwrite", "Cannot declare", "Cannot mutate"))
        raise Unreadable("repeated_key" if twice else "syntax", line, message) from None
    lines: dict[Path, int] = {}
    for number, path, _ in toml_statements(text):
        lines.setdefault(path, number)
        if path[-1] == 0:  # the first [[table]] is where the list of them begins
            lines.setdefault(path[:-1], number)
    return Parsed(tidy(values), lines)


def toml_statements(text: str) -> Iterator[tuple[int, Path, str | None]]:
    """Each key and table header of TOML text with its line and, for a key, what follows the `=`.

    A scan by line that works on broken files too; it is only used to find lines and to save what
    can be saved.
    """
    table: Path = ()
    counts: dict[Path, int] = {}
    closing: str | None = None  # the quotes that end a text of several lines
    for number, line in enumerate(text.split("\n"), start=1):
        if closing:
            closing = None if closing in line else closing
            continue
        line = line.rstrip("\r")
        header = _HEADER.fullmatch(line)
        if header:
            *outer, last = _dotted(header[2])
            table = ()
            for step in outer:
                table = (*table, step)
                if table in counts:
                    table = (*table, counts[table] - 1)
            table = (*table, last)
            if header[1] == "[[":
                counts[table] = counts.get(table, 0) + 1
                table = (*table, counts[table] - 1)
            yield number, table, None
            continue
        key = _KEY.match(line)
        if key:
            yield number, (*table, *_dotted(key[1])), key[2]
            closing = next((q for q in ('"""', "'''") if key[2].count(q) % 2), None)


def _dotted(text: str) -> list[str]:
    return [part.strip("\"'") for part in re.findall(_PART, text)]


# --- JSON -----------------------------------------------------------------------------------


def json_text(text: str) -> Parsed:
    """Parse JSON. Raises Unreadable."""
    depth = longest = 0
    for mark in re.findall(r"""[\[\]{}]""", text):
        depth += 1 if mark in "[{" else -1
        longest = max(longest, depth)
    if longest > 4 * MAX_DEPTH:  # brackets inside texts count too, so this is only a coarse guard
        raise Unreadable("too_deep", None, "it is nested too deeply")
    repeated: list[tuple[Path, int | None]] = []

    def first_wins(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for key, value in pairs:
            if key in values:
                repeated.append(((_text(key),), None))
            values.setdefault(key, value)
        return values

    try:
        values = json.loads(
            text, object_pairs_hook=first_wins, parse_float=Number, parse_constant=Number
        )
    except RecursionError:
        raise Unreadable("too_deep", None, "it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise Unreadable("syntax", error.lineno, error.msg) from None
    except ValueError as error:  # a number of thousands of digits
        raise Unreadable("syntax", None, str(error)) from None
    lines: dict[Path, int] = {}
    for path, line, _ in json_members(text):
        lines.setdefault(path, line)
    return Parsed(tidy(values), lines, repeated)


def json_members(text: str) -> Iterator[tuple[Path, int, str | None]]:
    """Each member of JSON text with its path, line and value where that is a text.

    Works on broken files too, and then gives what stands before the break.
    """
    stack: list[str | int | None] = []  # the key, index, or None before the first key, per level
    key: str | None = None
    line, seen = 1, 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]', text, flags=re.DOTALL):
        line += text.count("\n", seen, token.start())
        seen = token.start()
        mark = token[0]
        if mark in "[{":
            if len(stack) > MAX_DEPTH:
                return
            stack.append(0 if mark == "[" else None)
        elif mark in "]}":
            if not stack:
                return
            stack.pop()
        elif mark == ",":
            if stack and isinstance(stack[-1], int):
                stack[-1] += 1
            elif stack:
                stack[-1] = None
            key = None
        elif mark == ":":
            if stack and not isinstance(stack[-1], int) and key is not None:
                stack[-1] = key
                yield _path(stack), line, None
        else:
            key = _json_string(mark)
            if stack and stack[-1] is not None:
                yield _path(stack), line, key


def _path(stack: list[str | int | None]) -> Path:
    return tuple(step for step in stack if step is not None)


def _json_string(quoted: str) -> str | None:
    try:
        return _text(str(json.loads(quoted, strict=False)))
    except ValueError:
        return None


# --- YAML -----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Level:
    """One open list or mapping while YAML is read."""

    container: list[Value] | dict[str, Value]
    path: Path
    key: str | None = None  # the key that waits for its value
    dropped: bool = False  # that key was given before: its value goes nowhere


def yaml_text(text: str) -> Parsed:
    """Parse the first document of YAML as text, lists and mappings. Raises Unreadable.

    Built on the event stream, so a limit stops the work the moment it is passed.
    """
    # "%Open Know-How Manifest 1.0" begins many files: a directive that says nothing to YAML.
    text = re.sub(r"\A(?:%.*|\s)*", lambda head: "\n" * head[0].count("\n"), text)
    result = Parsed(None)
    levels: list[_Level] = []
    nodes = 0
    try:
        for event in yaml.parse(text, Loader=yaml.BaseLoader):
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.AliasEvent):
                raise Unreadable("alias", line, "it uses an alias (*name): write the value out")
            if isinstance(event, yaml.DocumentStartEvent) and (nodes or result.lines):
                result.more_documents = line
                break
            if isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)):
                nodes += 1
                if nodes > MAX_NODES:
                    raise Unreadable(
                        "too_many_values", line, f"it holds more than {MAX_NODES} values"
                    )
                _take(event, levels, result, line)
            elif isinstance(event, yaml.CollectionEndEvent):
                levels.pop()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        if error.context_mark and "quoted" in (error.context or ""):
            mark = error.context_mark  # an unclosed quote is found at the end; it began here
        message = " ".join(part for part in (error.context, error.problem) if part)
        raise Unreadable("syntax", mark.line + 1 if mark else None, message) from None
    except yaml.YAMLError as error:  # a character YAML does not allow
        raise Unreadable("syntax", None, str(error).splitlines()[0]) from None
    result.values = tidy(result.values)
    return result


def _take(event: yaml.Event, levels: list[_Level], result: Parsed, line: int) -> None:
    """Put one scalar, or one list or mapping that begins, where it belongs."""
    if isinstance(event, yaml.ScalarEvent):
        text = str(event.value)
        value: Value = Plain(text) if event.style is None and not event.tag else text
    else:
        value = {} if isinstance(event, yaml.MappingStartEvent) else []
        if len(levels) >= MAX_DEPTH:
            raise Unreadable("too_deep", line, f"it is nested more than {MAX_DEPTH} levels deep")
    path: Path = ()
    if not levels:
        result.values = value
    else:
        top = levels[-1]
        if isinstance(top.container, list):
            path = (*top.path, len(top.container))
            result.lines.setdefault(path, line)
            top.container.append(value)
        elif top.key is None:
            if not isinstance(value, str):
                raise Unreadable("syntax", line, "a key must be a word, not a list or a mapping")
            top.key, path = str(value), (*top.path, str(value))
            top.dropped = top.key in top.container
            if top.dropped:
                result.repeated.append((path, line))
            result.lines.setdefault(path, line)
            return
        else:
            path = (*top.path, top.key)
            if not top.dropped:
                top.container[top.key] = value
            top.key = None
    if isinstance(value, (list, dict)):
        levels.append(_Level(value, path))


PARSERS: dict[str, Callable[[str], Parsed]] = {
    "toml": toml,
    "yaml": yaml_text,
    "json": json_text,
}
