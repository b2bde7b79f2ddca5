"""What each firmware may be told: every command a file may hold, with its words and their bounds.

An allow-list for each flavour: what is not here is refused. The same letter means other things to
other firmwares (M204 is an acceleration to Marlin and a PID constant to Repetier), so a command
stands with a flavour only where that firmware's own documentation says what it does. Left out on
purpose everywhere, beside everything unknown:

- what outlives the print: M500–M504 and other EEPROM, M92 steps, M206 offsets, M301–M304 tuning;
- what reaches beyond the printer's work: M20–M39 card and files, M42 pins, M80/M81 power, M118
  (`//` and `@` lines steer the host), M540–M599 network, M928, M997 firmware, M98 and other macros;
- what takes a safety off: M211 soft end stops, M302 cold extrusion, M85, M108, M110, M121;
- what waits for a person who may not be there: M0, M1, M25, M226, M600, M601;
- what changes the meaning of lengths: G17–G20, M200, G10 with offsets;
- a second tool, arcs (slice without arc fitting), and M112, which is a person's to say.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Word:
    """The bounds of the number behind one letter; `bare` words may stand without a number, and
    without the `needed` ones the command would mean something else."""

    low: float
    high: float
    bare: bool = False
    needed: bool = False


Words = Mapping[str, Word]
Allowed = Mapping[str, Words]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a machine can bear, as far as single words of a command say it."""

    nozzle_c: int
    bed_c: int
    chamber_c: int
    """0: it has no heated chamber."""
    feed_mm_min: int
    z_feed_mm_s: int
    acceleration_mm_s2: int
    z_acceleration_mm_s2: int
    jerk_mm_s: int
    z_jerk_mm_s: int


class Reading(Enum):
    """How a firmware decides whether E counts steps or places."""

    OWN = "M82 and M83 alone"
    EITHER = "steps after M83, and wherever G91 rules the axes"
    LAST = "whichever of G90, G91, M82, M83 came last"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavour:
    """One firmware: what it may be told, and how its lengths are read."""

    slicer: str
    """PrusaSlicer's name for the nearest it can write."""
    source: str
    """Where its commands are documented."""
    readings: tuple[Reading, ...]
    """Of E; two where versions in use differ, and then both must be harmless."""
    only: Callable[[Limits], Allowed]
    """What it knows beyond `_everywhere`, or otherwise."""
    texts: frozenset[str] = frozenset({"M117"})
    """Commands that carry text; their forms stand in `printers.gcode_words`."""
    unknown: frozenset[str] = frozenset()
    """Of `_everywhere`, what this firmware lacks or means otherwise."""


_FLAG = Word(-1_000, 1_000, bare=True)
_PLACE, _PUSH = Word(-10_000, 10_000), Word(-10_000_000, 10_000_000)
_COUNT, _PERCENT = Word(0, 1_000_000), Word(0, 100)
_ONLY_0, _YES_NO = Word(0, 0), Word(0, 1)


def _everywhere(limits: Limits) -> Allowed:
    """What all flavours read alike."""
    feed = Word(0.001, limits.feed_mm_min)
    move = {"X": _PLACE, "Y": _PLACE, "Z": _PLACE, "E": _PUSH, "F": feed}
    nozzle, bed = Word(0, limits.nozzle_c), Word(0, limits.bed_c)
    motors = {"X": _FLAG, "Y": _FLAG, "Z": _FLAG, "E": _FLAG, "S": _COUNT}
    return {
        "G0": move,
        "G1": move,
        "G4": {"P": Word(0, 600_000), "S": Word(0, 600)},  # ms and s: at most ten minutes
        "G21": {},
        "G28": {"X": _FLAG, "Y": _FLAG, "Z": _FLAG},
        "G90": {},
        "G91": {},
        "G92": {"X": _PLACE, "Y": _PLACE, "Z": _PLACE, "E": _PUSH},
        "M18": motors,
        "M82": {},
        "M83": {},
        "M84": motors,
        "M104": {"S": nozzle, "T": _ONLY_0},
        "M105": {},
        "M106": {"S": Word(0, 255), "P": Word(0, 3)},
        "M107": {"P": Word(0, 3)},
        "M109": {"S": nozzle, "R": nozzle, "T": _ONLY_0},
        "M140": {"S": bed},
        "M190": {"S": bed, "R": bed},
        "M220": {"S": Word(10, 200)},
        "M221": {"S": Word(50, 150), "T": _ONLY_0},
        "M400": {},
        "T0": {},
    }


def _axes(plane: Word, z: Word) -> Words:
    return {"X": plane, "Y": plane, "Z": z, "E": plane}


def _accelerations(limits: Limits) -> Words:
    return _axes(
        Word(0, limits.acceleration_mm_s2),
        Word(0, min(limits.acceleration_mm_s2, limits.z_acceleration_mm_s2)),
    )


def _jerks(limits: Limits, *, times: int = 1) -> Words:
    """times : 60 where the firmware counts in mm/min."""
    z_mm_s = min(limits.jerk_mm_s, limits.z_jerk_mm_s)
    return _axes(Word(0, limits.jerk_mm_s * times), Word(0, z_mm_s * times))


def _feeds(limits: Limits, *, times: int = 1) -> Words:
    mm_s = limits.feed_mm_min / 60
    z_mm_s = min(mm_s, limits.z_feed_mm_s)
    return _axes(Word(0.001, mm_s * times), Word(0.001, z_mm_s * times))


def _chamber(limits: Limits) -> Allowed:
    if not limits.chamber_c:
        return {}
    heat = {"S": Word(0, limits.chamber_c)}
    return {"M141": heat, "M191": heat}


def _marlin(limits: Limits) -> Allowed:
    heat_bed = {"S": Word(0, limits.bed_c), "R": Word(0, limits.bed_c)}
    nozzle = Word(0, limits.nozzle_c)
    return {
        "G10": {"S": _YES_NO},  # firmware retraction; with P or L it would set offsets
        "G11": {"S": _YES_NO},
        "G28": {"X": _FLAG, "Y": _FLAG, "Z": _FLAG, "W": _FLAG},
        "G29": {},  # level the bed; its words would load and store meshes
        "G80": {},
        "M73": {"P": _PERCENT, "R": _COUNT, "Q": _PERCENT, "S": _COUNT},
        "M104": {"S": nozzle, "R": nozzle, "T": _ONLY_0},
        "M140": heat_bed,
        "M201": _accelerations(limits),  # mm/s²
        "M203": _feeds(limits),  # mm/s
        "M204": dict.fromkeys("PRTS", Word(0, limits.acceleration_mm_s2)),
        # Jerk by axis; S and T least speeds, B the least time of a segment, J the deviation.
        "M205": {
            **_jerks(limits),
            "S": _PERCENT,
            "T": _PERCENT,
            "B": Word(0, 100_000),
            "J": Word(0, 1),
        },
        "M220": {"S": Word(10, 200), "B": _FLAG, "R": _FLAG},
        "M300": {"S": Word(0, 20_000), "P": Word(0, 5_000)},
        "M420": {"S": _YES_NO, "Z": _PERCENT, "V": _FLAG},
        "M862.1": {"P": Word(0, 5), "Q": _FLAG},
        "M900": {"K": Word(0, 10), "L": Word(0, 10)},
    }


def _marlin2(limits: Limits) -> Allowed:
    return {**_marlin(limits), **_chamber(limits)}


def _reprapfirmware(limits: Limits) -> Allowed:
    nozzle = Word(0, limits.nozzle_c)
    return {
        # Alone it retracts; with P it sets a tool's heat, as PrusaSlicer does. Offsets (X, Y, Z, L)
        # are left out.
        "G10": {"P": _ONLY_0, "S": nozzle, "R": nozzle},
        "G11": {},
        "G29": {"S": Word(1, 2, needed=True)},  # use or drop the height map; alone it writes one
        "M73": {"P": _PERCENT, "R": _COUNT},
        "M116": {},  # wait for all temperatures
        "M201": _accelerations(limits),  # mm/s²
        "M203": _feeds(limits, times=60),  # mm/min
        "M204": dict.fromkeys("PT", Word(0, limits.acceleration_mm_s2)),
        "M566": _jerks(limits, times=60),  # mm/min
        "M572": {"D": _ONLY_0, "S": Word(0, 2)},
        "M300": {"S": Word(0, 20_000), "P": Word(0, 5_000)},
        **_chamber(limits),
    }


def _repetier(limits: Limits) -> Allowed:
    return {
        "G10": {"S": _YES_NO},
        "G11": {"S": _YES_NO},
        "G29": {},  # probe; S2 would store into EEPROM
        "M116": {},
        "M201": _accelerations(limits),  # while printing; M203 to M206 are monitor, PID and EEPROM
        "M202": _accelerations(limits),  # while travelling
        "M207": {
            "X": Word(0, limits.jerk_mm_s),
            "Z": Word(0, min(limits.jerk_mm_s, limits.z_jerk_mm_s)),
            "E": Word(0, limits.jerk_mm_s),
        },
        "M300": {"S": Word(0, 20_000), "P": Word(0, 5_000)},
    }


def _klipper(limits: Limits) -> Allowed:
    return {
        "G10": {},
        "G11": {},
        "M73": {"P": _PERCENT, "R": _COUNT},
        "M204": dict.fromkeys("SPT", Word(0, limits.acceleration_mm_s2)),
    }


FLAVOURS: Mapping[str, Flavour] = {
    "marlin": Flavour(
        slicer="marlin",
        source="https://marlinfw.org/meta/gcode/",
        # Marlin 1 and the firmware of the Prusa MK3, which differ in what G91 does to E.
        readings=(Reading.EITHER, Reading.OWN),
        only=_marlin,
        texts=frozenset({"M115", "M117", "M862.3"}),
    ),
    "marlin2": Flavour(
        slicer="marlin2",
        source="https://marlinfw.org/meta/gcode/",
        readings=(Reading.LAST,),
        only=_marlin2,
        texts=frozenset({"M115", "M117", "M862.3"}),
    ),
    "klipper": Flavour(
        # PrusaSlicer 2.5 has no name for it; Klipper asks for Marlin's dialect. Its extended
        # commands (SET_…, macros) are run by the printer's own configuration and not allowed; M201,
        # M203, M205 and M900 exist there as macros only.
        slicer="marlin",
        source="https://www.klipper3d.org/G-Codes.html",
        readings=(Reading.EITHER,),
        only=_klipper,
        unknown=frozenset({"T0"}),
    ),
    "reprapfirmware": Flavour(
        slicer="reprapfirmware",
        source="https://docs.duet3d.com/User_manual/Reference/Gcodes",
        readings=(Reading.OWN,),
        only=_reprapfirmware,
    ),
    "repetier": Flavour(
        slicer="repetier",
        source="https://github.com/repetier/Repetier-Firmware (Repetier.ino)",
        readings=(Reading.EITHER,),
        only=_repetier,
    ),
}
"""By the name that a printer's profile has for its firmware."""


def allowed(flavour: str, limits: Limits) -> Allowed:
    """Every command a file for this firmware may hold, with the words each may carry."""
    which = FLAVOURS[flavour]
    common = {n: words for n, words in _everywhere(limits).items() if n not in which.unknown}
    return {**common, **which.only(limits)}


OWNERS = frozenset(
    {
        *("G4", "G21", "G28", "G29", "G80", "M18", "M84", "M105", "M115", "M117", "M203", "M205"),
        *("M207", "M220", "M221", "M300", "M400", "M420", "M566", "M572", "M862.1", "M862.3", "T0"),
        *("M82", "M83", "G90", "G91", "M141", "M191", "M116"),
    }
)
"""What a slicer writes once at most, before the first layer: behind it these come from the end code
of the printer's owner, and nothing is printed after them. The rest stands anywhere."""
