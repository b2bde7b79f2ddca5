"""What the end of a run means for its job, its printer and the book, whoever says that it ended.

The caller holds the printer's lock (`router.rows`) and checked that the speaker may say so.
"""

from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from basis.errors import NotAllowed
from commons.facts import Outcome
from printers import registry
from router import bookkeeping, learning, rows
from router.history import job_event, run_event
from router.models import JobRow, RunRow
from router.states import Event, JobEvent, Run

MOST_GIVEN_BACK = 5
"""A machine that refuses a file again and again would otherwise be asked for ever."""

MOST_PRINT_S = 10_000_000
"""No print lasts four months: a larger figure is a fault of the printer's clock."""


def finished(
    session: Session, run: RunRow, *, actor: str, now: datetime, print_s: int | None, note: str
) -> None:
    """The machine says it is done: a person must look. What it took is written in the book."""
    run.progress_ppm = 1_000_000
    run_event(session, run, Event.FINISH, actor=actor, now=now, note=note)
    _took(session, run, outcome="printed", actor=actor, now=now, print_s=print_s)


def failed(
    session: Session,
    run: RunRow,
    *,
    actor: str,
    now: datetime,
    print_s: int | None,
    cause: str,
    printed_ppm: int | None = None,
) -> None:
    """There is evidence that the run failed after it may have started. What it took is written;
    its job waits for a person's "again", or is cancelled if somebody asked for that.

    printed_ppm : how much of it a person found; None is what the machine last told.
    """
    made = run.state is Run.PRINTED
    run_event(session, run, Event.FAIL, actor=actor, now=now, note=cause)
    run.cause = cause[:2_000]
    job = rows.locked_job(session, run.job_id)
    if made:
        bookkeeping.rejected(session, run, by=actor, now=now)
    else:
        outcome: Outcome = "cancelled" if run.stop_asked else "failed"
        _took(
            session,
            run,
            outcome=outcome,
            actor=actor,
            now=now,
            print_s=print_s,
            printed_ppm=printed_ppm,
        )
    job.reason = run.cause
    job_event(session, job, JobEvent.RUN_FAILED, actor=actor, now=now, note=cause)
    if run.stop_asked:
        cancelled(session, job, actor=actor, now=now)


def never_started(session: Session, run: RunRow, *, actor: str, now: datetime, note: str) -> None:
    """The journal proves that nothing moved. The job goes back to its queue; after a permit the
    bed stays occupied all the same, for only a person's look clears it.

    Raises NotAllowed when the run was seen printing.
    """
    if run.state is Run.LEASED:
        run_event(session, run, Event.RELEASE, actor=actor, now=now, note=note)
    elif run.started_at is not None:
        raise NotAllowed(f"run {run.id} was seen printing: it cannot have never started")
    else:
        run.never_started = True
        run_event(session, run, Event.FAIL, actor=actor, now=now, note=note)
    given_back(session, run, actor=actor, now=now, why=note)


def given_back(session: Session, run: RunRow, *, actor: str, now: datetime, why: str) -> None:
    """A run ended before anything moved: its job waits again, or ends if that was asked.

    A job that its agents gave back `MOST_GIVEN_BACK` times waits for a person instead.
    """
    job = rows.locked_job(session, run.job_id)
    registry.idle(session, printer_id=run.printer_id, now=now)
    often = run.agent_ended and _times_given_back(session, job) >= MOST_GIVEN_BACK
    if often and not run.stop_asked:
        job.reason = f"given back {MOST_GIVEN_BACK} times; the last time: {why}"[:2_000]
        job_event(session, job, JobEvent.RUN_FAILED, actor=actor, now=now, note=job.reason)
        return
    job_event(session, job, JobEvent.RELEASED, actor=actor, now=now, note=why)
    if run.stop_asked:
        cancelled(session, job, actor=actor, now=now)


def cancelled(session: Session, job: JobRow, *, actor: str, now: datetime) -> None:
    """The job ends without a part: its filament and its share of the price are free again."""
    job_event(session, job, JobEvent.CANCEL, actor=actor, now=now)
    job.reserved_mg = 0
    bookkeeping.voided(session, job, why="cancelled", by=actor, now=now)


def _times_given_back(session: Session, job: JobRow) -> int:
    """How many runs of a job its agents ended before anything moved."""
    asked = select(func.count()).where(
        RunRow.job_id == job.id,
        RunRow.agent_ended,
        or_(RunRow.state == Run.RELEASED, RunRow.never_started),
    )
    return session.scalar(asked) or 0


def _took(
    session: Session,
    run: RunRow,
    *,
    outcome: Outcome,
    actor: str,
    now: datetime,
    print_s: int | None,
    printed_ppm: int | None = None,
) -> None:
    worked_s = None if print_s is None else max(0, min(print_s, MOST_PRINT_S))
    if outcome == "printed":
        learning.took(session, run, print_s=worked_s)
    bookkeeping.run_took(
        session,
        run,
        outcome=outcome,
        by=actor,
        print_s=worked_s,
        printed_ppm=printed_ppm,
        now=now,
    )
    registry.idle(session, printer_id=run.printer_id, now=now)
