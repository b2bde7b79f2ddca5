"""What a manifest says, as plain values that go into a JSON column and come back equal.

Everything here is the result of reading; nothing here opens a file or judges one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Self

from designs.licences import Openness

Tree = Callable[[str], str | None]
"""The blob id of a path in one commit's tree, or None when there is no such file."""

Json = Any
"""None, bool, int, float, str, or a list or dict (with text keys) of these."""

MESHES = (".stl", ".3mf", ".obj")
"""Meshes we can print, best first: STL is what a slicer reads everywhere."""


class Generation(StrEnum):
    """Which Open Know-How generation the content speaks; never judged by the file's name."""

    V1 = "1.0"
    DRAFT = "2.0-draft"
    LOSH = "OKH-LOSHv1.0"
    V2_3 = "2.3"
    V2_4 = "2.4"
    UNKNOWN = "unknown"  # no okhv, or one we never saw: read as 2.4
    NONE = "none"  # there is no manifest


class Severity(StrEnum):
    """How much a fault costs the reader of the design."""

    ERROR = "error"  # something the standard requires is missing or cannot be read
    WARNING = "warning"  # a value was ignored or repaired
    NOTE = "note"  # understood as it is; another reader might not


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One mistake, told once, with what to do about it."""

    code: str  # a stable word
    key: str  # "part[0].export[1]", or "" for the file as a whole
    line: int | None  # from 1
    severity: Severity
    text: str
    fix: str | None = None  # what to write instead, where that is certain or nearly so


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A file of the design or a page elsewhere: exactly one of path and url is set."""

    path: str | None = None  # from the root of the repository, without a leading slash
    url: str | None = None  # http or https
    blob: str | None = None  # None for a path that is not in the commit

    @property
    def address(self) -> str:
        """The path or the web address."""
        return self.path or self.url or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestPart:
    """One thing to make. `declared` is False for a part derived from a mesh listed elsewhere."""

    name: str
    sources: tuple[Reference, ...] = ()
    exports: tuple[Reference, ...] = ()
    image: tuple[Reference, ...] = ()
    mass_g: float | None = None
    outer_dimensions_mm: tuple[float, float, float] | None = None  # width, depth, height
    tsdc: tuple[str, ...] = ()
    material: str | None = None
    quantity: int | None = None
    declared: bool = True

    @property
    def mesh(self) -> Reference | None:
        """The file to print: in this commit, an export before a source, STL before 3MF and OBJ."""
        for files in (self.exports, self.sources):
            for suffix in MESHES:
                for file in files:
                    if file.blob and file.path and file.path.lower().endswith(suffix):
                        return file
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """The licence as written, in SPDX, and what it means.

    `hardware`, `documentation` and `software` are kept apart where the manifest does; each is in
    canonical SPDX where it can be read, else as written.
    """

    raw: str | None = None
    spdx: str | None = None
    openness: Openness = Openness.NOT_OPEN
    why: str = ""
    hardware: str | None = None
    documentation: str | None = None
    software: str | None = None
    guessed: bool = False  # from a LICENSE file, not from the manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A design's manifest as far as it could be understood, with every fault found in it."""

    generation: Generation
    name: str
    name_source: str  # "name", "title", or "repository" when the manifest has none
    licence: Licence
    licensor: tuple[str, ...] = ()  # "Name (Organization) <mail>"
    function: str | None = None
    version: str | None = None
    documentation_language: tuple[str, ...] = ()
    repo: str | None = None
    parts: tuple[ManifestPart, ...] = ()
    bom: tuple[Reference, ...] = ()
    readme: tuple[Reference, ...] = ()
    images: tuple[Reference, ...] = ()
    fields: Mapping[str, Json] = field(default_factory=dict)  # understood, cleaned, by key
    unknown: Mapping[str, Json] = field(default_factory=dict)  # kept as written
    faults: tuple[Fault, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """Plain JSON values, for a database column or an answer."""
        plain = _plain(self)
        assert isinstance(plain, dict)  # noqa: S101  a dataclass becomes a dict
        return plain

    @classmethod
    def from_json(cls, stored: Mapping[str, Json]) -> Self:
        """The manifest that `to_json` stored. Raises KeyError or ValueError on anything else."""
        known = {each.name for each in fields(cls)}
        values = {key: value for key, value in stored.items() if key in known}
        licence = values["licence"]
        values |= {
            "generation": Generation(values["generation"]),
            "licence": Licence(**{**licence, "openness": Openness(licence["openness"])}),
            "licensor": tuple(values["licensor"]),
            "documentation_language": tuple(values["documentation_language"]),
            "parts": tuple(_part(part) for part in values["parts"]),
            "faults": tuple(
                Fault(**{**fault, "severity": Severity(fault["severity"])})
                for fault in values["faults"]
            ),
        }
        for name in ("bom", "readme", "images"):
            values[name] = _references(values[name])
        return cls(**values)


def _plain(value: object) -> Json:
    if isinstance(value, StrEnum):
        return value.value
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value


def _references(stored: Json) -> tuple[Reference, ...]:
    return tuple(Reference(**each) for each in stored)


def _part(stored: Mapping[str, Json]) -> ManifestPart:
    values = dict(stored)
    for name in ("sources", "exports", "image"):
        values[name] = _references(values[name])
    size = values["outer_dimensions_mm"]
    values["outer_dimensions_mm"] = tuple(size) if size else None
    values["tsdc"] = tuple(values["tsdc"])
    return ManifestPart(**values)
