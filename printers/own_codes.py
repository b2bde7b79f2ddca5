"""Proof that what surrounds a print is its printer's own start and end code, and nothing else.

The guard bounds every line; this tells whose lines they are. It is looked at where slices are made:
an agent takes the hub's signature for it.
"""

import re
from collections.abc import Iterator

from printers.capability import Profile, as_filled
from printers.gcode import GcodeRefused
from printers.gcode_flavours import OWNERS

MODES = frozenset({"G21", "G90", "G91", "M82", "M83"})
"""What the slicer says of its own accord, too."""

LAYER_MARK = b";LAYER_CHANGE"


def check_own_codes(gcode: bytes, profile: Profile) -> None:
    """Raises GcodeRefused unless the file, which passed the guard, has the profile's start code
    before its first layer and its end code at the end, as filled in by the slicer, and no other
    command anywhere that only an owner says."""
    first = gcode.find(LAYER_MARK)
    if first < 0:
        raise _refused("it marks no layers, so nobody can tell its start code from the print")
    last = gcode.rfind(LAYER_MARK)
    head = _commands(gcode[:first])
    start = re.search(rf"(?m)^{as_filled(profile.start_gcode)}", head)
    if start is None:
        raise _refused("its head is not the start code of this printer")
    tail = _commands(gcode[last:])
    end = re.search(rf"(?m)^{as_filled(profile.end_gcode)}(?:M73[^\n]*\n)*\Z", tail)
    if end is None:
        raise _refused("it does not end with the end code of this printer")
    others = (
        head[: start.start()] + head[start.end() :],
        _commands(gcode[first:last]),
        tail[: end.start()],
    )
    for text in others:
        for line in _said_by_owners(text):
            raise _refused(f"{line!r} is not in this printer's start or end code")


def _commands(part: bytes) -> str:
    """The commands of a part of a file, one a line, without comments."""
    found = (line.partition(b";")[0].strip(b" \t\r") for line in part.split(b"\n"))
    return "".join(f"{code.decode('ascii')}\n" for code in found if code)


def _said_by_owners(text: str) -> Iterator[str]:
    owners = OWNERS - MODES
    return (line for line in text.splitlines() if line.partition(" ")[0] in owners)


def _refused(reason: str) -> GcodeRefused:
    return GcodeRefused(line=0, command="", reason=reason)
