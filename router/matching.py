"""Can this printer make these parts? Every reason why not, as records that the edge puts in words.

Filters are never scored. Exactly one reason that a person could mend is a near miss ("would need
PETG loaded"), shown below the quotes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from designs.facts import Fit, fits
from printers.capability import MATERIALS
from printers.offer import Duty, Loaded, Offer

MOST_LAYER_PCT = 80
"""Of the nozzle's width; the slicer refuses higher layers, for they are not pressed on."""

TALL_UM = 1
"""Width and height are two reasons: the first is asked with a flat part."""


class Fixer(StrEnum):
    """Who could change the answer."""

    WORKSHOP = "workshop"
    MAKER = "maker"
    DESIGNER = "designer"
    NOBODY = "nobody"


class Axis(StrEnum):
    """What a part needs of a printer."""

    PROCESS = "process"
    WIDTH = "width"
    HEIGHT = "height"
    MATERIAL = "material"
    COLOUR = "colour"
    MATERIAL_LEFT = "material_left"
    NOZZLE = "nozzle"
    NOZZLE_TEMPERATURE = "nozzle_temperature"
    BED_TEMPERATURE = "bed_temperature"
    ENCLOSURE = "enclosure"
    ACCEPTING = "accepting"
    TRIAL = "trial"
    QUIET = "quiet"
    SEEN = "seen"
    DISTANCE = "distance"
    CARRIAGE = "carriage"
    PRICE = "price"
    CURRENCY = "currency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One axis on which a printer does not serve a need."""

    axis: Axis
    needed: str
    available: str
    unit: str
    who_can_fix: Fixer
    part: str = ""
    """Which part it is about, where several are asked for and others may fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One part as it must stand on the bed, µm."""

    part: str
    size_x_um: int
    size_y_um: int
    size_z_um: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What parts and their maker ask of a printer. Lengths µm, masses mg."""

    bodies: tuple[Body, ...]
    mass_mg: int
    """All copies of all parts, waste included."""
    material: str
    colour: str | None
    layer_height_um: int
    margin_um: int
    """Room around each part for skirt or brim."""
    max_distance_m: int | None = None
    process: str = "FFF"


def why_not(
    need: Need, offer: Offer, *, distance_m: int, now: datetime, unseen_s: int
) -> tuple[Reason, ...]:
    """Every reason why `offer` cannot serve `need`; empty when it can. Pure."""
    return (
        *_machine(need, offer),
        *_material(need, offer),
        *_service(offer, now=now, unseen_s=unseen_s),
        *_distance(need, distance_m=distance_m),
    )


def is_near_miss(reasons: Sequence[Reason]) -> bool:
    """Whether one thing that a person could mend stands in the way; leaving out one part of several
    is one thing, however large the part is."""
    things = {reason.part or reason.axis for reason in reasons}
    mendable = all(each.who_can_fix in (Fixer.WORKSHOP, Fixer.MAKER) for each in reasons)
    return len(things) == 1 and mendable


def spool_for(need: Need, offer: Offer) -> Loaded | None:
    """The loaded spool that all would be made from: enough of the right kind, the fullest."""
    fitting = [each for each in _of_kind(need, offer) if each.free_mg >= need.mass_mg]
    return max(fitting, key=lambda each: (each.free_mg, str(each.spool)), default=None)


def fit(body: Body, offer: Offer, *, margin_um: int) -> Fit:
    """How a part stands on the bed: as it lies, turned by 90°, or not at all."""
    bed_um = (offer.profile.bed_x_mm * 1000, offer.profile.bed_y_mm * 1000, TALL_UM)
    return fits((body.size_x_um, body.size_y_um, 0), bed_um, margin_um=margin_um)


def _sizes(need: Need, offer: Offer) -> list[Reason]:
    """Parts that are too large, each by its name where there are several. One of several the maker
    may leave out and order elsewhere; a single one only another design could change."""
    profile, reasons, several = offer.profile, [], len(need.bodies) > 1
    who = Fixer.MAKER if several else Fixer.DESIGNER
    for body in need.bodies:
        part = body.part if several else ""
        if fit(body, offer, margin_um=need.margin_um).turn_deg is None:
            sides = f"{_mm(body.size_x_um)} × {_mm(body.size_y_um)}"
            needed = f"{sides}, {_mm(need.margin_um)} around it"
            available = f"{profile.bed_x_mm} × {profile.bed_y_mm}"
            reasons.append(_reason(Axis.WIDTH, needed, available, "mm", who, part))
        if body.size_z_um > profile.height_mm * 1000:
            needed, available = _mm(body.size_z_um), str(profile.height_mm)
            reasons.append(_reason(Axis.HEIGHT, needed, available, "mm", who, part))
    return reasons


def _machine(need: Need, offer: Offer) -> list[Reason]:
    profile, reasons = offer.profile, []
    if need.process != profile.process:
        reasons.append(_reason(Axis.PROCESS, need.process, profile.process, "", Fixer.NOBODY))
    reasons += _sizes(need, offer)
    most_layer_um = profile.nozzle_um * MOST_LAYER_PCT // 100
    if need.layer_height_um > most_layer_um:
        needed = f"layers of {need.layer_height_um}"
        available = f"at most {most_layer_um} with a nozzle of {profile.nozzle_um}"
        reasons.append(_reason(Axis.NOZZLE, needed, available, "µm", Fixer.MAKER))
    material = MATERIALS.get(need.material)
    if material is None:
        return reasons
    nozzle_c, bed_c = profile.heat_c(material)
    if nozzle_c > profile.max_nozzle_c:
        needed, available = str(nozzle_c), str(profile.max_nozzle_c)
        reasons.append(_reason(Axis.NOZZLE_TEMPERATURE, needed, available, "°C", Fixer.NOBODY))
    if bed_c > profile.max_bed_c:
        needed, available = str(bed_c), str(profile.max_bed_c)
        reasons.append(_reason(Axis.BED_TEMPERATURE, needed, available, "°C", Fixer.NOBODY))
    if material.needs_enclosure and not profile.enclosure:
        reasons.append(_reason(Axis.ENCLOSURE, "a closed chamber", "none", "", Fixer.NOBODY))
    return reasons


def _of_kind(need: Need, offer: Offer) -> list[Loaded]:
    return [
        each
        for each in offer.loaded
        if each.material == need.material and need.colour in (None, each.colour)
    ]


def _material(need: Need, offer: Offer) -> list[Reason]:
    """Never substituted in silence: the family must match, the colour where it was asked for."""
    same = [each for each in offer.loaded if each.material == need.material]
    if not same:
        loaded = ", ".join(sorted({each.material for each in offer.loaded})) or "nothing"
        return [_reason(Axis.MATERIAL, need.material, loaded, "", Fixer.WORKSHOP)]
    fitting = _of_kind(need, offer)
    if not fitting:
        colours = ", ".join(sorted({each.colour for each in same}))
        return [_reason(Axis.COLOUR, need.colour or "", colours, "", Fixer.WORKSHOP)]
    most = max(each.free_mg for each in fitting)
    if most < need.mass_mg:
        needed, left = _grams(need.mass_mg), _grams(most)
        return [_reason(Axis.MATERIAL_LEFT, needed, left, "g", Fixer.WORKSHOP)]
    return []


def _service(offer: Offer, *, now: datetime, unseen_s: int) -> list[Reason]:
    reasons = []
    if not offer.accepting:
        resting = Duty.PAUSED if offer.duty is Duty.OPEN else offer.duty
        reasons.append(_reason(Axis.ACCEPTING, "takes new work", resting, "", Fixer.WORKSHOP))
    if not offer.tried:
        needed = "a cube sliced for it"
        reasons.append(_reason(Axis.TRIAL, needed, "not yet", "", Fixer.WORKSHOP))
    if offer.seen_at is None:
        reasons.append(_reason(Axis.SEEN, "an agent that answers", "never", "", Fixer.WORKSHOP))
    elif offer.seen_at < now - timedelta(seconds=unseen_s):
        last = f"last {offer.seen_at:%Y-%m-%d %H:%M} UTC"
        reasons.append(_reason(Axis.SEEN, "an agent that answers", last, "", Fixer.WORKSHOP))
    return reasons


def _distance(need: Need, *, distance_m: int) -> list[Reason]:
    if need.max_distance_m is None or distance_m <= need.max_distance_m:
        return []
    needed, available = f"at most {need.max_distance_m / 1000:.1f}", f"{distance_m / 1000:.1f}"
    return [_reason(Axis.DISTANCE, needed, available, "km", Fixer.MAKER)]


def _reason(
    axis: Axis, needed: str, available: str, unit: str, who: Fixer, part: str = ""
) -> Reason:
    return Reason(
        axis=axis, needed=needed, available=available, unit=unit, who_can_fix=who, part=part
    )


def _mm(um: int) -> str:
    return f"{um / 1000:.1f}".removesuffix(".0")


def _grams(mg: int) -> str:
    return f"{mg / 1000:.1f}"
