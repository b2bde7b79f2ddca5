"""What people ask and say at a printer, through the plugin inside its OctoPrint."""

from uuid import UUID

from flask import Blueprint, g
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from basis import clock
from basis.errors import NotYours
from designhub.api.openapi import describes, said
from designhub.auth import agent_only
from designhub.hub import this_hub
from designhub.web import board, job_words, printer_words
from printers import at_printer, queries
from printers.models import Bed, WorkshopRow
from printers.queries import KnownAgent
from router import at_printer as people
from router.states import Job, Run

bp = Blueprint("at_printer_api", __name__, url_prefix="/api/v1")


@bp.post("/agents/me/board")
@describes("How a printer stands", takes=at_printer.BoardAsk, gives=at_printer.Board, who="agent")
@agent_only
def show() -> ResponseReturnValue:
    """For the person in front of it, in words: state, what is next, what to look at."""
    asked = said(at_printer.BoardAsk, strict=False)
    with this_hub().database.reading() as session:
        return _board(session, g.agent, asked.printer).to_json()


@bp.post("/agents/me/looked")
@describes(
    "A person looked at a print", takes=at_printer.Looked, gives=at_printer.Board, who="agent"
)
@agent_only
def looked() -> ResponseReturnValue:
    """Good, or not, with the cause and two blames. Taken from a plugin, for its own printer."""
    word = said(at_printer.Looked, strict=False)
    with this_hub().database.writing() as session:
        if word.good:
            people.passed(
                session,
                agent=g.agent,
                printer_id=word.printer,
                job_id=word.job,
                run_id=word.run,
                name=word.by,
                now=clock.now(),
            )
        else:
            people.failed(
                session,
                agent=g.agent,
                printer_id=word.printer,
                job_id=word.job,
                run_id=word.run,
                name=word.by,
                cause=word.cause,
                job_at_fault=word.job_at_fault,
                printer_at_fault=word.printer_at_fault,
                now=clock.now(),
            )
        session.expire_all()
        return _board(session, g.agent, word.printer).to_json()


@bp.post("/agents/me/bed-clear")
@describes(
    "A person looked at the bed",
    takes=at_printer.BedIsClear,
    gives=at_printer.Board,
    who="agent",
)
@agent_only
def bed_clear() -> ResponseReturnValue:
    """It is clear. Taken from a plugin, for its own printer; refused while a print may move."""
    word = said(at_printer.BedIsClear, strict=False)
    with this_hub().database.writing() as session:
        people.clear_bed(
            session, agent=g.agent, printer_id=word.printer, name=word.by, now=clock.now()
        )
        session.expire_all()
        return _board(session, g.agent, word.printer).to_json()


def _board(session: Session, agent: KnownAgent, printer_id: UUID) -> at_printer.Board:
    """The board of one printer of this agent. Raises NotYours for another's."""
    rows = [row for row in queries.printers_of(session, agent.id) if row.id == printer_id]
    if not rows:
        raise NotYours(f"this agent does not speak for printer {printer_id}")
    owner = session.get_one(WorkshopRow, rows[0].workshop_id).owner_id
    unseen_s = this_hub().settings.unseen_s
    now = clock.now()
    [card] = board.cards(session, rows, reader_id=owner, now=now, unseen_s=unseen_s)
    judge = [
        at_printer.ToJudge(
            job=each.owed.job.id,
            title=_title(each),
            text=_next(each),
            run=None if each.owed.run is None else each.owed.run.id,
        )
        for each in card.judge
    ]
    return at_printer.Board(
        printer=printer_id,
        name=card.printer.name,
        state=card.state.text,
        asks=card.asks,
        next=_what_is_next(card),
        bed_clear=card.printer.bed is Bed.CLEAR,
        may_clear=card.may_clear,
        waiting=len(card.queue),
        page=f"/printers/{printer_id}",
        judge=judge,
        causes=[
            at_printer.Cause(key=key, text=str(text)) for key, text in printer_words.CAUSES.items()
        ],
    )


def _what_is_next(card: board.Card) -> str:
    """The one thing to do or to wait for, in a sentence."""
    if card.current is not None:
        return _next(card.current)
    if card.judge:
        return _next(card.judge[0])
    if card.may_start_until is not None:
        until = f"{card.may_start_until:%H:%M:%S}"
        return f"A start permit is out until {until} UTC: look at the bed then, and say it then."
    if card.printer.bed is Bed.OCCUPIED:
        return "Take everything off the bed, then press The bed is clear."
    if not card.printer.accepting:
        because = card.printer.paused_because
        return f"The workshop paused it: {because}" if because else "Open it on the hub's page."
    if card.wants:
        return f"Load {card.wants}, and note the spool on the hub's page."
    return str(job_words.NEXT[Job.READY][1]) if card.queue else "No job waits for it."


def _next(work: board.Work) -> str:
    run = work.owed.run
    state: Run | None = None if run is None else run.state
    return job_words.next_step(work.owed.job.state, state, workshop=True, collected=False)


def _title(work: board.Work) -> str:
    return f"{work.design}: {work.part}"
