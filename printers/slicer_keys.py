"""Which of the slicer's settings a workshop may tune, each with its kind and its bounds.

Pure. What is not here never reaches the slicer out of a profile or a workshop's file: neither what
could run a program or write a file, nor what the order or the printer's own page decides.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["FILAMENT", "MACHINE", "NEVER", "OURS", "PART", "TUNABLE", "Form", "Word"]

_NUMBER = re.compile(r"-?\d{1,6}(?:\.\d{1,6})?")


@dataclass(frozen=True, slots=True)
class Form:
    """A number within bounds; in per cent, where that is allowed, up to `percent`."""

    low: float
    high: float
    percent: float | None = None
    bare: bool = True
    """Whether it may stand without its sign of per cent."""

    def fullmatch(self, value: str) -> bool:
        """Whether this is such a value, written plainly."""
        share = value.endswith("%")
        if (share and self.percent is None) or (not share and not self.bare):
            return False
        if not _NUMBER.fullmatch(value.removesuffix("%")):
            return False
        high = self.percent if share and self.percent is not None else self.high
        return self.low <= float(value.removesuffix("%")) <= high

    def __str__(self) -> str:
        ranges = [f"{self.low:g} to {self.high:g}"] if self.bare else []
        ranges += [f"{self.low:g} % to {self.percent:g} %"] if self.percent is not None else []
        return " or ".join(ranges)


@dataclass(frozen=True, slots=True)
class Word:
    """One of some words."""

    words: frozenset[str]

    def fullmatch(self, value: str) -> bool:
        """Whether this is one of them."""
        return value in self.words

    def __str__(self) -> str:
        return "one of " + ", ".join(sorted(self.words))


def _words(*words: str) -> Word:
    return Word(frozenset(words))


FLAG = _words("0", "1")
SPEED = Form(1, 600)
SPEED_OR_SHARE = Form(1, 600, percent=200)
SPEED_OR_NONE = Form(0, 600)
PUSH = Form(0, 50_000)
WIDTH = Form(0, 2.5, percent=400)
PERCENT = Form(0, 100)
SECONDS = Form(0, 3_600)
LAYERS = Form(0, 100)
NOZZLE_C = Form(150, 500)
BED_C = Form(0, 200)
_PATTERNS = (
    *("rectilinear", "alignedrectilinear", "grid", "triangles", "stars", "cubic", "line"),
    *("concentric", "honeycomb", "3dhoneycomb", "gyroid", "hilbertcurve", "archimedeanchords"),
    *("octagramspiral", "adaptivecubic", "supportcubic", "lightning"),
)
_TOPS = _words(
    *("rectilinear", "monotonic", "monotoniclines", "alignedrectilinear", "concentric"),
    *("hilbertcurve", "archimedeanchords", "octagramspiral"),
)

Forms = Mapping[str, Form | Word]

MACHINE: Forms = {
    "retract_speed": Form(1, 200),
    "deretract_speed": Form(0, 200),
    "retract_lift": Form(0, 5),
    "retract_lift_above": Form(0, 2_000),
    "retract_lift_below": Form(0, 2_000),
    "retract_before_travel": Form(0, 50),
    "retract_before_wipe": Form(0, 100, percent=100),
    "retract_restart_extra": Form(-0.5, 0.5),
    "retract_layer_change": FLAG,
    "wipe": FLAG,
    **dict.fromkeys(
        [
            *(f"machine_max_acceleration_{axis}" for axis in "xyze"),
            *(f"machine_max_acceleration_{how}" for how in ("extruding", "retracting", "travel")),
        ],
        PUSH,
    ),
    **{f"machine_max_feedrate_{axis}": Form(0.1, 20_000) for axis in "xyze"},
    **{f"machine_max_jerk_{axis}": Form(0, 100) for axis in "xyze"},
}
"""Of the machine. Sizes, temperatures, start and end code stand on the printer's page."""

PART: Forms = {
    "first_layer_height": Form(0.05, 1),
    **dict.fromkeys(
        [
            *("perimeter_speed", "infill_speed", "travel_speed", "support_material_speed"),
            *("bridge_speed",),
        ],
        SPEED,
    ),
    **dict.fromkeys(
        [
            *("external_perimeter_speed", "small_perimeter_speed", "solid_infill_speed"),
            *("top_solid_infill_speed", "support_material_interface_speed", "first_layer_speed"),
        ],
        SPEED_OR_SHARE,
    ),
    "gap_fill_speed": SPEED_OR_NONE,
    "travel_speed_z": SPEED_OR_NONE,
    "first_layer_speed_over_raft": SPEED_OR_SHARE,
    "max_volumetric_speed": Form(0, 200),
    **dict.fromkeys(
        [
            *("default_acceleration", "perimeter_acceleration", "infill_acceleration"),
            *("bridge_acceleration", "first_layer_acceleration"),
        ],
        PUSH,
    ),
    **dict.fromkeys(
        [
            *("extrusion_width", "perimeter_extrusion_width", "external_perimeter_extrusion_width"),
            *("infill_extrusion_width", "solid_infill_extrusion_width"),
            *("top_infill_extrusion_width", "support_material_extrusion_width"),
        ],
        WIDTH,
    ),
    "bridge_flow_ratio": Form(0.5, 1.5),
    "infill_overlap": Form(0, 1, percent=60),
    "fill_pattern": _words(*_PATTERNS),
    "top_fill_pattern": _TOPS,
    "bottom_fill_pattern": _TOPS,
    "fill_angle": Form(0, 360),
    "infill_anchor": Form(0, 1_000, percent=1_000),
    "infill_anchor_max": Form(0, 1_000),
    "solid_infill_below_area": Form(0, 1_000),
    "seam_position": _words("random", "nearest", "aligned", "rear"),
    "perimeter_generator": _words("classic", "arachne"),
    **dict.fromkeys(
        [
            *("external_perimeters_first", "extra_perimeters", "thin_walls", "overhangs"),
            *("ensure_vertical_shell_thickness", "avoid_crossing_perimeters", "gap_fill_enabled"),
            *("only_retract_when_crossing_perimeters", "dont_support_bridges"),
            *("support_material_buildplate_only", "support_material_synchronize_layers"),
            *("support_material_with_sheath", "support_material_interface_contact_loops"),
        ],
        FLAG,
    ),
    "elefant_foot_compensation": Form(0, 0.5),
    "xy_size_compensation": Form(-0.5, 0.5),
    "resolution": Form(0, 0.1),
    "gcode_resolution": Form(0.001, 0.1),
    "slice_closing_radius": Form(0, 0.2),
    "support_material_angle": Form(0, 359),
    "support_material_threshold": Form(0, 90),
    "support_material_spacing": Form(0, 20),
    "support_material_pattern": _words("rectilinear", "rectilinear-grid", "honeycomb"),
    "support_material_style": _words("grid", "snug"),
    "support_material_contact_distance": Form(0, 1),
    "support_material_bottom_contact_distance": Form(0, 1),
    "support_material_xy_spacing": Form(0, 5, percent=500),
    "support_material_closing_radius": Form(0, 10),
    "support_material_interface_layers": LAYERS,
    "support_material_bottom_interface_layers": Form(-1, 100),
    "support_material_interface_spacing": Form(0, 10),
    "support_material_interface_pattern": _words("auto", "rectilinear", "concentric"),
}
"""Of how a part is laid down. Layer height, infill, walls, supports and brim are the order's."""

FILAMENT: Forms = {
    "temperature": NOZZLE_C,
    "first_layer_temperature": NOZZLE_C,
    "bed_temperature": BED_C,
    "first_layer_bed_temperature": BED_C,
    "filament_max_volumetric_speed": Form(0, 200),
    "extrusion_multiplier": Form(0.5, 1.5),
    "cooling": FLAG,
    "fan_always_on": FLAG,
    "min_fan_speed": PERCENT,
    "max_fan_speed": PERCENT,
    "bridge_fan_speed": PERCENT,
    "disable_fan_first_layers": LAYERS,
    "full_fan_speed_layer": LAYERS,
    "fan_below_layer_time": SECONDS,
    "slowdown_below_layer_time": SECONDS,
    "min_print_speed": Form(0, 200),
    "filament_retract_length": Form(0, 10),
    "filament_retract_speed": Form(1, 200),
    "filament_deretract_speed": Form(0, 200),
    "filament_retract_lift": Form(0, 5),
    "filament_retract_before_travel": Form(0, 50),
    "filament_retract_before_wipe": Form(0, 100, percent=100),
    "filament_retract_layer_change": FLAG,
    "filament_wipe": FLAG,
}
"""Of one family of filament. Its density is this hub's own."""

TUNABLE: Forms = {**MACHINE, **PART, **FILAMENT}

OURS: Mapping[str, str] = {
    **dict.fromkeys(
        [
            *("layer_height", "perimeters", "fill_density", "support_material", "brim_type"),
            *("brim_width", "skirts", "skirt_distance", "skirt_height", "support_material_auto"),
        ],
        "the order decides it",
    ),
    **dict.fromkeys(
        ["top_solid_layers", "bottom_solid_layers", "duplicate_distance"],
        "follows from the order's layer height and brim",
    ),
    "use_relative_e_distances": "is always on here",
    "first_layer_extrusion_width": "follows from the nozzle",
    "filament_density": "is this hub's own for each family",
    "filament_cost": "is the spool's price here",
}
"""Read or decided elsewhere, and why it is not taken as it stands."""

NEVER: Mapping[str, str] = {
    "post_process": "would run a program",
    **dict.fromkeys(
        [
            *("layer_gcode", "before_layer_gcode", "between_objects_gcode", "toolchange_gcode"),
            *("start_filament_gcode", "end_filament_gcode", "color_change_gcode"),
            *("pause_print_gcode", "template_custom_gcode", "filament_notes", "printer_notes"),
            "notes",
        ],
        "is text that would end up between the moves",
    ),
    **dict.fromkeys(
        [
            *("print_host", "host_type", "printhost_apikey", "printhost_authorization_type"),
            *("printhost_cafile", "printhost_password", "printhost_port", "printhost_user"),
            *("printhost_ssl_ignore_revoke",),
        ],
        "belongs to another way to the printer",
    ),
    "output_filename_format": "names files",
    "thumbnails": "is for the slicer's own window",
    "bed_custom_model": "names a file",
    "bed_custom_texture": "names a file",
}
"""What never reaches the slicer out of a file, and why."""
