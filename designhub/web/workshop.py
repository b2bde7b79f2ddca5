"""Workshops: the list, the page for everybody, the board for its owner, all printers of mine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, g, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from basis import clock
from designhub import access
from designhub.auth import Caller
from designhub.hub import this_hub
from designhub.live import Topic
from designhub.web import board, printer_words
from designhub.web.live import stream
from designhub.web.session import signed_in, viewer
from printers import queries
from printers.capability import MATERIALS
from printers.hours import hours_of
from printers.models import PrinterRow, WorkshopRow
from printers.offer import Carriage, Prices
from printers.quiet import Quiet
from router.queries import PrinterWork, work_of

bp = Blueprint("workshop", __name__)

PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """A workshop in the list of all."""

    row: WorkshopRow
    free: int
    """Printers that could begin at once."""
    waiting: int
    loaded: list[tuple[str, str]]


@bp.get("/workshops")
def show_all() -> ResponseReturnValue:
    """All workshops, with what their printers are and hold."""
    after = request.args.get("after", "")[:80]
    with this_hub().database.reading() as session:
        rows = queries.workshops(session, after=after, most=PAGE + 1)
        work = work_of(session, [printer.id for row in rows for printer in row.printers])
    return render_template(
        "workshops.html",
        workshops=[_glance(row, work) for row in rows[:PAGE]],
        following=rows[PAGE - 1].slug if len(rows) > PAGE else None,
        after=after,
    )


@bp.get("/workshops/<slug>")
def show(slug: str) -> ResponseReturnValue:
    """One workshop for everybody; its owner sees the board unless they ask for the public page."""
    caller = viewer()
    with this_hub().database.reading() as session:
        row = queries.workshop(session, slug)
        yours = caller is not None and (caller.id == row.owner_id or caller.operator)
        if caller is not None and yours and "public" not in request.args:
            return _board(session, row, caller)
        owner = access.names_of(session, {row.owner_id})[row.owner_id]
        work = work_of(session, [printer.id for printer in row.printers])
    return render_template(
        "workshop.html",
        workshop=row,
        owner=owner,
        prices=printer_words.prices(Prices.from_json(row.prices), row.currency),
        ways=[printer_words.way(Carriage.from_json(each), row.currency) for each in row.carriage],
        hours=hours_of(row.hours),
        quiet=None if row.quiet is None else Quiet.from_json(row.quiet),
        yours=yours,
        work=work,
        loaded=_loaded(row),
        now=clock.now(),
        unseen_s=this_hub().settings.unseen_s,
        printer_words=printer_words,
    )


@bp.get("/workshops/<slug>/events")
@signed_in
def events(slug: str) -> ResponseReturnValue:
    """Changes of its printers and their jobs, for who runs them."""
    with this_hub().database.reading() as session:
        row = access.own_workshop(session, g.caller, slug)
    return stream(Topic("workshop", row.id))


@bp.get("/me/printers")
@signed_in
def mine() -> ResponseReturnValue:
    """Every printer of the viewer's workshops at a glance."""
    with this_hub().database.reading() as session:
        rows = queries.workshops(session, owner_id=g.caller.id)
        found = _cards(session, [each for row in rows for each in row.printers], g.caller)
    by_workshop = {
        row.id: [card for card in found if card.printer.workshop_id == row.id] for row in rows
    }
    return render_template("my_printers.html", workshops=rows, cards=by_workshop)


def _board(session: Session, row: WorkshopRow, caller: Caller) -> ResponseReturnValue:
    return render_template(
        "board.html",
        workshop=row,
        cards=_cards(session, row.printers, caller),
        here=f"/workshops/{row.slug}",
        materials=list(MATERIALS),
        now=clock.now(),
        unseen_s=this_hub().settings.unseen_s,
        printer_words=printer_words,
    )


def _cards(session: Session, printers: Sequence[PrinterRow], caller: Caller) -> list[board.Card]:
    return board.cards(
        session,
        printers,
        reader_id=caller.id,
        now=clock.now(),
        unseen_s=this_hub().settings.unseen_s,
    )


def _glance(row: WorkshopRow, work: Mapping[UUID, PrinterWork]) -> Glance:
    now, unseen_s = clock.now(), this_hub().settings.unseen_s
    free = [
        printer
        for printer in row.printers
        if printer_words.is_seen(printer.seen_at, now=now, unseen_s=unseen_s)
        and printer.accepting
        and work[printer.id].run_state is None
        and not work[printer.id].waiting
    ]
    waiting = sum(work[printer.id].waiting for printer in row.printers)
    return Glance(row=row, free=len(free), waiting=waiting, loaded=_loaded(row))


def _loaded(row: WorkshopRow) -> list[tuple[str, str]]:
    """Every material and colour that is loaded somewhere in the workshop."""
    spools = (spool for printer in row.printers for spool in printer.spools)
    return sorted({(spool.material, spool.colour) for spool in spools})
