"""The slicer's macro language in a vendor's start and end codes, as far as profiles settle it.

`{if printer_model=="MK3S"}…{endif}` is decided by the profiles that were chosen, and so is
`[printer_model]`: that much is worked out here, once, and what is left is plain G-code with the few
placeholders that a profile may hold. What cannot be decided stays as it is written, and the check
of the profile (`printers.capability`) refuses it by its line.
"""

import re
from collections.abc import Mapping

from printers.conditions import Unclear, holds

__all__ = ["settled", "unescaped"]

MAX_BRANCHES = 400

FIRST_TOOL: Mapping[str, str] = {
    "initial_tool": "0",
    "initial_extruder": "0",
    "current_extruder": "0",
    "has_wipe_tower": "0",
    "has_single_extruder_multi_material_priming": "0",
    "num_extruders": "1",
}
"""What holds of every print here: one material at a time, out of the first tool."""

KNOWN = re.compile(
    r"machine_max_\w+|printer_model|printer_notes|printer_variant|nozzle_diameter"
    r"|(?:printer|print|filament)_settings_id|retract_(?:length|speed|lift)|first_layer_height"
    r"|single_extruder_multi_material|travel_speed|print_bed_(?:min|max)"
)
"""Values that the profiles settle. Temperatures and layer heights are the order's."""

_PLAIN = re.compile(r"[A-Za-z0-9_.@+-][A-Za-z0-9_.@+ -]{0,60}")
_BRANCH = re.compile(r"\{(if|elsif|else|endif)(?:\s+([^{}\n]{1,2000}))?\}")
_BY_TOOL = re.compile(
    r"[\[{](\w{1,60})\[(?:0|initial_tool|initial_extruder|current_extruder)\][\]}]"
)
_TOOL = re.compile(r"\[(?:initial_tool|initial_extruder|current_extruder)\]")
_PRODUCT = re.compile(r"\{(\w{1,60})(?:\[(\d)\])? ?\* ?(\d{1,5}(?:\.\d{1,3})?)\}")
_NAME = re.compile(r"\[(\w{1,60})\]|\{(\w{1,60})\}")


def unescaped(value: str) -> str:
    r"""A code as its lines, from how a settings file writes it: `\n`, `\"` and `\\`."""
    meaning = {"n": "\n", "r": ""}
    text = re.sub(r"\\(.)", lambda found: meaning.get(found[1], found[1]), value)
    return text if not text or text.endswith("\n") else text + "\n"


def settled(code: str, values: Mapping[str, str]) -> str:
    """The code with everything worked out that the chosen profiles decide."""
    known = {name: value for name, value in values.items() if KNOWN.fullmatch(name)}
    known |= FIRST_TOOL
    text = _BY_TOOL.sub(lambda found: _by_tool(found, known), _decided(code, known))
    text = _NAME.sub(lambda found: _value(known, found[1] or found[2]) or found[0], text)
    text = _PRODUCT.sub(lambda found: _product(found, known), text)
    if _number(values.get("z_offset", "0")) == 0:
        text = text.replace("{z_offset+", "{")
    return text


def _number(text: str) -> float | None:
    """The number in a text, if it is one."""
    try:
        return float(text)
    except ValueError:
        return None


def _value(known: Mapping[str, str], name: str, index: int = 0) -> str:
    """One value of a list, if it is a plain word or number; else nothing."""
    each = known.get(name, "").split(",")
    value = each[index].strip() if index < len(each) else ""
    return value if _PLAIN.fullmatch(value) else ""


def _product(found: re.Match[str], known: Mapping[str, str]) -> str:
    factor = _number(_value(known, found[1], int(found[2] or 0)))
    return found[0] if factor is None else f"{factor * float(found[3]):.3f}".rstrip("0").rstrip(".")


def _by_tool(found: re.Match[str], known: Mapping[str, str]) -> str:
    """`{name[initial_tool]}`: its value, or the same asked of the one tool there is."""
    return _value(known, found[1]) or f"[{found[1]}]"


def _decided(code: str, known: Mapping[str, str]) -> str:
    """The code with the branches that are taken. A question with one open condition stays whole as
    it is written: half a decision could leave half a branch."""
    marks = list(_BRANCH.finditer(code))
    if not marks or len(marks) > MAX_BRANCHES:
        return code
    kept: list[str] = []
    at = depth = first = 0
    for number, mark in enumerate(marks):
        if mark[1] == "if":
            depth += 1
            first = number if depth == 1 else first
        elif mark[1] == "endif":
            depth -= 1
        if depth < 0:
            return code
        if depth == 0 and mark[1] == "endif":
            begin, end = marks[first].start(), mark.end()
            kept.append(code[at:begin])
            try:
                kept.append(_branches(code, marks[first : number + 1], known))
            except Unclear:
                kept.append(code[begin:end])
            at = end
    return code if depth else _without_empty_lines("".join(kept) + code[at:])


def _branches(code: str, marks: list[re.Match[str]], known: Mapping[str, str]) -> str:
    """One question from its if to its endif, decided. Raises Unclear."""
    kept: list[str] = []
    # For each open {if}: is this branch taken, and was one of its branches taken already?
    stack: list[tuple[bool, bool]] = []
    at = 0
    for mark in marks:
        if stack and all(taken for taken, _ in stack):
            kept.append(code[at : mark.start()])
        at = mark.end()
        _step(stack, mark[1], mark[2], known)
    return "".join(kept)


def _step(
    stack: list[tuple[bool, bool]], word: str, condition: str | None, known: Mapping[str, str]
) -> None:
    """One mark of a branch. Raises Unclear."""
    condition = _TOOL.sub("[0]", condition or "")
    if word == "if":
        true = holds(condition, known)
        stack.append((true, true))
        return
    if not stack:
        raise Unclear(f"{word} without if")
    _, done = stack.pop()
    if word == "elsif":
        true = not done and holds(condition, known)
        stack.append((true, done or true))
    elif word == "else":
        stack.append((not done, True))


def _without_empty_lines(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if line.strip())
