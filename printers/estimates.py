"""What PrusaSlicer says a print will take, read from the comments at the end of its G-code.

Pure: the caller reads the last part of the file. The figures are the slicer's own guesses.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from printers.gcode import GcodeRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """What PrusaSlicer wrote. The mass is by *its* density, 0 where it was given none."""

    duration_s: int
    filament_um: int
    volume_mm3: int
    mass_mg: int


_DURATION = re.compile(r"(?:(\d{1,4})d ?)?(?:(\d{1,2})h ?)?(?:(\d{1,2})m ?)?(?:(\d{1,2})s)?")
_FIGURE = re.compile(r"\d{1,9}(?:\.\d{1,6})?")


def estimates(tail: bytes) -> Estimates:
    """The figures in the last part of a file (64 KB is plenty) written by PrusaSlicer.

    Only lines before the slicer's dump of its settings count, and of several with the same name the
    last: settings hold text that people wrote, and so does an end code, which stands earlier.

    Raises GcodeRefused when one is missing or is not a number.
    """
    lines = [line.strip() for line in tail.decode("utf-8", "replace").split("\n")]
    begins = [i for i, line in enumerate(lines) if line == "; prusaslicer_config = begin"]
    if not begins and "; prusaslicer_config = end" in lines:
        raise _no_estimate("the tail is too short: it begins inside the slicer's settings")
    said: dict[str, str] = {}
    for line in lines[: begins[-1]] if begins else lines:
        name, equals, value = line.removeprefix("; ").partition(" = ")
        if equals and line.startswith("; "):
            said[name] = value
    return Estimates(
        duration_s=_duration_s(said.get("estimated printing time (normal mode)", "")),
        filament_um=_figure(said, "filament used [mm]", 1000),
        volume_mm3=_figure(said, "filament used [cm3]", 1000),
        mass_mg=_figure(said, "total filament used [g]", 1000),
    )


def _no_estimate(reason: str) -> GcodeRefused:
    return GcodeRefused(line=0, command="", reason=f"no estimates: {reason}; slice it again")


def _figure(said: Mapping[str, str], name: str, scale: int) -> int:
    """The sum over extruders, in whole units of 1/`scale`, rounded up."""
    parts = [part.strip() for part in said.get(name, "").split(",")]
    if not all(_FIGURE.fullmatch(part) for part in parts):
        raise _no_estimate(f"{name!r} is missing or not a number")
    total = sum((Decimal(part) for part in parts), Decimal(0)) * scale
    return int(total.to_integral_value(rounding=ROUND_CEILING))


def _duration_s(text: str) -> int:
    found = _DURATION.fullmatch(text)
    if found is None or not text:
        raise _no_estimate("the printing time is missing or not a duration")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
