"""Making parts near somebody: a form, and what the workshops answer, best first.

The question stands in the address, so it can be kept, sent to a friend and gone back to; asking
writes nothing. The quote that somebody chooses is made binding then, for them.
"""

from collections import Counter
from collections.abc import Collection
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
from designhub.web import kit, lying, quote_words
from designhub.web.kit import Kit, Named
from designhub.web.quote_words import Bar, Source
from designhub.web.session import viewer
from designhub.web.wish import LOCAL, NUMBERS, Wish, copies_of, due_at
from designs.facts import AS_MODELLED
from printers.offer import Mode, Offer
from printers.queries import loaded
from router.globe import find_place, suggest
from router.matching import Axis
from router.models import QuoteRow
from router.quote import Inputs, Preset, eta_s
from router.quoting import MOST_COPIES, Answer, quote_at

bp = Blueprint("make", __name__)

MOST_STANDING = 12

READABLE = frozenset(str(number) for number in range(MOST_COPIES + 1))
"""What a field for copies may say."""

SUGGESTED_S = 86_400
"""How long a browser may keep suggestions of places."""


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
    """The form for one part; with a place in the address, also the answer."""
    return _ask(part_id)


@bp.get("/make")
def ask_for_several() -> ResponseReturnValue:
    """The same for several parts, all from one workshop."""
    return _ask(None)


@bp.post("/make/<int:part_id>")
def choose(part_id: int) -> ResponseReturnValue:
    """Make one workshop's answer binding, then show it."""
    return _choose(part_id)


@bp.post("/make")
def choose_for_several() -> ResponseReturnValue:
    """The same for several parts."""
    return _choose(None)


def _ask(part_id: int | None) -> ResponseReturnValue:
    given = request.args
    made = _kit(given, part_id)
    if not given.get("place", "").strip():
        return _page(made, _remembered(given), part_id)
    try:
        wish = Wish.read(given, part_id=part_id)
        items = kit.wanted(made.named, wish.items)
        found = look_for(this_hub(), items, wish.asked(), viewer())
    except HubError as exc:
        return _page(made, given, part_id, fault=exc)
    if session.get("place") != wish.place:
        session["place"] = wish.place
    return _page(made, given, part_id, wish=wish, found=found)


def _choose(part_id: int | None) -> ResponseReturnValue:
    given = request.form
    made = _kit(given, part_id)
    try:
        wish = Wish.read(given, part_id=part_id)
        quote_id = bind(made.named, wish, _printer(given), _mode(given))
    except HubError as exc:
        return _page(made, given, part_id, fault=exc)
    return redirect(f"/quotes/{quote_id}", 303)


def bind(named: Collection[Named], wish: Wish, printer_id: UUID, mode: Mode) -> UUID:
    """A binding quote of one printer for the viewer. Raises NotAllowed when it cannot any more."""
    hub, caller = this_hub(), viewer()
    wanted = replace(
        request_for(kit.wanted(named, wish.items), wish.asked()), modes=frozenset({mode})
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


def _kit(given: MultiDict[str, str], part_id: int | None) -> Kit:
    """What the page shows of the parts; a number that cannot be read is told with the form."""
    said = copies_of(given, part_id=part_id)
    copies = {part: int(text) if text in READABLE else 0 for part, text in said.items()}
    with this_hub().database.reading() as database:
        return kit.read(database, viewer(), copies)


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
    made: Kit,
    filled: MultiDict[str, str],
    part_id: int | None,
    *,
    wish: Wish | None = None,
    found: Answer | None = None,
    fault: HubError | None = None,
) -> ResponseReturnValue:
    now = clock.now()
    kinds = _kinds(found)
    due = wish.due() if wish else None
    single = made.named[0][0] if part_id is not None else None
    page = render_template(
        "make.html",
        kit=made,
        single=single,
        ways=lying.ways(single.mesh) if single else [],
        orientation=filled.get("orientation") or AS_MODELLED,
        links=_links(made, wish),
        all_parts=_everything(made),
        path=request.path,
        filled=filled,
        chosen_modes=filled.getlist("modes"),
        deadline=_local(filled),
        due=due,
        materials=_options([material for material, _colour in kinds], filled.get("material")),
        colours=_options([colour for _material, colour in kinds], filled.get("colour")),
        modes=list(Mode),
        orientations=quote_words.ORIENTATIONS.items(),
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


def _links(made: Kit, wish: Wish | None) -> list[tuple[int, str, str]]:
    """The other parts of the version, each to be asked for alone with the same wish."""
    return [
        (
            each.row.id,
            each.row.name,
            replace(wish, items=((each.row.id, wish.items[0][1]),)).address
            if wish
            else f"/make/{each.row.id}",
        )
        for each in made.offered
    ]


def _everything(made: Kit) -> str:
    """Where all parts of the version are asked for together."""
    return kit.address([each.row.id for each in made.offered])


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
    lies = filled.get("orientation", "") in ("", AS_MODELLED)
    return (
        lies
        and "supports" not in filled
        and all(filled.get(name, "") in ("", str(usual)) for name, usual in NUMBERS.items())
    )


def _local(filled: MultiDict[str, str]) -> str:
    """The deadline as the field takes it: without a zone, by the clock of the place."""
    text = filled.get("deadline", "").strip()
    try:
        place = find_place(filled.get("place", ""))
        due = due_at(text, place=place)
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
    counts: Counter[tuple[Axis, str]] = Counter()
    for each in (*found.near_misses, *found.refusals):
        counts.update({(reason.axis, reason.part) for reason in each.reasons})
    return [
        _Standing(
            printers=number,
            what=quote_words.standing(axis, part=part),
            advice=quote_words.advice(axis, part=part),
        )
        for (axis, part), number in counts.most_common(MOST_STANDING)
    ]
