"""Frozen dataclasses as JSON: what the API and the agents say, checked on the way in.

A message is text, whole numbers, booleans, floats, UUIDs, enums, dictionaries, lists, and messages.
Types are exact: a bool is no number, "3" is no 3.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from enum import StrEnum
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Self, get_args, get_origin, get_type_hints
from uuid import UUID

from basis.errors import Invalid

MOST_ITEMS = 1_000
MOST_TEXT = 100_000


class Message:
    """A frozen dataclass of text, whole numbers, booleans, UUIDs and messages, as JSON."""

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes."""
        return {key: _plain(value) for key, value in asdict(self).items()}  # type: ignore[call-overload]

    @classmethod
    def from_json(cls, data: object, *, strict: bool = False) -> Self:
        """Read one. Unknown keys are passed over, so that either side may be the newer; `strict`
        refuses them, where a typo must not be taken for a default.

        Raises Invalid for a missing key, a wrong type, or what is no object.
        """
        if not isinstance(data, Mapping):
            raise Invalid(f"{cls.__name__}: expected a JSON object, got {type(data).__name__}")
        kinds = kinds_of(cls)
        if strict and (unknown := sorted(str(key) for key in data if key not in kinds)):
            known = ", ".join(kinds)
            raise Invalid(f"{cls.__name__}: unknown {', '.join(unknown)[:200]}; known: {known}")
        given = {}
        for each in fields(cls):  # type: ignore[arg-type]
            if each.name in data:
                where = f"{cls.__name__}.{each.name}"
                given[each.name] = _read(where, kinds[each.name], data[each.name])
        try:
            return cls(**given)
        except TypeError as exc:
            raise Invalid(f"{cls.__name__}: {exc}") from exc


_kinds: dict[type, dict[str, Any]] = {}


def kinds_of(cls: type) -> dict[str, Any]:
    """The fields of a message and their annotations, worked out once: agents ask often."""
    if cls not in _kinds:
        _kinds[cls] = get_type_hints(cls)
    return _kinds[cls]


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value


def _read(where: str, kind: Any, value: Any) -> Any:
    """One value from JSON, by its annotation: a small closed set of kinds."""
    try:
        if get_origin(kind) is UnionType:  # only `X | None` is used here
            wanted = next(each for each in get_args(kind) if each is not NoneType)
            return None if value is None else _read(where, wanted, value)
        if get_origin(kind) is list:
            if not isinstance(value, list) or len(value) > MOST_ITEMS:
                raise ValueError(f"expected a list of at most {MOST_ITEMS}")
            return [_read(where, get_args(kind)[0], each) for each in value]
        return _scalar(kind, value)
    except (ValueError, TypeError) as exc:
        raise Invalid(f"{where}: {exc}; got {str(value)[:80]!r}") from exc


def _scalar(kind: Any, value: Any) -> Any:
    if get_origin(kind) is dict:
        kind = dict
    if kind is float and type(value) is int and abs(value) < 1 << 53:
        return float(value)
    if kind in (int, bool, float, dict, str):
        # Exactly: a bool is an int to isinstance, and 1.0 is no count.
        if type(value) is not kind:
            raise ValueError(f"expected {kind.__name__}")
        if kind is str:
            _check_text(value)
        if kind is int and not -(1 << 63) <= value < 1 << 63:
            raise ValueError("expected a number that fits 64 bits")
        if kind is float and not isfinite(value):
            raise ValueError("expected a finite number")
        return value
    if issubclass(kind, Message):
        return kind.from_json(value)
    if not isinstance(value, str):
        raise ValueError(f"expected text that names a {kind.__name__}")
    return kind(value)


def _check_text(value: str) -> None:
    if len(value) > MOST_TEXT:
        raise ValueError(f"expected at most {MOST_TEXT} characters")
    # Databases refuse both, later and less clearly.
    if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError("expected text without NUL and without half characters")
