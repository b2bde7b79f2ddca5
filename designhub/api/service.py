"""A printer's service: quiet hours and upkeep. Its duty is changed beside its other words."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from flask import Blueprint, g
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from basis import clock
from basis.clock import iso
from basis.errors import Invalid
from designhub import access
from designhub.accounts import plain_text
from designhub.api import schema, shown
from designhub.api.openapi import describes, said
from designhub.auth import Scope, needs
from designhub.hub import this_hub
from printers import queries, registry, upkeep
from printers.models import PrinterRow, UpkeepRow
from printers.quiet import Quiet
from router.queries import work_of

bp = Blueprint("service_api", __name__, url_prefix="/api/v1")


@bp.post("/workshops/<name>/quiet")
@describes("Quiet hours of a workshop", takes=schema.QuietAsk, gives=schema.Workshop, who="account")
@needs(Scope.OPERATE)
def of_workshop(name: str) -> ResponseReturnValue:
    """Of all its printers that have none of their own."""
    asked = _quiet()
    with this_hub().database.writing() as session:
        row = access.own_workshop(session, g.caller, name)
        registry.set_quiet(session, row, asked if asked.spans else None)
        names = access.names_of(session, {row.owner_id})
        work = work_of(session, [printer.id for printer in row.printers])
        return shown.workshop(row, owner=names[row.owner_id], work=work).to_json()


@bp.post("/printers/<uuid:printer_id>/quiet")
@describes("Quiet hours of a printer", takes=schema.QuietAsk, gives=schema.Printer, who="account")
@needs(Scope.OPERATE)
def of_printer(printer_id: UUID) -> ResponseReturnValue:
    """Instead of its workshop's; no days: it has none, whatever the workshop has."""
    asked = _quiet()
    return _set_quiet(printer_id, asked)


@bp.delete("/printers/<uuid:printer_id>/quiet")
@describes("Quiet hours as its workshop", gives=schema.Printer, who="account")
@needs(Scope.OPERATE)
def as_workshop(printer_id: UUID) -> ResponseReturnValue:
    """It has none of its own any more."""
    return _set_quiet(printer_id, None)


@bp.get("/printers/<uuid:printer_id>/upkeep")
@describes("What was done to a printer", gives=schema.UpkeepOf, who="account")
@needs(Scope.OPERATE)
def show_upkeep(printer_id: UUID) -> ResponseReturnValue:
    """Each task with its last time, and what is due."""
    with this_hub().database.reading() as session:
        return _upkeep(session, access.own_printer(session, g.caller, printer_id)).to_json()


@bp.post("/printers/<uuid:printer_id>/upkeep")
@describes(
    "Something was done to it",
    takes=schema.UpkeepAsk,
    gives=schema.UpkeepOf,
    status=201,
    who="account",
)
@needs(Scope.OPERATE)
def add_upkeep(printer_id: UUID) -> ResponseReturnValue:
    """A line of its upkeep, which nobody alters; it says when the same is due again."""
    asked = said(schema.UpkeepAsk)
    with this_hub().database.writing() as session:
        printer = access.own_printer(session, g.caller, printer_id)
        upkeep.maintained(
            session,
            printer,
            task=plain_text(asked.task, most=2_000),
            note=plain_text(asked.note, most=2_000),
            again_hours=asked.again_hours,
            again_on=None if asked.again_on is None else day(asked.again_on),
            by=g.caller.id,
            now=clock.now(),
        )
        return _upkeep(session, printer).to_json(), 201


def day(text: str) -> date:
    """A day such as 2027-01-31. Raises Invalid."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text[:40]!r} is not a day such as 2027-01-31") from None


def _quiet() -> Quiet:
    asked = said(schema.QuietAsk)
    return Quiet.from_json({"days": asked.days, "must_be_over": asked.must_be_over})


def _set_quiet(printer_id: UUID, quiet: Quiet | None) -> ResponseReturnValue:
    with this_hub().database.writing() as session:
        printer = access.own_printer(session, g.caller, printer_id)
        upkeep.set_quiet(session, printer, quiet, by=g.caller.id, now=clock.now())
        session.flush()
        session.expire_all()
        row = queries.printer(session, printer_id)
        return shown.printer(row, work_of(session, [printer_id])[printer_id]).to_json()


def _upkeep(session: Session, printer: PrinterRow) -> schema.UpkeepOf:
    tasks = upkeep.tasks_of(session, [printer], now=clock.now())[printer.id]
    log = upkeep.log_of(session, printer.id)
    names = access.names_of(session, {line.by for line in (*log, *(each.last for each in tasks))})
    return schema.UpkeepOf(
        printed_s=printer.printed_s,
        tasks=[
            schema.UpkeepTask(last=_line(each.last, names), since_s=each.since_s, due=each.due)
            for each in tasks
        ],
        log=[_line(each, names) for each in log],
    )


def _line(row: UpkeepRow, names: Mapping[UUID, str]) -> schema.Upkeep:
    return schema.Upkeep(
        task=row.task,
        note=row.note,
        at=iso(row.at),
        by=names[row.by],
        printed_s=row.printed_s,
        due_printed_s=row.due_printed_s,
        due_on=None if row.due_on is None else row.due_on.isoformat(),
    )
