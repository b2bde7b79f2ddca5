"""Making a design near somebody: a form, ranked quotes with every reason, and the order."""

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from basis import clock
from basis.errors import HubError, Invalid
from designhub import access
from designhub.api import schema
from designhub.api.quotes import answer_for
from designhub.errors import status_of
from designhub.hub import this_hub
from designhub.web.session import sign_in_address, viewer
from designs.models import DesignRow, PartRow, VersionRow
from designs.queries import printable_part
from printers.capability import MATERIALS
from printers.offer import Mode, Offer
from router.models import QuoteRow
from router.quote import Inputs, Preset, eta_s
from router.quoting import MOST_COPIES, Answer

bp = Blueprint("make", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What the page shows of the part."""

    row: PartRow
    version: VersionRow
    design: DesignRow
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownQuote:
    """A quote with what is worked out from its inputs."""

    row: QuoteRow
    offer: Offer
    inputs: Inputs
    eta_s: int
    colour: str


@bp.get("/make/<int:part_id>")
def ask(part_id: int) -> ResponseReturnValue:
    """The form; what stands in the address is filled in."""
    return _page(_part(part_id))


@bp.post("/make/<int:part_id>")
def answered(part_id: int) -> ResponseReturnValue:
    """The form again, and the answer: quotes best first, then why others cannot."""
    part = _part(part_id)
    try:
        printable = printable_part(part.row, part.version)
        found = answer_for(this_hub(), printable, _asked(part), viewer())
    except HubError as exc:
        return _page(part, fault=exc)
    return _page(part, found=found)


def _part(part_id: int) -> _Part:
    with this_hub().database.reading() as session:
        row, version, design = access.part(session, viewer(), part_id)
        owner = access.names_of(session, {design.owner_id})[design.owner_id]
    return _Part(row=row, version=version, design=design, owner=owner)


def _asked(part: _Part) -> schema.QuoteAsk:
    """The form as the API's question. Raises Invalid for what is no number or no time."""
    deadline = request.form.get("deadline", "").strip()
    return schema.QuoteAsk(
        design=f"{part.owner}/{part.design.slug}",
        version=part.version.commit,
        part=part.row.slug,
        place=request.form.get("place", ""),
        copies=_whole("copies", 1),
        material=request.form.get("material", "PLA"),
        colour=request.form.get("colour", "").strip() or None,
        layer_height_um=_whole("layer_height_um", 200),
        infill_pct=_whole("infill_pct", 20),
        perimeters=_whole("perimeters", 2),
        supports="supports" in request.form,
        brim_mm=_whole("brim_mm", 0),
        preset=request.form.get("preset", Preset.BALANCED.value),
        modes=request.form.getlist("modes"),
        # A browser's field for a moment has no zone; the page says that it is UTC.
        deadline=f"{deadline}Z" if deadline else None,
    )


def _whole(name: str, default: int) -> int:
    text = request.form.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Invalid(f"{name}: {text[:40]!r} is not a whole number")
    return int(text)


def _page(
    part: _Part, *, found: Answer | None = None, fault: HubError | None = None
) -> ResponseReturnValue:
    filled = request.form if request.method == "POST" else request.args
    wish = [(name, value) for name, value in filled.items(multi=True) if name != "csrf"]
    page = render_template(
        "make.html",
        part=part,
        filled=filled,
        chosen_modes=filled.getlist("modes"),
        materials=list(MATERIALS),
        modes=list(Mode),
        presets=list(Preset),
        most_copies=MOST_COPIES,
        fault=fault,
        answer=found,
        quotes=_shown(found) if found else [],
        signed_in=viewer() is not None,
        sign_in=sign_in_address(f"/make/{part.row.id}?{urlencode(wish)}"),
        now=clock.now(),
    )
    return page, 200 if fault is None else status_of(fault)


def _shown(found: Answer) -> list[ShownQuote]:
    shown = []
    for row in found.quotes:
        offer, inputs = found.offers[row.printer_id], Inputs.from_json(row.inputs)
        colour = next((each.colour for each in offer.loaded if each.spool == row.spool_id), "")
        shown.append(
            ShownQuote(row=row, offer=offer, inputs=inputs, eta_s=eta_s(inputs), colour=colour)
        )
    return shown
