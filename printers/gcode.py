"""Read, measure and guard G-code before a machine sees it: hub and agent use the same lines.

A file is refused unless every line of it is plainly harmless. The rule is an allow-list, and one
strict way of writing: capitals, one command a line, words parted by spaces, each word once. What
firmwares read differently (line numbers, checksums, parentheses, `G 28`, `X1E5`, `\\;`, a lone CR)
is refused rather than interpreted, so what is checked here is what any Marlin would execute.

Standard library only, and no I/O but reading the stream that is handed in.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, BinaryIO

from basis.errors import Invalid
from printers.gcode_bed import covers, inner_box, is_convex
from printers.gcode_flavours import FLAVOURS, OWNERS, Limits, allowed
from printers.gcode_flow import PURGE_MM3, SOLID_PCT, Flow, TooMuch
from printers.gcode_words import MAX_CODE_BYTES, Forbidden, Values, read

__all__ = ["FLAVOURS", "GcodeRefused", "Guard", "Measured", "check_lines", "measure"]

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
    max_chamber_c: int = 0
    """0: there is no heated chamber."""
    max_feedrate_mm_min: int = 36_000
    max_z_feed_mm_s: int = 50
    """What M203 may let Z do."""
    max_acceleration_mm_s2: int = 20_000
    max_z_acceleration_mm_s2: int = 2_000
    max_jerk_mm_s: int = 50
    max_z_jerk_mm_s: int = 10
    max_flow_mm3_s: int = 30
    """What the hot end melts."""
    max_retract_mm: int = 120
    """How far the filament may be pulled back at all, to unload it too."""
    filament_um: int = 1_750
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
        if not is_convex(corners):
            raise Invalid(f"the bed must be a convex polygon of 3 to 256 corners, got {corners!r}")
        for name in (f.name for f in fields(self) if f.name not in {"bed_um", "flavour"}):
            value = getattr(self, name)
            least = 0 if name in ("max_bed_c", "max_chamber_c") else 1  # unheated, or none
            if type(value) is not int or value < least:
                raise Invalid(f"{name} must be a whole number from {least}, got {value!r}")

    @property
    def limits(self) -> Limits:
        """What bounds the single words of a command."""
        return Limits(
            nozzle_c=self.max_nozzle_c,
            bed_c=self.max_bed_c,
            chamber_c=self.max_chamber_c,
            feed_mm_min=self.max_feedrate_mm_min,
            z_feed_mm_s=self.max_z_feed_mm_s,
            acceleration_mm_s2=self.max_acceleration_mm_s2,
            z_acceleration_mm_s2=self.max_z_acceleration_mm_s2,
            jerk_mm_s=self.max_jerk_mm_s,
            z_jerk_mm_s=self.max_z_jerk_mm_s,
        )

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
    size, most_line, most = 0, guard.max_line_bytes, guard.max_bytes
    next_line, take = stream.readline, walk.line  # looked up once: there are millions of lines
    while raw := next_line(most_line + 1):
        length = len(raw)
        size += length
        if length > most_line:
            walk.number += 1
            raise walk.refusal(raw, f"longer than {most_line} bytes")
        if size > most:
            raise walk.refusal(raw, f"the file is larger than {most} bytes")
        take(raw)
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
_TO_THE_HOST = re.compile(rb"^[\s;]*@|//\s*action", re.IGNORECASE)
_REMEMBERED = 2_000  # lines like `G1 F1800` and `G92 E0` come thousands of times

_INFINITE = float("inf")

LAYER = "layer"  # in place of a command's name: the slicer's mark of a new layer


class _Walk:
    """A machine's state while it would run the file: place, modes, heat; and what it printed.

    Lengths are mm here, as the file has them.
    """

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.allowed = allowed(guard.flavour, guard.limits)
        self.texts = FLAVOURS[guard.flavour].texts
        self.flow = Flow(
            FLAVOURS[guard.flavour].readings,
            filament_um=guard.filament_um,
            max_flow_mm3_s=guard.max_flow_mm3_s,
            max_retract_mm=guard.max_retract_mm,
            max_feed_mm_min=guard.max_feedrate_mm_min,
        )
        xs, ys = [x / 1000 for x, _ in guard.bed_um], [y / 1000 for _, y in guard.bed_um]
        margin = TRAVEL_MARGIN_UM / 1000
        self.height = guard.max_height_um / 1000
        self.reach = (
            (min(xs) - margin, max(xs) + margin),
            (min(ys) - margin, max(ys) + margin),
            (0.0, self.height + LIFT_UM / 1000),
        )
        self.inner = inner_box(guard.bed_um)
        self.known: dict[bytes, tuple[str, Values]] = {}
        self.number = self.commands = self.layers = 0
        # Unknown until homed or told: nobody knows where the last print left the head.
        self.at: tuple[float | None, float | None, float | None] = (None, None, None)
        self.shift = [0.0, 0.0, 0.0]  # machine place minus the place the file speaks of, by G92
        self.relative = False
        self.plain = False  # absolute, no shift, height known: what a plain line draws is clear
        self.purged_mm = 0.0  # filament before the first layer's mark
        self.ending = ""  # the first word of the owner's end code, once it is there
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
        if e_text is None:
            self.move(raw, (x, y, None), None)
            return
        e = float(e_text)
        flow, (x0, y0, x1, y1), (before_x, before_y, z) = self.flow, self.inner, self.at
        way = flow.sole
        if (
            way is None
            or before_x is None
            or before_y is None
            or not (self.counted and x0 <= x <= x1 and y0 <= y <= y1)
        ):
            self.move(raw, (x, y, None), e)
            return
        step = e if flow.counts_steps else e - way.e
        need, along, across = step * flow.reach, x - before_x, y - before_y
        # Not backwards, no faster than the hot end melts, and nothing to make up for.
        if step < 0 or way.ahead_mm3 or need * need > along * along + across * across:
            self.move(raw, (x, y, None), e)
            return
        self.at = (x, y, z)
        way.e += step
        way.pushed += step
        if way.pushed > way.peak:
            way.peak = way.pushed
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
            self.layer(raw)
        elif name:
            self.commands += 1
            if self.layers and name in OWNERS:
                self.ending = self.ending or name
            self.follow(raw, name, values)
            self.plain = not self.relative and not any(self.shift) and self.at[2] is not None

    def layer(self, raw: bytes) -> None:
        """A new layer begins; with the first one the print does."""
        if self.ending:
            raise self.refusal(raw, f"{self.ending} stands in the middle of the print")
        if not self.layers:
            self.counted = False
            self.low, self.high = [_INFINITE] * 3, [-_INFINITE] * 3
            self.purged_mm = self.flow.peak
            if self.purged_mm * self.flow.area_mm2 > PURGE_MM3:
                reason = f"{self.purged_mm:.0f} mm of filament before the first layer"
                raise self.refusal(raw, reason)
        self.layers += 1

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
        if comment and _TO_THE_HOST.search(comment):
            raise self.refusal(raw, "a comment that a host or its plugins could act upon")
        code = code.strip(b" \t")
        if not code:
            return (LAYER if text.rstrip() == b";LAYER_CHANGE" else ""), {}
        try:
            return read(code, self.allowed, self.texts)
        except Forbidden as exc:
            raise self.refusal(raw, str(exc)) from exc

    def follow(self, raw: bytes, name: str, values: Values) -> None:
        """What an allowed command changes in the machine."""
        if name in {"G0", "G1"}:
            if (feed := values.get("F")) is not None:
                self.flow.set_feed(feed)
            self.move(raw, (values.get("X"), values.get("Y"), values.get("Z")), values.get("E"))
        elif name == "G28":
            homed = [word in values for word in "XYZ"]
            homed = homed if any(homed) else [True] * 3
            x, y, z = (0.0 if home else at for home, at in zip(homed, self.at, strict=True))
            self.at, self.counted = (x, y, z), False
            self.shift = [0.0 if h else s for h, s in zip(homed, self.shift, strict=True)]
        elif name in {"G90", "G91"}:
            self.relative = name == "G91"
            self.flow.set_axes(steps=self.relative)
        elif name in {"M82", "M83"}:
            self.flow.set_own(steps=name == "M83")
        elif name == "G92":
            self.rename(raw, values)
        elif name in {"M220", "M221"}:
            factor = (values.get("S") or 0) / 100
            self.flow.scale(**{"speed" if name == "M220" else "amount": factor})
        elif name in {"M104", "M109", "G10"}:
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
            self.flow.rename(e)

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
        self.push(raw, e, before if travels else None)
        if travels:
            if not self.counted:
                self.print_at(raw, before)
            self.print_at(raw, self.at)
            self.counted = True

    def push(
        self, raw: bytes, e: float, before: tuple[float | None, float | None, float | None] | None
    ) -> None:
        """Move filament on the way from `before`; if that is None the head stands."""
        distance_mm: float | None = 0.0
        if before is not None:
            steps = [
                None if a is None or b is None else a - b
                for a, b in zip(self.at, before, strict=True)
            ]
            distance_mm = math.hypot(*(0.0 if s is None else s for s in steps))
            if distance_mm == 0 and None in steps:
                distance_mm = None  # it goes somewhere, nobody knows how far
        try:
            self.flow.move(e, distance_mm=distance_mm)
        except TooMuch as exc:
            raise self.refusal(raw, str(exc)) from exc

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
        elif not covers(self.guard.bed_um, x, y):
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
        if self.low[0] > self.high[0] or self.flow.peak <= 0:
            raise GcodeRefused(line=0, command="", reason="it prints nothing; slice the part again")
        self.check_amount()
        x0, y0, z0, x1, y1, z1 = (round(mm * 1000) for mm in (*self.low, *self.high))
        return Measured(
            lines=self.number,
            commands=self.commands,
            size=size,
            layers=self.layers,
            filament_um=round(self.flow.peak * 1000),
            box_um=(x0, y0, z0, x1, y1, z1),
            max_nozzle_c=round(self.nozzle),
            max_bed_c=round(self.bed),
        )

    def check_amount(self) -> None:
        """No more plastic than fits into the box that it fills: a blob is no print."""
        x, y, z = (high - low for low, high in zip(self.low, self.high, strict=True))
        # Lines are as wide as their nozzle, at most 2 mm; the first layer lies below its height.
        room_mm3 = (x + 2) * (y + 2) * (z + 1) * SOLID_PCT / 100
        room_mm3 += 0.0 if self.layers else PURGE_MM3
        printed_mm3 = (self.flow.peak - self.purged_mm) * self.flow.area_mm2 * self.flow.amount
        if printed_mm3 > room_mm3:
            reason = (
                f"it pushes {printed_mm3:.0f} mm³ of plastic into a box that holds {room_mm3:.0f}"
            )
            raise GcodeRefused(line=0, command="", reason=reason)


def _is_one_line(comment: bytes) -> bool:
    try:
        return len(comment.decode("utf-8").splitlines()) == 1
    except UnicodeDecodeError:
        return False
