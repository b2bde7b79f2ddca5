"""Checks of numbers: finite, above 0, in grams and mm; what people write instead is understood."""

import math
import re
from collections.abc import Mapping

from designs.okh.model import Generation
from designs.okh.reading import Reading
from designs.okh.syntax import Path, Plain, Value, key_text

_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?")


def to_number(value: Value) -> float | None:
    """A finite number, also from text; None for anything else."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def positive(reading: Reading, path: Path, value: Value) -> float | None:
    """A finite number above 0."""
    if isinstance(value, list) and len(value) == 1:
        reading.wrong_type(path, "a number", value)
        value = value[0]
        found = to_number(value)
        return found if found and found > 0 else None
    found = to_number(value)
    if found is None:
        if isinstance(value, float):
            reading.fault("not_finite", path, f"`{key_text(path)}` is not a finite number.")
        else:
            reading.wrong_type(path, "a number", value)
        return None
    if found <= 0:
        reading.fault("not_positive", path, f"`{key_text(path)}` must be above 0.")
        return None
    if isinstance(value, str) and not isinstance(value, Plain):
        fix = value.strip()
        reading.fault(
            "number_as_text",
            path,
            f"`{key_text(path)}` is a text; write {fix} without quotes.",
            fix=fix,
        )
    return found


_TO_GRAMS = {"g": 1.0, "gram": 1.0, "grams": 1.0, "kg": 1000.0, "mg": 0.001, "": 1.0}


def mass(reading: Reading, path: Path, value: Value) -> float | None:
    """A mass in grams; tables of value and unit, and texts such as "30 g", are understood."""
    inner = value[0] if isinstance(value, list) and len(value) == 1 else value
    amount: Value = None
    unit: Value = ""
    if isinstance(inner, dict):
        amount, unit = inner.get("value"), inner.get("unit", "g")
    elif isinstance(inner, str):
        parts = re.fullmatch(r"([\d.]+)\s*([A-Za-z]+)", inner.strip())
        if parts:
            amount, unit = parts[1], parts[2]
    number = to_number(amount)
    if amount is None:
        return positive(reading, path, value)
    factor = _TO_GRAMS.get(unit.strip().lower()) if isinstance(unit, str) else None
    grams = number * factor if number and number > 0 and factor else None
    fix = f"{grams:g}" if grams else None
    reading.wrong_type(path, "a number of grams", value, fix=fix)
    return grams


_CUBE = re.compile(r"\s*cube\s*\(\s*(?:size\s*=\s*)?\[([^\[\]]*)\].*", re.DOTALL)
_CYLINDER = re.compile(r"\s*cylinder\s*\((.*?)\)?\s*;?\s*")
_SIDES = ("width", "depth", "height")


def dimensions(reading: Reading, path: Path, value: Value) -> dict[str, float] | None:
    """Width, depth and height in mm. CAD expressions are told, and understood where simple."""
    inner = value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(value, dict) and not isinstance(value.get("openSCAD"), str):
        return _sides(reading, path, value)
    expression = inner.get("openSCAD", "") if isinstance(inner, dict) else inner
    sizes = _expressed(expression)
    if isinstance(inner, dict) and all(side in inner for side in _SIDES):
        sizes = _known([to_number(inner[side]) for side in _SIDES])
    fix = None
    if sizes:
        fix = "{{ width = {:g}, depth = {:g}, height = {:g} }}".format(*sizes)
    reading.fault(
        "dimensions",
        path,
        f"`{key_text(path)}` should be a table of width, depth and height in mm.",
        fix=fix,
    )
    return dict(zip(_SIDES, sizes, strict=True)) if sizes else None


def _sides(reading: Reading, path: Path, value: Mapping[str, Value]) -> dict[str, float] | None:
    missing = [side for side in _SIDES if side not in value]
    if missing:
        reading.fault("dimensions", path, f"`{key_text(path)}` lacks {' and '.join(missing)} (mm).")
        return None
    sizes = _known([to_number(value[side]) for side in _SIDES])
    if sizes is None:
        wrong = next(s for s in _SIDES if not _known([to_number(value[s])] * 3))
        reading.fault(
            "dimensions", (*path, wrong), f"`{wrong}` must be a finite number of mm above 0."
        )
        return None
    as_text = [s for s in _SIDES if isinstance(value[s], str) and not isinstance(value[s], Plain)]
    extra = sorted(set(value) - set(_SIDES))
    if as_text:
        reading.fault(
            "number_as_text",
            path if len(as_text) > 1 else (*path, as_text[0]),
            f"{', '.join(as_text)}: write the number without quotes.",
            fix="{{ width = {:g}, depth = {:g}, height = {:g} }}".format(*sizes),
        )
    if extra and reading.generation is not Generation.LOSH:
        reading.fault(
            "unknown_key",
            (*path, extra[0]),
            f"{', '.join(extra)}: not part of dimensions, which are always mm.",
        )
    return dict(zip(_SIDES, sizes, strict=True))


def _known(sizes: list[float | None]) -> tuple[float, float, float] | None:
    if len(sizes) != 3 or any(size is None or size <= 0 for size in sizes):
        return None
    width, depth, height = (float(size or 0) for size in sizes)
    return width, depth, height


def _expressed(value: Value) -> tuple[float, float, float] | None:
    """Sizes from `[w, d, h]`, cube(…) or cylinder(h=…, r=…)."""
    if isinstance(value, list):
        return _known([to_number(each) for each in value])
    if not isinstance(value, str) or len(value) > 200:
        return None
    cube = _CUBE.fullmatch(value)
    if cube:
        return _known([to_number(each) for each in cube[1].split(",")])
    cylinder = _CYLINDER.fullmatch(value)
    if cylinder:
        given = dict(re.findall(r"\b([hrd])\s*=\s*([\d.]+)", cylinder[1]))
        height, radius = to_number(given.get("h")), to_number(given.get("r"))
        across = to_number(given.get("d")) or (2 * radius if radius else None)
        return _known([across, across, height])
    return None
