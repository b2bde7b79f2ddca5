"""One printer: the page behind the code on it, and what is said of it by its owner."""

import io
from uuid import UUID

import segno
from flask import Blueprint, Response, g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from basis import clock
from basis.errors import Invalid, NotFound
from designhub import access, worker
from designhub.auth import Caller
from designhub.hub import base_url, is_only_here, this_hub
from designhub.web import board, printer_words, words
from designhub.web.session import own_path, signed_in, viewer
from printers import queries, registry
from printers.capability import MATERIALS
from printers.models import PrinterRow
from router import care, jobs
from router.queries import work_of

bp = Blueprint("printer", __name__)


@bp.get("/printers/<uuid:printer_id>")
def show(printer_id: UUID) -> ResponseReturnValue:
    """What its owner does at it; for everybody else what it is and holds."""
    caller, now = viewer(), clock.now()
    unseen_s = this_hub().settings.unseen_s
    with this_hub().database.reading() as session:
        row = _standing(queries.printer(session, printer_id))
        yours = caller is not None and (caller.id == row.workshop.owner_id or caller.operator)
        if caller is None or not yours:
            work = work_of(session, [row.id])[row.id]
            return render_template(
                "printer_public.html",
                printer=row,
                work=work,
                now=now,
                unseen_s=unseen_s,
                printer_words=printer_words,
            )
        notes = queries.notes_of(session, row.id)
        (card,) = board.cards(
            session,
            [row],
            reader_id=caller.id,
            now=now,
            unseen_s=unseen_s,
            also={note.by for note in notes},
        )
    return render_template(
        "printer.html",
        workshop=row.workshop,
        printer=row,
        card=card,
        notes=notes,
        names=card.names,
        here=f"/printers/{row.id}",
        materials=list(MATERIALS),
        now=now,
        unseen_s=unseen_s,
        printer_words=printer_words,
    )


@bp.get("/printers/<uuid:printer_id>/qr.svg")
@signed_in
def code(printer_id: UUID) -> ResponseReturnValue:
    """The address of its page as a QR code."""
    with this_hub().database.reading() as session:
        row = own(session, g.caller, printer_id)
    drawn = io.BytesIO()
    # Quiet zone and full contrast whatever the page's colours: a camera must read it.
    segno.make(f"{base_url()}/printers/{row.id}", error="m").save(
        drawn, kind="svg", scale=8, border=4, dark="#000", light="#fff", xmldecl=False
    )
    return Response(drawn.getvalue(), content_type="image/svg+xml")


@bp.get("/printers/<uuid:printer_id>/label")
@signed_in
def label(printer_id: UUID) -> ResponseReturnValue:
    """A label to print and stick on the machine."""
    with this_hub().database.reading() as session:
        row = own(session, g.caller, printer_id)
    address = f"{base_url()}/printers/{row.id}"
    return render_template(
        "printer_label.html", printer=row, address=address, only_here=is_only_here()
    )


# What is said of it.


@bp.post("/printers/<uuid:printer_id>/bed-clear")
@signed_in
def bed_clear(printer_id: UUID) -> ResponseReturnValue:
    """A person looked: the bed is empty."""
    with this_hub().database.writing() as session:
        printer = own(session, g.caller, printer_id)
        jobs.clear_bed(session, printer_id=printer_id, by=g.caller.id, now=clock.now())
        return back(printer)


@bp.post("/printers/<uuid:printer_id>/bed-undo")
@signed_in
def bed_undo(printer_id: UUID) -> ResponseReturnValue:
    """It was pressed by mistake."""
    with this_hub().database.writing() as session:
        printer = own(session, g.caller, printer_id)
        care.undo_clear(session, printer_id=printer_id, by=g.caller.id, now=clock.now())
        return back(printer)


@bp.post("/printers/<uuid:printer_id>/try")
@signed_in
def try_again(printer_id: UUID) -> ResponseReturnValue:
    """Slice the cube once more."""
    with this_hub().database.writing() as session:
        printer = own(session, g.caller, printer_id)
        registry.try_again(session, printer)
    this_hub().queue.soon(worker.try_printer, str(printer_id))
    return back(printer)


@bp.post("/printers/<uuid:printer_id>/spools")
@signed_in
def load(printer_id: UUID) -> ResponseReturnValue:
    """A spool is in the printer now."""
    form = request.form
    with this_hub().database.writing() as session:
        printer = own(session, g.caller, printer_id)
        material, colour = form.get("material", ""), form.get("colour", "").strip()
        care.load(
            session,
            printer_id=printer_id,
            material=material,
            colour=colour,
            left_mg=words.milligrams(form.get("grams", ""), name="grams on the spool"),
            price_per_kg_minor=words.minor(
                form.get("price", ""), printer.workshop.currency, name="price per kg"
            ),
            slot=_slot(form.get("slot", "0")),
            by=g.caller.id,
            now=clock.now(),
        )
        _note(session, printer, "loaded", f"{material} {colour}")
        return back(printer)


@bp.post("/printers/<uuid:printer_id>/spools/<int:slot>/unload")
@signed_in
def unload(printer_id: UUID, slot: int) -> ResponseReturnValue:
    """The spool in a slot was taken out."""
    with this_hub().database.writing() as session:
        printer = own(session, g.caller, printer_id)
        spool = registry.unload(session, printer_id=printer_id, slot=slot)
        _note(session, printer, "unloaded", f"{spool.material} {spool.colour}")
        return back(printer)


@bp.post("/printers/<uuid:printer_id>/remove")
@signed_in
def remove(printer_id: UUID) -> ResponseReturnValue:
    """It does not stand here any more."""
    with this_hub().database.writing() as session:
        printer = own(session, g.caller, printer_id)
        care.remove(session, printer_id=printer_id, by=g.caller.id, now=clock.now())
        return redirect(f"/workshops/{printer.workshop.slug}", 303)


def own(session: Session, caller: Caller, printer_id: UUID) -> PrinterRow:
    """A printer that the caller runs and that stands there. Raises NotFound, NotYours."""
    return access.own_printer(session, caller, printer_id)


def back(printer: PrinterRow) -> ResponseReturnValue:
    """To the page the button was on, at the printer's card."""
    board_card = f"/workshops/{printer.workshop.slug}#{printer.name}"
    told = request.form.get("next")
    return redirect(board_card if told is None else own_path(told), 303)


def _standing(row: PrinterRow) -> PrinterRow:
    if row.removed_at is not None:
        raise NotFound(f"the printer {row.name!r} was removed from its workshop")
    return row


def _note(session: Session, printer: PrinterRow, what: str, note: str) -> None:
    now = clock.now()
    registry.noted(session, printer_id=printer.id, by=g.caller.id, what=what, now=now, note=note)


def _slot(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 2:
        raise Invalid(f"slot: {text[:40]!r} is not a number such as 0")
    return int(text)
