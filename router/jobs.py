"""The verbs of orders and jobs: order, cancel, what an agent or a person says of a run, hand-over.

Each takes an open transaction, changes rows by the tables of `router.states`, writes the open book
where something was used or is owed, and never commits.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from basis.errors import Conflict, Invalid, NotAllowed, NotFound
from commons.facts import Outcome
from printers import registry
from printers.models import SpoolRow
from printers.offer import COLLECTED, Mode
from router import bookkeeping
from router.history import HUB, account, job_event, noted, run_event
from router.models import JobRow, OrderRow, QuoteRow, RunRow
from router.states import LIVE, OPEN, Event, Job, JobEvent, Run

MOST_KEY = 80
RESERVING = frozenset({Job.ORDERED, Job.ASKED, Job.READY, Job.ASSIGNED})
"""Jobs whose filament is spoken for; a run that ended has taken its share off the spool."""


class QuoteOver(NotAllowed):
    """The quote is older than it binds: ask for new ones."""

    code = "quote_over"


class NotEnoughLeft(NotAllowed):
    """Another order reserved the filament meanwhile: ask for new quotes."""

    code = "not_enough_left"


def order(
    session: Session, *, quote_id: UUID, maker_id: UUID, idempotency_key: str, now: datetime
) -> OrderRow:
    """Accept a quote: one order, one job for each copy, the price reserved in the book.

    The same key by the same maker returns the first order, so the second click orders nothing.
    Raises NotFound, QuoteOver, NotEnoughLeft, Conflict when the key was used for another quote.
    """
    if not 1 <= len(idempotency_key) <= MOST_KEY:
        raise Invalid(f"idempotency_key: 1 to {MOST_KEY} characters")
    quote = session.scalar(select(QuoteRow).where(QuoteRow.id == quote_id))
    if quote is None or quote.maker_id not in (None, maker_id):
        raise NotFound(f"there is no quote {quote_id} of yours")
    # Locks the spool on PostgreSQL, so that two orders cannot both see the last grams free.
    spool = session.scalars(
        select(SpoolRow).where(SpoolRow.id == quote.spool_id).with_for_update()
    ).one()
    known = session.scalar(
        select(OrderRow).where(
            OrderRow.maker_id == maker_id, OrderRow.idempotency_key == idempotency_key
        )
    )
    if known is not None:
        if known.quote_id != quote_id:
            raise Conflict(f"the key {idempotency_key!r} has ordered another quote already")
        return known
    if quote.expires_at < now:
        raise QuoteOver(f"the quote ended at {quote.expires_at:%Y-%m-%d %H:%M} UTC; ask again")
    _check_left(session, spool, needed_mg=quote.mass_mg * quote.copies)
    row = OrderRow(
        maker_id=maker_id, quote_id=quote_id, idempotency_key=idempotency_key, created_at=now
    )
    row.quote = quote
    session.add(row)
    session.flush()
    for copy in range(1, quote.copies + 1):
        job = JobRow(
            order_id=row.id,
            copy=copy,
            printer_id=quote.printer_id,
            state=Job.ORDERED,
            reserved_mg=quote.mass_mg,
            created_at=now,
        )
        session.add(job)
    session.flush()
    bookkeeping.ordered(session, row, now=now)
    return row


def reserved_mg(session: Session, spools: Sequence[UUID] | None = None) -> dict[UUID, int]:
    """Per spool, what open jobs have reserved of it."""
    asked = (
        select(QuoteRow.spool_id, func.sum(JobRow.reserved_mg))
        .join(OrderRow, OrderRow.quote_id == QuoteRow.id)
        .join(JobRow, JobRow.order_id == OrderRow.id)
        .where(JobRow.state.in_(RESERVING), JobRow.reserved_mg > 0)
        .group_by(QuoteRow.spool_id)
    )
    if spools is not None:
        asked = asked.where(QuoteRow.spool_id.in_(spools))
    return {spool_id: int(total) for spool_id, total in session.execute(asked)}


def get(session: Session, job_id: UUID) -> JobRow:
    """One job, locked, with its order and quote. Raises NotFound."""
    row = session.scalar(
        select(JobRow)
        .where(JobRow.id == job_id)
        .options(joinedload(JobRow.order).joinedload(OrderRow.quote))
        .with_for_update(of=JobRow)
    )
    if row is None:
        raise NotFound(f"there is no job {job_id}")
    return row


def open_run(session: Session, job: JobRow) -> RunRow | None:
    """The run the job waits for, locked, if there is one."""
    return session.scalar(
        select(RunRow).where(RunRow.job_id == job.id, RunRow.state.in_(OPEN)).with_for_update()
    )


# What an agent says of a run (its words are checked in `router.lease`).


def finished(
    session: Session, run: RunRow, *, actor: str, now: datetime, print_s: int | None, note: str
) -> None:
    """The machine says it is done: a person must look. What it took is written in the book."""
    run.permit_until = None
    run.progress_ppm = 1_000_000
    run_event(session, run, Event.FINISH, actor=actor, now=now, note=note)
    bookkeeping.run_took(session, run, outcome="printed", print_s=print_s, now=now)
    registry.idle(session, printer_id=run.printer_id, now=now)


def run_failed(
    session: Session, run: RunRow, *, actor: str, now: datetime, print_s: int | None, cause: str
) -> None:
    """There is evidence that the run failed after it may have started. What it took is written;
    its job waits for a person's "again", or is cancelled if the maker asked for that."""
    made = run.state is Run.PRINTED
    run_event(session, run, Event.FAIL, actor=actor, now=now, note=cause)
    run.cause = cause[:2_000]
    if actor.startswith("agent:"):
        run.permit_until = None  # used: only a person's word leaves it out until it runs out
    job = get(session, run.job_id)
    if made:
        bookkeeping.rejected(session, run, by=actor, now=now)
    else:
        outcome: Outcome = "cancelled" if run.stop_asked else "failed"
        bookkeeping.run_took(session, run, outcome=outcome, print_s=print_s, now=now)
        registry.idle(session, printer_id=run.printer_id, now=now)
    job.reason = run.cause
    job_event(session, job, JobEvent.RUN_FAILED, actor=actor, now=now, note=cause)
    if run.stop_asked:
        _cancelled(session, job, actor=actor, now=now)


def never_started(session: Session, run: RunRow, *, actor: str, now: datetime, note: str) -> None:
    """The journal proves that nothing moved. The job goes back to its queue; after a permit the
    bed stays occupied all the same, for only a person's look clears it."""
    if run.state is Run.LEASED:
        run_event(session, run, Event.RELEASE, actor=actor, now=now, note=note)
    elif run.started_at is not None:
        raise NotAllowed(f"run {run.id} was seen printing: it cannot have never started")
    else:
        run.never_started, run.permit_until = True, None
        run_event(session, run, Event.FAIL, actor=actor, now=now, note=note)
    given_back(session, run, actor=actor, now=now)


def given_back(session: Session, run: RunRow, *, actor: str, now: datetime) -> None:
    """A run ended before anything moved: its job waits again, or ends if that was asked."""
    job = get(session, run.job_id)
    job_event(session, job, JobEvent.RELEASED, actor=actor, now=now)
    registry.idle(session, printer_id=run.printer_id, now=now)
    if run.stop_asked:
        _cancelled(session, job, actor=actor, now=now)


# What a person says.


def passed(session: Session, *, job_id: UUID, by: UUID, now: datetime) -> JobRow:
    """A person took the part off the bed and accepts it: from now on it is owed.

    Also ends UNKNOWN: whoever has the good part in their hand knows that it was printed. Saying it
    twice is harmless. Raises NotAllowed in any other state.
    """
    job = get(session, job_id)
    if job.state in (Job.PASSED, Job.DONE):
        return job
    run = _run_to_judge(session, job)
    who = account(by)
    if run.state is Run.UNKNOWN:
        note = "a person found it finished"
        finished(session, run, actor=who, now=now, print_s=None, note=note)
    run_event(session, run, Event.PASS, actor=who, now=now)
    job_event(session, job, JobEvent.PASS, actor=who, now=now)
    registry.count(session, printer_id=run.printer_id, passed=1)
    bookkeeping.passed(session, job, run, by=by, now=now)
    if mode_of(job.order.quote) in COLLECTED:
        # It changes hands where it was made: the person who looked hands it over.
        _received(session, job, by=by, now=now)
    return job


def failed(
    session: Session,
    *,
    job_id: UUID,
    by: UUID,
    cause: str,
    job_at_fault: bool,
    printer_at_fault: bool,
    now: datetime,
) -> JobRow:
    """A person looked and it is not good, or it did not come about. The two blames are separate.

    Raises NotAllowed while the machine still works on it: cancel it first.
    """
    if not cause.strip():
        raise Invalid("say what was wrong, in a few words")
    job = get(session, job_id)
    run = _run_to_judge(session, job)
    run.job_at_fault, run.printer_at_fault = job_at_fault, printer_at_fault
    if printer_at_fault:
        registry.count(session, printer_id=run.printer_id, failed=1)
    run_failed(session, run, actor=account(by), now=now, print_s=None, cause=cause.strip())
    return job


def retry(session: Session, *, job_id: UUID, by: UUID, now: datetime) -> JobRow:
    """A person authorises one more try of a failed job on its printer.

    Raises NotAllowed in another state, NotEnoughLeft when the spool will not last.
    """
    job = get(session, job_id)
    if job.state is Job.READY:
        return job
    quote = job.order.quote
    spool = session.scalars(
        select(SpoolRow).where(SpoolRow.id == quote.spool_id).with_for_update()
    ).one()
    needed = job.mass_mg or quote.mass_mg
    _check_left(session, spool, needed_mg=needed)
    job_event(session, job, JobEvent.RETRY, actor=account(by), now=now)
    job.reserved_mg, job.reason = needed, ""
    return job


def agree(session: Session, *, job_id: UUID, by: UUID, now: datetime) -> JobRow:
    """The workshop agrees to make, at the quoted price, what turned out to need more: the price
    binds. (The maker's other way is to cancel and order by a new quote, which knows the slice.)"""
    job = get(session, job_id)
    if job.state is Job.READY:
        return job
    job_event(session, job, JobEvent.AGREE, actor=account(by), now=now)
    job.reason = ""
    return job


def received(session: Session, *, job_id: UUID, by: UUID, now: datetime) -> JobRow:
    """The maker has the part, or the workshop handed it over: settled, done."""
    job = get(session, job_id)
    if job.state is Job.DONE:
        return job
    _received(session, job, by=by, now=now)
    return job


def cancel(session: Session, *, job_id: UUID, by: UUID, now: datetime) -> JobRow:
    """End a job. Before its permit it ends at once; afterwards the agent is told to stop, and the
    job ends when there is evidence. A printed part cannot be cancelled, only passed or failed."""
    job = get(session, job_id)
    if job.state is Job.CANCELLED:
        return job
    who = account(by)
    if job.state is not Job.ASSIGNED:
        _cancelled(session, job, actor=who, now=now)
        return job
    run = open_run(session, job)
    if run is None or run.state is Run.PRINTED:
        raise NotAllowed(f"job {job.id} is printed: look at it, then say passed or failed")
    run.stop_asked = True
    if run.state is Run.LEASED:
        run_event(session, run, Event.CANCEL, actor=who, now=now)
        given_back(session, run, actor=who, now=now)
    else:
        noted(session, run, "run.stop_asked", actor=who, now=now, note="")
    return job


def clear_bed(session: Session, *, printer_id: UUID, by: UUID, now: datetime) -> None:
    """A person says the bed is empty. Raises NotAllowed while a run may be moving on it.

    A printed part that nobody has judged yet may be judged later, on the bench.
    """
    on_it = session.scalar(
        select(RunRow)
        .where(RunRow.printer_id == printer_id, RunRow.state.in_(LIVE))
        .with_for_update()
    )
    if on_it is not None:
        if on_it.state is Run.UNKNOWN:
            say = "nobody knows what became of it: look, then say job passed or job failed"
        else:
            say = "wait for its end, or cancel it"
        raise NotAllowed(f"run {on_it.id} of job {on_it.job_id} is {on_it.state}: {say}")
    registry.cleared(session, printer_id=printer_id, now=now)


def refused(session: Session, job: JobRow, *, reason: str, now: datetime) -> None:
    """It cannot be sliced for its printer: nothing was made, nothing is owed."""
    job.reason, job.reserved_mg = reason[:2_000], 0
    job_event(session, job, JobEvent.REFUSE, actor=HUB, now=now, note=reason)
    bookkeeping.voided(session, job, why=reason, by=HUB, now=now)


def mode_of(quote: QuoteRow) -> Mode:
    """How the part travels by this quote."""
    return Mode(quote.inputs["mode"])


def _run_to_judge(session: Session, job: JobRow) -> RunRow:
    run = open_run(session, job)
    if run is None:
        raise NotAllowed(f"job {job.id} is {job.state}: there is no print of it to judge")
    if run.state not in (Run.PRINTED, Run.UNKNOWN):
        raise NotAllowed(f"job {job.id} is {run.state}: wait for its end, or cancel it first")
    return run


def _received(session: Session, job: JobRow, *, by: UUID, now: datetime) -> None:
    quote = job.order.quote
    distance_m = 0 if mode_of(quote) in COLLECTED else quote.distance_m
    job_event(session, job, JobEvent.RECEIVE, actor=account(by), now=now)
    bookkeeping.received(session, job, distance_m=distance_m, by=by, now=now)


def _cancelled(session: Session, job: JobRow, *, actor: str, now: datetime) -> None:
    job_event(session, job, JobEvent.CANCEL, actor=actor, now=now)
    job.reserved_mg = 0
    bookkeeping.voided(session, job, why="cancelled", by=actor, now=now)


def _check_left(session: Session, spool: SpoolRow, *, needed_mg: int) -> None:
    free = spool.left_mg - reserved_mg(session, [spool.id]).get(spool.id, 0)
    if needed_mg > free:
        raise NotEnoughLeft(
            f"{needed_mg / 1000:.1f} g of {spool.material} {spool.colour} are needed and "
            f"{max(0, free) / 1000:.1f} g are free there; ask for new quotes"
        )
