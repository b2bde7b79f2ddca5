"""The commands a G-code file may hold, and the one strict way of writing them.

An allow-list: what is not here is refused. Nothing here knows where a head stands; `printers.gcode`
follows the moves.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_CODE_BYTES = 95
"""Marlin's command buffer holds 96 bytes; some versions run the overflow as a second command."""

_NUMBER = rb"([-+]?(?:\d{1,8}(?:\.\d{0,8})?|\.\d{1,8}))"

_NAME = re.compile(rb"([GMT])(\d{1,4})(?:\.(\d))?")  # five digits wrap round: M66036 would be M500
_WORD = re.compile(rb"([A-Z])" + _NUMBER + rb"?")

# Commands that carry text. Old firmwares search the whole line for a G or an M with a number, so a
# text that holds one is refused; colons and hashes end a line for some of them.
_TEXTS: Mapping[str, re.Pattern[bytes]] = {
    "M115": re.compile(rb"(?:U\d{1,3}(?:\.\d{1,3}){1,3})?"),
    "M117": re.compile(rb"(?!.*[GMNT] *[-+.\d])[A-Za-z0-9 .,_%/+=!?-]*"),
    "M862.3": re.compile(rb'(?!.*[GMNT]\d)P ?"[A-Z0-9_.]{1,20}"'),
}

Values = Mapping[str, float | None]
"""A command's words with their numbers; None for a word that stands alone, as X does in `G28 X`."""


class Forbidden(ValueError):
    """Why a command may not run; the caller knows the line."""


@dataclass(frozen=True, slots=True)
class Word:
    """The bounds of the number behind one letter; `bare` words may stand without a number."""

    low: float
    high: float
    bare: bool = False


Allowed = Mapping[str, Mapping[str, Word]]


def allowed(*, max_feedrate_mm_min: int, max_nozzle_c: int, max_bed_c: int) -> Allowed:
    """Every command a file may hold, with the words each may carry and their bounds.

    Left out on purpose, beside everything unknown:

    - what outlives the print: M500–M504 and other EEPROM, M92 steps, M206 offsets, M303 tuning;
    - what reaches beyond the printer's work: M20–M39 card and files, M42 pins, M80/M81 power, M118
      (`//` and `@` lines steer the host), M540–M589 network, M928, M997 firmware;
    - what takes a safety off: M211 soft end stops, M302 cold extrusion, M85, M108, M110;
    - what waits for a person who may not be there: M0, M1, M25, M226, M600, M601;
    - what changes the meaning of lengths: G17–G20, M200, G10 with offsets;
    - a second tool, arcs (slice without arc fitting), and M112, which is a person's to say.
    """
    place, push_e = Word(-10_000, 10_000), Word(-10_000_000, 10_000_000)
    flag = Word(-1_000, 1_000, bare=True)
    feed, feed_s = Word(0.001, max_feedrate_mm_min), Word(0.001, max_feedrate_mm_min / 60)
    acceleration, count = Word(0, 50_000), Word(0, 1_000_000)
    nozzle, bed = Word(0, max_nozzle_c), Word(0, max_bed_c)
    only_0, yes_no, percent = Word(0, 0), Word(0, 1), Word(0, 100)
    move = {"X": place, "Y": place, "Z": place, "E": push_e, "F": feed}
    heat = {"S": nozzle, "R": nozzle, "T": only_0}
    heat_bed = {"S": bed, "R": bed}
    motors = {"X": flag, "Y": flag, "Z": flag, "E": flag, "S": count}
    return {
        "G0": move,
        "G1": move,
        "G4": {"P": Word(0, 600_000), "S": Word(0, 600)},  # ms and s: at most ten minutes
        "G10": {"S": yes_no},  # firmware retraction; with P or L it would set offsets
        "G11": {"S": yes_no},
        "G21": {},
        "G28": {"X": flag, "Y": flag, "Z": flag, "W": flag},
        "G29": {},  # level the bed; its words would load and store meshes
        "G80": {},
        "G90": {},
        "G91": {},
        "G92": {"X": place, "Y": place, "Z": place, "E": push_e},
        "M18": motors,
        "M73": {"P": percent, "R": count, "Q": percent, "S": count},
        "M82": {},
        "M83": {},
        "M84": motors,
        "M104": heat,
        "M105": {},
        "M106": {"S": Word(0, 255), "P": Word(0, 3)},
        "M107": {"P": Word(0, 3)},
        "M109": heat,
        "M140": heat_bed,
        "M190": heat_bed,
        "M201": dict.fromkeys("XYZE", acceleration),
        "M203": dict.fromkeys("XYZE", feed_s),
        "M204": dict.fromkeys("PRTS", acceleration),
        "M205": dict.fromkeys("XYZESTBJ", percent),  # jerk, least speeds, junction deviation
        "M220": {"S": Word(10, 200), "B": flag, "R": flag},
        "M221": {"S": Word(50, 150), "T": only_0},
        "M300": {"S": Word(0, 20_000), "P": Word(0, 5_000)},
        "M400": {},
        "M420": {"S": yes_no, "Z": percent, "V": flag},
        "M862.1": {"P": Word(0, 5), "Q": flag},
        "M900": {"K": Word(0, 10), "L": Word(0, 10)},
        "T0": {},
    }


def read(code: bytes, commands: Allowed) -> tuple[str, Values]:
    """The name and the words of one command, written without comment and surrounding blanks.

    Raises Forbidden with the reason when it is not in `commands`, or not written plainly.
    """
    if len(code) > MAX_CODE_BYTES:
        raise Forbidden(f"a command longer than {MAX_CODE_BYTES} bytes, a firmware's buffer")
    first, *rest = code.split(b" ")
    found = _NAME.fullmatch(first)
    if found is None:
        raise Forbidden("not a command as read here: G, M or T and its number, in capitals")
    letter, digits, sub = found.groups()
    name = f"{letter.decode()}{int(digits)}" + (f".{int(sub)}" if sub else "")
    if name in _TEXTS:
        if not _TEXTS[name].fullmatch(b" ".join(rest).strip()):
            raise Forbidden(
                f"the text after {name} could be misread; leave it out or make it plain"
            )
        return name, {}
    if name not in commands:
        raise Forbidden(f"{name} is not on the list of commands a print may use; remove it")
    values: dict[str, float | None] = {}
    for text in filter(None, rest):
        word, value = _value(name, text, commands[name])
        if word in values:  # firmwares differ in which of the two they take
            raise Forbidden(f"{word} stands twice in {name}")
        values[word] = value
    return name, values


def _value(name: str, text: bytes, words: Mapping[str, Word]) -> tuple[str, float | None]:
    found = _WORD.fullmatch(text)
    letter = found[1].decode() if found else ""
    if found is None or letter not in words:
        shown = text.decode("ascii", "backslashreplace")
        raise Forbidden(
            f"{shown!r} cannot stand in {name}, which takes {' '.join(words) or 'none'}"
        )
    word = words[letter]
    if found[2] is None:
        if not word.bare:
            raise Forbidden(f"{letter} of {name} needs a number")
        return letter, None
    value = float(found[2])
    if not word.low <= value <= word.high:
        raise Forbidden(f"{letter} of {name} must lie in {word.low:g}…{word.high:g}")
    return letter, value
