"""The strict writer: OKH 2.4 and nothing else, the same bytes for the same design.

What is written is read back with our own reader; whatever the reader would complain about is left
out and told, so a manifest from here has no faults (a licence that is not open stays one, and the
reader says so).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from basis.errors import Invalid
from designs.licences import ALL_RIGHTS_RESERVED, NO_ASSERTION, NONE, Openness, canonical
from designs.okh.model import Generation, Json, Manifest, Tree
from designs.okh.reader import read
from designs.okh.reading import is_placeholder
from designs.okh.tables import PART, TOML

REQUIRED = ("okhv", "name", "repo", "license", "licensor", "function")


class Incomplete(Invalid):
    """A manifest lacks what OKH 2.4 requires; `missing` names the keys."""

    code = "manifest_incomplete"

    def __init__(self, missing: tuple[str, ...]) -> None:
        super().__init__(f"OKH 2.4 requires {', '.join(missing)}: give a value for each")
        self.missing = missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A manifest's bytes, and a sentence for everything dropped or changed on the way."""

    data: bytes  # UTF-8, LF, no byte order mark
    changes: tuple[str, ...]


# What a version 1.0 key became; several may become one.
_FROM_V1: Mapping[str, str] = {
    "title": "name",
    "description": "function",
    "project-link": "repo",
    "design-files": "source",
    "schematics": "source",
    "manufacturing-files": "export",
    "making-instructions": "manufacturing-instructions",
    "operating-instructions": "user-manual",
}


def write(
    manifest: Manifest, *, tree: Tree, version: str | None = None, repo: str | None = None
) -> Written:
    """`manifest` as OKH 2.4.

    tree    : the commit the manifest will stand in; paths it does not have are dropped.
    version : the release's tag, in place of the manifest's own version.
    repo    : where the design is developed, when the manifest does not say.

    Raises Incomplete, naming every required key that has no usable value.
    """
    changes: list[str] = []
    document = _document(manifest, changes)
    if version:
        document["version"] = version
    if repo and "repo" not in document:
        document["repo"] = repo
    _check_required(document)
    while True:
        data = render(document).encode()
        again = read(data, filename="okh.toml", tree=tree, repository_name=manifest.name)
        wrong = [(each.key, each.text) for each in again.faults if each.code != "licence_not_open"]
        wrong += [(key, "2.4 allows no `..` in a path.") for key in _with_dots(document)]
        if not wrong:
            return Written(data=data, changes=tuple(changes))
        key, reason = wrong[0]
        _remove(document, key)
        changes.append(f"`{key}` is left out: {reason}")
        _check_required(document)


def _with_dots(value: Json, key: str = "") -> list[str]:
    """Keys of paths the reader understands but the schema refuses, such as `foo..bar.stl`."""
    if isinstance(value, dict):
        return [found for k, v in value.items() for found in _with_dots(v, f"{key}.{k}".strip("."))]
    if isinstance(value, list):
        return [found for i, v in enumerate(value) for found in _with_dots(v, f"{key}[{i}]")]
    is_file = re.search(
        r"(?:^|\.)(?:source|export|auxiliary|image|location|readme|bom|release|attestation"
        r"|installation-guide|contribution-guide|manufacturing-instructions|user-manual)(?:\[|$)",
        key,
    )
    is_path = is_file and isinstance(value, str) and not value.startswith(("http:", "https:"))
    return [key] if is_path and ".." in value else []


def _check_required(document: Mapping[str, Json]) -> None:
    missing = tuple(key for key in REQUIRED if not document.get(key))
    if missing:
        raise Incomplete(missing)


def _document(manifest: Manifest, changes: list[str]) -> dict[str, Json]:
    """The manifest's values under the keys of 2.4, with what has no place there told."""
    document: dict[str, Json] = {"okhv": "2.4", "license": _licence(manifest, changes)}
    if manifest.name_source == "repository":
        changes.append(f"`name` is the repository's name, “{manifest.name}”.")
    document["name"] = manifest.name
    for key, value in (
        ("repo", manifest.repo),
        ("licensor", list(manifest.licensor)),
        ("function", manifest.function),
        ("version", manifest.version),
        ("documentation-language", list(manifest.documentation_language)),
    ):
        if value:
            document[key] = value
    for key, value in manifest.fields.items():
        _take(document, key, value, changes)
    if "part" not in document:
        parts = [_part_table(part) for part in manifest.to_json()["parts"] if part["declared"]]
        if parts:
            document["part"] = parts
    changes.extend(f"`{key}` is dropped: OKH 2.4 has no such key." for key in manifest.unknown)
    if manifest.generation is not Generation.V2_4:
        changes.append(f"`okhv` is 2.4 now; it was {manifest.generation.value}.")
    return {key: document[key] for key in TOML if document.get(key)}


def _take(document: dict[str, Json], key: str, value: Json, changes: list[str]) -> None:
    """Put one field where 2.4 has it."""
    place = _FROM_V1.get(key, key)
    if key == "standards-used":
        document["standard-compliance"] = [each["standard-title"] for each in value]
    elif key == "derivative-of" and isinstance(value, dict) and value.get("web"):
        document["forkOf"] = value["web"]
    elif key == "software" and isinstance(value, list) and isinstance(value[0], str):
        document["software"] = [{"release": each} for each in value]
    elif key == "part":
        document["part"] = [_strict_part(part, changes) for part in value]
    elif place not in TOML:
        changes.append(f"`{key}` is dropped: OKH 2.4 has no such key.")
    elif place not in ("okhv", "license", "name", "licensor", "function", "version", "repo"):
        if key in _FROM_V1 and place in document:
            document[place] = [*document[place], *value]
        else:
            document[place] = value


def _strict_part(part: Mapping[str, Json], changes: list[str]) -> dict[str, Json]:
    for key in part:
        if key not in PART:
            changes.append(f"`{key}` of part “{part['name']}” is dropped: 2.4 has no such key.")
    return {key: part[key] for key in PART if part.get(key)}


def _part_table(part: Mapping[str, Json]) -> dict[str, Json]:
    """A part that was never in a manifest's text, as a table of 2.4."""
    size = part["outer_dimensions_mm"]
    table = {
        "name": part["name"],
        "source": [each["path"] or each["url"] for each in part["sources"]],
        "export": [each["path"] or each["url"] for each in part["exports"]],
        "image": [each["path"] or each["url"] for each in part["image"]],
        "mass": part["mass_g"],
        "outer-dimensions": dict(zip(("width", "depth", "height"), size, strict=True))
        if size
        else None,
        "tsdc": part["tsdc"],
    }
    return {key: value for key, value in table.items() if value}


def _licence(manifest: Manifest, changes: list[str]) -> str:
    """One SPDX expression for the hardware; what cannot be said in SPDX gets a LicenseRef."""
    licence = manifest.licence
    for scope in ("documentation", "software"):
        other = getattr(licence, scope)
        if other and other != licence.hardware:
            changes.append(f"The {scope} licence {other} is dropped: 2.4 has one licence.")
    if licence.hardware is None:
        unclear = licence.raw is not None or licence.openness is Openness.UNKNOWN
        name = NO_ASSERTION if unclear else NONE
        changes.append(f"`license` is {name}: no licence for the hardware could be read.")
        return name
    spdx = canonical(licence.hardware)
    if spdx:
        if licence.guessed:
            changes.append(f"`license` is {spdx}, guessed from the LICENSE file.")
        elif licence.raw != spdx:
            changes.append(f"`license` is {spdx}; it was written “{licence.raw}”.")
        return spdx
    name = _reference_name(licence.hardware)
    changes.append(f"`license` is {name}; it was written “{licence.hardware}”.")
    return name


def _reference_name(words: str) -> str:
    folded = re.sub(r"[^a-z]+", "", words.lower())
    if folded in ("none", "nolicense", "nolicence"):
        return NONE
    if folded in ("proprietary", "allrightsreserved", "closed", "copyright"):
        return ALL_RIGHTS_RESERVED
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", words).strip("-.")[:60].strip("-.")
    if folded in ("", "noassertion", "unknown", "na", "other") or not slug:
        return NO_ASSERTION
    return f"LicenseRef-{slug}"


def _remove(document: dict[str, Json], key: str) -> None:
    """Take out the value a fault points at, and what becomes empty by that.

    A fault may point at what is missing; then what should have held it goes.
    """
    steps: list[str | int] = [
        int(step[1:-1]) if step.startswith("[") else step
        for step in re.findall(r"\[\d+\]|[^.\[\]]+", key)
    ]
    holders: list[Json] = [document]
    for step in steps:
        try:
            holders.append(holders[-1][step])
        except (KeyError, IndexError, TypeError):
            break
        if not isinstance(holders[-1], (dict, list)):
            break
    if len(holders) == 1:
        raise Invalid(f"the manifest cannot be written: `{key}` is not understood")
    depth = len(holders) - 2
    del holders[depth][steps[depth]]
    while depth > 0 and not holders[depth]:
        depth -= 1
        del holders[depth][steps[depth]]


# --- TOML -----------------------------------------------------------------------------------


def render(document: Mapping[str, Json]) -> str:
    """Plain values as TOML, in the order given; tables after all plain keys.

    Lists of tables become `[[key]]`, except images, which stay inline.
    """
    lines: list[str] = []
    tables: list[str] = []
    for key, value in document.items():
        if isinstance(value, list) and value and _all_tables(value) and key != "image":
            for entry in value:
                tables += ["", f"[[{_key(key)}]]", *_assignments(entry)]
        elif isinstance(value, dict) and key != "outer-dimensions":
            tables += ["", f"[{_key(key)}]", *_assignments(value)]
        else:
            lines += _assignments({key: value})
    return "\n".join([*lines, *tables, ""])


def _all_tables(value: list[Json]) -> bool:
    return all(isinstance(each, dict) for each in value)


def _assignments(table: Mapping[str, Json]) -> list[str]:
    return [f"{_key(key)} = {_value(value)}" for key, value in table.items()]


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _string(key)


def _value(value: Json, *, inline: bool = False) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        inner = (f"{_key(key)} = {_value(each, inline=True)}" for key, each in value.items())
        return f"{{ {', '.join(inner)} }}"
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], str) and not inline:
            return _value(value[0])
        each = [_value(inner, inline=True) for inner in value]
        if inline or len(each) < 2:
            return f"[{', '.join(each)}]"
        return "[\n" + "".join(f"  {line},\n" for line in each) + "]"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value) if isinstance(value, int) else _string(str(value))


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _string(text: str) -> str:
    """A basic TOML string on one line."""
    escaped = "".join(
        _ESCAPES.get(letter) or (f"\\u{ord(letter):04X}" if _is_control(letter) else letter)
        for letter in text
    )
    return f'"{escaped}"'


def _is_control(letter: str) -> bool:
    return ord(letter) < 0x20 or ord(letter) == 0x7F


# --- a first manifest -----------------------------------------------------------------------


def suggest(
    *,
    name: str,
    repo: str | None = None,
    licence: str | None = None,
    licensor: str | None = None,
    function: str | None = None,
    readme: str | None = None,
    bom: str | None = None,
    meshes: Iterable[tuple[str, list[str]]] = (),
) -> str:
    """An `okh.toml` ready to paste: what is known is filled in, the rest stands in [brackets].

    meshes : (name of the part, its mesh files)
    """
    asked = {
        "repo": repo or "[the web address of this repository]",
        "license": licence or "[an SPDX id such as CERN-OHL-S-2.0]",
        "licensor": licensor or "[who grants the licence: Name <mail>]",
        "function": function or "[what it does, in one sentence]",
    }
    document = {"okhv": "2.4", "name": name, **asked, "readme": readme, "bom": bom}
    parts = [{"name": part, "export": files, "tsdc": "3DP"} for part, files in meshes]
    open_ends = any(is_placeholder(value) for value in asked.values())
    note = "# Replace what stands in [brackets], then commit this file as okh.toml.\n"
    known = {key: value for key, value in document.items() if value}
    return (note if open_ends else "") + render({**known, "part": parts} if parts else known)
