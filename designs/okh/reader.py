"""The tolerant reader: any bytes to a Manifest, with exactly one fault for each mistake.

Decided here: which generation the content speaks, which key was meant, what the licence is, what
there is to make. Nothing raises and nothing is opened: a look-up into one commit's tree is all the
reader knows of the world.
"""

from collections.abc import Mapping

from designs.okh.licence import read_licence
from designs.okh.model import (
    Fault,
    Generation,
    Json,
    Manifest,
    Severity,
    Tree,
)
from designs.okh.parts import read_parts, references, texts_of
from designs.okh.reading import Reading, is_empty, is_placeholder, short, written
from designs.okh.records import plain
from designs.okh.syntax import Value
from designs.okh.tables import (
    DRAFT,
    LICENCE_KEYS,
    LOSH_ONLY,
    REQUIRED,
    SAME,
    STANDS_FOR,
    TOML,
    V1,
    near,
    own_fields,
)
from designs.okh.text import load


def read(
    data: bytes,
    *,
    filename: str,
    tree: Tree,
    repository_name: str,
    licence_text: str | None = None,
) -> Manifest:
    """Read a manifest of any generation, in TOML, YAML or JSON.

    tree            : the blob id of a path in the commit, None when it has no such file; it is
                      asked only for clean relative paths.
    repository_name : the name of last resort.
    licence_text    : a LICENSE file's text, from which a missing licence is guessed.

    Never raises; everything wrong stands in the manifest's `faults`.
    """
    reading = Reading(load(data, filename=filename), tree)
    values = reading.text.values
    reading.generation = _generation(reading, values)
    keys = _Keys(reading, values)
    fields: dict[str, Json] = {}
    for field, (key, value) in keys.known.items():
        if field in ("license", "part") or field in LICENCE_KEYS:
            continue
        check = own_fields(reading.generation).get(field) or TOML.get(field) or V1.get(field)
        cleaned = (
            reading.check((key,), value, check or LOSH_ONLY[field])
            if check or field in LOSH_ONLY
            else plain(value)
        )
        if cleaned is not None:
            fields[field] = cleaned
    licence = read_licence(reading, keys.known, licence_text)
    if not is_empty(keys.value("license")):
        fields["license"] = plain(keys.value("license"))
    parts, extras = read_parts(reading, keys.known.get("part"), fields)
    _tell_missing(reading, keys.known)
    name, source = _name(fields, repository_name)
    return Manifest(
        generation=reading.generation,
        name=name,
        name_source=source,
        licence=licence,
        licensor=texts_of(fields.get("licensor")),
        function=fields.get("function") or fields.get("description"),
        version=fields.get("version"),
        documentation_language=texts_of(fields.get("documentation-language")),
        repo=_repo(fields),
        parts=parts,
        bom=references(fields.get("bom"), tree),
        readme=references(fields.get("readme"), tree),
        images=references(fields.get("image"), tree),
        fields=fields,
        unknown={**keys.unknown, **extras},
        faults=tuple(_in_order(reading.faults)),
    )


def _in_order(faults: list[Fault]) -> list[Fault]:
    """By line, those of the whole file first; otherwise as they were found."""
    return sorted(faults, key=lambda fault: fault.line or 0)


# --- which generation -----------------------------------------------------------------------

_OKHV = {
    "2.4": Generation.V2_4,
    "2.3": Generation.V2_3,
    "2.0": Generation.DRAFT,
    "OKH-LOSHv1.0": Generation.LOSH,
    "1.0": Generation.V1,
    "1.0.0": Generation.V1,
}


def _generation(reading: Reading, values: Mapping[str, Value]) -> Generation:
    if "okhv" in values:
        return _stated_generation(reading, values["okhv"])
    v1 = sum(key in V1 and key not in TOML for key in values)
    toml = sum(key in TOML and key not in V1 for key in values)
    v1 += isinstance(values.get("license"), dict) and "title" in values
    if v1 > toml or ("title" in values and "name" not in values):
        return Generation.V1
    return Generation.DRAFT if any(key in DRAFT for key in values) else Generation.UNKNOWN


def _stated_generation(reading: Reading, okhv: Value) -> Generation:
    """What `okhv` says; a near miss is told and taken, an unknown one is read as 2.4."""
    if is_empty(okhv) or (isinstance(okhv, str) and is_placeholder(okhv)):
        return Generation.UNKNOWN  # told where all empty values are
    said = written(okhv) if isinstance(okhv, (str, int, float)) else ""
    said = said.strip()
    if said in _OKHV:
        if not isinstance(okhv, str):
            reading.wrong_type(("okhv",), "a text", okhv, fix=f'"{said}"')
        return _OKHV[said]
    folded = said.lower().removeprefix("okh").lstrip("- v")
    meant = "OKH-LOSHv1.0" if folded.startswith("losh") else folded
    close = meant if meant in _OKHV else None
    reading.fault(
        "generation",
        ("okhv",),
        f"“{short(said or str(type(okhv).__name__))}” is no generation we know; "
        f"it is read as {close or '2.4'}.",
        fix=f'"{close or "2.4"}"',
    )
    return _OKHV[close] if close else Generation.UNKNOWN


# --- which key ------------------------------------------------------------------------------


class _Keys:
    """The manifest's keys, each under the field it means."""

    def __init__(self, reading: Reading, values: Mapping[str, Value]) -> None:
        self.known: dict[str, tuple[str, Value]] = {}  # field: (key as written, value)
        self.unknown: dict[str, Json] = {}
        foreign: list[str] = []
        for key, value in values.items():
            field, home = _meaning(key, reading.generation)
            if field is None:
                self._keep_unknown(reading, key, value)
            elif field in self.known or (key != field and field in values):
                reading.fault(
                    "repeated_key", (key,), f"`{short(key)}` says again what `{field}` says."
                )
                self.unknown[key] = plain(value)
            else:
                self.known[field] = (key, value)
                if home == "misspelt":
                    reading.fault(
                        "misspelt_key",
                        (key,),
                        f"`{short(key)}` is read as `{field}`: correct the spelling.",
                        fix=field,
                    )
                elif home == "foreign":
                    foreign.append(key)
        if foreign:
            reading.fault(
                "mixed_generations",
                (foreign[0],),
                f"The manifest speaks {reading.generation.value}, with keys of another generation: "
                f"{_listed(foreign)}. They are read, yet others may miss them.",
                severity=Severity.NOTE
                if reading.generation in (Generation.LOSH, Generation.V1)
                else Severity.WARNING,
            )

    def value(self, field: str) -> Value:
        """The value of a field, None when the manifest lacks it."""
        return self.known.get(field, ("", None))[1]

    def _keep_unknown(self, reading: Reading, key: str, value: Value) -> None:
        self.unknown[key] = plain(value)
        # Version 1.0 and LOSH allow keys of one's own, and drafts knew no limits.
        if reading.generation in (Generation.V2_4, Generation.V2_3, Generation.UNKNOWN):
            reading.fault(
                "unknown_key", (key,), f"`{short(key)}` is not a key of OKH 2.4; it is kept."
            )


def _meaning(key: str, generation: Generation) -> tuple[str | None, str]:
    """The field a key means, and how it got there: own, foreign or misspelt."""
    own = own_fields(generation)
    same = SAME.get(key, key)
    if same in own or same in LICENCE_KEYS:
        return same, "own"
    if key in DRAFT:
        return DRAFT[key], "own" if generation is Generation.DRAFT else "foreign"
    if same in TOML or same in V1 or same in LOSH_ONLY:
        return same, "foreign"
    meant = near(key, own)
    return meant, "misspelt"


def _listed(keys: list[str]) -> str:
    shown = ", ".join(f"`{short(key)}`" for key in keys[:6])
    return shown if len(keys) <= 6 else f"{shown} and {len(keys) - 6} more"


def _tell_missing(reading: Reading, known: Mapping[str, tuple[str, Value]]) -> None:
    """Required fields that nobody gave; a file that broke off has told its one fault already."""
    if not reading.text.whole:
        return
    for field in REQUIRED[reading.generation]:
        if field == "license" or field in known:
            continue  # a missing licence is told where it is read, with a guess
        if any(other in known for other in STANDS_FOR.get(field, ())):
            continue
        reading.fault(
            "missing",
            (field,),
            f"The manifest lacks `{field}`: {_PURPOSE[field]}.",
            severity=Severity.ERROR,
        )


_PURPOSE = {
    "okhv": 'say `okhv = "2.4"`, so that every reader knows how to read it',
    "name": "how the design is called",
    "title": "how the design is called",
    "description": "what the thing is and does, in a sentence or two",
    "function": "what the thing does, in a sentence or two",
    "repo": "the web address where the design is developed",
    "project-link": "the web address of the project (or give `documentation-home`)",
    "licensor": "who grants the licence, such as “Ada Example <ada@example.org>”",
    "version": "the version described, as a text",
}


def _repo(fields: Mapping[str, Json]) -> str | None:
    """The web address of the project; `documentation-home` may also be a file."""
    found = (fields.get(key) for key in ("repo", "project-link", "documentation-home"))
    return next((str(each) for each in found if str(each).startswith("http")), None)


def _name(fields: Mapping[str, Json], repository_name: str) -> tuple[str, str]:
    for source in ("name", "title"):
        if fields.get(source):
            return str(fields[source]), source
    return repository_name, "repository"
