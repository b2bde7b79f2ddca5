"""Making a part near somebody: a form, and what the workshops answer, best first.

The question stands in the address, so it can be kept, sent to a friend and gone back to; asking
writes nothing. The quote that somebody chooses is made binding then, for them.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from werkzeug.datastructures import MultiDict

from basis import clock
from basis.errors import HubError, Invalid, NotAllowed
from designhub import access
from designhub.api.quotes import look_for, request_for
from designhub.errors import status_of
from designhub.hub import this_hub
from designhub.web import quote_words
from designhub.web.quote_words import Bar, Source
from designhub.web.session import viewer
from designhub.web.wish import LOCAL, NUMBERS, Wish
from designs.models import DesignRow, PartRow, VersionRow
from designs.queries import printable_part, siblings
from printers.offer import Mode, Offer
from printers.queries import loaded
from router.globe import find_place, suggest
from router.matching import Axis
from router.models import QuoteRow
from router.quote import Inputs, Preset, eta_s
from router.quoting import MOST_COPIES, Answer, quote_at

bp = Blueprint("make", __name__)

SUGGESTED_S = 86_400
"""How long a browser may keep suggestions of places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What the page shows of the part."""

    row: PartRow
    version: VersionRow
    design: DesignRow
    owner: str
    parts: list[tuple[int, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownQuote:
    """A quote with what is worked out from its inputs."""

    row: QuoteRow
    offer: Offer
    inputs: Inputs
    ready_at: datetime
    eta_s: int
    colour: str
    bars: list[Bar]
    sources: list[Source]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """One thing that stands in the way of some printers, and what the maker could do."""

    printers: int
    what: str
    advice: str


@bp.get("/make/<int:part_id>")
def ask(part_id: int) -> ResponseReturnValue:
    """The form; with a place in the address, also the answer."""
    part, given = _part(part_id), request.args
    if not given.get("place", "").strip():
        return _page(part, _remembered(given))
    try:
        wish = Wish.read(given)
        found = look_for(this_hub(), printable_part(part.row, part.version), wish.asked(), viewer())
    except HubError as exc:
        return _page(part, given, fault=exc)
    if session.get("place") != wish.place:
        session["place"] = wish.place
    return _page(part, given, wish=wish, found=found)


@bp.post("/make/<int:part_id>")
def choose(part_id: int) -> ResponseReturnValue:
    """Make one workshop's answer binding, then show it."""
    part, given = _part(part_id), request.form
    try:
        quote_id = bind(part.row, part.version, Wish.read(given), _printer(given), _mode(given))
    except HubError as exc:
        return _page(part, given, fault=exc)
    return redirect(f"/quotes/{quote_id}", 303)


def bind(part: PartRow, version: VersionRow, wish: Wish, printer_id: UUID, mode: Mode) -> UUID:
    """A binding quote of one printer for the viewer. Raises NotAllowed when it cannot any more."""
    hub, caller = this_hub(), viewer()
    wanted = replace(
        request_for(printable_part(part, version), wish.asked()), modes=frozenset({mode})
    )
    with hub.database.writing() as database:
        row = quote_at(
            database,
            printer_id=printer_id,
            request=wanted,
            maker_id=access.reader(caller),
            now=clock.now(),
            quote_s=hub.settings.quote_s,
            unseen_s=hub.settings.unseen_s,
        )
        if row is None:
            raise NotAllowed("this printer cannot make it any more: ask the workshops again")
        return row.id


@bp.get("/places")
def places() -> ResponseReturnValue:
    """Cities that begin so, as options of a field."""
    found = suggest(request.args.get("place", "")[:100])
    options = Markup("").join(Markup('<option value="{}">').format(each) for each in found)
    return options, {"Cache-Control": f"public, max-age={SUGGESTED_S}"}


def _part(part_id: int) -> _Part:
    with this_hub().database.reading() as database:
        row, version, design = access.part(database, viewer(), part_id)
        owner = access.names_of(database, {design.owner_id})[design.owner_id]
        parts = siblings(database, version.id)
    return _Part(row=row, version=version, design=design, owner=owner, parts=parts)


def _remembered(given: MultiDict[str, str]) -> MultiDict[str, str]:
    """The form as given, near the place that was asked about last."""
    filled = MultiDict(given)
    filled["place"] = str(session.get("place", ""))
    return filled


def _printer(given: MultiDict[str, str]) -> UUID:
    try:
        return UUID(given.get("printer", ""))
    except ValueError:
        raise Invalid("the form names no printer: choose one of the answers") from None


def _mode(given: MultiDict[str, str]) -> Mode:
    try:
        return Mode(given.get("mode", ""))
    except ValueError as exc:
        raise Invalid(f"{exc}; the ways: {', '.join(Mode)}") from exc


def _page(
    part: _Part,
    filled: MultiDict[str, str],
    *,
    wish: Wish | None = None,
    found: Answer | None = None,
    fault: HubError | None = None,
) -> ResponseReturnValue:
    now = clock.now()
    kinds = _kinds(found)
    due = wish.due() if wish else None
    page = render_template(
        "make.html",
        part=part,
        part_links=[
            (number, name, wish.address(number) if wish else f"/make/{number}")
            for number, name in part.parts
        ],
        filled=filled,
        chosen_modes=filled.getlist("modes"),
        deadline=_local(filled),
        due=due,
        materials=_options([material for material, _colour in kinds], filled.get("material")),
        colours=_options([colour for _material, colour in kinds], filled.get("colour")),
        modes=list(Mode),
        presets=[(each.value, quote_words.PRESETS[each]) for each in Preset],
        most_copies=MOST_COPIES,
        fault=fault,
        no_place=str(fault).startswith("no city"),
        wish=wish,
        answer=found,
        quotes=[_shown(row, found, now=now) for row in found.quotes] if found else [],
        standing=_standing(found) if found else [],
        where=find_place(wish.place) if wish else None,
        folded=_usual(filled),
        signed_in=viewer() is not None,
        now=now,
    )
    return page, 200 if fault is None else status_of(fault)


def _kinds(found: Answer | None) -> list[tuple[str, str]]:
    """What is loaded: at the printers that answered, or without an answer anywhere."""
    if found is None:
        with this_hub().database.reading() as database:
            return loaded(database)
    refused = [each.offer for each in (*found.near_misses, *found.refusals)]
    offers = (*found.offers.values(), *refused)
    return sorted({(each.material, each.colour) for offer in offers for each in offer.loaded})


def _options(there: list[str], chosen: str | None) -> list[str]:
    """What to choose from, once each; what was chosen stays, also when nobody has it."""
    known = [each for each in [chosen] if each and len(each) <= 80]
    return sorted({*there, *known})


def _usual(filled: MultiDict[str, str]) -> bool:
    """Whether nothing is asked of the slicer that an empty form does not mean."""
    numbers = {name: usual for name, usual in NUMBERS.items() if name != "copies"}
    said = {name: filled.get(name, "") for name in numbers}
    return "supports" not in filled and all(
        text in ("", str(numbers[name])) for name, text in said.items()
    )


def _local(filled: MultiDict[str, str]) -> str:
    """The deadline as the field takes it: without a zone, by the clock of the place."""
    text = filled.get("deadline", "")
    try:
        due, place = Wish.read(filled).due(), find_place(filled.get("place", ""))
    except HubError:
        return text
    return due.astimezone(ZoneInfo(place.time_zone)).strftime(LOCAL) if due else ""


def _shown(row: QuoteRow, found: Answer, *, now: datetime) -> ShownQuote:
    offer, inputs = found.offers[row.printer_id], Inputs.from_json(row.inputs)
    within_s = eta_s(inputs)
    return ShownQuote(
        row=row,
        offer=offer,
        inputs=inputs,
        ready_at=now + timedelta(seconds=within_s),
        eta_s=within_s,
        colour=next((each.colour for each in offer.loaded if each.spool == row.spool_id), ""),
        bars=quote_words.bars(row, inputs),
        sources=quote_words.sources(inputs),
    )


def _standing(found: Answer) -> list[_Standing]:
    """What stands in the way, the most frequent first."""
    counts: Counter[Axis] = Counter()
    for each in (*found.near_misses, *found.refusals):
        counts.update({reason.axis for reason in each.reasons})
    return [
        _Standing(
            printers=number,
            what=str(quote_words.STANDING[axis]),
            advice=str(quote_words.TO_CHANGE.get(axis, "")),
        )
        for axis, number in counts.most_common()
    ]
