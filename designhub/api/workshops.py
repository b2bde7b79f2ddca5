"""Workshops, printers, beds, material and the enrolment of agents."""

from typing import Any
from uuid import UUID

from flask import Blueprint, g
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from basis import clock
from basis.errors import Invalid, NotFound
from designhub import access, worker
from designhub.accounts import plain_text
from designhub.api import schema, shown
from designhub.api.openapi import describes, said
from designhub.auth import Scope, needs
from designhub.hub import this_hub
from printers import attaching, queries, registry, upkeep
from printers.capability import COMMON, Profile
from printers.models import WorkshopRow
from printers.offer import Carriage, Duty, Mode, Prices
from router import care, jobs
from router.globe import find_place
from router.queries import work_of

bp = Blueprint("workshops_api", __name__, url_prefix="/api/v1")

FETCHED = (
    Carriage(mode=Mode.FOOT, most_km=10),
    Carriage(mode=Mode.BICYCLE, most_km=40),
    Carriage(mode=Mode.CAR),
)
"""What a workshop that says nothing of carriage offers: come and fetch it."""


@bp.get("/workshops")
@describes("All workshops", gives=schema.Workshops)
def show_all() -> ResponseReturnValue:
    """With their printers, prices and what is loaded."""
    with this_hub().database.reading() as session:
        rows = queries.workshops(session)
        names = access.names_of(session, {row.owner_id for row in rows})
        work = work_of(session, [printer.id for row in rows for printer in row.printers])
        return schema.Workshops(
            workshops=[shown.workshop(row, owner=names[row.owner_id], work=work) for row in rows]
        ).to_json()


@bp.post("/workshops")
@describes(
    "Open a workshop", takes=schema.WorkshopAsk, gives=schema.Workshop, status=201, who="account"
)
@needs(Scope.OPERATE)
def create() -> ResponseReturnValue:
    """A place with prices; printers are added to it next."""
    asked = said(schema.WorkshopAsk)
    place = find_place(asked.place)
    with this_hub().database.writing() as session:
        row = registry.create_workshop(
            session,
            owner_id=g.caller.id,
            slug=asked.name,
            said=registry.Description(
                title=asked.title,
                place=place.name,
                lat_udeg=place.lat_udeg,
                lon_udeg=place.lon_udeg,
                country=place.country,
                time_zone=place.time_zone,
                currency=asked.currency,
                prices=Prices(
                    per_hour_minor=asked.per_hour_minor,
                    labour_minor=asked.labour_minor,
                    contribution_bp=asked.contribution_bp,
                ),
                carriage=_carriage(asked.carriage),
            ),
            now=clock.now(),
        )
        return _shown(session, row).to_json(), 201


@bp.get("/workshops/<name>")
@describes("One workshop", gives=schema.Workshop)
def show(name: str) -> ResponseReturnValue:
    """With its printers: bed, material, queue."""
    with this_hub().database.reading() as session:
        return _shown(session, queries.workshop(session, name)).to_json()


@bp.post("/workshops/<name>/printers")
@describes(
    "Add a printer", takes=schema.PrinterAsk, gives=schema.Printer, status=201, who="account"
)
@needs(Scope.OPERATE)
def add_printer(name: str) -> ResponseReturnValue:
    """Its bed counts as occupied until a person has looked."""
    asked = said(schema.PrinterAsk)
    with this_hub().database.writing() as session:
        workshop = access.own_workshop(session, g.caller, name)
        row = registry.add_printer(
            session,
            workshop=workshop,
            name=asked.name,
            profile=_profile(asked),
            now=clock.now(),
        )
        printer_id = row.id
        session.expire_all()
        answer = shown.printer(queries.printer(session, printer_id), None).to_json()
    this_hub().queue.soon(worker.try_printer, str(printer_id))
    return answer, 201


@bp.get("/printers/<uuid:printer_id>")
@describes("One printer", gives=schema.Printer)
def show_printer(printer_id: UUID) -> ResponseReturnValue:
    """Bed, material, what it works on and how much waits for it."""
    with this_hub().database.reading() as session:
        return _printer(session, printer_id).to_json()


@bp.patch("/printers/<uuid:printer_id>")
@describes(
    "Open, pause or drain a printer",
    takes=schema.PrinterChange,
    gives=schema.Printer,
    who="account",
)
@needs(Scope.OPERATE)
def change_printer(printer_id: UUID) -> ResponseReturnValue:
    """Whatever it is told, it finishes what it prints."""
    asked = said(schema.PrinterChange)
    duty, now = _duty(asked), clock.now()
    with this_hub().database.writing() as session:
        printer = access.own_printer(session, g.caller, printer_id)
        if asked.most_pieces is not None:
            upkeep.set_plates(session, printer, asked.most_pieces, by=g.caller.id, now=now)
        if duty is not None:
            upkeep.set_duty(
                session,
                printer_id=printer_id,
                duty=duty,
                because=plain_text(asked.because, most=2_000),
                by=g.caller.id,
                now=now,
            )
        session.flush()
        session.expire_all()
        return _printer(session, printer_id).to_json()


@bp.post("/printers/<uuid:printer_id>/spools")
@describes("Load a spool", takes=schema.SpoolAsk, gives=schema.Printer, who="account")
@needs(Scope.OPERATE)
def load(printer_id: UUID) -> ResponseReturnValue:
    """In place of what was in that slot. Jobs that wait for another material wait on."""
    asked = said(schema.SpoolAsk)
    with this_hub().database.writing() as session:
        access.own_printer(session, g.caller, printer_id)
        care.load(
            session,
            printer_id=printer_id,
            material=asked.material,
            colour=asked.colour,
            left_mg=asked.left_mg,
            price_per_kg_minor=asked.price_per_kg_minor,
            slot=asked.slot,
            by=g.caller.id,
            now=clock.now(),
        )
        session.expire_all()
        return _printer(session, printer_id).to_json()


@bp.post("/printers/<uuid:printer_id>/bed/clear")
@describes("The bed is clear", gives=schema.Printer, who="account")
@needs(Scope.OPERATE)
def clear_bed(printer_id: UUID) -> ResponseReturnValue:
    """Said by a person who looked. Refused while a print may be moving on it."""
    with this_hub().database.writing() as session:
        access.own_printer(session, g.caller, printer_id)
        jobs.clear_bed(session, printer_id=printer_id, by=g.caller.id, now=clock.now())
        session.expire_all()
        return _printer(session, printer_id).to_json()


@bp.post("/workshops/<name>/agents")
@describes(
    "Enrol an agent", takes=schema.AgentAsk, gives=schema.AgentMade, status=201, who="account"
)
@needs(Scope.OPERATE)
def enrol(name: str) -> ResponseReturnValue:
    """Its token is told this once. A printer that had an agent changes hands."""
    asked = said(schema.AgentAsk)
    if asked.name.strip() == attaching.NAME:
        raise Invalid(f"{attaching.NAME!r} is what the hub's own agents are called: choose another")
    with this_hub().database.writing() as session:
        workshop = access.own_workshop(session, g.caller, name)
        known = {printer.name: printer.id for printer in workshop.printers}
        unknown = [each for each in asked.printers if each not in known]
        if unknown or not asked.printers:
            have = ", ".join(sorted(known)) or "none yet"
            raise NotFound(f"no printer {', '.join(unknown) or 'named'}; {name} has: {have}")
        printers = [known[each] for each in asked.printers]
        row, token = registry.enrol_agent(
            session, workshop_id=workshop.id, name=asked.name, printers=printers, now=clock.now()
        )
    made = schema.AgentMade(
        id=row.id, name=row.name, token=token, printers=printers, hub_key=this_hub().keys.current()
    )
    return made.to_json(), 201


def _duty(asked: schema.PrinterChange) -> Duty | None:
    if asked.most_pieces is not None and asked.duty is None and asked.accepting is None:
        return None
    if (asked.duty is None) == (asked.accepting is None):
        raise Invalid(f"say duty ({', '.join(Duty)}), or accepting alone")
    if asked.duty is None:
        return Duty.OPEN if asked.accepting else Duty.PAUSED
    try:
        return Duty(asked.duty)
    except ValueError:
        raise Invalid(f"duty {asked.duty[:40]!r} is not one of: {', '.join(Duty)}") from None


def _carriage(ways: list[dict[str, Any]]) -> tuple[Carriage, ...]:
    return tuple(Carriage.from_json(way) for way in ways) or FETCHED


def _profile(asked: schema.PrinterAsk) -> Profile:
    if (asked.common is None) == (asked.profile is None):
        raise Invalid("say either common (the name of a profile) or profile (your own)")
    if asked.profile is not None:
        return Profile.from_json(asked.profile)
    if asked.common is None or asked.common not in COMMON:
        raise Invalid(f"no common profile {asked.common!r}; there are: {', '.join(COMMON)}")
    return COMMON[asked.common]


def _printer(session: Session, printer_id: UUID) -> schema.Printer:
    row = queries.printer(session, printer_id)
    return shown.printer(row, work_of(session, [printer_id])[printer_id])


def _shown(session: Session, row: WorkshopRow) -> schema.Workshop:
    names = access.names_of(session, {row.owner_id})
    work = work_of(session, [printer.id for printer in row.printers])
    return shown.workshop(row, owner=names[row.owner_id], work=work)
