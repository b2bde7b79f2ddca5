"""The settings PrusaSlicer is given: every key is on a list, every value has a stated form.

Pure. The slicer ignores keys it does not know and fills in defaults of its own for those it misses,
both in silence, so a settings file here is complete or it is not written.
"""

import re
from collections.abc import Mapping

from basis.errors import Invalid
from basis.units import ceil_div
from printers.capability import SKIRT_UM, Choices, Material, Profile, margin_um, material
from printers.gcode_flavours import FLAVOURS
from printers.slicer_keys import TUNABLE, Form, Word

__all__ = ["FORMS", "KEYS", "BadSettings", "apart_mm", "job_ini", "margin_um", "render"]

SHELL_UM = 800
"""Least thickness of a closed top and bottom."""

MAX_FIRST_LAYER_UM = 300


class BadSettings(Invalid):
    """These choices do not suit this printer: change them, the same ones will fail again."""

    code = "bad_settings"


# The form of each value. None of them lets a line end through, so no value can begin a second key.
_FLAG = re.compile(r"[01]")
_NUMBER = re.compile(r"\d{1,6}(?:\.\d{1,3})?")
_PERCENT = re.compile(r"\d{1,3}%")
_WORD = re.compile(r"[A-Za-z_0-9]{1,40}")
_CORNER = r"-?\d{1,4}(?:\.\d{1,3})?x-?\d{1,4}(?:\.\d{1,3})?"
_BED = re.compile(rf"{_CORNER}(?:,{_CORNER}){{3}}")
_CODE = re.compile(r"[ -~]{0,20000}")  # a G-code with its line ends escaped
_EMPTY = re.compile("")
_EMPTY_TEXT = re.compile('""')

KEYS: Mapping[str, re.Pattern[str]] = {
    # the machine
    "printer_technology": _WORD,
    "gcode_flavor": _WORD,
    "bed_shape": _BED,
    "max_print_height": _NUMBER,
    "nozzle_diameter": _NUMBER,
    "retract_length": _NUMBER,
    "use_relative_e_distances": _FLAG,
    "start_gcode": _CODE,
    "end_gcode": _CODE,
    "layer_gcode": _CODE,
    # what may run or be written beside the print: nothing
    "post_process": _EMPTY,
    "before_layer_gcode": _EMPTY,
    "between_objects_gcode": _EMPTY,
    "toolchange_gcode": _EMPTY,
    "start_filament_gcode": _EMPTY_TEXT,
    "end_filament_gcode": _EMPTY_TEXT,
    # how fast it is, for the estimate: the machine keeps its own limits
    "machine_limits_usage": _WORD,
    **dict.fromkeys(
        [
            *(
                f"machine_max_{what}_{axis}"
                for what in ("acceleration", "feedrate")
                for axis in "xyze"
            ),
            "machine_max_acceleration_extruding",
            "machine_max_acceleration_retracting",
            "machine_max_acceleration_travel",
        ],
        _NUMBER,
    ),
    # the material
    "filament_type": _WORD,
    "filament_diameter": _NUMBER,
    "filament_density": _NUMBER,
    "filament_cost": _NUMBER,
    "filament_max_volumetric_speed": _NUMBER,
    "temperature": _NUMBER,
    "first_layer_temperature": _NUMBER,
    "bed_temperature": _NUMBER,
    "first_layer_bed_temperature": _NUMBER,
    "cooling": _FLAG,
    "fan_always_on": _FLAG,
    "min_fan_speed": _NUMBER,
    "max_fan_speed": _NUMBER,
    "bridge_fan_speed": _NUMBER,
    "disable_fan_first_layers": _NUMBER,
    "slowdown_below_layer_time": _NUMBER,
    # the part
    "layer_height": _NUMBER,
    "first_layer_height": _NUMBER,
    "extrusion_width": _NUMBER,
    "first_layer_extrusion_width": _NUMBER,
    "perimeters": _NUMBER,
    "fill_density": _PERCENT,
    "fill_pattern": _WORD,
    "top_solid_layers": _NUMBER,
    "bottom_solid_layers": _NUMBER,
    "support_material": _FLAG,
    "support_material_auto": _FLAG,
    "support_material_threshold": _NUMBER,
    "brim_type": _WORD,
    "brim_width": _NUMBER,
    "skirts": _NUMBER,
    "skirt_distance": _NUMBER,
    "skirt_height": _NUMBER,
    "duplicate_distance": _NUMBER,
    # the pace
    **dict.fromkeys(
        [
            "perimeter_speed",
            "external_perimeter_speed",
            "small_perimeter_speed",
            "infill_speed",
            "solid_infill_speed",
            "top_solid_infill_speed",
            "support_material_speed",
            "gap_fill_speed",
            "bridge_speed",
            "first_layer_speed",
            "travel_speed",
        ],
        _NUMBER,
    ),
}
"""What is always said, and its form where this hub chooses the value."""

FORMS: Mapping[str, re.Pattern[str] | Form | Word] = {**KEYS, **TUNABLE}
"""All that may be said: a workshop's own settings have bounds beside their form."""


def job_ini(profile: Profile, choices: Choices) -> str:
    """The whole settings file for one plate, sorted by key: equal wishes give equal text.

    The bed is written smaller by the margin, so that the slicer leaves room for brim and skirt
    when it places copies. Raises BadSettings when the printer cannot follow the choices.
    """
    stuff = material(choices.material)
    _check_fit(profile, choices, stuff)
    values = _machine(profile, choices) | _material(profile, stuff) | _part(profile, choices)
    return render(_tuned(values | _pace(profile), profile, choices))


def render(values: Mapping[str, str]) -> str:
    """Key by key text. Raises BadSettings for a key off the list, one missing, or a bad value."""
    wrong = (KEYS.keys() - values.keys()) | (values.keys() - FORMS.keys())
    if wrong:
        listed = ", ".join(sorted(wrong))
        raise BadSettings(f"the slicer's settings lack or must not have: {listed}")
    for name, value in values.items():
        if not FORMS[name].fullmatch(value):
            raise BadSettings(f"the slicer's setting {name} cannot be {value[:80]!r}")
    return "".join(f"{name} = {values[name]}\n" for name in sorted(values))


def _tuned(values: dict[str, str], profile: Profile, choices: Choices) -> dict[str, str]:
    """The workshop's own settings over this hub's, where the order leaves them room."""
    if profile.tuning is None:
        return values
    own = {**profile.tuning.settings, **profile.tuning.of(choices.material)}
    if choices.infill_pct == 100:
        own.pop("fill_pattern", None)
    if "first_layer_height" in own:
        first_um = round(float(own["first_layer_height"]) * 1_000)
        own["first_layer_height"] = _mm(min(first_um, profile.nozzle_um * 3 // 4))
    return values | own


def _check_fit(profile: Profile, choices: Choices, stuff: Material) -> None:
    nozzle_c, bed_c = profile.heat_c(stuff)
    if nozzle_c > profile.max_nozzle_c:
        raise BadSettings(
            f"{stuff.name} needs a nozzle of {nozzle_c} °C, {profile.name} reaches "
            f"{profile.max_nozzle_c} °C: choose another material or printer"
        )
    if bed_c > profile.max_bed_c:
        raise BadSettings(
            f"{stuff.name} needs a bed of {bed_c} °C, {profile.name} reaches "
            f"{profile.max_bed_c} °C: choose another material or printer"
        )
    most_um = profile.nozzle_um * 4 // 5  # beyond it a line is not pressed onto the one below
    if choices.layer_height_um > most_um:
        raise BadSettings(
            f"layers of {_mm(choices.layer_height_um)} mm are too high for a nozzle of "
            f"{_mm(profile.nozzle_um)} mm: at most {_mm(most_um)} mm"
        )


def _machine(profile: Profile, choices: Choices) -> dict[str, str]:
    margin, (first, _, last, _) = margin_um(profile, choices), profile.guard().bed_um
    left, front = _mm(first[0] + margin), _mm(first[1] + margin)
    right, back = _mm(last[0] - margin), _mm(last[1] - margin)
    push, travel = str(profile.acceleration_mm_s2), str(profile.travel_mm_s)
    return {
        "printer_technology": profile.process,
        "gcode_flavor": FLAVOURS[profile.gcode_flavor].slicer,
        "bed_shape": f"{left}x{front},{right}x{front},{right}x{back},{left}x{back}",
        "max_print_height": str(profile.height_mm),
        "nozzle_diameter": _mm(profile.nozzle_um),
        "retract_length": _mm(profile.retract_um),
        "use_relative_e_distances": "1",
        "layer_gcode": "G92 E0",  # the slicer demands it with relative E
        "start_gcode": _escaped(profile.start_gcode),
        "end_gcode": _escaped(profile.end_gcode),
        "post_process": "",
        "before_layer_gcode": "",
        "between_objects_gcode": "",
        "toolchange_gcode": "",
        "start_filament_gcode": '""',
        "end_filament_gcode": '""',
        "machine_limits_usage": "time_estimate_only",
        "machine_max_acceleration_x": push,
        "machine_max_acceleration_y": push,
        "machine_max_acceleration_z": "500",
        "machine_max_acceleration_e": "5000",
        "machine_max_acceleration_extruding": push,
        "machine_max_acceleration_retracting": push,
        "machine_max_acceleration_travel": push,
        "machine_max_feedrate_x": travel,
        "machine_max_feedrate_y": travel,
        "machine_max_feedrate_z": "12",
        "machine_max_feedrate_e": "60",
    }


def _material(profile: Profile, stuff: Material) -> dict[str, str]:
    return {
        "filament_type": stuff.name,
        "filament_diameter": _mm(profile.filament_um),
        "filament_density": _mm(stuff.density_mg_per_cm3),  # g/cm³, by the same factor of 1000
        "filament_cost": "0",
        "filament_max_volumetric_speed": str(min(stuff.max_flow_mm3_per_s, profile.max_flow_mm3_s)),
        "temperature": str(stuff.nozzle_c),
        "first_layer_temperature": str(stuff.first_nozzle_c),
        "bed_temperature": str(stuff.bed_c),
        "first_layer_bed_temperature": str(stuff.first_bed_c),
        "cooling": "1",
        "fan_always_on": "1",
        "min_fan_speed": str(stuff.fan_pct[0]),
        "max_fan_speed": str(stuff.fan_pct[1]),
        "bridge_fan_speed": str(stuff.fan_pct[1]),
        "disable_fan_first_layers": str(stuff.fan_from_layer),
        "slowdown_below_layer_time": "10",
    }


def _part(profile: Profile, choices: Choices) -> dict[str, str]:
    layer_um = choices.layer_height_um
    first_um = min(max(layer_um, 200), MAX_FIRST_LAYER_UM, profile.nozzle_um * 3 // 4)
    shell_layers = str(max(3, ceil_div(SHELL_UM, layer_um)))
    return {
        "layer_height": _mm(layer_um),
        "first_layer_height": _mm(first_um),  # in mm: a percentage is misread
        "extrusion_width": _mm(profile.nozzle_um * 9 // 8),
        "first_layer_extrusion_width": _mm(profile.first_line_um),
        "perimeters": str(choices.perimeters),
        "fill_density": f"{choices.infill_pct}%",
        # The slicer fills to 100 % with straight lines only.
        "fill_pattern": "rectilinear" if choices.infill_pct == 100 else "cubic",
        "top_solid_layers": shell_layers,
        "bottom_solid_layers": shell_layers,
        "support_material": "1" if choices.supports else "0",
        "support_material_auto": "1",
        "support_material_threshold": "45",
        "brim_type": "outer_only" if choices.brim_mm else "no_brim",
        "brim_width": str(choices.brim_mm),
        "skirts": "0" if choices.brim_mm else "1",
        "skirt_distance": _mm(SKIRT_UM),
        "skirt_height": "1",
        "duplicate_distance": str(apart_mm(choices)),
    }


def apart_mm(choices: Choices) -> int:
    """Room between two copies on a plate: their brims must not touch."""
    return max(6, 2 * choices.brim_mm + 2)


def _pace(profile: Profile) -> dict[str, str]:
    """Speeds in mm/s. Outer walls go at half pace for their looks, the first layer to stick."""
    full, half = str(profile.print_mm_s), str(max(5, profile.print_mm_s // 2))
    return {
        "perimeter_speed": full,
        "external_perimeter_speed": half,
        "small_perimeter_speed": half,
        "infill_speed": full,
        "solid_infill_speed": full,
        "top_solid_infill_speed": half,
        "support_material_speed": full,
        "gap_fill_speed": half,
        "bridge_speed": half,
        "first_layer_speed": str(max(5, profile.print_mm_s // 3)),
        "travel_speed": str(profile.travel_mm_s),
    }


def _mm(um: int) -> str:
    """µm as the slicer's mm, without zeros nobody needs: 200 → 0.2."""
    sign, um = "-" if um < 0 else "", abs(um)
    return sign + f"{um // 1000}.{um % 1000:03}".rstrip("0").rstrip(".")


def _escaped(code: str) -> str:
    return code.replace("\\", "\\\\").replace("\n", "\\n")
