"""Read, measure and guard G-code before a machine sees it: hub and agent use the same lines.

A file is refused unless every line of it is plainly harmless. The rule is an allow-list, and one
strict way of writing: capitals, one command a line, words parted by spaces, each word once. What
firmwares read differently (line numbers, checksums, parentheses, `G 28`, `X1E5`, `\\;`, a lone CR)
is refused rather than interpreted, so what is checked here is what any Marlin would execute.

Standard library only, and no I/O but reading the stream that is handed in.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, BinaryIO

from basis.errors import Invalid
from printers.gcode_words import MAX_CODE_BYTES, Forbidden, Values, allowed, read

FLAVOURS = frozenset({"marlin", "marlin2"})

TRAVEL_MARGIN_UM = 60_000
"""How far beyond the bed a machine may travel: purge lines, wipers and parking lie out there."""

LIFT_UM = 10_000
"""How far above the tallest part an end code may lift; firmware stops the head at its own end."""

UNHOMED_RISE_MM = 50
"""How far Z may rise while nobody knows where it is: away from the bed, before homing."""


class GcodeRefused(Invalid):
    """This G-code must not reach a machine. `line` counts from 1; 0 means the file as a whole."""

    code = "gcode_refused"

    def __init__(self, *, line: int, command: str, reason: str) -> None:
        self.line, self.command, self.reason = line, command, reason
        where = f"line {line}: {command!r}: " if line else ""
        super().__init__(f"G-code refused: {where}{reason}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What one machine can bear. Raises Invalid for limits that describe no machine."""

    bed_um: tuple[tuple[int, int], ...]
    """Corners of the printable area in order, convex, in the machine's own coordinates."""
    max_height_um: int
    max_nozzle_c: int
    max_bed_c: int
    max_feedrate_mm_min: int = 36_000
    max_line_bytes: int = 20_000
    """Comments may be long (a slicer writes a whole start code into one); commands may not."""
    max_bytes: int = 256_000_000
    flavour: str = "marlin"

    def __post_init__(self) -> None:
        corners = tuple((int(x), int(y)) for x, y in self.bed_um)
        object.__setattr__(self, "bed_um", corners)
        if self.flavour not in FLAVOURS:
            raise Invalid(
                f"flavour {self.flavour!r} is not known here: {', '.join(sorted(FLAVOURS))}"
            )
        if not _is_convex(corners):
            raise Invalid(f"the bed must be a convex polygon of 3 to 256 corners, got {corners!r}")
        for name in (f.name for f in fields(self) if f.name not in {"bed_um", "flavour"}):
            value = getattr(self, name)
            least = 0 if name == "max_bed_c" else 1  # a bed may be unheated
            if type(value) is not int or value < least:
                raise Invalid(f"{name} must be a whole number from {least}, got {value!r}")

    def as_json(self) -> dict[str, Any]:
        """Plain values for a message from hub to agent; `from_json` reads them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Guard":
        """Raises Invalid when a name is unknown, missing or of the wrong kind."""
        try:
            return cls(**{**values, "bed_um": tuple(tuple(c) for c in values["bed_um"])})
        except (KeyError, TypeError, ValueError) as exc:
            raise Invalid(f"not the limits of a machine: {exc}") from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a whole file was found to do; it passed the guard."""

    lines: int
    commands: int
    size: int
    layers: int
    """Marks of `;LAYER_CHANGE`; 0 in a file whose slicer writes none."""
    filament_um: int
    """Net length pushed through the nozzle, the start code's purge included."""
    box_um: tuple[int, int, int, int, int, int]
    """Least x, y, z, then greatest, of the moves that extrude, from the first layer mark on."""
    max_nozzle_c: int
    max_bed_c: int


def measure(stream: BinaryIO, guard: Guard) -> Measured:
    """Read a G-code file to its end, following every move.

    Raises GcodeRefused, naming line, command and reason, at the first thing that `guard` or the
    allow-list forbids; also for a file that prints nothing, which a printer would "finish".
    """
    walk = _Walk(guard)
    size = 0
    while raw := stream.readline(guard.max_line_bytes + 1):
        size += len(raw)
        if len(raw) > guard.max_line_bytes:
            walk.number += 1
            raise walk.refusal(raw, f"longer than {guard.max_line_bytes} bytes")
        if size > guard.max_bytes:
            raise walk.refusal(raw, f"the file is larger than {guard.max_bytes} bytes")
        walk.line(raw)
    return walk.finish(size)


def check_lines(text: str, guard: Guard) -> None:
    """Pass a start or end code by the same rules; it need not print anything.

    Raises GcodeRefused with the line of `text`.
    """
    walk = _Walk(guard)
    for raw in text.encode().splitlines(keepends=True):  # bytes: at LF, CR and CRLF only
        walk.line(raw)


# --- following the moves

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
# Nine lines of ten, as slicers write them; every other line takes the slow road.
_DRAW = re.compile(rb"G1 X(\d{1,6}\.?\d*) Y(\d{1,6}\.?\d*)(?: E(-?\d*\.?\d+))?\r?\n")
_REMEMBERED = 2_000  # lines like `G1 F1800` and `G92 E0` come thousands of times

_INFINITE = float("inf")

LAYER = "layer"  # in place of a command's name: the slicer's mark of a new layer


class _Walk:
    """A machine's state while it would run the file: place, modes, heat; and what it printed.

    Lengths are mm here, as the file has them.
    """

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.allowed = allowed(
            max_feedrate_mm_min=guard.max_feedrate_mm_min,
            max_nozzle_c=guard.max_nozzle_c,
            max_bed_c=guard.max_bed_c,
        )
        xs, ys = [x / 1000 for x, _ in guard.bed_um], [y / 1000 for _, y in guard.bed_um]
        margin = TRAVEL_MARGIN_UM / 1000
        self.height = guard.max_height_um / 1000
        self.reach = (
            (min(xs) - margin, max(xs) + margin),
            (min(ys) - margin, max(ys) + margin),
            (0.0, self.height + LIFT_UM / 1000),
        )
        self.inner = _inner_box(guard.bed_um)
        self.known: dict[bytes, tuple[str, Values]] = {}
        self.number = self.commands = self.layers = 0
        # Unknown until homed or told: nobody knows where the last print left the head.
        self.at: tuple[float | None, float | None, float | None] = (None, None, None)
        self.shift = [0.0, 0.0, 0.0]  # machine place minus the place the file speaks of, by G92
        self.relative = self.relative_e = False
        self.plain = False  # absolute, no shift, height known: what a plain line draws is clear
        self.e = self.pushed = self.peak = 0.0
        self.nozzle = self.bed = 0.0
        self.counted = False  # is the present place part of the box already?
        self.low, self.high = [_INFINITE] * 3, [-_INFINITE] * 3
        self.too_far: GcodeRefused | None = None  # before the first mark; counts if none follows

    def refusal(self, raw: bytes, reason: str) -> GcodeRefused:
        shown = raw[:80].decode("ascii", "backslashreplace").strip()
        return GcodeRefused(line=self.number, command=shown, reason=reason)

    def line(self, raw: bytes) -> None:
        """Take one line with its end."""
        self.number += 1
        drawn = _DRAW.fullmatch(raw) if self.plain and len(raw) <= MAX_CODE_BYTES else None
        if drawn is None:
            self.any_line(raw)
            return
        self.commands += 1
        x_text, y_text, e_text = drawn.groups()
        x, y = float(x_text), float(y_text)
        x0, y0, x1, y1 = self.inner
        if e_text is None or not self.counted or not (x0 <= x <= x1 and y0 <= y <= y1):
            self.move(raw, (x, y, None), None if e_text is None else float(e_text))
            return
        self.at = (x, y, self.at[2])
        self.push(float(e_text))
        low, high = self.low, self.high
        if x < low[0]:
            low[0] = x
        elif x > high[0]:
            high[0] = x
        if y < low[1]:
            low[1] = y
        elif y > high[1]:
            high[1] = y

    def any_line(self, raw: bytes) -> None:
        """A line of any kind, by the slow road."""
        said = self.known.get(raw)
        if said is None:
            said = self.read_line(raw)
            if len(self.known) < _REMEMBERED:
                self.known[raw] = said
        name, values = said
        if name == LAYER:
            if not self.layers:
                self.counted = False
                self.low, self.high = [_INFINITE] * 3, [-_INFINITE] * 3
            self.layers += 1
        elif name:
            self.commands += 1
            self.follow(raw, name, values)
            self.plain = not self.relative and not any(self.shift) and self.at[2] is not None

    def read_line(self, raw: bytes) -> tuple[str, Values]:
        """The command in a line, LAYER for a layer's mark, "" when there is nothing to do.

        What one reader could take for two lines is refused, in comments too.
        """
        text = raw.removesuffix(b"\n").removesuffix(b"\r")
        if _CONTROL.search(text):
            reason = "a control character; write plain text with LF or CRLF line ends"
            raise self.refusal(raw, reason)
        code, _, comment = text.partition(b";")
        if not comment.isascii() and not _is_one_line(comment):
            raise self.refusal(raw, "a comment that is not UTF-8, or that hides a line end")
        code = code.strip(b" \t")
        if not code:
            return (LAYER if text.rstrip() == b";LAYER_CHANGE" else ""), {}
        try:
            return read(code, self.allowed)
        except Forbidden as exc:
            raise self.refusal(raw, str(exc)) from exc

    def follow(self, raw: bytes, name: str, values: Values) -> None:
        """What an allowed command changes in the machine."""
        if name in {"G0", "G1"}:
            self.move(raw, (values.get("X"), values.get("Y"), values.get("Z")), values.get("E"))
        elif name == "G28":
            homed = [word in values for word in "XYZ"]
            homed = homed if any(homed) else [True] * 3
            x, y, z = (0.0 if home else at for home, at in zip(homed, self.at, strict=True))
            self.at, self.counted = (x, y, z), False
            self.shift = [0.0 if h else s for h, s in zip(homed, self.shift, strict=True)]
        elif name in {"G90", "G91"}:
            # As Marlin 2: E follows too. Where older ones differ only the sum of filament does.
            self.relative = self.relative_e = name == "G91"
        elif name in {"M82", "M83"}:
            self.relative_e = name == "M83"
        elif name == "G92":
            self.rename(raw, values)
        elif name in {"M104", "M109"}:
            self.nozzle = max(self.nozzle, values.get("S") or 0, values.get("R") or 0)
        elif name in {"M140", "M190"}:
            self.bed = max(self.bed, values.get("S") or 0, values.get("R") or 0)

    def rename(self, raw: bytes, values: Values) -> None:
        """G92: the head stays, its place gets another number."""
        if not values:
            reason = "a G92 without words means different things to different firmwares"
            raise self.refusal(raw, reason)
        for axis, word in enumerate("XYZ"):
            value, at = values.get(word), self.at[axis]
            if value is None:
                continue
            if at is None:
                reason = f"the place of {word} is unknown here: home (G28) first"
                raise self.refusal(raw, reason)
            self.shift[axis] = at - value
        if (e := values.get("E")) is not None:
            self.e = e

    def move(
        self, raw: bytes, to: tuple[float | None, float | None, float | None], e: float | None
    ) -> None:
        """Go there, if the machine may. A move with an E word counts as printing, wipes too."""
        before = self.at
        travels = to != (None, None, None)
        if travels:
            self.at = (
                self.place(raw, 0, to[0]),
                self.place(raw, 1, to[1]),
                self.place(raw, 2, to[2]),
            )
        if e is None:
            self.counted = self.counted and not travels
            return
        self.push(e)
        if travels:
            if not self.counted:
                self.print_at(raw, before)
            self.print_at(raw, self.at)
            self.counted = True

    def push(self, e: float) -> None:
        """Move filament; what counts is the furthest it ever was, so a retraction costs nothing."""
        step = e if self.relative_e else e - self.e
        self.e += step
        self.pushed += step
        if self.pushed > self.peak:
            self.peak = self.pushed

    def place(self, raw: bytes, axis: int, value: float | None) -> float | None:
        """Where `value` takes one axis; None while nobody can know."""
        at = self.at[axis]
        if value is None:
            return at
        if self.relative and at is None:
            if axis == 2 and 0 <= value <= UNHOMED_RISE_MM:
                return None
            reason = (
                f"a step from an unknown place: home (G28) first; only Z may rise before that, by "
                f"up to {UNHOMED_RISE_MM} mm"
            )
            raise self.refusal(raw, reason)
        there = value + (at or 0.0) if self.relative else value + self.shift[axis]
        low, high = self.reach[axis]
        if not low <= there <= high:
            reason = f"{'XYZ'[axis]} would go to {there:g} mm; allowed is {low:g} to {high:g} mm"
            raise self.refusal(raw, reason)
        return there

    def print_at(self, raw: bytes, where: tuple[float | None, float | None, float | None]) -> None:
        """Take a place where plastic comes out into the box, if it lies over the bed."""
        x, y, z = where
        if x is None or y is None or z is None:
            self.outside(raw, "prints from an unknown place: home (G28) or go there first")
            return
        for axis, value in enumerate((x, y, z)):
            self.low[axis] = min(self.low[axis], value)
            self.high[axis] = max(self.high[axis], value)
        if not 0 < z <= self.height:
            reason = f"prints at a height of {z:g} mm; this printer has {self.height:g} mm"
            self.outside(raw, reason)
        elif not _covers(self.guard.bed_um, x, y):
            reason = f"prints beyond the bed at X{x:g} Y{y:g}; take a larger printer, less brim"
            self.outside(raw, reason + " or fewer copies")

    def outside(self, raw: bytes, reason: str) -> None:
        """A start code may purge beside the bed; from the first layer on it is an error."""
        refusal = self.refusal(raw, reason)
        if self.layers:
            raise refusal
        self.too_far = self.too_far or refusal

    def finish(self, size: int) -> Measured:
        """The sums, once the last line is read."""
        if not self.layers and self.too_far is not None:
            raise self.too_far
        if self.low[0] > self.high[0] or self.peak <= 0:
            raise GcodeRefused(line=0, command="", reason="it prints nothing; slice the part again")
        x0, y0, z0, x1, y1, z1 = (round(mm * 1000) for mm in (*self.low, *self.high))
        return Measured(
            lines=self.number,
            commands=self.commands,
            size=size,
            layers=self.layers,
            filament_um=round(self.peak * 1000),
            box_um=(x0, y0, z0, x1, y1, z1),
            max_nozzle_c=round(self.nozzle),
            max_bed_c=round(self.bed),
        )


def _is_one_line(comment: bytes) -> bool:
    try:
        return len(comment.decode("utf-8").splitlines()) == 1
    except UnicodeDecodeError:
        return False


# --- the bed --------------------------------------------------------------------------------------


def _is_convex(corners: tuple[tuple[int, int], ...]) -> bool:
    """Every corner lies on the inner side of every edge, and they are not all on one line."""
    if not 3 <= len(corners) <= 256:
        return False
    flat = len({x for x, _ in corners}) == 1 or len({y for _, y in corners}) == 1
    return not flat and all(_covers(corners, x / 1000, y / 1000) for x, y in corners)


def _covers(corners: tuple[tuple[int, int], ...], x: float, y: float) -> bool:
    """Does the convex polygon (µm) hold the point (mm), its edge included?"""
    x_um, y_um = x * 1000, y * 1000
    edges = zip(corners, corners[1:] + corners[:1], strict=True)
    sides = [(bx - ax) * (y_um - ay) - (by - ay) * (x_um - ax) for (ax, ay), (bx, by) in edges]
    slack = 1e3  # µm × µm: the rounding of a product of two lengths, far below one µm of place
    return all(s >= -slack for s in sides) or all(s <= slack for s in sides)


def _inner_box(corners: tuple[tuple[int, int], ...]) -> tuple[float, float, float, float]:
    """A box (mm) that the bed surely covers, so that most points need four comparisons only."""
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    middle_x, middle_y = (min(xs) + max(xs)) / 2000, (min(ys) + max(ys)) / 2000
    half_x, half_y = (max(xs) - min(xs)) / 2000, (max(ys) - min(ys)) / 2000
    for part in range(20, 0, -1):
        dx, dy = half_x * part / 20, half_y * part / 20
        box = (middle_x - dx, middle_y - dy, middle_x + dx, middle_y + dy)
        if all(_covers(corners, box[i], box[j]) for i in (0, 2) for j in (1, 3)):
            return box
    return (1.0, 1.0, -1.0, -1.0)  # holds nothing: every point is then tested exactly
