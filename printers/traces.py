"""What OctoPrint keeps that tells of prints which nobody watched. Pure: no network, no clock."""

from collections.abc import Iterator, Mapping
from typing import Any

MOST_FOLDERS = 64
"""How deep folders may lie in each other."""

SAMPLE_S = 60.0
"""Further apart, two temperatures say nothing of the time between them."""


def newest_print_from(data: Mapping[str, Any], *, besides: str) -> float:
    """When the newest recorded print ended, by OctoPrint's clock; 0.0 without any.

    data    : the answer to GET /api/files/local?recursive=true.
    besides : the beginning of paths that are printed once, by us: of those only a second print
              counts, for it was somebody else's.

    Raises ValueError when it is no list of files.
    """
    files = data.get("files")
    if not isinstance(files, list):
        raise ValueError("no files in the answer")
    newest = 0.0
    for file in _flat(files, MOST_FOLDERS):
        prints = file.get("prints")
        last = prints.get("last") if isinstance(prints, Mapping) else None
        date = _number(last.get("date")) if isinstance(last, Mapping) else None
        if date is None or not isinstance(prints, Mapping):
            continue
        if not str(file.get("path")).startswith(besides) or _times(prints) > 1:
            newest = max(newest, date)
    return newest


def warmest_from(data: Mapping[str, Any], *, within_s: float) -> float | None:
    """The warmest that any nozzle was in the last `within_s`, in °C.

    data : the answer to GET /api/printer?history=true.

    None when the temperatures do not reach so far back, have a gap, or lack a nozzle: then they
    prove nothing.
    """
    temperature = data.get("temperature")
    history = temperature.get("history") if isinstance(temperature, Mapping) else None
    if not isinstance(history, list) or not history:
        return None
    warmest, newest, before = None, None, None
    for sample in reversed(history):
        at = _number(sample.get("time")) if isinstance(sample, Mapping) else None
        if at is None:
            return None
        newest = at if newest is None else newest
        if before is not None and not 0 <= before - at <= SAMPLE_S:
            return None
        before = at
        nozzle = _nozzle(sample)
        if nozzle is None:
            return None
        warmest = nozzle if warmest is None else max(warmest, nozzle)
        if newest - at >= within_s:
            return warmest
    return None


def _nozzle(sample: Mapping[str, Any]) -> float | None:
    """The warmest nozzle of a sample, None unless every nozzle in it has a figure."""
    tools = [each for name, each in sample.items() if str(name).startswith("tool")]
    found = [_number(each.get("actual")) if isinstance(each, Mapping) else None for each in tools]
    known = [each for each in found if each is not None]
    return max(known) if known and len(known) == len(found) else None


def _flat(files: list[Any], depth: int) -> Iterator[Mapping[str, Any]]:
    for file in files:
        if not isinstance(file, Mapping):
            raise ValueError("an entry that is no file")
        children = file.get("children")
        if isinstance(children, list):
            if depth == 0:
                raise ValueError("folders without end")
            yield from _flat(children, depth - 1)
        else:
            yield file


def _times(prints: Mapping[str, Any]) -> float:
    return sum(_number(prints.get(each)) or 0 for each in ("success", "failure"))


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < 2.0**53 else None
