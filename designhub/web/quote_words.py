"""Quotes in words for people: why a printer cannot, why a quote stands where it stands. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from designhub.language import Lazy, _, lazy, ngettext
from designhub.web import countries, words
from printers.offer import Mode
from router.emissions import Factor, factors
from router.matching import Axis, Fixer, Reason
from router.quote import WEIGHTS, Inputs, Preset

if TYPE_CHECKING:  # commands speak through this module too, without a database
    from router.models import QuoteRow

PRESETS: Mapping[Preset, Lazy] = {
    Preset.BALANCED: lazy("a bit of everything"),
    Preset.GREENEST: lazy("least CO₂e"),
    Preset.SOONEST: lazy("soonest"),
    Preset.CHEAPEST: lazy("cheapest"),
}

LINES: Mapping[str, Lazy] = {
    "material": lazy("Material"),
    "machine time": lazy("Machine time"),
    "labour": lazy("Work by hand"),
    "carriage": lazy("Carriage"),
    "commons contribution": lazy("For the design's commons"),
}
"""Lines of a price, by the label that is stored."""

SAID: Mapping[str, Lazy] = {
    each.message: each
    for each in (
        lazy("estimated from volume, shell and infill, before slicing"),
        lazy("estimated from shape, speed and layers, before slicing"),
        lazy("the workshop's price for each copy"),
    )
}
"""Sources that are stored with a quote as they stand here; others name a program or a figure."""

TERMS: Mapping[str, Lazy] = {
    "co2e": lazy("CO₂e"),
    "price": lazy("Price"),
    "lateness": lazy("Waiting time"),
    "risk": lazy("Risk of failing"),
    "fairness": lazy("Idle workshop"),
}
"""Terms of a rank, by the name that is stored."""

AXES: Mapping[str, Lazy] = {
    "process": lazy("it works by %(available)s, the part needs %(needed)s"),
    "width": lazy("its bed is %(available)s mm, the part needs %(needed)s mm"),
    "height": lazy("it prints %(available)s mm high, the part is %(needed)s mm"),
    "material": lazy("%(available)s is loaded, not %(needed)s"),
    "colour": lazy("the colour is %(available)s, not %(needed)s"),
    "material_left": lazy("%(available)s g are left on its spool, %(needed)s g are needed"),
    "nozzle": lazy("it has %(available)s µm, too narrow for %(needed)s µm"),
    "nozzle_temperature": lazy("its nozzle reaches %(available)s °C, %(needed)s °C are needed"),
    "bed_temperature": lazy("its bed reaches %(available)s °C, %(needed)s °C are needed"),
    "enclosure": lazy("it has no closed chamber"),
    "accepting": lazy("it is paused"),
    "trial": lazy("its settings are not proved yet: %(needed)s is what it waits for"),
    "quiet": lazy("it keeps quiet hours: %(needed)s h never fit between them"),
    "seen": lazy("its agent does not answer: %(available)s"),
    "distance": lazy("it is %(available)s km away, %(needed)s km were asked for"),
    "carriage": lazy("no way there that was asked for: %(needed)s; it offers %(available)s"),
    "price": lazy("it would cost %(available)s, %(needed)s were asked for"),
    "deadline": lazy("it would be ready %(available)s, %(needed)s was asked for"),
    "currency": lazy("it is paid in %(available)s, not %(needed)s"),
}

RESTING: Mapping[str, Lazy] = {
    "paused": lazy("it is paused"),
    "draining": lazy("it finishes what waits for it and takes no new order"),
    "maintenance": lazy("it is in maintenance"),
}
"""Why a printer takes no order, by its duty."""

FIXERS: Mapping[Fixer, Lazy] = {
    Fixer.WORKSHOP: lazy("the workshop can change that"),
    Fixer.MAKER: lazy("you can change that"),
    Fixer.DESIGNER: lazy("only another design could change that"),
    Fixer.NOBODY: lazy("another printer is needed"),
}

STANDING: Mapping[Axis, Lazy] = {
    Axis.PROCESS: lazy("they work by another process"),
    Axis.WIDTH: lazy("their bed is too small"),
    Axis.HEIGHT: lazy("they do not print so high"),
    Axis.MATERIAL: lazy("another material is loaded"),
    Axis.COLOUR: lazy("another colour is loaded"),
    Axis.MATERIAL_LEFT: lazy("too little is left on the spool"),
    Axis.NOZZLE: lazy("their nozzle is too narrow for such layers"),
    Axis.NOZZLE_TEMPERATURE: lazy("their nozzle does not get so hot"),
    Axis.BED_TEMPERATURE: lazy("their bed does not get so hot"),
    Axis.ENCLOSURE: lazy("they have no closed chamber"),
    Axis.ACCEPTING: lazy("they are paused"),
    Axis.TRIAL: lazy("their settings are not proved yet"),
    Axis.QUIET: lazy("it would not fit between their quiet hours"),
    Axis.SEEN: lazy("their agent does not answer"),
    Axis.DISTANCE: lazy("they are too far away"),
    Axis.CARRIAGE: lazy("no way from there that was asked for"),
    Axis.PRICE: lazy("they are dearer than was asked for"),
    Axis.CURRENCY: lazy("they are paid in another currency"),
}
"""What stands in the way, of many printers."""

ORIENTATIONS: Mapping[str, Lazy] = {
    "as_modelled": lazy("As it was modelled"),
    "best": lazy("Turned so that it leans out least"),
    "top": lazy("On its top"),
    "left": lazy("On its left side"),
    "right": lazy("On its right side"),
    "front": lazy("On its front"),
    "back": lazy("On its back"),
}
"""Which side of a part as modelled lies on the bed."""

TO_CHANGE: Mapping[Axis, Lazy] = {
    Axis.MATERIAL: lazy("Choose a material that is loaded somewhere."),
    Axis.COLOUR: lazy("Take any colour."),
    Axis.MATERIAL_LEFT: lazy("Ask for fewer copies."),
    Axis.NOZZLE: lazy("Choose thinner layers."),
    Axis.CARRIAGE: lazy("Allow every way that it may reach you, or name another place."),
    Axis.DISTANCE: lazy("Name another place."),
    Axis.WIDTH: lazy(
        "The part is too large for the printers here: only its designer can split it."
    ),
    Axis.HEIGHT: lazy(
        "The part is too tall for the printers here: only its designer can split it."
    ),
    Axis.ACCEPTING: lazy("Ask again later, or write to the workshop: it is paused."),
    Axis.TRIAL: lazy("Ask again in some minutes: a cube is sliced for them first."),
    Axis.SEEN: lazy("Ask again later: the printers are switched off."),
}
"""What a maker can do about the reason that most printers have."""

NOTHING_COUNTS = lazy("does not count")
MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One term of a rank as it is drawn."""

    name: str
    value: str
    weight: str
    points: str
    share: str
    ppm: int
    kind: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceLine:
    """One line of a price as it is shown."""

    name: str
    source: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One factor behind a quote."""

    name: str
    value: str
    text: str
    checked: bool


def reason(why: Reason, *, currency: str) -> str:
    """Why a printer cannot, and who could change it."""
    who = _("you can leave it out") if why.part else str(FIXERS[why.who_can_fix])
    return _("%(reason)s (%(who)s)", reason=plain_reason(why, currency=currency), who=who)


def plain_reason(why: Reason, *, currency: str) -> str:
    """Why a printer cannot."""
    needed, available = why.needed, why.available
    if why.axis is Axis.ACCEPTING and available in RESTING:
        return str(RESTING[available])
    if why.axis is Axis.PRICE:
        limit = needed.removeprefix("at most ")
        needed = _("at most %(amount)s", amount=_money(limit, currency))
        available = _money(available, currency)
    text = str(AXES[why.axis.value])
    said = text % {"needed": needed or _("any"), "available": available or _("nothing")}
    return _("%(part)s: %(reason)s", part=why.part, reason=said) if why.part else said


def standing(axis: Axis, *, part: str) -> str:
    """What stands in the way, of many printers; of one part where several are asked for."""
    said = str(STANDING[axis])
    return _("%(part)s: %(reason)s", part=part, reason=said) if part else said


def advice(axis: Axis, *, part: str) -> str:
    """What a maker can do about it, or nothing."""
    if part:
        return _("Leave this part out here, and order it on its own.")
    return str(TO_CHANGE.get(axis, ""))


def term(name: str, value: int, unit: str, *, currency: str) -> str:
    """The figure behind one term of a rank."""
    if unit == "minor":
        return words.money(value, currency)
    if unit == "h":
        return ngettext("%(n)s hour idle", "%(n)s hours idle", value)
    if name == "risk":
        return _("%(share)s succeed", share=_per_cent(math.exp(-value / MILLION)))
    if unit == "mg":
        return _("%(mass)s CO₂e", mass=words.grams(value))
    return words.amount(value, unit) if unit == "s" else f"{value:,} {unit}"


def points(cost: int) -> str:
    """A cost of the ranking in whole units; it ranks and is never charged."""
    return words.tenths(cost / MILLION)


def bars(row: "QuoteRow", inputs: Inputs) -> list[Bar]:
    """The terms of a quote's rank: how much of its cost each is, and by which weight."""
    weights = WEIGHTS[Preset(inputs.preset)]
    weighed = {
        "co2e": _weight(weights.co2e_per_mg * 1_000, _("per gram")),
        "price": _weight(weights.price_per_minor, _("per smallest coin")),
        "lateness": _weight(weights.late_per_s * 3_600, _("per hour")),
        "risk": _weight(weights.risk_per_nat, _("per unit of −ln of the chance")),
        "fairness": _weight(-weights.idle_per_h, _("per idle hour")),
    }
    most = max((abs(each["cost"]) for each in row.terms), default=0) or 1
    total = sum(abs(each["cost"]) for each in row.terms) or 1
    return [
        Bar(
            name=str(TERMS.get(each["name"], each["name"])),
            value=term(each["name"], each["value"], each["unit"], currency=row.currency),
            weight=weighed.get(each["name"], ""),
            points=points(each["cost"]),
            share=_per_cent(abs(each["cost"]) / total),
            ppm=abs(each["cost"]) * MILLION // most,
            kind=_kind(each["name"], each["cost"], inputs),
            source=each["source"],
        )
        for each in row.terms
    ]


def lines(row: "QuoteRow") -> list[PriceLine]:
    """The lines of a price with where each comes from."""
    inputs = Inputs.from_json(row.inputs)
    told = {
        "material": mass_sources(inputs),
        "machine time": duration_sources(inputs),
        "carriage": _(
            "%(distance)s by road, the workshop's price",
            distance=words.distance(inputs.distance_m),
        ),
        "commons contribution": _(
            "%(share)s of material, machine time and work by hand, for the design",
            share=words.share(inputs.prices.contribution_bp),
        ),
    }
    return [
        PriceLine(
            name=str(LINES.get(line["label"], line["label"])),
            source=told.get(line["label"]) or said(line["source"]),
            amount_minor=line["amount_minor"],
        )
        for line in row.lines
    ]


def mass_sources(inputs: Inputs) -> str:
    """Where the grams come from: once, where it is the same for all parts."""
    return _sources([(each.part, each.mass_source) for each in inputs.items])


def duration_sources(inputs: Inputs) -> str:
    """Where the minutes come from."""
    return _sources([(each.part, each.duration_source) for each in inputs.items])


def _sources(of_parts: Sequence[tuple[str, str]]) -> str:
    if len({source for _part, source in of_parts}) == 1:
        return said(of_parts[0][1])
    return "; ".join(f"{part}: {said(source)}" for part, source in of_parts)


def said(source: str) -> str:
    """A stored source in the spoken language, where it is one of ours."""
    return str(SAID.get(source, source))


def sources(inputs: Inputs) -> list[Source]:
    """The factors that a quote's CO2e and kilometres are made of, with where they come from."""
    used, mode = factors(inputs.factors), Mode(inputs.mode)
    transport, shared = used.transport(mode)
    per_km = _("%(mass)s per km of the trip", mass=words.grams(transport.value))
    per_t = _("%(mass)s per tonne and km", mass=words.grams(transport.value))
    grid, material = used.grid(inputs.country), used.material(inputs.material)
    power = used.single("energy", "per_mille_of_rated_power")
    waste, circuity = used.single("waste_bp"), used.circuity(inputs.country)
    return [
        _source(_("Carrying"), per_t if shared else per_km, transport),
        _source(
            _("Electricity: %(country)s", country=countries.name(inputs.country)),
            _("%(mass)s per kWh", mass=words.grams(grid.value)),
            grid,
        ),
        _source(inputs.material, _("%(mass)s per kg", mass=words.grams(material.value)), material),
        _source(
            _("Power of the printer"),
            _("%(share)s of its rating", share=_per_cent(power.value / 1_000)),
            power,
        ),
        _source(_("Waste"), words.share(waste.value), waste),
        _source(
            _("Road over straight line"), f"× {words.number(circuity.value / 1_000, 2)}", circuity
        ),
    ]


def _source(name: str, value: str, factor: Factor) -> Source:
    return Source(name=name, value=value, text=factor.source, checked=factor.checked)


def _weight(each: int, unit: str) -> str:
    if each == 0:
        return str(NOTHING_COUNTS)
    digits = 4 if abs(each) < MILLION else 1
    return f"× {words.number(each / MILLION, digits)} {unit}".replace("-", "−")


def _kind(name: str, cost: int, inputs: Inputs) -> str:
    if cost < 0:
        return "bonus"
    return "over" if name == "lateness" and inputs.late_after_s and cost else ""


def _per_cent(share: float) -> str:
    return f"{100 * share:.0f}{words.NO_BREAK}%"


def _money(text: str, currency: str) -> str:
    return words.money(int(text), currency) if text.isdigit() else text
