"""What the hub is, in plain words, and every emission factor it reckons with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from designhub.language import Lazy, _, lazy
from designhub.web import countries, words
from printers.offer import Mode
from router.emissions import Factor, Factors, factors

bp = Blueprint("about", __name__)

WAYS: Mapping[Mode, Lazy] = {
    Mode.FOOT: lazy("on foot"),
    Mode.BICYCLE: lazy("by bicycle"),
    Mode.CAR: lazy("by car"),
    Mode.PARCEL: lazy("as a parcel, by mass"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One factor as a person reads it."""

    what: str
    figure: str
    source: str
    checked: bool


@bp.get("/about")
def about() -> ResponseReturnValue:
    """How an order becomes a part, what is counted, and who is owed what."""
    used = factors()
    return render_template(
        "about.html",
        set=used,
        tables=(
            (_("Carrying"), list(_carrying(used))),
            (_("Filament"), list(_filament(used))),
            (_("What else is assumed"), list(_others(used))),
        ),
        grid=list(_grid(used)),
    )


def _carrying(used: Factors) -> Iterator[Row]:
    for mode, name in WAYS.items():
        factor, shared = used.transport(mode)
        per = _("g per km and tonne") if shared else _("g per km")
        yield _row(str(name), words.number(factor.value / 1_000, 2), per, factor)


def _filament(used: Factors) -> Iterator[Row]:
    for material in used.data["material"]:
        factor = used.material(material)
        name = _("any other") if material == "other" else material
        yield _row(name, words.number(factor.value / 1_000_000, 3), _("kg per kg"), factor)


def _grid(used: Factors) -> Iterator[Row]:
    for country in sorted(used.data["grid"], key=lambda code: (code == "world", code)):
        factor = used.grid(country)
        name = _("any other country") if country == "world" else countries.name(country)
        yield _row(name, words.number(factor.value / 1_000), _("g per kWh"), factor)


def _others(used: Factors) -> Iterator[Row]:
    power = used.single("energy", "per_mille_of_rated_power")
    waste, packaging = used.single("waste_bp"), used.single("packaging_mg")
    yield Row(
        what=_("Power that a printer draws, of what its supply can give"),
        figure=words.share(power.value * 10),
        source=power.source,
        checked=power.checked,
    )
    yield Row(
        what=_("Filament that becomes waste, beside the part"),
        figure=words.share(waste.value),
        source=waste.source,
        checked=waste.checked,
    )
    yield Row(
        what=_("Packaging that is carried with a parcel"),
        figure=words.grams(packaging.value),
        source=packaging.source,
        checked=packaging.checked,
    )
    for country in used.data["circuity_per_mille"]:
        factor = used.circuity(country)
        where = _("any other country") if country == "other" else countries.name(country)
        yield Row(
            what=_("Road for each kilometre of the straight line: %(country)s", country=where),
            figure=f"{words.number(factor.value / 1_000, 2)}{words.NO_BREAK}km",
            source=factor.source,
            checked=factor.checked,
        )


def _row(what: str, figure: str, unit: str, factor: Factor) -> Row:
    return Row(
        what=what,
        figure=f"{figure}{words.NO_BREAK}{unit}",
        source=factor.source,
        checked=factor.checked,
    )
