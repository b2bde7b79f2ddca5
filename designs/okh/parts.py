"""What a design is made of: the parts it declares, or one for each mesh it lists."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from designs.okh.model import MESHES, Generation, Json, ManifestPart, Reference, Severity, Tree
from designs.okh.reading import Reading, is_empty, short, written
from designs.okh.records import anything, plain
from designs.okh.syntax import Path, Value, key_text
from designs.okh.tables import DRAFT, PART, PART_KNOWN_ELSEWHERE, QUANTITIES, near


def references(addresses: Json, tree: Tree) -> tuple[Reference, ...]:
    """Cleaned paths, addresses and image tables as references into the commit."""
    found = []
    for each in addresses if isinstance(addresses, list) else [addresses]:
        address = each.get("location") if isinstance(each, dict) else each
        if not isinstance(address, str):
            continue
        if address.startswith(("http://", "https://")):
            found.append(Reference(url=address))
        else:
            found.append(Reference(path=address, blob=tree(address)))
    return tuple(found)


def read_parts(
    reading: Reading, given: tuple[str, Value] | None, fields: dict[str, Json]
) -> tuple[tuple[ManifestPart, ...], dict[str, Json]]:
    """The declared parts, or one for each mesh listed elsewhere; and the keys not understood.

    The cleaned tables of declared parts go into `fields` under "part".
    """
    if given is None or is_empty(given[1]):
        if given is not None:
            reading.check((given[0],), given[1], anything)
        listed = [fields.get(key) or [] for key in ("export", "manufacturing-files", "source")]
        return derived_parts([path for paths in listed for path in paths], reading.tree), {}
    key, value = given
    entries = value if isinstance(value, list) else [value]
    strays = [each for each in entries if not _is_part(each)]
    if not isinstance(value, list) or strays:
        wrong = strays[0] if strays else value
        reading.wrong_type((key,), "a list of tables with a name and files", wrong)
    parts = []
    tables: list[Json] = []
    extras: dict[str, list[Path]] = {}
    kept: dict[str, Json] = {}
    for i, entry in enumerate(entries):
        path = (key, i) if isinstance(value, list) else (key,)
        if is_empty(entry):
            reading.check(path, entry, anything)
        elif isinstance(entry, str):
            parts.append(_part_from_text(entry.strip(), reading.tree))
        elif not _is_part(entry):
            kept[key_text(path)] = plain(entry)
        else:
            part, table = _part(reading, path, entry, extras, kept)
            parts.append(part)
            tables.append({"name": part.name, **table})
    for extra, places in extras.items():
        times = f" (in {len(places)} parts)" if len(places) > 1 else ""
        reading.fault(
            "unknown_key",
            (*places[0], extra),
            f"`{short(extra)}` is not a key of a part in OKH 2.4{times}; it is kept.",
            severity=Severity.WARNING if reading.generation is Generation.V2_4 else Severity.NOTE,
        )
    if tables:
        fields["part"] = tables
    return tuple(parts), kept


def _is_part(entry: Value) -> bool:
    """A table with at least one key of a part, or nothing at all, which is told by itself."""
    if isinstance(entry, dict) and entry:
        return any(key in DRAFT or near(key, PART) for key in entry)
    return is_empty(entry)


def _part_from_text(entry: str, tree: Tree) -> ManifestPart:
    """A part given as a text: the path of its file, or else its name."""
    path = entry.lstrip("/")
    clean = path.isprintable() and not {"", ".", ".."} & set(path.split("/"))
    if clean and tree(path) is not None:
        return ManifestPart(name=stem(path), exports=references([path], tree))
    return ManifestPart(name=entry)


def _part(
    reading: Reading,
    path: Path,
    entry: Mapping[str, Value],
    extras: dict[str, list[Path]],
    kept: dict[str, Json],
) -> tuple[ManifestPart, dict[str, Json]]:
    """One declared part, and its cleaned table."""
    found: dict[str, Any] = {}
    for key, value in entry.items():
        field = DRAFT.get(key, key)
        drafty = key in DRAFT and reading.generation is not Generation.DRAFT
        if field not in PART and field not in PART_KNOWN_ELSEWHERE and key not in QUANTITIES:
            meant = near(key, PART)
            if meant and meant not in entry:
                field = meant
                reading.fault(
                    "misspelt_key",
                    (*path, key),
                    f"`{short(key)}` is read as `{meant}`: correct the spelling.",
                    fix=meant,
                )
        check = PART.get(field) or PART_KNOWN_ELSEWHERE.get(field)
        at_home = field in PART or (reading.generation is Generation.LOSH and check is not None)
        if (not at_home or drafty) and reading.generation is not Generation.DRAFT:
            extras.setdefault(key, []).append(path)
        if check is not None:
            cleaned = reading.check((*path, key), value, check)
            if cleaned is not None:
                found.setdefault(field, cleaned)
        elif key in QUANTITIES and _whole(value):
            found.setdefault("quantity", _whole(value))
        else:
            kept[f"{key_text((*path, key))}"] = plain(value)
    _tell_part(reading, path, entry)
    size = found.get("outer-dimensions")
    sources, exports = (references(found.get(key), reading.tree) for key in ("source", "export"))
    fallback = next((stem(file.path) for file in (*exports, *sources) if file.path), None)
    number = f" {path[-1] + 1}" if isinstance(path[-1], int) else ""
    part = ManifestPart(
        name=found.get("name") or fallback or f"part{number}",
        sources=sources,
        exports=exports,
        image=references(found.get("image"), reading.tree),
        mass_g=found.get("mass"),
        outer_dimensions_mm=(size["width"], size["depth"], size["height"]) if size else None,
        tsdc=texts_of(found.get("tsdc")),
        material=found.get("material"),
        quantity=found.get("quantity"),
    )
    return part, found


def _tell_part(reading: Reading, path: Path, entry: Mapping[str, Value]) -> None:
    """A part needs a name, and something it can be made from."""
    meant = {near(key, PART) or key for key in entry} | set(entry)
    if "name" not in meant:
        reading.fault(
            "missing",
            (*path, "name"),
            f"`{key_text(path)}` lacks its `name`.",
            severity=Severity.ERROR,
        )
    if not meant & {"source", "export"}:
        reading.fault(
            "part_without_files",
            path,
            f"`{key_text(path)}` has neither `export` nor `source`: name the file to make it from.",
            severity=Severity.WARNING if reading.generation is Generation.LOSH else Severity.NOTE,
        )


def _whole(value: Value) -> int | None:
    """A whole number from 1 to a million, also written as text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (str, float)):
        text = written(value).strip()
        digits = text.removesuffix(".0")
        value = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 8 else None
    return value if isinstance(value, int) and 1 <= value <= 1_000_000 else None


def derived_parts(paths: list[str], tree: Tree) -> tuple[ManifestPart, ...]:
    """One part for each mesh among the paths; files that differ in ending only are one part."""
    groups: dict[str, list[str]] = {}
    for path in dict.fromkeys(paths):
        base, dot, suffix = path.rpartition(".")
        if f"{dot}{suffix}".lower() in MESHES and not path.startswith(("http://", "https://")):
            groups.setdefault(base, []).append(path)
    return tuple(
        ManifestPart(name=stem(files[0]), exports=references(files, tree), declared=False)
        for files in groups.values()
    )


def stem(path: str) -> str:
    """A part's name from its file's: "parts/left_arm.stl" is "left_arm"."""
    return PurePosixPath(path).stem


def texts_of(value: Json) -> tuple[str, ...]:
    """A cleaned text or list of texts as a tuple."""
    if isinstance(value, str):
        return (value,)
    return tuple(str(each) for each in value) if isinstance(value, list) else ()
