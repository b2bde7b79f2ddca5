"""The one strict way of writing a command; which there are, `printers.gcode_flavours` says.

Nothing here knows where a head stands; `printers.gcode` follows the moves.
"""

import re
from collections.abc import Collection, Mapping

from printers.gcode_flavours import Allowed, Words

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


def read(code: bytes, commands: Allowed, texts: Collection[str]) -> tuple[str, Values]:
    """The name and the words of one command, written without comment and surrounding blanks.

    texts : the commands that may carry text.

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
    if name in texts:
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
    for letter, bounds in commands[name].items():
        if bounds.needed and letter not in values:
            raise Forbidden(f"{name} without {letter} would mean something else")
    return name, values


def _value(name: str, text: bytes, words: Words) -> tuple[str, float | None]:
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
