"""Asking for quotes."""

from collections.abc import Sequence
from datetime import datetime

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from basis import clock
from basis.errors import Invalid
from designhub import access
from designhub.api import schema, shown
from designhub.api.openapi import describes, said
from designhub.auth import Caller, Scope, optional_caller, require
from designhub.hub import Hub, this_hub
from designs import queries as designs
from designs.models import VersionRow
from printers.capability import Choices
from printers.offer import Mode
from router.globe import find_place
from router.quote import Preset
from router.quoting import MOST_PARTS, Answer, Request, Wanted, quotes_for

bp = Blueprint("quotes_api", __name__, url_prefix="/api/v1")


@bp.post("/quotes")
@describes("Who near here would make it?", takes=schema.QuoteAsk, gives=schema.Quotes, status=201)
def ask() -> ResponseReturnValue:
    """Ranked, binding quotes, then near misses and refusals with every reason. Anybody may ask; to
    order by a quote one signs in."""
    caller = optional_caller()
    if caller is not None:
        require(caller, Scope.ORDER)
    return shown.quotes(answer(this_hub(), said(schema.QuoteAsk), caller)).to_json(), 201


def answer(hub: Hub, asked: schema.QuoteAsk, caller: Caller | None) -> Answer:
    """The answer to a maker's wish for the part or parts that it names."""
    if asked.parts and (asked.part is not None or asked.copies != 1):
        raise Invalid("say either `parts`, or one `part` and its `copies`")
    if len(asked.parts) > MOST_PARTS:
        raise Invalid(f"at most {MOST_PARTS} parts go into one question, not {len(asked.parts)}")
    wanted = asked.parts or [schema.PartAsk(part=asked.part, copies=asked.copies)]
    with hub.database.reading() as session:
        items = _named(session, asked, wanted, caller)
    return answer_for(hub, items, asked, caller)


def answer_for(
    hub: Hub, items: Sequence[Wanted], asked: schema.QuoteAsk, caller: Caller | None
) -> Answer:
    """The same for parts that the caller may see; what `asked` says of parts is passed over."""
    request = request_for(items, asked)
    with hub.database.writing() as session:
        return _answer(session, hub, request, caller, keep=True)


def look_for(
    hub: Hub, items: Sequence[Wanted], asked: schema.QuoteAsk, caller: Caller | None
) -> Answer:
    """The same without writing anything: its quotes have no id, and nothing is ordered by them."""
    request = request_for(items, asked)
    with hub.database.reading() as session:
        return _answer(session, hub, request, caller, keep=False)


def request_for(items: Sequence[Wanted], asked: schema.QuoteAsk) -> Request:
    """A maker's wish as routing takes it. Raises Invalid, NotFound for an unknown place."""
    return Request(
        items=tuple(items),
        place=find_place(asked.place),
        place_said=asked.place.strip(),
        choices=Choices(
            material=asked.material,
            colour=asked.colour,
            layer_height_um=asked.layer_height_um,
            infill_pct=asked.infill_pct,
            perimeters=asked.perimeters,
            supports=asked.supports,
            orientation=asked.orientation,
            brim_mm=asked.brim_mm,
        ),
        modes=_modes(asked.modes),
        preset=_preset(asked.preset),
        deadline=_moment(asked.deadline),
        max_distance_m=asked.max_distance_m,
        max_total_minor=asked.max_total_minor,
    )


def _named(
    session: Session,
    asked: schema.QuoteAsk,
    wanted: Sequence[schema.PartAsk],
    caller: Caller | None,
) -> list[Wanted]:
    """The parts by their names; each version is read once, however many parts of it are named."""
    versions: dict[tuple[str, str | None], VersionRow] = {}
    found = []
    for each in wanted:
        of = each.design or asked.design
        named = (of, each.version or (None if each.design else asked.version))
        if named not in versions:
            versions[named] = _version(session, *named, caller=caller)
        part = designs.printable(versions[named], each.part)
        found.append(Wanted(part=part, copies=each.copies))
    return found


def _version(
    session: Session, address: str, name: str | None, *, caller: Caller | None
) -> VersionRow:
    owner, slash, slug = address.partition("/")
    if not slash:
        raise Invalid(f"design {address!r} is not of the form owner/name")
    design = access.design(session, caller, owner=owner, name=slug)
    return designs.version(session, design_id=design.id, name=name)


def _answer(
    session: Session, hub: Hub, request: Request, caller: Caller | None, *, keep: bool
) -> Answer:
    return quotes_for(
        session,
        index=hub.index,
        request=request,
        maker_id=access.reader(caller),
        now=clock.now(),
        quote_s=hub.settings.quote_s,
        unseen_s=hub.settings.unseen_s,
        keep=keep,
    )


def _modes(words: list[str]) -> frozenset[Mode]:
    try:
        return frozenset(Mode(word) for word in words) or frozenset(Mode)
    except ValueError as exc:
        raise Invalid(f"{exc}; the ways: {', '.join(Mode)}") from exc


def _preset(word: str) -> Preset:
    try:
        return Preset(word)
    except ValueError as exc:
        raise Invalid(f"{exc}; the presets: {', '.join(Preset)}") from exc


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise Invalid(f"deadline {text[:40]!r} is not a time such as 2026-03-01T18:00Z") from exc
    if moment.tzinfo is None:
        raise Invalid(f"deadline {text[:40]!r} has no zone: end it with Z or +01:00")
    return moment
