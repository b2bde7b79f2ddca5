"""Workshops: printers, beds, material and queue; their owner says what is true of them."""

from uuid import UUID

from flask import Blueprint, g, redirect, render_template, request
from flask.typing import ResponseReturnValue

from basis import clock
from basis.errors import Invalid
from designhub import access
from designhub.api.workshops import load_spool
from designhub.hub import this_hub
from designhub.web import words
from designhub.web.session import signed_in, viewer
from designs import queries as designs
from printers import queries, registry
from printers.capability import MATERIALS
from printers.models import PrinterRow
from printers.offer import Carriage, Prices
from router import jobs
from router.queries import open_jobs, work_of

bp = Blueprint("workshop", __name__)


@bp.get("/workshops")
def show_all() -> ResponseReturnValue:
    """All workshops, with what their printers are and hold."""
    with this_hub().database.reading() as session:
        rows = queries.workshops(session)
        work = work_of(session, [printer.id for row in rows for printer in row.printers])
    return render_template(
        "workshops.html",
        workshops=rows,
        work=work,
        now=clock.now(),
        unseen_s=this_hub().settings.unseen_s,
    )


@bp.get("/workshops/<slug>")
def show(slug: str) -> ResponseReturnValue:
    """One workshop for everybody; its owner also sees the queue and the forms."""
    caller = viewer()
    with this_hub().database.reading() as session:
        row = queries.workshop(session, slug)
        yours = caller is not None and (caller.id == row.owner_id or caller.operator)
        ids = [printer.id for printer in row.printers]
        work = work_of(session, ids)
        queue = open_jobs(session, ids) if yours else []
        titles = designs.titles(session, {part_id for _, _, part_id in queue})
    return render_template(
        "workshop.html",
        workshop=row,
        prices=Prices.from_json(row.prices),
        carriage=[Carriage.from_json(each) for each in row.carriage],
        yours=yours,
        work=work,
        queue=queue,
        titles=titles,
        materials=list(MATERIALS),
        now=clock.now(),
        unseen_s=this_hub().settings.unseen_s,
    )


@bp.post("/printers/<uuid:printer_id>/bed-clear")
@signed_in
def bed_clear(printer_id: UUID) -> ResponseReturnValue:
    """A person looked: the bed is empty."""
    with this_hub().database.writing() as session:
        printer = access.own_printer(session, g.caller, printer_id)
        jobs.clear_bed(session, printer_id=printer_id, by=g.caller.id, now=clock.now())
        return _back(printer)


@bp.post("/printers/<uuid:printer_id>/pause")
@signed_in
def pause(printer_id: UUID) -> ResponseReturnValue:
    """Take nothing new."""
    return _accept(printer_id, accepting=False)


@bp.post("/printers/<uuid:printer_id>/open")
@signed_in
def reopen(printer_id: UUID) -> ResponseReturnValue:
    """Take new work."""
    return _accept(printer_id, accepting=True)


@bp.post("/printers/<uuid:printer_id>/spools")
@signed_in
def load(printer_id: UUID) -> ResponseReturnValue:
    """A spool is in the printer now."""
    form = request.form
    with this_hub().database.writing() as session:
        printer = access.own_printer(session, g.caller, printer_id)
        load_spool(
            session,
            printer,
            material=form.get("material", ""),
            colour=form.get("colour", "").strip(),
            left_mg=words.milligrams(form.get("grams", ""), name="grams on the spool"),
            price_per_kg_minor=words.minor(
                form.get("price", ""), printer.workshop.currency, name="price per kg"
            ),
            slot=_slot(form.get("slot", "0")),
            by=g.caller.id,
        )
        return _back(printer)


def _accept(printer_id: UUID, *, accepting: bool) -> ResponseReturnValue:
    with this_hub().database.writing() as session:
        printer = access.own_printer(session, g.caller, printer_id)
        registry.set_accepting(session, printer_id=printer_id, accepting=accepting)
        return _back(printer)


def _slot(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 2:
        raise Invalid(f"slot: {text[:40]!r} is not a number such as 0")
    return int(text)


def _back(printer: PrinterRow) -> ResponseReturnValue:
    return redirect(f"/workshops/{printer.workshop.slug}#{printer.name}", 303)
