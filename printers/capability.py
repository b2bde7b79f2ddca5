"""What a printer can make, and what a maker may choose: pure, no files, no slicer.

Lengths are µm or whole mm, temperatures °C; the names say which.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from basis.errors import Invalid
from printers.gcode import FLAVOURS, GcodeRefused, Guard, check_lines
from printers.materials import MATERIALS, Material, material
from printers.tuning import Tuning

__all__ = [
    "COMMON",
    "MATERIALS",
    "ORIENTATIONS",
    "PROCESSES",
    "SKIRT_UM",
    "Choices",
    "Material",
    "Profile",
    "margin_um",
    "material",
]

PROCESSES = frozenset({"FFF"})
MAX_CODE_CHARS = 8_000

SKIRT_UM = 2_000
"""Gap between the part and the line that primes the nozzle around it, where there is no brim."""

_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,80}")

_TOP = r"max_print_height(?:-\d{1,3}|\*0\.\d{1,2})?"

# What a start or end code may leave to the slicer, with a value that stands for it in the check.
# The slicer's macro language can do more; only forms whose result is plain are allowed.
_PLACEHOLDERS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"\[{name}\]|\{{{name}(?:\[0\])?\}}"), value)
    for name, value in (
        ("(?:first_layer_)?temperature", "NOZZLE"),
        ("(?:first_layer_)?bed_temperature", "BED"),
        ("nozzle_diameter", "0.4"),
        (r"first_layer_temperature\[0\] ?- ?\d{1,3}", "NOZZLE"),
        (r"first_layer_bed_temperature\[0\] ?- ?\d{1,3}", "BED"),
        (_TOP, "HEIGHT"),
        (rf"min\((?:max_)?layer_z\+\d{{1,3}}, ?{_TOP}\)", "HEIGHT"),
    )
)

# Either of two, both of which are checked: a plain number by the order's layer height, as vendors
# choose a flow by it; and a line that lifts while there is room, or nothing.
_EITHER = (
    re.compile(r"\{if layer_height ?[<>]=? ?\d(?:\.\d{1,3})?\}(\d{1,5})\{else\}(\d{1,5})\{endif\}"),
    re.compile(r"\{if (?:max_)?layer_z ?< ?" + _TOP + r"\}([^{}\n]{0,80})()\{endif\}"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plain:
    """To JSON and back, strict about names; the fields check their values themselves."""

    def as_json(self) -> dict[str, Any]:
        """Plain values; `from_json` reads them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Raises Invalid when a value is unknown, missing or out of bounds."""
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise Invalid(f"{cls.__name__}: unknown {', '.join(sorted(map(repr, unknown)))}")
        try:
            return cls(**values)
        except TypeError as exc:
            raise Invalid(f"{cls.__name__}: {exc}") from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile(_Plain):
    """One model of printer. Raises Invalid for values that describe none, or an unsafe code."""

    name: str
    process: str = "FFF"
    bed_x_mm: int
    bed_y_mm: int
    height_mm: int
    nozzle_um: int = 400
    filament_um: int = 1750
    max_nozzle_c: int = 260
    max_bed_c: int = 100
    enclosure: bool = False
    gcode_flavor: str = "marlin"
    start_gcode: str
    end_gcode: str
    rated_power_w: int
    print_mm_s: int = 60
    travel_mm_s: int = 130
    acceleration_mm_s2: int = 1000
    retract_um: int = 2_000
    """Under 1 mm for a direct drive, 4 to 6 mm through a Bowden tube."""
    bed_min_x_mm: int = 0
    bed_min_y_mm: int = 0
    """Where the printable area begins: below zero where the middle of the bed is the origin."""
    tuning: Tuning | None = None
    """The workshop's own settings of the slicer; none means this hub's."""
    max_chamber_c: int = 0
    """0: it has no heated chamber."""
    max_flow_mm3_s: int = 30
    """What the hot end melts: 11 to 15 for an ordinary one, more for a long one."""
    max_acceleration_mm_s2: int = 20_000
    """The most that a start code or a slice may set for any axis, and for Z below."""
    max_z_acceleration_mm_s2: int = 2_000
    max_jerk_mm_s: int = 50
    max_z_jerk_mm_s: int = 10
    max_z_feed_mm_s: int = 50

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise Invalid(f"a printer's name is one line of 1 to 80 characters, got {self.name!r}")
        _one_of("process", self.process, PROCESSES)
        _one_of("gcode_flavor", self.gcode_flavor, frozenset(FLAVOURS))
        _one_of("filament_um", self.filament_um, frozenset({1750, 2850}))
        if type(self.enclosure) is not bool:
            raise Invalid(f"enclosure must be true or false, got {self.enclosure!r}")
        told: Any = self.tuning
        if told is not None and not isinstance(told, Tuning):
            object.__setattr__(self, "tuning", Tuning.from_json(told))
        for name, (low, high) in _BOUNDS.items():
            _between(name, getattr(self, name), low, high)
        for name in ("start_gcode", "end_gcode"):
            self._check_code(name, getattr(self, name))

    @property
    def first_line_um(self) -> int:
        """Width of a line of the first layer: 5 % wider than the nozzle, to stick."""
        return self.nozzle_um * 21 // 20

    def heat_c(self, stuff: Material) -> tuple[int, int]:
        """How hot nozzle and bed get for a material, at most: by the workshop's own settings
        where it has some."""
        own = self.tuning.of(stuff.name) if self.tuning else {}
        nozzle = own.get("temperature", stuff.nozzle_c)
        first = own.get("first_layer_temperature", stuff.first_nozzle_c)
        bed = own.get("bed_temperature", stuff.bed_c)
        first_bed = own.get("first_layer_bed_temperature", stuff.first_bed_c)
        return (
            math.ceil(max(float(nozzle), float(first))),
            math.ceil(max(float(bed), float(first_bed))),
        )

    def guard(self) -> Guard:
        """What no G-code for this printer may pass."""
        left, front = self.bed_min_x_mm * 1000, self.bed_min_y_mm * 1000
        right, back = left + self.bed_x_mm * 1000, front + self.bed_y_mm * 1000
        return Guard(
            bed_um=((left, front), (right, front), (right, back), (left, back)),
            max_height_um=self.height_mm * 1000,
            max_nozzle_c=self.max_nozzle_c,
            max_bed_c=self.max_bed_c,
            max_chamber_c=self.max_chamber_c,
            max_z_feed_mm_s=self.max_z_feed_mm_s,
            max_acceleration_mm_s2=self.max_acceleration_mm_s2,
            max_z_acceleration_mm_s2=self.max_z_acceleration_mm_s2,
            max_jerk_mm_s=self.max_jerk_mm_s,
            max_z_jerk_mm_s=self.max_z_jerk_mm_s,
            max_flow_mm3_s=self.max_flow_mm3_s,
            filament_um=self.filament_um,
            flavour=self.gcode_flavor,
        )

    def _check_code(self, name: str, text: str) -> None:
        """Only what the guard passes, with allowed placeholders filled in."""
        if not isinstance(text, str) or len(text) > MAX_CODE_CHARS or not text.isascii():
            raise Invalid(f"{name} must be ASCII text of at most {MAX_CODE_CHARS} characters")
        if "\r" in text:
            raise Invalid(f"{name} must have LF line ends")
        worst = {"NOZZLE": self.max_nozzle_c, "BED": self.max_bed_c, "HEIGHT": self.height_mm}
        filled = text
        for pattern, value in _PLACEHOLDERS:
            filled = pattern.sub(str(worst.get(value, value)), filled)
        for choice in (r"\1", r"\2"):
            chosen = filled
            for either in _EITHER:
                chosen = either.sub(choice, chosen)
            self._check_filled(name, chosen)

    def _check_filled(self, name: str, filled: str) -> None:
        # In comments too: the slicer's macro language does not know what a comment is.
        if found := re.search(r"[\[\]{}]", filled):
            line = filled.count("\n", 0, found.start())
            raise Invalid(
                f"{name}, line {line + 1}: a placeholder that is not allowed in"
                f" {filled.splitlines()[line][:80]!r}; there are [first_layer_temperature],"
                " [first_layer_bed_temperature], [temperature], [bed_temperature],"
                " {first_layer_temperature[0]-50}, [nozzle_diameter], [max_print_height] and"
                " {min(max_layer_z+5, max_print_height)}"
            )
        try:
            check_lines(filled, self.guard())
        except GcodeRefused as exc:
            raise Invalid(f"{name}, line {exc.line}: {exc.command!r}: {exc.reason}") from exc


def as_filled(code: str) -> str:
    """A regular expression of the commands that the slicer makes of a checked start or end code,
    one a line: numbers where the code leaves one to it, and without what it may leave out."""
    for pattern, _ in _PLACEHOLDERS:
        code = pattern.sub("\0", code)
    lines = []
    for line in _EITHER[0].sub("\0", code).splitlines():
        # What may be left out stands between two marks; a comment in it takes the second one along.
        command = _EITHER[1].sub("\1\\1\2", line).partition(";")[0].strip(" \t")
        if command.count("\1") > command.count("\2"):
            command += "\2"
        if not command.strip("\1\2"):
            continue
        found = re.escape(command)
        for mark, form in (("\0", _FILLED), ("\1", "(?:"), ("\2", ")?")):
            found = found.replace(re.escape(mark), form)
        may_vanish = command.startswith("\1") and command.endswith("\2")
        lines.append(f"(?:{found}\\n)?" if may_vanish else f"{found}\\n")
    return "".join(lines)


_FILLED = r"-?\d{1,6}(?:\.\d{1,6})?"

_BOUNDS: Mapping[str, tuple[int, int]] = {
    "bed_x_mm": (30, 2_000),
    "bed_y_mm": (30, 2_000),
    "height_mm": (30, 2_000),
    "nozzle_um": (100, 2_000),
    "max_nozzle_c": (150, 500),
    "max_bed_c": (0, 200),
    "rated_power_w": (10, 20_000),
    "print_mm_s": (5, 500),
    "travel_mm_s": (20, 600),  # 600 mm/s is the guard's 36 000 mm/min
    "acceleration_mm_s2": (100, 50_000),
    "retract_um": (0, 10_000),
    "bed_min_x_mm": (-1_000, 1_000),
    "bed_min_y_mm": (-1_000, 1_000),
    "max_chamber_c": (0, 120),
    "max_flow_mm3_s": (1, 200),
    "max_acceleration_mm_s2": (100, 50_000),
    "max_z_acceleration_mm_s2": (10, 50_000),
    "max_jerk_mm_s": (1, 200),
    "max_z_jerk_mm_s": (1, 200),
    "max_z_feed_mm_s": (1, 1_000),
}


ORIENTATIONS = ("as_modelled", "best", "top", "left", "right", "front", "back")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices(_Plain):
    """What a maker orders for a plate. Raises Invalid for values no printer could follow."""

    material: str
    colour: str | None = None
    """For the person who loads the spool; it does not change the slice."""
    layer_height_um: int = 200
    infill_pct: int = 20
    perimeters: int = 2
    supports: bool = False
    brim_mm: int = 0
    orientation: str = "as_modelled"
    """Which side of the part as modelled lies on the bed; `best` leans out least."""

    def __post_init__(self) -> None:
        material(self.material)
        if self.colour is not None and not _NAME.fullmatch(self.colour):
            raise Invalid(f"a colour is one line of 1 to 80 characters, got {self.colour!r}")
        if type(self.supports) is not bool:
            raise Invalid(f"supports must be true or false, got {self.supports!r}")
        _one_of("orientation", self.orientation, frozenset(ORIENTATIONS))
        _between("layer_height_um", self.layer_height_um, 50, 1_000)
        _between("infill_pct", self.infill_pct, 0, 100)
        _between("perimeters", self.perimeters, 1, 20)
        _between("brim_mm", self.brim_mm, 0, 20)


def margin_um(profile: Profile, choices: Choices) -> int:
    """Room the print needs on each side of the part: its brim or skirt, and the line itself."""
    if choices.brim_mm:
        return choices.brim_mm * 1000 + profile.first_line_um
    return SKIRT_UM + 2 * profile.first_line_um


def _one_of(name: str, value: object, known: frozenset[Any]) -> None:
    if value not in known:
        raise Invalid(f"{name} must be one of {', '.join(map(str, sorted(known)))}, got {value!r}")


def _between(name: str, value: object, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise Invalid(f"{name} must be a whole number from {low} to {high}, got {value!r}")


_LIFT = "G1 Z{min(max_layer_z+5, max_print_height)} F600 ; lift off the part\n"
_COOL = "M104 S0\nM140 S0\nM107\n"

# Starting points of our own for printers that many workshops have: their makers' published sizes
# and limits, and start codes that home, heat, and purge along the front edge. An owner copies one
# and adapts it; a changed machine has another bed or another hot end.
COMMON: Mapping[str, Profile] = {
    "mk3s": Profile(
        name="Prusa i3 MK3S",
        bed_x_mm=250,
        bed_y_mm=210,
        height_mm=210,
        max_nozzle_c=290,
        max_bed_c=110,
        start_gcode=(
            "G90\nM83\nM140 S[first_layer_bed_temperature]\nM104 S160 ; warm, not dripping\n"
            "G28 W ; home\nG80 ; level the bed\nM190 S[first_layer_bed_temperature]\n"
            "M109 S[first_layer_temperature]\nG1 Z0.3 F720\nG1 X0 Y-3 F3000\nG92 E0\n"
            "G1 X70 E10 F1000 ; purge beside the bed\nG1 X110 E6 F1000\nG92 E0\n"
        ),
        end_gcode=_LIFT + _COOL + "G1 X0 Y200 F3600 ; present the bed\nM84\n",
        rated_power_w=240,
        print_mm_s=60,
        travel_mm_s=180,
        acceleration_mm_s2=1250,
        retract_um=800,
    ),
    "ender3": Profile(
        name="Creality Ender-3",
        bed_x_mm=220,
        bed_y_mm=220,
        height_mm=250,
        max_nozzle_c=245,  # its hot end is lined with PTFE
        max_bed_c=100,
        start_gcode=(
            "G90\nM83\nM140 S[first_layer_bed_temperature]\nM104 S150 ; warm, not dripping\n"
            "G28 ; home\nG1 Z10 F600\nM190 S[first_layer_bed_temperature]\n"
            "M109 S[first_layer_temperature]\nG1 X2 Y10 F3000\nG1 Z0.3 F600\nG92 E0\n"
            "G1 Y110 E10 F1200 ; purge along the left edge\nG1 X2.4 F3000\nG1 Y10 E8 F1200\n"
            "G92 E0\n"
        ),
        end_gcode=_LIFT + _COOL + "G1 X5 Y200 F3600 ; present the bed\nM84 X Y E\n",
        rated_power_w=350,
        print_mm_s=50,
        travel_mm_s=150,
        acceleration_mm_s2=500,
        retract_um=5_000,
    ),
    "mini": Profile(
        name="Prusa MINI",
        bed_x_mm=180,
        bed_y_mm=180,
        height_mm=180,
        max_nozzle_c=280,
        max_bed_c=100,
        gcode_flavor="marlin2",
        start_gcode=(
            "G90\nM83\nM140 S[first_layer_bed_temperature]\nM104 S170 ; warm, not dripping\n"
            "G28 ; home\nG29 ; level the bed\nM190 S[first_layer_bed_temperature]\n"
            "M109 S[first_layer_temperature]\nG1 Z0.3 F720\nG1 X5 Y-2 F3000\nG92 E0\n"
            "G1 X65 E8 F900 ; purge beside the bed\nG1 X105 E6 F900\nG92 E0\n"
        ),
        end_gcode=_LIFT + _COOL + "G1 X5 Y170 F3600 ; present the bed\nM84\n",
        rated_power_w=160,
        print_mm_s=50,
        travel_mm_s=150,
        acceleration_mm_s2=1250,
        retract_um=3_200,
    ),
    # OctoPrint's virtual printer warms by 10 °C a second: this one does not wait for it.
    "virtual": Profile(
        name="OctoPrint virtual printer",
        bed_x_mm=200,
        bed_y_mm=200,
        height_mm=200,
        max_nozzle_c=300,
        max_bed_c=120,
        start_gcode=(
            "G90\nM83\nM140 S[first_layer_bed_temperature] ; no waiting\n"
            "M104 S[first_layer_temperature] ; no waiting\nG28\nG92 E0\n"
        ),
        end_gcode=_LIFT + _COOL + "M84\n",
        rated_power_w=100,
        print_mm_s=200,
        travel_mm_s=300,
        acceleration_mm_s2=5000,
    ),
}
