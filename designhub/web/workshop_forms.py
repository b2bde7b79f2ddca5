"""Forms of a workshop and its printers: opening, changing, adding."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Blueprint, g, redirect, render_template, request
from flask.typing import ResponseReturnValue

from basis import clock
from basis.errors import HubError, Invalid
from designhub import access, worker
from designhub.accounts import plain_text
from designhub.errors import status_of
from designhub.hub import this_hub
from designhub.language import _
from designhub.web import printer_words, quote_words, words
from designhub.web.printer import own
from designhub.web.printer_service import said_quiet
from designhub.web.session import signed_in
from printers import hours, registry
from printers.capability import COMMON, Profile
from printers.gcode_flavours import FLAVOURS
from printers.hours import DAYS, hours_of
from printers.models import WorkshopRow
from printers.offer import Carriage, Mode, Prices
from printers.presets import Built
from printers.quiet import Quiet
from router import care
from router.emissions import factors
from router.globe import find_place
from router.quote import Inputs, Item, Line, Preset, quote

bp = Blueprint("workshop_forms", __name__)

MOST_TEXT = 2_000
"""Read of a text; what is too long for its place is refused there."""
EXAMPLE_MG = 50_000
EXAMPLE_S = 7_200
FIRST: Mapping[str, str] = {
    "currency": "EUR",
    "per_hour": "1.50",
    "labour": "1.00",
    "contribution": "10",
    "per_kg": "25.00",
    "way_foot": "on",
    "way_bicycle": "on",
    "way_car": "on",
    "most_km_foot": "10",
    "most_km_bicycle": "40",
    "most_km_car": "200",
    "most_km_parcel": "1000",
}
"""What an empty form begins with: come and fetch it."""


@bp.get("/workshops/new")
@signed_in
def new() -> ResponseReturnValue:
    """The form of a workshop that is not there yet."""
    return _form(FIRST)


@bp.post("/workshops/new")
@signed_in
def opened() -> ResponseReturnValue:
    """Open it, or only show what a part would cost."""
    if "example" in request.form:
        return _example()
    try:
        with this_hub().database.writing() as session:
            row = registry.create_workshop(
                session,
                owner_id=g.caller.id,
                slug=request.form.get("slug", "").strip(),
                said=_said(None),
                now=clock.now(),
            )
            address = f"/workshops/{row.slug}/printers/new"
    except HubError as exc:
        return _form(request.form, fault=exc)
    return redirect(address, 303)


@bp.get("/workshops/<slug>/edit")
@signed_in
def edit(slug: str) -> ResponseReturnValue:
    """The form as the workshop stands."""
    with this_hub().database.reading() as session:
        row = access.own_workshop(session, g.caller, slug)
    return _form(_filled(row), row=row)


@bp.post("/workshops/<slug>/edit")
@signed_in
def changed(slug: str) -> ResponseReturnValue:
    """Change it, or only show what a part would cost."""
    with this_hub().database.reading() as session:
        row = access.own_workshop(session, g.caller, slug)
    if "example" in request.form:
        return _example(row)
    try:
        with this_hub().database.writing() as session:
            fresh = access.own_workshop(session, g.caller, slug)
            registry.change_workshop(session, fresh, _said(fresh))
    except HubError as exc:
        return _form(request.form, row=row, fault=exc)
    return redirect(f"/workshops/{slug}", 303)


def _form(
    filled: Mapping[str, str],
    *,
    row: WorkshopRow | None = None,
    fault: HubError | None = None,
    example: tuple[Line, ...] = (),
) -> ResponseReturnValue:
    page = render_template(
        "workshop_form.html",
        row=row,
        filled=filled,
        fault=fault,
        example=example,
        currency=filled.get("currency", "EUR"),
        modes=list(Mode),
        printer_words=printer_words,
        quote_words=quote_words,
    )
    return page, 200 if fault is None else status_of(fault)


def _example(row: WorkshopRow | None = None) -> ResponseReturnValue:
    try:
        lines = _example_lines(_currency(), _prices(_currency()))
    except HubError as exc:
        return _form(request.form, row=row, fault=exc)
    return _form(request.form, row=row, example=lines)


def _example_lines(currency: str, prices: Prices) -> tuple[Line, ...]:
    """What 50 g in two hours would cost, fetched: by the very function that prices quotes."""
    said = request.form.get("per_kg", "") or FIRST["per_kg"]
    inputs = Inputs(
        items=(
            Item(
                copies=1,
                mass_mg=EXAMPLE_MG,
                mass_source="",
                duration_s=EXAMPLE_S,
                duration_source="",
            ),
        ),
        material="PLA",
        material_per_kg_minor=words.minor(said, currency, name="price of a kilogram"),
        prices=prices,
        carriage=Carriage(mode=Mode.FOOT),
        mode=Mode.FOOT.value,
        great_circle_m=0,
        circuity_per_mille=1_000,
        country="NO",
        rated_power_w=100,
        passed=0,
        failed=0,
        queue_s=0,
        bed_clear=True,
        idle_h=0,
        late_after_s=0,
        preset=Preset.BALANCED.value,
        factors=factors().id,
    )
    return tuple(line for line in quote(inputs).lines if line.label != "carriage")


def _said(row: WorkshopRow | None) -> registry.Description:
    """What the form says. Raises Invalid, NotFound for an unknown place."""
    currency, form = _currency(), request.form
    return registry.Description(
        **_place(row),
        title=plain_text(form.get("title", ""), most=MOST_TEXT),
        currency=currency,
        prices=_prices(currency),
        carriage=_ways(currency),
        hours=hours.said(
            plain_text(form.get("hours", ""), most=MOST_TEXT),
            {day: form.get(f"hours_{day}", "") for day in DAYS},
        ),
        quiet=said_quiet(),
        address=plain_text(form.get("address", ""), most=MOST_TEXT, lines=True),
    )


def _place(row: WorkshopRow | None) -> dict[str, Any]:
    """Where it is; a place that was not typed anew stays to the metre."""
    text = request.form.get("place", "").strip()
    if row is not None and text == row.place:
        names = ("place", "lat_udeg", "lon_udeg", "country", "time_zone")
        return {name: getattr(row, name) for name in names}
    found = find_place(text)
    return {
        "place": found.name,
        "lat_udeg": found.lat_udeg,
        "lon_udeg": found.lon_udeg,
        "country": found.country,
        "time_zone": found.time_zone,
    }


def _currency() -> str:
    text = request.form.get("currency", "").strip().upper()
    if not registry.CURRENCY.fullmatch(text):
        raise Invalid(f"currency: {text[:10]!r} is not three letters such as EUR")
    return text


def _prices(currency: str) -> Prices:
    form = request.form
    return Prices(
        per_hour_minor=words.minor(form.get("per_hour", ""), currency, name="an hour of printing"),
        labour_minor=words.minor(form.get("labour", ""), currency, name="labour for a copy"),
        contribution_bp=words.hundredths(form.get("contribution", ""), name="share of the design"),
    )


def _ways(currency: str) -> list[Carriage]:
    """Each way that is ticked."""
    form = request.form
    return [
        Carriage(
            mode=mode,
            base_minor=words.minor(form.get(f"base_{mode}", "") or "0", currency, name=mode),
            per_km_minor=words.minor(form.get(f"per_km_{mode}", "") or "0", currency, name=mode),
            most_km=_whole(f"most_km_{mode}", default=20_000),
        )
        for mode in Mode
        if f"way_{mode}" in form
    ]


def _filled(row: WorkshopRow) -> dict[str, str]:
    """A workshop as its form shows it."""
    prices, currency = Prices.from_json(row.prices), row.currency
    filled = {
        "title": row.title,
        "place": row.place,
        "currency": currency,
        "per_hour": words.plain_amount(prices.per_hour_minor, currency),
        "labour": words.plain_amount(prices.labour_minor, currency),
        "contribution": f"{prices.contribution_bp / 100:g}",
        "per_kg": FIRST["per_kg"],
        "address": row.address or "",
    }
    for each in map(Carriage.from_json, row.carriage):
        filled |= {
            f"way_{each.mode}": "on",
            f"base_{each.mode}": words.plain_amount(each.base_minor, currency),
            f"per_km_{each.mode}": words.plain_amount(each.per_km_minor, currency),
            f"most_km_{each.mode}": str(each.most_km),
        }
    if (open_at := hours_of(row.hours)) is not None:
        filled |= {"hours": open_at.text}
        filled |= {f"hours_{day}": text for day, text in open_at.days.items()}
    quiet = None if row.quiet is None else Quiet.from_json(row.quiet)
    return filled | printer_words.quiet_filled(quiet)


# Printers.


@bp.get("/workshops/<slug>/printers/new")
@signed_in
def new_printer(slug: str) -> ResponseReturnValue:
    """The form of a printer; a common machine fills it in."""
    with this_hub().database.reading() as session:
        row = access.own_workshop(session, g.caller, slug)
    common = request.args.get("common", "")
    filled = shown_machine(COMMON[common]) if common in COMMON else {}
    name = common if common in COMMON else ""
    return printer_form(row, {"name": name, **filled}, common=common)


@bp.post("/workshops/<slug>/printers/new")
@signed_in
def added(slug: str) -> ResponseReturnValue:
    """Add it; then it is connected, its bed looked at, and a spool loaded."""
    with this_hub().database.reading() as session:
        row = access.own_workshop(session, g.caller, slug)
    try:
        with this_hub().database.writing() as session:
            made = registry.add_printer(
                session,
                workshop=access.own_workshop(session, g.caller, slug),
                name=request.form.get("name", "").strip(),
                profile=_profile({}),
                now=clock.now(),
            )
            printer_id = made.id
    except HubError as exc:
        return printer_form(row, request.form, fault=exc)
    this_hub().queue.soon(worker.try_printer, str(printer_id))
    return redirect(f"/printers/{printer_id}", 303)


@bp.get("/printers/<uuid:printer_id>/edit")
@signed_in
def edit_printer(printer_id: UUID) -> ResponseReturnValue:
    """The form as the printer stands."""
    with this_hub().database.reading() as session:
        row = own(session, g.caller, printer_id)
    filled = {"name": row.name, **shown_machine(Profile.from_json(row.profile))}
    return printer_form(row.workshop, filled, printer_id=printer_id, printer_name=row.name)


@bp.post("/printers/<uuid:printer_id>/edit")
@signed_in
def changed_printer(printer_id: UUID) -> ResponseReturnValue:
    """Change its name, or what it is."""
    with this_hub().database.reading() as session:
        row = own(session, g.caller, printer_id)
    try:
        with this_hub().database.writing() as session:
            care.change(
                session,
                printer_id=printer_id,
                name=request.form.get("name", "").strip(),
                profile=_profile(row.profile),
                by=g.caller.id,
                now=clock.now(),
            )
    except HubError as exc:
        filled = request.form
        return printer_form(
            row.workshop, filled, printer_id=printer_id, printer_name=row.name, fault=exc
        )
    this_hub().queue.soon(worker.try_printer, str(printer_id))
    return redirect(f"/printers/{printer_id}", 303)


def printer_form(
    workshop: WorkshopRow,
    filled: Mapping[str, str],
    *,
    common: str = "",
    printer_id: UUID | None = None,
    printer_name: str = "",
    made: Built | None = None,
    fault: HubError | None = None,
) -> ResponseReturnValue:
    """The form of a printer. `made` tells what a machine's profiles or a file did not give."""
    page = render_template(
        "printer_form.html",
        workshop=workshop,
        filled=filled,
        common=common,
        machines=[(key, profile.name) for key, profile in COMMON.items()],
        flavours=sorted(FLAVOURS),
        printer_id=printer_id,
        printer_name=printer_name,
        made=made,
        origin=_origin(filled),
        fault=fault,
    )
    return page, 200 if fault is None else status_of(fault)


WHOLE = (
    *("bed_x_mm", "bed_y_mm", "height_mm", "max_nozzle_c", "max_bed_c", "rated_power_w"),
    *("print_mm_s", "travel_mm_s", "acceleration_mm_s2"),
)
LENGTHS = {"nozzle_mm": "nozzle_um", "filament_mm": "filament_um", "retract_mm": "retract_um"}


TEXTS = ("gcode_flavor", "start_gcode", "end_gcode")
SHOWN = frozenset({*WHOLE, *LENGTHS.values(), *TEXTS, "name", "enclosure"})
"""Of a profile, what the form shows; the rest is carried along."""


def shown_machine(profile: Profile) -> dict[str, str]:
    """A profile as its form shows it."""
    values = profile.as_json()
    filled = {name: str(values[name]) for name in WHOLE}
    filled |= {name: f"{values[um] / 1_000:g}" for name, um in LENGTHS.items()}
    filled |= {name: values[name] for name in TEXTS}
    rest = {name: values[name] for name in values.keys() - SHOWN}
    filled["rest"] = json.dumps(rest, sort_keys=True)
    return {"machine": profile.name, **filled, **({"enclosure": "on"} if profile.enclosure else {})}


def _rest(text: str) -> dict[str, Any]:
    """What the form carries along without showing it. Raises Invalid."""
    try:
        rest = json.loads(text or "{}")
    except (ValueError, RecursionError):
        rest = None
    if not isinstance(rest, dict) or rest.keys() & SHOWN:
        raise Invalid("the settings that came with this form cannot be read: fill it in anew")
    return rest


def _origin(filled: Mapping[str, str]) -> str:
    """Where a printer's own settings of the slicer are from; nothing if it has none."""
    try:
        told = Profile.from_json({**COMMON["mk3s"].as_json(), **_rest(filled.get("rest", ""))})
    except Invalid:
        return ""
    return "" if told.tuning is None else told.tuning.origin or _("settings of its own")


def _profile(before: Mapping[str, Any]) -> Profile:
    """The form as a profile; what the form does not show stays as it was, or as it was read from
    a machine's profiles or a file. Raises Invalid."""
    form = request.form
    rest = _rest(form.get("rest", ""))
    if "no_tuning" in form:
        rest["tuning"] = None
    values = {name: _whole(name) for name in WHOLE}
    values |= {
        um: words.thousandths(form.get(name, ""), name=name.replace("_", " "))
        for name, um in LENGTHS.items()
    }
    texts = {
        name: form.get(name, "").replace("\r\n", "\n") for name in ("start_gcode", "end_gcode")
    }
    said = {
        **values,
        **texts,
        "name": form.get("machine", "").strip(),
        "gcode_flavor": form.get("gcode_flavor", "marlin"),
        "enclosure": "enclosure" in form,
    }
    return Profile.from_json({**before, **rest, **said})


def _whole(name: str, *, default: int | None = None) -> int:
    text = request.form.get(name, "").strip()
    if not text and default is not None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Invalid(f"{name}: {text[:40]!r} is not a whole number")
    return int(text)
