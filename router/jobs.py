"""What people do with orders and jobs: order, cancel, judge a print, hand over, clear a bed.

Each verb takes an open transaction, locks the printer, changes rows by the tables of
`router.states`, writes the open book where something was used or is owed, and never commits.
Saying it twice is harmless.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from basis.errors import Conflict, Invalid, NotAllowed, NotFound
from printers import registry
from printers.models import SpoolRow
from printers.offer import COLLECTED, Mode
from router import bookkeeping, endings, rows
from router.history import HUB, account, begun, job_event, noted, run_event
from router.models import JobRow, OrderRow, QuoteRow, RunRow
from router.quote import plates
from router.states import LIVE, Event, Job, JobEvent, Run

MOST_KEY = 80
RESERVING = frozenset({Job.ORDERED, Job.ASKED, Job.READY, Job.ASSIGNED})
"""Jobs whose filament is spoken for; a run that ended has taken its share off the spool."""


class QuoteOver(NotAllowed):
    """The quote does not bind any more: ask for new ones."""

    code = "quote_over"


class NotEnoughLeft(NotAllowed):
    """Another order reserved the filament meanwhile: ask for new quotes."""

    code = "not_enough_left"


def order(
    session: Session, *, quote_id: UUID, maker_id: UUID, idempotency_key: str, now: datetime
) -> OrderRow:
    """Accept a quote: one order, a job for each plate of each part, the price reserved in the book.

    The same key by the same maker returns the first order, so the second click orders nothing.
    Raises NotFound, QuoteOver, NotEnoughLeft, Conflict when the key was used for another quote.
    """
    if not 1 <= len(idempotency_key) <= MOST_KEY:
        raise Invalid(f"idempotency_key: 1 to {MOST_KEY} characters")
    quote = session.scalar(select(QuoteRow).where(QuoteRow.id == quote_id))
    if quote is None or quote.maker_id not in (None, maker_id):
        raise NotFound(f"there is no quote {quote_id} of yours")
    # Two orders must not both see the last grams free, nor two clicks both find no order.
    printer = rows.locked_printer(session, quote.printer_id)
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
    if not printer.accepting:
        raise QuoteOver("this printer takes no new work any more; ask for new quotes")
    check_left(session, rows.made_from(session, quote), needed_mg=quote.mass_mg)
    row = _ordered(session, quote, maker_id=maker_id, key=idempotency_key, now=now)
    bookkeeping.ordered(session, row, now=now)
    return row


def reserved_mg(session: Session, spools: Sequence[UUID] | None = None) -> dict[UUID, int]:
    """Per spool, what open jobs have reserved of it; all spools, or only those named.

    What was reserved of a spool that was taken out counts for the one that took its place with the
    same material and colour (`rows.made_from`). At most two statements, whatever the number of
    spools.
    """
    asked = (
        select(SpoolRow, func.sum(JobRow.reserved_mg))
        .join(QuoteRow, QuoteRow.spool_id == SpoolRow.id)
        .join(OrderRow, OrderRow.quote_id == QuoteRow.id)
        .join(JobRow, JobRow.order_id == OrderRow.id)
        .where(JobRow.state.in_(RESERVING), JobRow.reserved_mg > 0)
        .group_by(SpoolRow.id)
    )
    if spools is not None:
        printers = select(SpoolRow.printer_id).where(SpoolRow.id.in_(spools))
        asked = asked.where(SpoolRow.printer_id.in_(printers))
    sums = [(row[0], int(row[1])) for row in session.execute(asked)]
    gone = {spool.printer_id for spool, _ in sums if spool.slot is None}
    if not gone:
        return {spool.id: mg for spool, mg in sums if spools is None or spool.id in spools}
    loaded = select(SpoolRow).where(SpoolRow.printer_id.in_(gone), SpoolRow.slot.is_not(None))
    instead = {
        (spool.printer_id, spool.material, spool.colour): spool.id
        for spool in session.scalars(loaded.order_by(SpoolRow.slot.desc()))
    }
    found: dict[UUID, int] = {}
    for spool, total_mg in sums:
        which = spool.id
        if spool.slot is None:
            which = instead.get((spool.printer_id, spool.material, spool.colour), spool.id)
        found[which] = found.get(which, 0) + total_mg
    return {spool: mg for spool, mg in found.items() if spools is None or spool in spools}


def check_left(session: Session, spool: SpoolRow, *, needed_mg: int) -> None:
    """Raises NotEnoughLeft when a spool has less than `needed_mg` that nobody reserved."""
    free = spool.left_mg - reserved_mg(session, [spool.id]).get(spool.id, 0)
    if needed_mg > free:
        raise NotEnoughLeft(
            f"{needed_mg / 1000:.1f} g of {spool.material} {spool.colour} are needed and "
            f"{max(0, free) / 1000:.1f} g are free there: load a fuller spool, or ask for new"
            " quotes"
        )


def get(session: Session, job_id: UUID) -> JobRow:
    """One job, its printer locked, with its order and quote. Raises NotFound."""
    return rows.locked_job(session, job_id)


def passed(session: Session, *, job_id: UUID, by: UUID, now: datetime) -> JobRow:
    """A person took the part off the bed and accepts it: from now on it is owed.

    Also ends UNKNOWN: whoever has the good part in their hand knows that it was printed. Raises
    NotAllowed in any other state.
    """
    job = get(session, job_id)
    if job.state in (Job.PASSED, Job.DONE):
        return job
    run = _run_to_judge(session, job)
    _found_finished(session, run, by=by, now=now)
    return _passed(session, job, run, by=by, now=now)


def _found_finished(session: Session, run: RunRow, *, by: UUID, now: datetime) -> None:
    if run.state is Run.UNKNOWN:
        note = "a person found it finished"
        endings.finished(session, run, actor=account(by), now=now, print_s=None, note=note)


def _passed(session: Session, job: JobRow, run: RunRow, *, by: UUID, now: datetime) -> JobRow:
    who = account(by)
    run_event(session, run, Event.PASS, actor=who, now=now)
    job_event(session, job, JobEvent.PASS, actor=who, now=now, run_id=run.id)
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
    good: int = 0,
    printed_ppm: int | None = None,
) -> JobRow:
    """A person looked and it is not good, or it did not come about. The two blames are separate.

    printed_ppm : of a run that nobody saw end, how much of it lies there, by the share of its
                  file; without it what the machine last told counts.
    good : of several copies on the plate, how many are good all the same. Those pass and are owed;
           a new job of the order stands for the others, and waits as failed for a person's "again".

    Returns the job that failed: of a plate that was good in part that new one. Saying it again
    changes nothing. Raises NotAllowed while the machine still works on it: cancel it first.
    """
    if not cause.strip():
        raise Invalid("say what was wrong, in a few words")
    job = get(session, job_id)
    if job.state is Job.FAILED:
        return job
    if job.good is not None:
        return _others(session, job, good=job.good)
    if not 0 <= good < job.pieces:
        raise Invalid(f"good: 0 to {job.pieces - 1} of the {job.pieces} on the plate, got {good}")
    run = _run_to_judge(session, job)
    if printed_ppm is not None:
        _check_share(run, printed_ppm, good=good)
    run.job_at_fault, run.printer_at_fault = job_at_fault, printer_at_fault
    if printer_at_fault:
        registry.count(session, printer_id=run.printer_id, failed=1)
    if good:
        return _good_in_part(session, job, run, good=good, by=by, cause=cause.strip(), now=now)
    who = account(by)
    endings.failed(
        session,
        run,
        actor=who,
        now=now,
        print_s=None,
        cause=cause.strip(),
        printed_ppm=printed_ppm,
    )
    return job


def _check_share(run: RunRow, printed_ppm: int, *, good: int) -> None:
    """Raises Invalid where a person's eye does not decide how much was printed."""
    if run.state is not Run.UNKNOWN or good:
        raise Invalid(
            "printed_ppm: how much was printed is said only of a run that nobody saw end, and of"
            " which nothing is good: leave it out"
        )
    if not 0 <= printed_ppm <= 1_000_000:
        raise Invalid(f"printed_ppm: 0 to 1000000, got {printed_ppm}")


def _good_in_part(
    session: Session,
    job: JobRow,
    run: RunRow,
    *,
    good: int,
    by: UUID,
    cause: str,
    now: datetime,
) -> JobRow:
    """Some of a plate are good: they pass, the others are scrap and another job."""
    _found_finished(session, run, by=by, now=now)
    run.cause = cause[:2_000]
    bookkeeping.rejected(session, run, by=account(by), now=now, pieces=job.pieces - good)
    last = session.scalar(select(func.max(JobRow.number)).where(JobRow.order_id == job.order_id))
    others = JobRow(
        order_id=job.order_id,
        number=(last or 0) + 1,
        item_id=job.item_id,
        copy=job.copy + good,
        pieces=job.pieces - good,
        printer_id=job.printer_id,
        state=Job.FAILED,
        reason=run.cause,
        reserved_mg=0,
        created_at=now,
    )
    session.add(others)
    job.good = good
    session.flush()
    note = f"{others.pieces} of {job.pieces} copies of job {job.id}: {cause}"
    begun(session, others, actor=account(by), now=now, note=note)
    _passed(session, job, run, by=by, now=now)
    return others


def _others(session: Session, job: JobRow, *, good: int) -> JobRow:
    """The job that stands for what was not good of a plate."""
    asked = select(JobRow).where(
        JobRow.order_id == job.order_id,
        JobRow.item_id == job.item_id,
        JobRow.copy == job.copy + good,
    )
    return session.scalars(asked.order_by(JobRow.number).limit(1)).one()


def retry(session: Session, *, job_id: UUID, by: UUID, now: datetime) -> JobRow:
    """A person authorises one more try of a failed job on its printer.

    Raises NotAllowed in another state, NotEnoughLeft when the spool will not last.
    """
    job = get(session, job_id)
    if job.state is Job.READY:
        return job
    if job.gcode_sha256 is None:  # what was not good of a plate: never sliced by itself
        if job.state is not Job.ORDERED:
            job.reason = ""
            job_event(session, job, JobEvent.SLICE_AGAIN, actor=account(by), now=now)
        return job
    job_event(session, job, JobEvent.RETRY, actor=account(by), now=now)
    _reserve(session, job)
    return job


def agree(session: Session, *, job_id: UUID, by: UUID, now: datetime) -> JobRow:
    """The workshop agrees to make, at the quoted price, what turned out to need more: the price
    binds. (The maker's other way is to cancel and order by a new quote, which knows the slice.)

    Raises NotAllowed in another state, NotEnoughLeft when the spool will not last.
    """
    job = get(session, job_id)
    if job.state is Job.READY:
        return job
    job_event(session, job, JobEvent.AGREE, actor=account(by), now=now)
    _reserve(session, job)
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
        endings.cancelled(session, job, actor=who, now=now)
        return job
    run = rows.open_run(session, job)
    if run is None or run.state is Run.PRINTED:
        raise NotAllowed(f"job {job.id} is printed: look at it, then say passed or failed")
    run.stop_asked = True
    if run.state is Run.LEASED:
        run_event(session, run, Event.CANCEL, actor=who, now=now)
        endings.given_back(session, run, actor=who, now=now, why="cancelled")
    else:
        noted(session, run, "run.stop_asked", actor=who, now=now)
    return job


def clear_bed(
    session: Session, *, printer_id: UUID, by: UUID, now: datetime, note: str = ""
) -> None:
    """A person says the bed is empty. Raises NotAllowed while a run may be moving on it, or may
    still begin to: a permit outlives the word of a person who gave its run up.

    A printed part that nobody has judged yet may be judged later, on the bench.
    """
    rows.locked_printer(session, printer_id)
    may_move = or_(RunRow.state.in_(LIVE), RunRow.permit_until > now)
    on_it = session.scalar(
        select(RunRow)
        .where(RunRow.printer_id == printer_id, may_move)
        .order_by(RunRow.fence.desc())
        .limit(1)
    )
    if on_it is not None:
        raise NotAllowed(
            f"run {on_it.id} of job {on_it.job_id} is {on_it.state}: {_before_clear(on_it, now)}"
        )
    if registry.cleared(session, printer_id=printer_id, now=now):
        registry.noted(session, printer_id=printer_id, by=by, what="bed.clear", now=now, note=note)


def _before_clear(run: RunRow, now: datetime) -> str:
    """What must happen before the bed under a run may be called clear."""
    say = "wait for its end, or cancel it"
    if run.state is Run.UNKNOWN:
        say = "nobody knows what became of it: look, then say job passed or job failed"
    if run.permit_until is None or run.permit_until <= now:
        return say
    if run.state not in LIVE:
        say = "its permit is still out; look again then, and say it then"
    return f"its agent may start it until {run.permit_until:%Y-%m-%d %H:%M:%S} UTC: {say}"


def refused(session: Session, job: JobRow, *, reason: str, now: datetime) -> None:
    """It cannot be sliced for its printer: nothing was made, nothing is owed."""
    job.reason, job.reserved_mg = reason[:2_000], 0
    job_event(session, job, JobEvent.REFUSE, actor=HUB, now=now, note=reason)
    bookkeeping.voided(session, job, why=reason, by=HUB, now=now)


def mode_of(quote: QuoteRow) -> Mode:
    """How the part travels by this quote."""
    return Mode(quote.inputs["mode"])


def _ordered(
    session: Session, quote: QuoteRow, *, maker_id: UUID, key: str, now: datetime
) -> OrderRow:
    row = OrderRow(maker_id=maker_id, quote_id=quote.id, idempotency_key=key, created_at=now)
    row.quote = quote
    session.add(row)
    try:
        session.flush()
    except IntegrityError as exc:  # at another printer, in the same moment
        raise Conflict(f"the key {key!r} has just ordered another quote") from exc
    number = 1
    for item in quote.items:
        copy = 1
        for pieces in plates(item.copies, item.pieces):
            job = JobRow(
                order_id=row.id,
                number=number,
                item=item,
                copy=copy,
                pieces=pieces,
                printer_id=quote.printer_id,
                state=Job.ORDERED,
                reserved_mg=item.mass_mg * pieces,
                created_at=now,
            )
            session.add(job)
            number, copy = number + 1, copy + pieces
    session.flush()
    return row


def _reserve(session: Session, job: JobRow) -> None:
    """Set aside the filament of a job that goes back to the queue. Raises NotEnoughLeft."""
    quote = job.order.quote
    job.reserved_mg, job.reason = 0, ""
    session.flush()
    check_left(session, rows.made_from(session, quote), needed_mg=job.needed_mg)
    job.reserved_mg = job.needed_mg


def _run_to_judge(session: Session, job: JobRow) -> RunRow:
    run = rows.open_run(session, job)
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
