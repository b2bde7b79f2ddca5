"""One quote: what parts cost on one printer, what they emit, how long they take, and their rank.

Pure: everything that enters stands in `Inputs`, which is stored with the quote, so that anybody can
compute the same total and the same cost again.

    cost = w_c·CO2e + w_e·price + w_t·lateness + w_r·(−ln P(success)) − fairness

in millionths of a cost unit, whole numbers; one cost unit is one minor unit of money in the preset
`balanced`. Lower is better. Cost ranks; it is never charged.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from basis.units import ceil_div
from printers.offer import Carriage, Mode, Prices
from router.emissions import Factors, energy_mwh, factors, print_mg, transport_mg

PRIOR_PASSED, PRIOR_TRIES = 9, 10
"""A new printer is taken to succeed nine times in ten, until its own record says otherwise."""

HANDLING_S = 1_800
"""Taking the part off, looking, putting it out: half an hour."""

BED_WAIT_S = 7_200
"""What a person is taken to need until they clear an occupied bed."""

SPEED_M_PER_H: Mapping[Mode, int] = {Mode.FOOT: 5_000, Mode.BICYCLE: 15_000, Mode.CAR: 50_000}
PARCEL_S = 86_400
"""A parcel is there the next day."""

MOST_IDLE_H = 24


class Preset(StrEnum):
    """What the maker cares for most. The weights are published and part of every quote."""

    BALANCED = "balanced"
    GREENEST = "greenest"
    SOONEST = "soonest"
    CHEAPEST = "cheapest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Millionths of a cost unit for one step of each term."""

    co2e_per_mg: int
    price_per_minor: int
    late_per_s: int
    risk_per_nat: int
    idle_per_h: int


WEIGHTS: Mapping[Preset, Weights] = {
    # 20 µ per mg is 0.02 cents a gram, or 200 a tonne; an hour of waiting is worth 20 cents.
    Preset.BALANCED: Weights(
        co2e_per_mg=20,
        price_per_minor=1_000_000,
        late_per_s=5_556,
        risk_per_nat=200_000_000,
        idle_per_h=500_000,
    ),
    Preset.GREENEST: Weights(
        co2e_per_mg=2_000,
        price_per_minor=10_000,
        late_per_s=56,
        risk_per_nat=200_000_000,
        idle_per_h=500_000,
    ),
    Preset.SOONEST: Weights(
        co2e_per_mg=1,
        price_per_minor=10_000,
        late_per_s=277_778,
        risk_per_nat=200_000_000,
        idle_per_h=0,
    ),
    Preset.CHEAPEST: Weights(
        co2e_per_mg=1,
        price_per_minor=1_000_000,
        late_per_s=56,
        risk_per_nat=100_000_000,
        idle_per_h=0,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One part of a quote and how many copies of it."""

    part: str = ""
    """Its name, for people; nothing is computed from it."""
    copies: int
    mass_mg: int
    """One copy, as estimated."""
    mass_source: str
    duration_s: int
    """One copy, as estimated."""
    duration_source: str
    pieces: int = 1
    """Most copies of it that lie on one plate."""

    def to_json(self) -> dict[str, Any]:
        """For the inputs of a quote."""
        said = asdict(self)
        if self.pieces == 1:  # so that quotes from before there were plates keep their names
            del said["pieces"]
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All that a quote is made of; stored with it, as JSON."""

    items: tuple[Item, ...]
    material: str
    material_per_kg_minor: int
    prices: Prices
    carriage: Carriage
    mode: str
    great_circle_m: int
    circuity_per_mille: int
    country: str
    rated_power_w: int
    passed: int
    failed: int
    queue_s: int
    bed_clear: bool
    idle_h: int
    late_after_s: int
    """Seconds from now to the deadline; 0 when there is none, so that every hour counts."""
    preset: str
    factors: str
    quiet_s: int = 0
    """What quiet hours add until the last copy is printed."""

    @property
    def distance_m(self) -> int:
        """By road, as stated: great circle times circuity, rounded up."""
        return ceil_div(self.great_circle_m * self.circuity_per_mille, 1_000)

    @property
    def copies(self) -> int:
        """Of all parts together."""
        return sum(item.copies for item in self.items)

    @property
    def prints(self) -> int:
        """How many plates are printed."""
        return sum(len(plates(item.copies, item.pieces)) for item in self.items)

    @property
    def mass_mg(self) -> int:
        """Of everything together."""
        return sum(item.mass_mg * item.copies for item in self.items)

    @property
    def duration_s(self) -> int:
        """Of all prints together."""
        return sum(item.duration_s * item.copies for item in self.items)

    def to_json(self) -> dict[str, Any]:
        """For the row; `from_json` reads it back."""
        said = asdict(self)
        said |= {
            "items": [item.to_json() for item in self.items],
            "prices": self.prices.to_json(),
            "carriage": self.carriage.to_json(),
        }
        if not self.quiet_s:  # so that quotes from before there were quiet hours keep their names
            del said["quiet_s"]
        return said

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Inputs":
        """Read stored inputs. Those of a time when a quote had one part hold its figures beside
        the others."""
        prices, carriage = Prices.from_json(data["prices"]), Carriage.from_json(data["carriage"])
        rest = {name: value for name, value in data.items() if name not in ONE_PART}
        one = {name: data[name] for name in ONE_PART if name in data}
        items = tuple(Item(**each) for each in data.get("items", [one]))
        return cls(**{**rest, "items": items, "prices": prices, "carriage": carriage})

    def sha256(self) -> str:
        """Names these inputs: equal inputs give equal quotes."""
        return sha256_of(self.to_json())


ONE_PART = ("copies", "mass_mg", "mass_source", "duration_s", "duration_source")
"""What stood in the inputs themselves while a quote had one part."""


def sha256_of(stored: Mapping[str, Any]) -> str:
    """The sha256 of stored inputs, in whichever form they were stored."""
    text = json.dumps(stored, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One reason for a part of the price."""

    label: str
    amount_minor: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One reason for a part of the rank."""

    name: str
    value: int
    unit: str
    cost: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What follows from `Inputs`."""

    lines: tuple[Line, ...]
    terms: tuple[Term, ...]
    total_minor: int
    co2e_mg: int
    eta_s: int
    cost: int


def quote(inputs: Inputs) -> Quote:
    """Price and rank one order on one printer.

    Each line is rounded up once, so the total is exactly the sum of the lines a person sees; the
    cost is exactly the sum of the terms.
    """
    used = factors(inputs.factors)
    lines = _lines(inputs)
    total_minor = sum(line.amount_minor for line in lines)
    terms = _terms(inputs, used, total_minor=total_minor)
    return Quote(
        lines=lines,
        terms=terms,
        total_minor=total_minor,
        co2e_mg=terms[0].value,
        eta_s=eta_s(inputs),
        cost=sum(term.cost for term in terms),
    )


def plates(copies: int, pieces: int) -> list[int]:
    """How many copies lie on each plate when `pieces` fit on one: full plates first, so that most
    of them are sliced once."""
    full, rest = divmod(copies, pieces)
    return [pieces] * full + ([rest] if rest else [])


def copy_weights(inputs: Inputs) -> list[int]:
    """What each copy in an order takes to make, in the order of parts and copies: its share of the
    price is in proportion. Whole numbers of a unit so small that nothing is rounded."""
    return [
        item.mass_mg * inputs.material_per_kg_minor * 3_600
        + item.duration_s * inputs.prices.per_hour_minor * 1_000_000
        + inputs.prices.labour_minor * 3_600_000_000
        for item in inputs.items
        for _copy in range(item.copies)
    ]


def made_minor(inputs: Inputs, *, mass_mg: int, duration_s: int) -> int:
    """Material and machine time of one plate at other figures: what a slice is compared by."""
    material = ceil_div(mass_mg * inputs.material_per_kg_minor, 1_000_000)
    return material + ceil_div(duration_s * inputs.prices.per_hour_minor, 3_600)


def start_s(*, queue_s: int, bed_clear: bool) -> int:
    """Seconds from now until a printer could begin."""
    return queue_s + (0 if bed_clear else BED_WAIT_S)


def eta_s(inputs: Inputs) -> int:
    """Seconds from now until the maker has the last print, as far as anybody can tell."""
    begin_s = start_s(queue_s=inputs.queue_s, bed_clear=inputs.bed_clear) + inputs.quiet_s
    between_s = BED_WAIT_S * (inputs.prints - 1)  # each print waits for a person to clear the bed
    made_s = begin_s + inputs.duration_s + between_s + HANDLING_S
    speed = SPEED_M_PER_H.get(Mode(inputs.mode))
    carried_s = PARCEL_S if speed is None else ceil_div(inputs.distance_m * 3_600, speed)
    return made_s + carried_s


def _lines(inputs: Inputs) -> tuple[Line, ...]:
    prices = inputs.prices
    material = ceil_div(inputs.mass_mg * inputs.material_per_kg_minor, 1_000_000)
    machine = ceil_div(inputs.duration_s * prices.per_hour_minor, 3_600)
    labour = prices.labour_minor * inputs.copies
    contribution = ceil_div((material + machine + labour) * prices.contribution_bp, 10_000)
    way = inputs.carriage
    return (
        Line(
            label="material",
            amount_minor=material,
            source=_said([(each.part, each.mass_source) for each in inputs.items]),
        ),
        Line(
            label="machine time",
            amount_minor=machine,
            source=_said([(each.part, each.duration_source) for each in inputs.items]),
        ),
        Line(label="labour", amount_minor=labour, source="the workshop's price for each copy"),
        Line(
            label="carriage",
            amount_minor=way.price_minor(distance_m=inputs.distance_m),
            source=f"by {way.mode}, {inputs.distance_m / 1000:.1f} km: the workshop's price",
        ),
        Line(
            label="commons contribution",
            amount_minor=contribution,
            source=f"{prices.contribution_bp / 100:g} % of material, machine time and labour,"
            " for the design",
        ),
    )


def _said(sources: Sequence[tuple[str, str]]) -> str:
    """Where the figures of all parts come from: once, where it is the same of all."""
    if len({source for _part, source in sources}) == 1:
        return sources[0][1]
    return "; ".join(f"{part}: {source}" for part, source in sources)


def _terms(inputs: Inputs, used: Factors, *, total_minor: int) -> tuple[Term, ...]:
    weights = WEIGHTS[Preset(inputs.preset)]
    carried_mg, made_mg, co2e_source = _co2e(inputs, used)
    tries, won = inputs.passed + inputs.failed + PRIOR_TRIES, inputs.passed + PRIOR_PASSED
    # A failed run burns power and plastic, not transport.
    co2e_mg = carried_mg + ceil_div(made_mg * tries, won)
    late_s = max(0, eta_s(inputs) - inputs.late_after_s)
    risk = round(math.log(tries / won) * 1_000_000)
    idle_h = min(inputs.idle_h, MOST_IDLE_H)
    return (
        Term(
            name="co2e",
            value=co2e_mg,
            unit="mg",
            cost=weights.co2e_per_mg * co2e_mg,
            source=co2e_source,
        ),
        Term(
            name="price",
            value=total_minor,
            unit="minor",
            cost=weights.price_per_minor * total_minor,
            source="the lines of this quote",
        ),
        Term(
            name="lateness",
            value=late_s,
            unit="s",
            cost=weights.late_per_s * late_s,
            source=f"queue, bed, {'quiet hours, ' if inputs.quiet_s else ''}print, handling and"
            " way, beyond the deadline (or from now)",
        ),
        Term(
            name="risk",
            value=risk,
            unit="millionths of -ln P",
            cost=ceil_div(weights.risk_per_nat * risk, 1_000_000),
            source=f"{inputs.passed} of {inputs.passed + inputs.failed} prints passed here,"
            f" with a prior of {PRIOR_PASSED} in {PRIOR_TRIES}",
        ),
        Term(
            name="fairness",
            value=idle_h,
            unit="h",
            cost=-weights.idle_per_h * idle_h,
            source=f"hours without work, at most {MOST_IDLE_H}: work is shared out",
        ),
    )


def _co2e(inputs: Inputs, used: Factors) -> tuple[int, int, str]:
    """Carrying everything, and making it once; mg, with the sources in words."""
    mode, mass_mg = Mode(inputs.mode), inputs.mass_mg
    carried = transport_mg(used, mode=mode, distance_m=inputs.distance_m, mass_mg=mass_mg)
    power = energy_mwh(used, rated_power_w=inputs.rated_power_w, duration_s=inputs.duration_s)
    made = print_mg(
        used,
        energy_mwh=power,
        mass_mg=mass_mg,
        country=inputs.country,
        material=inputs.material,
    )
    sources = (
        f"{carried / 1000:.1f} g carrying ({used.transport(mode)[0].said})",
        f"{made / 1000:.1f} g making once (grid: {used.grid(inputs.country).said};"
        f" material: {used.material(inputs.material).said};"
        f" power: {used.single('energy', 'per_mille_of_rated_power').said})",
        f"factors {used.id}",
    )
    return carried, made, "; ".join(sources)


def late_after_s(deadline: datetime | None, now: datetime) -> int:
    """Seconds left to a deadline; none, or one gone by, is 0."""
    return 0 if deadline is None else max(0, int((deadline - now).total_seconds()))
