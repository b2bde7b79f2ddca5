"""Read the profiles that PrusaSlicer brings along: one `<Vendor>.ini` of many inheriting sections.

The slicer's own command line cannot choose a preset out of them, so they are read and flattened
here, by hand: values hold `%`, `#`, `;` and `[...]`, which a reader of ordinary settings files
would change. A value stays as it is written.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from basis.errors import Invalid, NotFound, Unavailable

__all__ = ["Bundle", "BundleRefused", "Preset", "bundles", "read_bundle", "shown_name"]

KINDS = ("print", "filament", "printer")
MAX_BYTES = 4_000_000
MAX_LINE = 20_000
MAX_SECTIONS = 10_000
MAX_DEPTH = 32
MAX_PARENTS = 64
"""Parents of one section that are looked at, those of its parents included: the deepest of the
vendors' own have fewer than twenty."""

NOT_INHERITED = frozenset({"inherits", "renamed_from"})
"""What a section says of itself alone."""

_HEAD = re.compile(r"\[([a-z_]{1,40})(?::([^\[\]]{1,200}))?\]")
_KEY = re.compile(r"[A-Za-z_0-9]{1,80}")

Section = Mapping[str, str]


class BundleRefused(Invalid):
    """A file of profiles that cannot be read as one; the message names file and line."""

    code = "bundle_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One named set of values with everything it inherits."""

    kind: str
    name: str
    values: Section


class Bundle:
    """One vendor's profiles. Names in `*stars*` are there to be inherited only."""

    def __init__(self, vendor: str, sections: Mapping[tuple[str, str], Section]) -> None:
        self.vendor = vendor
        self.title = sections.get(("vendor", ""), {}).get("name", vendor)
        self.version = sections.get(("vendor", ""), {}).get("config_version", "")
        self._sections = sections
        self._known: dict[tuple[str, str], Preset] = {}

    def names(self, kind: str) -> Sequence[str]:
        """The presets of a kind that may be chosen, in the file's order."""
        return [name for found, name in self._sections if found == kind and name[:1] != "*"]

    def preset(self, kind: str, name: str) -> Preset:
        """One preset, flattened: parents first in their order, then its own values over them.

        Raises NotFound, and BundleRefused for a parent that is missing or inherits its own child.
        """
        if kind not in KINDS or (kind, name) not in self._sections:
            raise NotFound(f"{self.vendor} has no {kind} profile {name!r}")
        if (kind, name) not in self._known:
            values: dict[str, str] = {}
            for parents, section in enumerate(self._line(kind, name, ())):
                if parents > MAX_PARENTS:
                    raise BundleRefused(f"{self.vendor}: {name!r} inherits too much")
                values |= {k: v for k, v in section.items() if k.lower() not in NOT_INHERITED}
            self._known[kind, name] = Preset(kind=kind, name=name, values=values)
        return self._known[kind, name]

    def model_name(self, preset: Preset) -> str:
        """What people call the machine of a printer profile."""
        model = preset.values.get("printer_model", "")
        return self._sections.get(("printer_model", model), {}).get("name", "") or preset.name

    def _line(self, kind: str, name: str, below: tuple[str, ...]) -> Iterator[Section]:
        """The sections that make up one, the furthest ancestor first."""
        where = f"{self.vendor}: {kind} profile {name!r}"
        if name in below:
            raise BundleRefused(f"{where} inherits itself")
        if len(below) >= MAX_DEPTH:
            raise BundleRefused(f"{where} inherits over more than {MAX_DEPTH} steps")
        section = self._sections.get((kind, name))
        if section is None:
            raise BundleRefused(f"{where} is inherited by {below[-1]!r}, but is not there")
        for parent in section.get("inherits", "").split(";"):
            if parent.strip():
                yield from self._line(kind, parent.strip(), (*below, name))
        yield section


def read_bundle(vendor: str, content: bytes) -> Bundle:
    """The profiles in a file. Raises BundleRefused naming the line at fault."""
    if len(content) > MAX_BYTES:
        raise BundleRefused(f"{vendor}: over {MAX_BYTES} bytes, no bundle is that long")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise BundleRefused(f"{vendor}: not UTF-8: {exc}") from exc
    sections: dict[tuple[str, str], dict[str, str]] = {}
    section: dict[str, str] | None = None
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        where = f"{vendor}, line {number}"
        if len(line) > MAX_LINE:
            raise BundleRefused(f"{where}: over {MAX_LINE} characters")
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            section = sections.setdefault(_head(line, where), {})
            if len(sections) > MAX_SECTIONS:
                raise BundleRefused(f"{where}: over {MAX_SECTIONS} profiles")
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if section is None or not equals or not _KEY.fullmatch(name):
            raise BundleRefused(f"{where}: neither [kind:name], a comment, nor name = value")
        section[name] = value
    return Bundle(vendor, sections)


def _head(line: str, where: str) -> tuple[str, str]:
    found = _HEAD.fullmatch(line)
    if found is None:
        raise BundleRefused(f"{where}: {line[:80]!r} does not name a profile")
    return found[1], (found[2] or "").strip()


@cache
def bundles(folder: Path) -> Mapping[str, Bundle]:
    """The bundles in a folder by vendor, read once: the slicer's package changes with a restart.

    Raises Unavailable when there is none.
    """
    found = {path.stem: path for path in sorted(folder.glob("*.ini"))}
    if not found:
        raise Unavailable(
            f"no profiles in {folder}: install PrusaSlicer there, or say where they are"
        )
    return {
        vendor: read_bundle(vendor, path.read_bytes()[: MAX_BYTES + 1])
        for vendor, path in found.items()
    }


def shown_name(bundle: Bundle, preset: Preset) -> str:
    """Machine and profile in a line for people, each said once."""
    model = bundle.model_name(preset).replace("&&", "&")  # doubled there for menus of PrusaSlicer
    return preset.name if model in preset.name else f"{model} ({preset.name})"
