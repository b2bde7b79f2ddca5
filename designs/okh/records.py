"""Checks of tables inside a manifest: people, images, relations, and single odd values."""

import re
from collections.abc import Mapping

from designs.okh.links import file, url, url_problem
from designs.okh.model import Generation, Json, Severity
from designs.okh.reading import Check, Reading, short, written
from designs.okh.syntax import Path, Value, key_text
from designs.okh.texts import (
    each_of,
    language,
    text,
)


def record(
    known: Mapping[str, Check], *, required: tuple[str, ...] = (), open_ended: bool = False
) -> Check:
    """A table with `known` keys. Unknown ones are kept when `open_ended`, else told."""

    def check(reading: Reading, path: Path, value: Value) -> dict[str, Json] | None:
        if not isinstance(value, dict):
            reading.wrong_type(path, f"a table with {', '.join(known)}", value)
            return None
        if required and not known.keys() & value.keys():
            reading.fault(
                "wrong_type", path, f"`{key_text(path)}` has none of its keys: {', '.join(known)}."
            )
            return None
        found = {}
        for key, inner in value.items():
            if key in known:
                found[key] = reading.check((*path, key), inner, known[key])
            elif not open_ended:
                reading.fault(
                    "unknown_key", (*path, key), f"`{short(key)}` is not a key of {key_text(path)}."
                )
        for key in required:
            if key not in value:
                reading.fault("missing", (*path, key), f"`{key_text(path)}` lacks its `{key}`.")
        return {key: inner for key, inner in found.items() if inner is not None} or None

    return check


def list_of(check: Check) -> Check:
    """A list; a single value where a list belongs is told and taken."""

    def checked(reading: Reading, path: Path, value: Value) -> list[Json] | None:
        if not isinstance(value, list):
            reading.wrong_type(path, "a list", value)
            if not isinstance(value, dict):
                return None
        return each_of(reading, path, value, check)

    return checked


def person(reading: Reading, path: Path, value: Value) -> str | None:
    """A person or organization as "Name (Organization) <mail>", from text or from a table."""
    if not isinstance(value, dict):
        return text(reading, path, value)
    if reading.generation is Generation.LOSH:
        reading.fault(
            "wrong_type",
            path,
            f"`{key_text(path)}` is a text in this generation: “Name (Organization) <mail>”.",
            severity=Severity.NOTE,
        )
    said = {}
    for key in ("name", "affiliation", "organization", "email", "url"):
        if key in value:
            said[key] = reading.check((*path, key), value[key], text)
    name, mail = said.get("name"), said.get("email")
    group = said.get("affiliation") or said.get("organization")
    words = [name or group, f"({group})" if name and group else None, f"<{mail}>" if mail else None]
    if not any(words) and not said:
        reading.fault("missing", (*path, "name"), f"`{key_text(path)}` lacks its `name`.")
    return " ".join(word for word in words if word) or None


def people(reading: Reading, path: Path, value: Value) -> list[str] | None:
    """One person or organization, or several."""
    return each_of(reading, path, value, person)


_DOI = re.compile(r"(?:doi: |DOI: |https://doi\.org/)?10\.\d{4,9}/[-._;()/:a-zA-Z0-9]+")


def publication(reading: Reading, path: Path, value: Value) -> str | None:
    found = text(reading, path, value)
    if found is not None and not _DOI.fullmatch(found) and url_problem(found):
        reading.fault("address", path, f"“{short(found)}” is neither a DOI nor a web address.")
        return None
    return found


_SLOTS = frozenset(
    [
        *("icon-main", "icon-main-bw", "logo", "logo-bw", "model-3d", "model-from-back"),
        *("model-from-below", "model-from-front", "model-from-left", "model-from-right"),
        *("model-from-above", "model-main", "organization-logo", "organization-logo-bw"),
        *("photo-packaging", "photo-thing-main", "social", "symbol"),
    ]
)
_TAGS = frozenset(
    "art assembly bw color diagram drawing gray icon logo model photo screenshot".split()  # noqa: SIM905
)
_OWN_WORD = re.compile(r"c_[0-9a-z._-]+")


def _slot(reading: Reading, path: Path, value: Value) -> str | None:
    found = text(reading, path, value)
    if found is None:
        return None
    if found not in _SLOTS and not _OWN_WORD.fullmatch(found):
        reading.fault(
            "image_slot", path, f"“{short(found)}” is not a slot; own ones begin with c_."
        )
        return None
    if found in reading.slots:
        reading.fault("image_slot", path, f"The slot “{found}” already has an image.")
        return None
    reading.slots.add(found)
    return found


def _tag(reading: Reading, path: Path, value: Value) -> str | None:
    found = text(reading, path, value)
    if found is not None and found not in _TAGS and not _OWN_WORD.fullmatch(found):
        reading.fault("image_tag", path, f"“{short(found)}” is not a tag; own ones begin with c_.")
        return None
    return found


def many(check: Check) -> Check:
    return lambda reading, path, value: each_of(reading, path, value, check)


_lang_text = record({"text": text, "language": language}, required=("text", "language"))


def _depicts(reading: Reading, path: Path, value: Value) -> Json:
    return (
        _lang_text(reading, path, value) if isinstance(value, dict) else text(reading, path, value)
    )


_image_table = record(
    {"location": file, "depicts": many(_depicts), "slots": list_of(_slot), "tags": list_of(_tag)},
    required=("location",),
)


def image(reading: Reading, path: Path, value: Value) -> Json:
    """An image file, or a table that says what it shows."""
    if not isinstance(value, dict):
        return file(reading, path, value)
    found = _image_table(reading, path, value)
    return found if found and "location" in found else None


images = many(image)


def namespace(reading: Reading, path: Path, value: Value) -> str | None:
    found = url(reading, path, value)
    if found is not None and not found.endswith(("/", "#")):
        reading.fault("address", path, "An RDF namespace ends with / or #.", fix=found + "/")
    return found


def schema(reading: Reading, path: Path, value: Value) -> str | None:
    found = text(reading, path, value)
    known = ("https://json.schemastore.org/okh.json", "https://w3id.org/oseg/schema/okh.json")
    if found is not None and found not in known:
        reading.fault("schema", path, f"`$schema` is {known[1]}.", fix=known[1])
    return found


_CPC = re.compile(r"[A-HY][0-9]{2}[A-HJ-NP-Z](?: ?[12]?[0-9]{1,3}/[0-9]{2,6})?")


def patent_class(reading: Reading, path: Path, value: Value) -> str | None:
    found = text(reading, path, value)
    if found is not None and not _CPC.fullmatch(found):
        broad = re.fullmatch(r"[A-HY](?:[0-9]{2})?", found)
        reading.fault(
            "patent_class",
            path,
            f"“{short(found)}” names a whole section of patents: say the class, such as A47C 16/04."
            if broad
            else f"“{short(found)}” is not a CPC class such as A47C 16/04.",
            severity=Severity.NOTE if broad else Severity.WARNING,
        )
    return found


def anything(reading: Reading, path: Path, value: Value) -> Json:
    """A value the standard does not describe further; kept as it is."""
    return plain(value)


def plain(value: Value) -> Json:
    """A value as JSON can keep it: numbers that are not finite become text."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        finite = float("-inf") < value < float("inf")
        return float(value) if finite else written(value)
    return str(value) if isinstance(value, str) else value
