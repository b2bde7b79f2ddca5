"""`designhub quote` and `designhub order`."""

import secrets
from collections.abc import Callable
from typing import Any
from uuid import UUID

import click

from basis.errors import NotAllowed
from designhub.api import schema
from designhub.client import HubApi
from designhub.commands.common import hub_options, json_option, note, put, put_json, put_table
from designhub.web import quote_words, words
from printers.capability import ORIENTATIONS
from router.matching import Axis, Fixer, Reason

MODES = ("foot", "bicycle", "car", "parcel")
PRESETS = ("balanced", "greenest", "soonest", "cheapest")

WISHES = (
    click.option("--near", metavar="PLACE", help='"Seoul", "Ulm, DE" or "48.4,9.98".'),
    click.option("--version", help="A tag, branch or commit; the newest tag, else main."),
    click.option(
        "--part",
        "parts",
        multiple=True,
        metavar="PART[:COPIES]",
        help="Which part, where a design has several; repeat it for several parts in one order.",
    ),
    click.option("--copies", default=1, type=click.IntRange(1, 100), show_default=True),
    click.option("--material", default="PLA", show_default=True),
    click.option("--colour", help="Any, when left out."),
    click.option("--layer-um", default=200, show_default=True, help="Layer height in µm."),
    click.option("--infill", default=20, show_default=True, help="Per cent."),
    click.option("--perimeters", default=2, show_default=True, help="Outlines of each layer."),
    click.option("--supports", is_flag=True, help="Prop up what overhangs."),
    click.option(
        "--orientation",
        type=click.Choice(ORIENTATIONS),
        default=ORIENTATIONS[0],
        show_default=True,
        help="Which side lies on the bed; best leans out least.",
    ),
    click.option("--brim-mm", default=0, show_default=True, help="A flat rim, to stick better."),
    click.option("--by", "modes", multiple=True, type=click.Choice(MODES), help="How it travels."),
    click.option("--prefer", default="balanced", type=click.Choice(PRESETS), show_default=True),
    click.option("--deadline", metavar="TIME", help="Such as 2026-03-01T18:00Z."),
    click.option("--max-km", type=click.IntRange(1), help="Not further away than this."),
    click.option("--max-price", metavar="MINOR", type=click.IntRange(0), help="In cents."),
)


def wishes(command: Callable[..., Any]) -> Callable[..., Any]:
    """What a maker may wish for."""
    for option in reversed(WISHES):
        command = option(command)
    return command


def wish(design: str, said: dict[str, Any]) -> schema.QuoteAsk:
    """The question that the options make. Raises UsageError without a place."""
    if not said["near"]:
        raise click.UsageError('say where you are: --near "Seoul", or latitude,longitude')
    named = [_part(text, copies=said["copies"]) for text in said["parts"] or (None,)]
    return schema.QuoteAsk(
        design=design,
        place=said["near"],
        version=said["version"],
        part=named[0].part if len(named) == 1 else None,
        copies=named[0].copies if len(named) == 1 else 1,
        parts=named if len(named) > 1 else [],
        material=said["material"],
        colour=said["colour"],
        layer_height_um=said["layer_um"],
        infill_pct=said["infill"],
        perimeters=said["perimeters"],
        supports=said["supports"],
        orientation=said["orientation"],
        brim_mm=said["brim_mm"],
        preset=said["prefer"],
        modes=list(said["modes"]),
        deadline=said["deadline"],
        max_distance_m=said["max_km"] * 1_000 if said["max_km"] else None,
        max_total_minor=said["max_price"],
    )


def _part(text: str | None, *, copies: int) -> schema.PartAsk:
    """A part as it is said on the command line: `lid`, or `lid:2` for two of it."""
    name, colon, number = (text or "").rpartition(":")
    if colon and number.isascii() and number.isdigit() and len(number) < 4:
        return schema.PartAsk(part=name, copies=int(number))
    return schema.PartAsk(part=text, copies=copies)


@click.command()
@click.argument("design", metavar="OWNER/NAME")
@wishes
@hub_options
@json_option
def quote(api: HubApi, design: str, as_json: bool, **said: Any) -> None:
    """Ask who near a place would make a part, or several: the best offers first, and who could
    not, and why. Several parts are made by one printer and travel together.

    \b
    designhub quote ada/hook --near Seoul
    designhub quote ada/pump --part lid --near 48.4,9.98 --material PETG --prefer greenest
    designhub quote ada/pump --part lid:2 --part body --near Ulm
    """
    found = api.ask(schema.Quotes, "POST", "/quotes", wish(design, said))
    if as_json:
        put_json(found)
        return
    rows = [
        (
            str(each.id),
            place(each.where),
            words.distance(each.distance_m),
            each.mode,
            words.money(each.total_minor, each.currency),
            words.grams(each.mass_mg),
            words.duration(each.duration_s),
            words.grams(each.co2e_mg),
        )
        for each in found.quotes
    ]
    headings = ("quote", "printer", "distance>", "by", "price>", "mass>", "print>", "CO2e>")
    put_table(headings, rows, none="Nobody can make it as asked.")
    for each in (*found.near_misses, *found.refusals):
        put(f"{place(each.where)}, {words.distance(each.distance_m)}: no: {why(each)}")
    if found.quotes:
        put(f"Order one with: designhub order {found.quotes[0].id}")


@click.command()
@click.argument("what", metavar="QUOTE|OWNER/NAME")
@click.option("--key", help="Sending the same key again orders nothing new.")
@wishes
@hub_options
@json_option
def order(api: HubApi, what: str, key: str | None, as_json: bool, **said: Any) -> None:
    """Order by a quote's id, or from the best quote for a design near a place.

    \b
    designhub order 1f6c2b1e-…
    designhub order ada/hook --near Seoul --prefer cheapest
    """
    quote_id = _uuid(what)
    if quote_id is None:
        best = best_quote(api, wish(what, said))
        quote_id = best.id
        note(
            f"{place(best.where)}, {words.distance(best.distance_m)} away by {best.mode}:"
            f" {words.money(best.total_minor, best.currency)}"
        )
    asked = schema.OrderAsk(quote=quote_id, key=key or secrets.token_hex(16))
    made = api.ask(schema.Order, "POST", "/orders", asked)
    if as_json:
        put_json(made)
        return
    put(f"Ordered for {words.money(made.total_minor, made.currency)}.")
    for part in made.parts:
        for copy, job in enumerate(part.jobs, start=1):
            what = f"  # {part.part}, copy {copy} of {len(part.jobs)}" if made.jobs[1:] else ""
            put(f"designhub job show {job} --watch{what}")


def best_quote(api: HubApi, asked: schema.QuoteAsk) -> schema.Quote:
    """The first quote. Raises NotAllowed with every printer's reasons when there is none."""
    found = api.ask(schema.Quotes, "POST", "/quotes", asked)
    if found.quotes:
        return found.quotes[0]
    refusals = (*found.near_misses, *found.refusals)
    if not refusals:
        raise NotAllowed("this hub has no printer yet: designhub printer enrol")
    reasons = "; ".join(f"{place(each.where)}: {why(each)}" for each in refusals[:5])
    raise NotAllowed(f"nobody can make it as asked: {reasons}")


def place(where: schema.Where) -> str:
    """A printer and where it stands."""
    return f"{where.workshop}/{where.printer_name} in {where.place}"


def why(refusal: schema.Refusal) -> str:
    """All reasons why a printer cannot, and who could change each."""
    return "; ".join(_reason(each) for each in refusal.reasons)


def _reason(each: schema.WhyNot) -> str:
    try:
        reason = Reason(
            axis=Axis(each.axis),
            needed=each.needed,
            available=each.available,
            unit=each.unit,
            who_can_fix=Fixer(each.who_can_fix),
            part=each.part,
        )
    except ValueError:  # of a newer hub
        return f"{each.axis}: needs {each.needed}, has {each.available} {each.unit}".strip()
    if reason.axis is Axis.PRICE:  # in the printer's own currency, which a refusal does not tell
        return f"it would cost {each.available} {each.unit}, you allow {each.needed}"
    return quote_words.reason(reason, currency="")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
