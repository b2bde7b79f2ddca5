"""From a machine's profiles in PrusaSlicer's bundles to a printer's profile here.

Only what is on a list and within its bounds is taken (`printers.slicer_keys`); everything else is
left out by name, with the reason, for the person who adds the printer.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from basis.errors import Invalid
from printers.bundles import Bundle, Preset, shown_name
from printers.capability import Profile
from printers.conditions import goes_with
from printers.gcode import FLAVOURS
from printers.macros import settled, unescaped
from printers.materials import MATERIALS
from printers.safe_codes import safe_end, safe_start
from printers.slicer_keys import FILAMENT, MACHINE, NEVER, OURS, PART, TUNABLE, Form, Word
from printers.tuning import Tuning, Values

__all__ = ["Built", "Found", "LeftOut", "built", "choices_for", "found", "profile_of"]

MOST_FOUND = 60
POWER_W = 300
"""For a machine whose power nobody told; the owner knows better."""

FAMILIES: Mapping[str, str] = {"PET": "PETG", **{name: name for name in MATERIALS}}
"""The slicer's families of filament by ours. What is missing here is not planned with."""

READ = TUNABLE.keys() | {
    *("bed_shape", "max_print_height", "nozzle_diameter", "filament_diameter", "retract_length"),
    *("gcode_flavor", "printer_technology", "filament_type", "start_gcode", "end_gcode"),
    *("printer_model", "printer_settings_id", "print_settings_id", "filament_settings_id"),
}
"""What goes into a profile in one way or another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A setting that was not taken, and why; `look` where a person should read it."""

    name: str
    why: str
    look: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A profile, and what of its source is not in it."""

    profile: Profile
    left_out: tuple[LeftOut, ...]
    codes: Mapping[str, str]
    """Start and end codes that were not taken, as they stand there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A machine in the bundles."""

    vendor: str
    printer: str
    """The name of its printer profile."""
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The profiles that go with a printer; the first of each is suggested."""

    prints: tuple[str, ...]
    filaments: tuple[str, ...]
    unclear: tuple[str, ...]
    """Print profiles of which it could not be worked out."""


def found(bundles: Mapping[str, Bundle], search: str, *, most: int = MOST_FOUND) -> Sequence[Found]:
    """Machines whose vendor, model or profile holds every word of a search."""
    words = search.casefold().split()[:8]
    return list(islice(_matching(bundles, words), most)) if words else []


def _matching(bundles: Mapping[str, Bundle], words: Sequence[str]) -> Iterable[Found]:
    for vendor, bundle in bundles.items():
        for name in bundle.names("printer"):
            preset = bundle.preset("printer", name)
            title = shown_name(bundle, preset)
            text = f"{vendor} {bundle.title} {title}".casefold()
            if _is_fff(preset) and all(word in text for word in words):
                yield Found(vendor=vendor, printer=name, title=title)


def _is_fff(preset: Preset) -> bool:
    return preset.values.get("printer_technology", "FFF") == "FFF"


def choices_for(bundle: Bundle, printer: Preset) -> Selection:
    """The print and filament profiles for a printer, the vendor's own default first."""
    prints = _going_with(bundle, printer, "print", "default_print_profile")
    unclear = [
        name
        for name in bundle.names("print")
        if goes_with(bundle.preset("print", name), printer) is None
    ]
    filaments = [
        name
        for name in _going_with(bundle, printer, "filament", "default_filament_profile")
        if _family(bundle.preset("filament", name).values)
    ]
    return Selection(prints=tuple(prints), filaments=tuple(filaments), unclear=tuple(unclear))


def _going_with(bundle: Bundle, printer: Preset, kind: str, default: str) -> list[str]:
    names = [
        name for name in bundle.names(kind) if goes_with(bundle.preset(kind, name), printer) is True
    ]
    told = printer.values.get(default, "").strip().strip('"')
    names.sort(key=lambda name: (name != told, not _everyday(bundle, kind, name)))
    return names


def _everyday(bundle: Bundle, kind: str, name: str) -> bool:
    """Whether most people would begin with it: layers of 0.2 mm, plain PLA."""
    values = bundle.preset(kind, name).values
    if kind == "print":
        return values.get("layer_height") == "0.2"
    return _family(values) == "PLA" and "PLA" in name and "Generic" in name


def built(
    bundle: Bundle, *, printer: str, print_: str = "", filaments: Sequence[str] = ()
) -> Built:
    """The profile of a machine with a print profile and one filament for each family; those that
    are suggested where none is named.

    Raises NotFound for a name that is not there, Invalid when they do not go together or describe
    no printer that this hub can use.
    """
    machine = bundle.preset("printer", printer)
    if not _is_fff(machine):
        raise Invalid(f"{printer!r} does not print with filament")
    chosen = choices_for(bundle, machine)
    if not print_:
        if not chosen.prints:
            raise Invalid(f"{bundle.vendor} has no print profile for {printer!r}: choose one")
        print_ = chosen.prints[0]
    if print_ not in chosen.prints + chosen.unclear:
        raise Invalid(f"the print profile {print_!r} is not for {printer!r}")
    laid = bundle.preset("print", print_)
    names = list(filaments) or list(chosen.filaments[:1])
    if wrong := [name for name in names if name not in chosen.filaments]:
        raise Invalid(f"the filament {wrong[0]!r} is not for {printer!r}")
    stuffs = [
        {**bundle.preset("filament", name).values, "filament_settings_id": name} for name in names
    ]
    ids = {"printer_settings_id": printer, "print_settings_id": print_}
    origin = f"{bundle.title} {bundle.version}: {printer}; {print_}; {', '.join(names)}"
    hot = [bundle.preset("filament", name).values for name in chosen.filaments]
    return profile_of(
        {**machine.values, **laid.values, **ids},
        stuffs,
        name=bundle.model_name(machine),
        origin=origin,
        hottest=hot,
    )


def profile_of(
    values: Mapping[str, str],
    filaments: Sequence[Mapping[str, str]],
    *,
    name: str,
    origin: str,
    hottest: Iterable[Mapping[str, str]] = (),
) -> Built:
    """A profile of the slicer's own settings, whatever file they come from.

    Raises Invalid when they do not describe a printer that this hub can use.
    """
    left_out: list[LeftOut] = []
    flavour = values.get("gcode_flavor", "")
    if flavour not in FLAVOURS:
        raise Invalid(
            f"the firmware {flavour[:40]!r} is not known here; there are"
            f" {', '.join(sorted(FLAVOURS))}: if yours reads one of them, fill in the form by hand"
        )
    settings = _taken({**MACHINE, **PART}, _in_mm(values), left_out)
    by_family = _filaments(filaments, left_out)
    left_x, front, right, back = _bed_mm(values.get("bed_shape", ""), left_out)
    nozzle_c, bed_c = _limits_c([*filaments, *hottest])
    safe = Profile(
        name=name[:80],
        bed_min_x_mm=left_x,
        bed_min_y_mm=front,
        bed_x_mm=right - left_x,
        bed_y_mm=back - front,
        height_mm=math.floor(_number(values, "max_print_height")),
        nozzle_um=round(_number(values, "nozzle_diameter") * 1_000),
        filament_um=_filament_um(filaments),
        max_nozzle_c=nozzle_c,
        max_bed_c=bed_c,
        gcode_flavor=flavour,
        start_gcode=safe_start(left_x, front, right, back),
        end_gcode=safe_end(),
        rated_power_w=POWER_W,
        print_mm_s=_pace(settings, "perimeter_speed", 60, 5, 500),
        travel_mm_s=_pace(settings, "travel_speed", 130, 20, 600),
        acceleration_mm_s2=_push(settings),
        retract_um=max(0, round(_number(values, "retract_length", "2") * 1_000)),
        **_limits(settings),
        tuning=Tuning(origin=_line(origin), settings=settings, filaments=by_family),
    )
    corners = {"print_bed_min": f"{left_x},{front}", "print_bed_max": f"{right},{back}"}
    stuffs = {each.get("filament_settings_id", "").strip('"') for each in filaments}
    profile, codes = _with_codes(safe, {**values, **corners}, stuffs, left_out)
    left_out += _rest({key: value for each in (*filaments, values) for key, value in each.items()})
    return Built(profile=profile, left_out=tuple(left_out), codes=codes)


def _with_codes(
    safe: Profile, values: Mapping[str, str], stuffs: Collection[str], left_out: list[LeftOut]
) -> tuple[Profile, Mapping[str, str]]:
    """The source's own start and end codes where every line of them passes, else ours."""
    profile, refused = safe, {}
    for name in ("start_gcode", "end_gcode"):
        code = _code(unescaped(values.get(name, "")), values, stuffs)
        if not code.strip():
            left_out.append(LeftOut(name=name, why="is empty: this hub's own is used", look=True))
            continue
        try:
            profile = Profile.from_json({**profile.as_json(), name: code})
        except Invalid as exc:
            refused[name] = code
            left_out.append(LeftOut(name=name, why=f"{exc}. This hub's own is used", look=True))
    return profile, refused


def _code(text: str, values: Mapping[str, str], stuffs: Collection[str]) -> str:
    """A code as the profiles settle it. What asks for the filament is settled where every one of
    `stuffs`, those chosen by name, gives the same answer; a comma would make two of a name."""
    unnamed = {key: each for key, each in values.items() if key != "filament_settings_id"}
    ways = {settled(text, {**unnamed, "filament_settings_id": stuff}) for stuff in stuffs}
    named = all(stuff and "," not in stuff for stuff in stuffs)
    return ways.pop() if named and len(ways) == 1 else settled(text, unnamed)


def _rest(values: Mapping[str, str]) -> Iterable[LeftOut]:
    """All that says something and was not looked at, by name: first what is never taken."""
    for key in sorted(values, key=lambda key: (key not in NEVER, key)):
        if values[key].strip().strip('"') in ("", "0", "nil") or key in READ:
            continue
        why = NEVER.get(key) or OURS.get(key) or "is not on the list of settings that are used here"
        yield LeftOut(name=key[:80], why=why, look=key == "post_process")


def _in_mm(values: Mapping[str, str]) -> Mapping[str, str]:
    """With the first layer's height in mm: the slicer's command line misreads a percentage."""
    first = values.get("first_layer_height", "").strip()
    if not first.endswith("%"):
        return values
    height = _number(values, "layer_height") * _number({"share": first.removesuffix("%")}, "share")
    return {**values, "first_layer_height": f"{height / 100:.3f}"}


def _taken(
    forms: Mapping[str, Form | Word], values: Mapping[str, str], left_out: list[LeftOut]
) -> Values:
    """The settings on a list; a value that is out of its bounds is left out by name."""
    taken = Values()
    for name, form in forms.items():
        value = values.get(name, "").strip().strip('"').split(",")[0].strip()
        if value in ("", "nil"):
            continue
        if form.fullmatch(value):
            taken[name] = value
        else:
            why = f"{value[:40]!r} is not {form}: this hub's own is used"
            left_out.append(LeftOut(name=name, why=why, look=True))
    return taken


def _filaments(filaments: Sequence[Mapping[str, str]], left_out: list[LeftOut]) -> Values:
    by_family = Values()
    for values in filaments:
        family = _family(values)
        if not family:
            told = values.get("filament_type", "")[:40] or "nothing"
            why = f"{told!r} is no family that is planned with here: {', '.join(MATERIALS)}"
            left_out.append(LeftOut(name="filament_type", why=why, look=True))
        elif family in by_family:
            raise Invalid(f"two filaments of the family {family}: choose one for each")
        else:
            by_family[family] = _first_like_the_rest(_taken(FILAMENT, values, left_out))
    return by_family


def _first_like_the_rest(settings: Values) -> Values:
    """Where a filament names one temperature only, its first layer has no other."""
    for name in ("temperature", "bed_temperature"):
        if name in settings:
            settings.setdefault(f"first_layer_{name}", settings[name])
    return settings


def _family(values: Mapping[str, str]) -> str:
    told = values.get("filament_type", "").strip().strip('"').split(";")[0].strip('"')
    return FAMILIES.get(told, "")


def _bed_mm(shape: str, left_out: list[LeftOut]) -> tuple[int, int, int, int]:
    """The box that is surely printable: left, front, right, back in whole mm."""
    try:
        points = [(float(x), float(y)) for x, y in (each.split("x") for each in shape.split(","))]
    except ValueError:
        raise Invalid(
            f"bed_shape: {shape[:60]!r} is not a list of corners such as 0x0,220x0,220x220,0x220"
        ) from None
    if not 3 <= len(points) <= 256 or not all(abs(mm) < 3_000 for at in points for mm in at):
        raise Invalid("bed_shape: 3 to 256 corners within 3 m make a bed")
    xs, ys = [x for x, _ in points], [y for _, y in points]
    middle_x, middle_y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    half_x, half_y = (max(xs) - min(xs)) / 2, (max(ys) - min(ys)) / 2
    for percent in range(100, 0, -1):
        dx, dy = half_x * percent / 100, half_y * percent / 100
        corners = [(middle_x + sx * dx, middle_y + sy * dy) for sx in (-1, 1) for sy in (-1, 1)]
        if all(_inside(points, x, y) for x, y in corners):
            break
    else:
        raise Invalid("bed_shape: its corners go round in no order")
    if percent < 100:
        why = "is not a rectangle: the largest in its middle is used"
        left_out.append(LeftOut(name="bed_shape", why=why, look=True))
    return (
        math.ceil(middle_x - dx - 1e-6),
        math.ceil(middle_y - dy - 1e-6),
        math.floor(middle_x + dx + 1e-6),
        math.floor(middle_y + dy + 1e-6),
    )


def _inside(points: Sequence[tuple[float, float]], x: float, y: float) -> bool:
    """Whether a convex polygon holds a point, its edge included."""
    ends = [*points[1:], points[0]]
    sides = [
        (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        for (ax, ay), (bx, by) in zip(points, ends, strict=True)
    ]
    return all(side >= -1e-6 for side in sides) or all(side <= 1e-6 for side in sides)


def _limits_c(filaments: Iterable[Mapping[str, str]]) -> tuple[int, int]:
    """The hottest that any filament for this machine asks for: profiles tell no limit. Where one
    names no temperature it is printed by this hub's own."""
    nozzle, bed = [200.0], [0.0]
    for values in filaments:
        ours = MATERIALS.get(_family(values), MATERIALS["PLA"])
        for found, name, usual_c in (
            (nozzle, "temperature", max(ours.nozzle_c, ours.first_nozzle_c)),
            (bed, "bed_temperature", max(ours.bed_c, ours.first_bed_c)),
        ):
            told = [name in values, f"first_layer_{name}" in values]
            found += [_number(values, each, "0") for each in (name, f"first_layer_{name}")]
            found += [] if any(told) else [float(usual_c)]
    return min(500, math.ceil(max(nozzle))), min(200, math.ceil(max(bed)))


def _filament_um(filaments: Sequence[Mapping[str, str]]) -> int:
    told = {_number(each, "filament_diameter", "1.75") for each in filaments} or {1.75}
    if all(1.7 <= mm <= 1.8 for mm in told):
        return 1_750
    if all(2.8 <= mm <= 3.0 for mm in told):
        return 2_850
    raise Invalid("filament_diameter: filaments of 1.75 mm or of 2.85 mm, and one of them only")


def _push(settings: Mapping[str, str]) -> int:
    """Acceleration for the estimates: what prints are asked for, else what the machine bears."""
    for name in ("default_acceleration", "machine_max_acceleration_extruding"):
        if (value := float(settings.get(name, "0"))) >= 100:
            return min(50_000, round(value))
    return 1_000


LIMITS: Mapping[str, tuple[int, int, tuple[str, ...]]] = {
    "max_acceleration_mm_s2": (
        100,
        50_000,
        tuple(
            f"machine_max_acceleration_{what}"
            for what in ("x", "y", "e", "extruding", "retracting", "travel")
        ),
    ),
    "max_z_acceleration_mm_s2": (10, 50_000, ("machine_max_acceleration_z",)),
    "max_jerk_mm_s": (1, 200, tuple(f"machine_max_jerk_{axis}" for axis in "xye")),
    "max_z_jerk_mm_s": (1, 200, ("machine_max_jerk_z",)),
    "max_z_feed_mm_s": (1, 1_000, ("machine_max_feedrate_z",)),
}
"""Limits of the guard, their bounds, and the vendor's limits of the machine that say them."""


def _limits(settings: Mapping[str, str]) -> dict[str, Any]:
    """What the machine bears, where its maker says so; elsewhere the profile's own limits hold."""
    limits = {}
    for name, (low, high, told) in LIMITS.items():
        most = max((float(settings.get(each, "0")) for each in told), default=0.0)
        if most > 0:
            limits[name] = max(low, min(high, math.ceil(most)))
    return limits


def _pace(settings: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    return max(low, min(high, round(float(settings.get(name, default)))))


def _number(values: Mapping[str, str], name: str, default: str = "") -> float:
    """The first of a list of numbers. Raises Invalid naming the setting."""
    text = values.get(name, default).strip().strip('"').split(",")[0].strip()
    try:
        number = float(text)
    except ValueError:
        raise Invalid(f"{name}: {text[:40]!r} is not a number, or is missing") from None
    if not abs(number) < 1e6:  # neither a NaN nor an infinity
        raise Invalid(f"{name}: {text[:40]!r} is no measure of a printer")
    return number


def _line(text: str) -> str:
    return "".join(c for c in text if c.isprintable())[:400]
