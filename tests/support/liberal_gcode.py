"""A deliberately liberal reader of G-code, which shares no line with the guard.

It reads a file as any host or firmware might: OctoPrint's comments and @-commands, lower case, no
blanks, line numbers, checksums, parentheses, leading zeros, decimals, exponents, hexadecimal, other
line ends, digits of other scripts, a buffer that runs over, several commands a line. Whatever it
finds that a machine of these limits must never be told, in any reading, is a complaint.
"""

import itertools
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from printers.gcode import Guard  # the limits alone, not the checks

COMMON = "G0 G1 G4 G21 G28 G90 G91 G92 M18 M82 M83 M84 M104 M105 M106 M107 M109 M117 M140 M190 M220"
COMMON += " M221 M400"
MARLIN = "G10 G11 G29 G80 M73 M115 M201 M203 M204 M205 M300 M420 M862 M900 T0"
HARMLESS: Mapping[str, frozenset[str]] = {
    "marlin": frozenset(f"{COMMON} {MARLIN}".split()),
    "marlin2": frozenset(f"{COMMON} {MARLIN} M141 M191".split()),
    "klipper": frozenset(f"{COMMON} G10 G11 M73 M204".split()),
    "reprapfirmware": frozenset(
        f"{COMMON} G10 G11 G29 M73 M116 M141 M191 M201 M203 M204 M300 M566 M572 T0".split()
    ),
    "repetier": frozenset(f"{COMMON} G10 G11 G29 M116 M201 M202 M207 M300 T0".split()),
}
"""What may be told at all, if its numbers are right."""

BETWEEN_LAYERS = frozenset(
    [
        *("G0", "G1", "G10", "G11", "G92", "M73", "M104", "M106", "M107", "M109", "M140", "M190"),
        *("M201", "M202", "M204", "M900", "M862"),
    ]
)
"""What may stand between two layers: a head that homes there drives through the part."""

E_READERS: Mapping[str, tuple[str, ...]] = {
    "marlin": ("marlin1", "mk3"),
    "marlin2": ("marlin2",),
    "klipper": ("marlin1",),
    "reprapfirmware": ("mk3",),
    "repetier": ("marlin1",),
}

LINE_ENDS = re.compile(r"\r\n|[\n\r\x00\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")
PLAIN = re.compile(r"([A-Z])\s*([-+]?(?:\d+\.?\d*|\.\d+)?)")
STRTOD = re.compile(r"([A-Z])\s*([-+]?(?:0[xX][0-9A-Fa-f]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)?)")
COMMAND = re.compile(r"([GM])\s*\+?\s*0*(\d{1,9})(\.\d+)?")
TOOL = re.compile(r"\s*T\s*([-+?A-Za-z]?\d*)")
LAYER_MARK = ";LAYER_CHANGE"
BUFFER = 96
BURST_MM3, PULL_MM, TRAVEL_MM, LIFT_MM = 40.0, 120.0, 60.0, 10.0


@dataclass(frozen=True)
class Told:
    """One command as somebody may read it."""

    name: str
    words: Mapping[str, tuple[float, ...]]
    text: str


def complaints(data: bytes, guard: Guard) -> list[str]:
    """What a machine of these limits must never be told, and is, in some reading."""
    found: list[str] = []
    for decoded in {data.decode("utf-8", "replace"), data.decode("latin-1")}:
        text = decoded.removeprefix("\ufeff")
        lines = text.split("\n")
        found += hosts(LINE_ENDS.split(text))
        for told in itertools.chain.from_iterable(map(commands, LINE_ENDS.split(text))):
            found += words_of(told, guard)
        if found:
            return found
        for reader, steps, last in itertools.product(
            E_READERS[guard.flavour], (False, True), (False, True)
        ):
            found += Machine(guard, reader, steps=steps, last=last).run(lines)
    return found


def hosts(lines: list[str]) -> list[str]:
    """Lines that OctoPrint, or a plugin of it, would act upon itself."""
    found = []
    for line in lines:
        inside = re.sub(r"^[\s;]+", "", line)
        comment = line.partition(";")[2].lstrip(" \t;")
        if inside.startswith("@") or comment.startswith("@") or "//action" in line.lower():
            found.append(f"to the host: {line[:60]!r}")
    return found


def commands(line: str) -> Iterator[Told]:
    """Every command that somebody may find in a line."""
    code = re.split(r"(?<!\\);", line)[0]
    plain = unicodedata.normalize("NFKC", code)
    bare = re.sub(r"\([^)]*\)", " ", plain)
    opened = plain.replace("(", " ").replace(")", " ")
    pieces = {bare, opened, plain[:BUFFER], plain[BUFFER:]}
    for piece in pieces:
        piece = re.sub(r"^\s*[nN]\s*\d+", " ", piece)
        piece = re.sub(r"\*\s*\d+", " ", piece)
        upper = piece if "M117" in piece else piece.upper()  # inside of texts the old know capitals
        starts = list(COMMAND.finditer(upper))
        tool = TOOL.match(upper)
        if tool:
            yield Told(f"T{int(tool[1])}" if tool[1].isdigit() else f"T{tool[1]}", {}, piece)
        for at, start in enumerate(starts):
            end = starts[at + 1].start() if at + 1 < len(starts) else len(upper)
            number = int(start[2])
            rest = upper[start.end() : end]
            for name in {f"{start[1]}{number}", f"{start[1]}{number % 65_536}"}:
                yield Told(name, numbers(rest), piece)
        if upper.strip() and not starts and not tool:
            yield Told("?", {}, piece)


def numbers(text: str) -> Mapping[str, tuple[float, ...]]:
    """Every number behind every letter, in the order they stand: as C's strtod reads it, and as one
    who knows neither exponents nor hexadecimal, to whom `X1E5` is two words."""
    found: dict[str, tuple[float, ...]] = {}
    for pattern in (PLAIN, STRTOD):
        read: dict[str, tuple[float, ...]] = {}
        for letter, number in pattern.findall(text):
            read[letter] = (*read.get(letter, ()), number_of(number))
        for letter, values in read.items():
            if found.get(letter) != values:
                found[letter] = found.get(letter, ()) + values
    return found


def number_of(text: str) -> float:
    """A number; 0 where there is none."""
    if text in ("", "-", "+"):
        return 0.0
    return float(int(text, 16)) if "x" in text.lower() else float(text)


def words_of(told: Told, guard: Guard) -> list[str]:
    """What is wrong with one command by itself."""
    if told.name not in HARMLESS[guard.flavour]:
        return [f"told {told.name}: {told.text[:60]!r}"]
    most = most_of(told.name, guard)
    return [
        f"{told.name} {letter}{value:g} above {most[letter]:g}"
        for letter, values in told.words.items()
        if letter in most
        for value in values
        if value > most[letter] or value < 0
    ] + [
        f"{told.name} with {letter}"
        for letter in told.words
        if letter in NEVER.get(told.name, "") and not fine(told.name, letter, guard)
    ]


NEVER = {
    "G10": "LXYZP",
    "G28": "RO",
    "G29": "SPTLFQ",
    "G0": "HSR",
    "G1": "HSR",
    "M106": "CLBTHFIX",
    "M104": "BFP",
    "M205": "Q",
}
"""Words that make another command of it."""


def fine(name: str, letter: str, guard: Guard) -> bool:
    """Where a firmware has a use of its own for the word, and it is harmless."""
    return guard.flavour == "reprapfirmware" and (name, letter) in {("G10", "P"), ("G29", "S")}


def most_of(name: str, guard: Guard) -> Mapping[str, float]:
    """The largest number that each letter may carry."""
    rrf = guard.flavour == "reprapfirmware"
    mm_s = guard.max_feedrate_mm_min / 60
    a, az = guard.max_acceleration_mm_s2, guard.max_z_acceleration_mm_s2
    j, jz = guard.max_jerk_mm_s, guard.max_z_jerk_mm_s
    unit = 60 if rrf else 1
    if name in {"M104", "M109"} or (name == "G10" and rrf):
        return {"S": guard.max_nozzle_c, "R": guard.max_nozzle_c}
    if name in {"M140", "M190"}:
        return {"S": guard.max_bed_c, "R": guard.max_bed_c}
    if name in {"M141", "M191"}:
        return {"S": guard.max_chamber_c, "R": guard.max_chamber_c}
    if name in {"M201", "M202"}:
        return {"X": a, "Y": a, "Z": az, "E": a}
    if name == "M203":
        return {"X": mm_s * unit, "Y": mm_s * unit, "E": mm_s * unit} | {
            "Z": guard.max_z_feed_mm_s * unit
        }
    if name == "M204":
        return dict.fromkeys("PRTS", float(a))
    if name in {"M205", "M207"}:
        return {"X": j, "Y": j, "Z": jz, "E": j, "J": 1}
    if name == "M566":
        return {"X": j * 60, "Y": j * 60, "Z": jz * 60, "E": j * 60}
    if name in {"G0", "G1"}:
        return {"F": guard.max_feedrate_mm_min}
    return {"M220": {"S": 200.0}, "M221": {"S": 150.0}, "G4": {"S": 600.0, "P": 600_000.0}}.get(
        name, {}
    )


@dataclass
class Machine:
    """What one firmware would do, told the lines in their plain meaning."""

    guard: Guard
    reader: str
    steps: bool
    """What E was left as by the print before."""
    last: bool
    """Whether the last of a repeated word counts, or the first."""
    at: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys("XYZ"))
    off: dict[str, float] = field(default_factory=lambda: dict.fromkeys("XYZ", 0.0))
    axes_step: bool = False
    e: float = 0.0
    out: float = 0.0
    top: float = 0.0
    hot: float = 0.0
    speed: float = 1.0
    amount: float = 1.0
    layers: int = 0
    late: str = ""

    def __post_init__(self) -> None:
        self.feed = float(self.guard.max_feedrate_mm_min)
        self.area = math.pi * (self.guard.filament_um / 2_000) ** 2
        self.found: list[str] = []

    def run(self, lines: list[str]) -> list[str]:
        """Complaints about where the head and the filament would go."""
        for line in lines:
            if line.rstrip() == LAYER_MARK:
                if self.late:
                    self.found.append(f"{self.late} between layers")
                self.layers += 1
            code = re.sub(r"\([^)]*\)", " ", unicodedata.normalize("NFKC", line.split(";")[0]))
            code = re.sub(r"\*\s*\d+", " ", re.sub(r"^\s*[nN]\s*\d+", " ", code)).upper()
            start = COMMAND.match(code.strip())
            if start:
                rest = code.strip()[start.end() :]
                self.take(f"{start[1]}{int(start[2])}", numbers(rest))
            if len(self.found) > 3:
                break
        return self.found

    def take(self, name: str, words: Mapping[str, tuple[float, ...]]) -> None:
        said = {letter: values[-1 if self.last else 0] for letter, values in words.items()}
        if self.layers and name not in BETWEEN_LAYERS:
            self.late = self.late or name
        if name in {"G0", "G1"}:
            self.feed = said.get("F", self.feed) or self.feed
            self.move(said)
        elif name == "G28":
            for axis in [letter for letter in "XYZ" if letter in said] or "XYZ":
                self.at[axis], self.off[axis] = 0.0, 0.0
        elif name == "G92":
            self.e = said.get("E", self.e)
            for axis in set("XYZ") & said.keys():
                place = self.at[axis]
                if place is not None:
                    self.off[axis] = place - said[axis]
        elif name in {"G90", "G91"}:
            self.axes_step = name == "G91"
            if self.reader == "marlin2":
                self.steps = self.axes_step
        elif name in {"M82", "M83"}:
            self.steps = name == "M83"
        elif name == "M220":
            self.speed = max(0.01, said.get("S", 100) / 100)
        elif name == "M221":
            self.amount = said.get("S", 100) / 100

    def move(self, said: Mapping[str, float]) -> None:
        before = dict(self.at)
        for axis in set("XYZ") & said.keys():
            place = self.at[axis]
            if self.axes_step and place is None:
                continue
            now = said[axis] + (place or 0.0) if self.axes_step else said[axis] + self.off[axis]
            self.at[axis] = now
            low, high = self.reach(axis)
            if not low - 1e-6 <= now <= high + 1e-6:
                self.found.append(f"{axis} to {now:g}")
        if "E" not in said:
            return
        by_steps = self.steps or (self.reader == "marlin1" and self.axes_step)
        step = said["E"] if by_steps else said["E"] - self.e
        self.e += step
        known = [
            (a, b)
            for a, b in zip(before.values(), self.at.values(), strict=True)
            if a is not None and b is not None
        ]
        way = math.dist(*zip(*known, strict=True)) if known else 0.0
        self.push(step, way)
        if self.layers and set("XYZ") & said.keys():
            self.over_the_bed()

    def push(self, step: float, way: float) -> None:
        fresh = max(0.0, self.out + step - self.top) * self.area * self.amount
        self.out += step
        self.top = max(self.top, self.out)
        if self.top - self.out > PULL_MM + 0.001:
            self.found.append(f"pulled back {self.top - self.out:g} mm")
        seconds = (way or abs(step)) / (self.feed / 60 * self.speed)
        self.hot = max(0.0, self.hot + fresh - seconds * self.guard.max_flow_mm3_s)
        if self.hot > BURST_MM3 + 0.01:
            self.found.append(f"{self.hot:.0f} mm³ faster than it melts")

    def reach(self, axis: str) -> tuple[float, float]:
        if axis == "Z":
            return 0.0, self.guard.max_height_um / 1000 + LIFT_MM
        places = [corner["XY".index(axis)] / 1000 for corner in self.guard.bed_um]
        return min(places) - TRAVEL_MM, max(places) + TRAVEL_MM

    def over_the_bed(self) -> None:
        x, y, z = (self.at[axis] for axis in "XYZ")
        if x is None or y is None or z is None:
            self.found.append("prints from an unknown place")
            return
        low_x, high_x = (v - s * TRAVEL_MM for v, s in zip(self.reach("X"), (-1, 1), strict=True))
        low_y, high_y = (v - s * TRAVEL_MM for v, s in zip(self.reach("Y"), (-1, 1), strict=True))
        inside = low_x - 0.002 <= x <= high_x + 0.002 and low_y - 0.002 <= y <= high_y + 0.002
        if not inside or not 0 < z <= self.guard.max_height_um / 1000 + 1e-6:
            self.found.append(f"prints at {x:g}, {y:g}, {z:g}")
