"""What is said at a printer's page of its service: duty, quiet hours, upkeep."""

from uuid import UUID

from flask import Blueprint, g, render_template, request
from flask.typing import ResponseReturnValue

from basis import clock
from basis.errors import Invalid
from designhub import access
from designhub.accounts import plain_text
from designhub.api.service import day
from designhub.hub import this_hub
from designhub.web.printer import back, own
from designhub.web.session import signed_in
from printers import quiet, upkeep
from printers.hours import DAYS
from printers.offer import Duty
from printers.quiet import Quiet
from router import ejecting

bp = Blueprint("printer_service", __name__)

MOST_LINES = 500
MOST_TEXT = 2_000
"""Read of a text; what is too long for its place is refused there."""


@bp.post("/printers/<uuid:printer_id>/duty")
@signed_in
def duty(printer_id: UUID) -> ResponseReturnValue:
    """Open, paused, draining or in maintenance, and perhaps why."""
    asked = request.form.get("duty", "")
    with this_hub().database.writing() as session:
        printer = own(session, g.caller, printer_id)
        if asked not in list(Duty):
            raise Invalid(f"duty: {asked[:40]!r} is not one of {', '.join(Duty)}")
        upkeep.set_duty(
            session,
            printer_id=printer_id,
            duty=Duty(asked),
            because=plain_text(request.form.get("because", ""), most=MOST_TEXT),
            by=g.caller.id,
            now=clock.now(),
        )
        return back(printer)


@bp.post("/printers/<uuid:printer_id>/ejects")
@signed_in
def ejects(printer_id: UUID) -> ResponseReturnValue:
    """Its end code takes the part off the bed, or does not."""
    said = "ejects" in request.form
    with this_hub().database.writing() as session:
        printer = own(session, g.caller, printer_id)
        say = ejecting.declare if said else ejecting.withdraw
        say(session, printer_id=printer_id, by=g.caller.id, now=clock.now())
        return back(printer)


@bp.post("/printers/<uuid:printer_id>/plates")
@signed_in
def plates(printer_id: UUID) -> ResponseReturnValue:
    """How many copies of a part share a plate."""
    most = request.form.get("most_pieces", "").strip()
    with this_hub().database.writing() as session:
        printer = own(session, g.caller, printer_id)
        if not (most.isascii() and most.isdigit() and len(most) < 5):
            raise Invalid(f"copies on a plate: {most[:40]!r} is not a whole number")
        upkeep.set_plates(session, printer, int(most), by=g.caller.id, now=clock.now())
        return back(printer)


@bp.post("/printers/<uuid:printer_id>/quiet")
@signed_in
def quiet_hours(printer_id: UUID) -> ResponseReturnValue:
    """Its own quiet hours, or again those of its workshop."""
    own_hours = None if request.form.get("whose") == "workshop" else said_quiet() or Quiet()
    with this_hub().database.writing() as session:
        printer = own(session, g.caller, printer_id)
        upkeep.set_quiet(session, printer, own_hours, by=g.caller.id, now=clock.now())
        return back(printer)


@bp.get("/printers/<uuid:printer_id>/upkeep")
@signed_in
def log(printer_id: UUID) -> ResponseReturnValue:
    """All that was done to it, the youngest line first."""
    with this_hub().database.reading() as session:
        printer = own(session, g.caller, printer_id)
        lines = upkeep.log_of(session, printer_id, most=MOST_LINES)
        names = access.names_of(session, {line.by for line in lines})
    return render_template("upkeep.html", printer=printer, log=lines, names=names)


@bp.post("/printers/<uuid:printer_id>/upkeep")
@signed_in
def done(printer_id: UUID) -> ResponseReturnValue:
    """Something was done to keep it well."""
    form = request.form
    hours, on = form.get("again_hours", "").strip(), form.get("again_on", "").strip()
    if hours and not (hours.isascii() and hours.isdigit() and len(hours) < 9):
        raise Invalid(f"hours of printing: {hours[:40]!r} is not a whole number")
    with this_hub().database.writing() as session:
        printer = own(session, g.caller, printer_id)
        upkeep.maintained(
            session,
            printer,
            task=plain_text(form.get("task", ""), most=MOST_TEXT),
            note=plain_text(form.get("note", ""), most=MOST_TEXT),
            again_hours=int(hours) if hours else None,
            again_on=day(on) if on else None,
            by=g.caller.id,
            now=clock.now(),
        )
        return back(printer)


def said_quiet() -> Quiet | None:
    """The quiet hours of a form, of a printer or of a workshop. Raises Invalid."""
    days = {each: request.form.get(f"quiet_{each}", "") for each in DAYS}
    return quiet.said(days, must_be_over="must_be_over" in request.form)
