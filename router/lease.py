"""From a waiting job to at most one print: lease, permit, beat, report, expiry.

Who may rely on what:

- A *lease* says which agent prepares a job for its printer. It ends by itself; nothing physical
  has happened under it.
- A *permit* is the single right to start. Granting it checks lease, fence, file and bed in one
  transaction and marks the bed occupied. From then on silence means UNKNOWN, never "again".
- A *fence* is the run's number on its printer. Whoever speaks with another gets StaleFence.

Every function repeats harmlessly with the same arguments, and none commits.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, select, union
from sqlalchemy.orm import Session

from basis.errors import Conflict, NotAllowed, NotFound, NotYours
from designs import queries as designs
from printers import registry
from printers.models import Bed, PrinterRow, SpoolRow
from printers.protocol import Beat, Report, ReportEvent, StaleFence, Word
from router import jobs
from router.history import HUB, agent, job_event, noted, run_event
from router.models import JobRow, OrderRow, QuoteRow, RunRow
from router.states import HELD, LIVE, OPEN, Event, Job, JobEvent, Run

PAUSED = "it takes no new work: its workshop paused it"
NOT_CLEAR = "its bed is not clear: take the part off, then say that it is clear"
NO_JOB = "no job waits for it"


class BedNotClear(NotAllowed):
    """A person must look at the bed first."""

    code = "bed_not_clear"


class PermitOver(NotAllowed):
    """The permit ran out before the start: report that the run never started."""

    code = "permit_over"


def take(
    session: Session, *, printer_id: UUID, agent_id: UUID, now: datetime, lease_s: int
) -> tuple[RunRow | None, str]:
    """The printer's next run, leased to its agent; or None and why there is none, in words.

    An agent whose reply was lost asks again and gets the run that it already holds.
    Raises NotYours when another agent speaks for the printer.
    """
    printer = _printer(session, printer_id)
    if printer.agent_id != agent_id:
        raise NotYours(f"this agent does not speak for printer {printer_id}")
    expire(session, now=now, printer_id=printer_id)
    busy = session.scalar(
        select(RunRow).where(RunRow.printer_id == printer_id, RunRow.state.in_(HELD | LIVE))
    )
    if busy is not None:
        if busy.state is not Run.LEASED or busy.agent_id != agent_id:
            return None, f"run {busy.id} is {busy.state} on it"
        busy.lease_until = now + timedelta(seconds=lease_s)
        return busy, ""
    if not printer.accepting:
        return None, PAUSED
    if printer.bed is not Bed.CLEAR:
        return None, NOT_CLEAR
    if _permit_still_out(session, RunRow.printer_id == printer_id, now=now):
        return None, "an earlier start permit has not run out yet"
    job = _next_job(session, printer, now=now)
    if job is None:
        return None, _why_none(session, printer_id)
    run = RunRow(
        job_id=job.id,
        printer_id=printer_id,
        agent_id=agent_id,
        fence=registry.next_fence(session, printer_id),
        state=Run.LEASED,
        leased_at=now,
        lease_until=now + timedelta(seconds=lease_s),
    )
    job.tries += 1
    session.add(run)
    session.flush()
    job_event(session, job, JobEvent.LEASE, actor=agent(agent_id), now=now)
    return run, ""


def permit(
    session: Session,
    *,
    run_id: UUID,
    agent_id: UUID,
    fence: int,
    sha256: str,
    now: datetime,
    permit_s: int,
    lease_s: int,
) -> int:
    """Grant the right to start, once; returns how many seconds from now it is good for.

    Asking again before it ran out gives the same permit with the seconds that are left: the
    agent's journal, not the count of answers, makes the start single.

    Raises StaleFence, BedNotClear, PermitOver, Conflict when the file is another one, NotAllowed
    when the maker cancelled meanwhile.
    """
    run = _held(session, run_id=run_id, agent_id=agent_id, fence=fence, now=now)
    if run.stop_asked:
        raise NotAllowed(f"run {run_id} was cancelled: do not start it")
    if run.state in (Run.PERMITTED, Run.UNKNOWN):
        left_s = 0 if run.permit_until is None else int((run.permit_until - now).total_seconds())
        if left_s <= 0:
            raise PermitOver(f"the permit of run {run_id} ran out or was used")
        return left_s
    if run.state is not Run.LEASED:
        raise NotAllowed(f"run {run_id} is {run.state}: it has started")
    job = _job(session, run)
    if sha256 != job.gcode_sha256:
        raise Conflict(f"run {run_id} prints {job.gcode_sha256}, not {sha256}: fetch it again")
    printer = _printer(session, run.printer_id)
    if printer.bed is not Bed.CLEAR:
        raise BedNotClear(NOT_CLEAR)
    run_event(session, run, Event.PERMIT, actor=agent(agent_id), now=now)
    run.permitted_at, run.permit_until = now, now + timedelta(seconds=permit_s)
    run.lease_until = now + timedelta(seconds=lease_s)
    registry.occupied(session, printer_id=run.printer_id, now=now)
    return permit_s


def renew(
    session: Session,
    *,
    run_id: UUID,
    agent_id: UUID,
    fence: int,
    beat: Beat,
    now: datetime,
    lease_s: int,
) -> Word:
    """Take a sign of life: keep the lease, note the progress, answer "on" or "stop".

    Raises StaleFence when the run is another's by now, or ended.
    """
    run = _held(session, run_id=run_id, agent_id=agent_id, fence=fence, now=now)
    if run.state is Run.PRINTED:
        raise StaleFence(f"run {run_id} has been reported as printed")
    if beat.printing or beat.paused:
        if run.state is Run.LEASED:
            # It moves without a permit. Refusing to know would leave the bed marked clear.
            registry.occupied(session, printer_id=run.printer_id, now=now)
            noted(
                session, run, "run.moving_without_permit", actor=agent(agent_id), now=now, note=""
            )
            return Word.STOP
        _moving(session, run, paused=beat.paused, actor=agent(agent_id), now=now)
    if run.state in HELD:
        run.lease_until = now + timedelta(seconds=lease_s)
    run.progress_ppm = max(run.progress_ppm, min(beat.progress_ppm, 1_000_000))
    run.seconds_left = beat.seconds_left
    return Word.STOP if run.stop_asked else Word.ON


def report(
    session: Session, *, run_id: UUID, agent_id: UUID, said: Report, now: datetime
) -> RunRow:
    """Take an agent's word, with its evidence, of what became of a run.

    What is known already, or comes after the run ended, changes nothing. Raises StaleFence for
    another fence, NotAllowed for a claim that contradicts what was proved before.
    """
    run = _own(session, run_id=run_id, agent_id=agent_id, fence=said.fence)
    who = agent(agent_id)
    if said.progress_ppm is not None and run.state in LIVE:
        run.progress_ppm = max(run.progress_ppm, min(said.progress_ppm, 1_000_000))
    if run.state not in HELD | LIVE:
        noted(session, run, f"late.{said.event.value}", actor=who, now=now, note=said.evidence)
        return run
    match said.event:
        case ReportEvent.STARTED | ReportEvent.PAUSED:
            paused = said.event is ReportEvent.PAUSED
            _moving(session, run, paused=paused, actor=who, now=now, note=said.evidence)
        case ReportEvent.FINISHED:
            jobs.finished(
                session, run, actor=who, now=now, print_s=said.print_s, note=said.evidence
            )
        case ReportEvent.FAILED:
            jobs.run_failed(
                session, run, actor=who, now=now, print_s=said.print_s, cause=said.evidence
            )
        case ReportEvent.NEVER_STARTED:
            jobs.never_started(session, run, actor=who, now=now, note=said.evidence)
        case ReportEvent.RELEASED:
            run_event(session, run, Event.RELEASE, actor=who, now=now, note=said.evidence)
            jobs.given_back(session, run, actor=who, now=now)
        case ReportEvent.UNCLEAR:
            if run.state is not Run.UNKNOWN:
                run_event(session, run, Event.EXPIRE, actor=who, now=now, note=said.evidence)
    return run


def expire(session: Session, *, now: datetime, printer_id: UUID | None = None) -> int:
    """End every lease that ran out; returns how many. LEASED is released, later states become
    UNKNOWN. Called by a sweep, and for one printer before anything is decided about it."""
    late = select(RunRow).where(RunRow.state.in_(HELD), RunRow.lease_until < now)
    if printer_id is not None:
        late = late.where(RunRow.printer_id == printer_id)
    rows = list(session.scalars(late.with_for_update(skip_locked=printer_id is None)))
    for run in rows:
        note = "its agent was silent"
        run_event(session, run, Event.EXPIRE, actor=HUB, now=now, note=note)
        if run.state is Run.RELEASED:
            jobs.given_back(session, run, actor=HUB, now=now)
    return len(rows)


def any_late(session: Session, *, now: datetime) -> bool:
    """Whether any lease ran out: asked often, so it writes nothing."""
    late = select(RunRow.id).where(RunRow.state.in_(HELD), RunRow.lease_until < now)
    return session.scalar(late.limit(1)) is not None


def _moving(
    session: Session, run: RunRow, *, paused: bool, actor: str, now: datetime, note: str = ""
) -> None:
    """The machine works on our file, or waits in the middle of it."""
    wanted = Run.PAUSED if paused else Run.PRINTING
    run.permit_until = None  # used
    if run.started_at is None:
        run.started_at = now
    if run.state is not wanted:
        event = Event.PAUSE if paused else Event.START
        run_event(session, run, event, actor=actor, now=now, note=note)


def _own(session: Session, *, run_id: UUID, agent_id: UUID, fence: int) -> RunRow:
    """The run, if this agent holds it with this fence; its row is locked on PostgreSQL."""
    run = session.scalar(select(RunRow).where(RunRow.id == run_id).with_for_update())
    if run is None or run.agent_id != agent_id:
        # Not told apart: a foreign agent learns nothing of runs that are not its own.
        raise NotFound(f"this agent has no run {run_id}")
    if run.fence != fence:
        raise StaleFence(f"run {run_id} has fence {run.fence}, not {fence}")
    return run


def _held(session: Session, *, run_id: UUID, agent_id: UUID, fence: int, now: datetime) -> RunRow:
    """Like `_own`, for what still is the agent's to move on."""
    run = _own(session, run_id=run_id, agent_id=agent_id, fence=fence)
    if run.state is Run.LEASED and run.lease_until is not None and run.lease_until < now:
        raise StaleFence(f"the lease of run {run_id} ran out; ask for work again")
    if run.state not in OPEN:
        raise StaleFence(f"run {run_id} ended: it is {run.state}")
    return run


def _printer(session: Session, printer_id: UUID) -> PrinterRow:
    row = session.scalar(
        select(PrinterRow)
        .where(PrinterRow.id == printer_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound(f"there is no printer {printer_id}")
    return row


def _job(session: Session, run: RunRow) -> JobRow:
    return session.scalars(select(JobRow).where(JobRow.id == run.job_id).with_for_update()).one()


def _permit_still_out(session: Session, where: ColumnElement[bool], *, now: datetime) -> bool:
    """Whether an agent that vanished could still start something by a permit it holds."""
    asked = select(RunRow.id).where(where, RunRow.permit_until > now)
    return session.scalar(asked.limit(1)) is not None


def _next_job(session: Session, printer: PrinterRow, *, now: datetime) -> JobRow | None:
    """The printer's job that waits longest and whose material is loaded."""
    quoted = (
        select(JobRow)
        .join(OrderRow, OrderRow.id == JobRow.order_id)
        .join(QuoteRow, QuoteRow.id == OrderRow.quote_id)
        .join(SpoolRow, SpoolRow.id == QuoteRow.spool_id)
        .where(JobRow.printer_id == printer.id, JobRow.state == Job.READY)
    )
    loaded = select(SpoolRow.material, SpoolRow.colour).where(
        SpoolRow.printer_id == printer.id, SpoolRow.slot.is_not(None)
    )
    kinds = {(row[0], row[1]) for row in session.execute(loaded)}
    waiting = quoted.add_columns(SpoolRow.material, SpoolRow.colour).order_by(
        JobRow.ready_at, JobRow.id
    )
    for row in session.execute(waiting.limit(50)):
        job, material, colour = row[0], row[1], row[2]
        still_out = _permit_still_out(session, RunRow.job_id == job.id, now=now)
        if (material, colour) in kinds and not still_out:
            return cast(JobRow, job)
    return None


def _why_none(session: Session, printer_id: UUID) -> str:
    waiting = session.execute(
        select(SpoolRow.material, SpoolRow.colour)
        .join(QuoteRow, QuoteRow.spool_id == SpoolRow.id)
        .join(OrderRow, OrderRow.quote_id == QuoteRow.id)
        .join(JobRow, JobRow.order_id == OrderRow.id)
        .where(JobRow.printer_id == printer_id, JobRow.state == Job.READY)
        .limit(1)
    ).first()
    if waiting is None:
        return NO_JOB
    return f"a job waits for {waiting[0]} {waiting[1]}: load it"


def worth_asking(session: Session, *, agent_id: UUID, printers: Collection[UUID]) -> set[UUID]:
    """Printers for which `take` might have a run: one statement that writes nothing, so that an
    idle agent's question costs next to nothing."""
    ready = (
        select(JobRow.printer_id)
        .join(PrinterRow, PrinterRow.id == JobRow.printer_id)
        .where(
            JobRow.printer_id.in_(printers),
            JobRow.state == Job.READY,
            PrinterRow.accepting,
            PrinterRow.bed == Bed.CLEAR,
        )
    )
    # A run whose lease answer was lost is asked for again.
    leased = select(RunRow.printer_id).where(
        RunRow.printer_id.in_(printers), RunRow.agent_id == agent_id, RunRow.state == Run.LEASED
    )
    return set(session.scalars(union(ready, leased)))


def idle_reason(printer: PrinterRow) -> str:
    """Why a printer that is not worth asking for gets nothing, in words."""
    if not printer.accepting:
        return PAUSED
    if printer.bed is not Bed.CLEAR:
        return NOT_CLEAR
    return NO_JOB


def title(session: Session, job: JobRow) -> str:
    """Design, version and part of a job, for the agent's screen."""
    quote = (
        select(QuoteRow.part_id)
        .join(OrderRow, OrderRow.quote_id == QuoteRow.id)
        .where(OrderRow.id == job.order_id)
    )
    part, version, design = designs.part(session, session.scalars(quote).one())
    return f"{design.title}: {part.name} ({version.commit[:10]})"


def run_of_agent(session: Session, *, run_id: UUID, agent_id: UUID) -> tuple[RunRow, JobRow]:
    """A run that the agent holds, with its job: what it may fetch. Raises NotFound."""
    row = session.execute(
        select(RunRow, JobRow)
        .join(JobRow, JobRow.id == RunRow.job_id)
        .where(RunRow.id == run_id, RunRow.agent_id == agent_id, RunRow.state.in_(OPEN))
    ).first()
    if row is None:
        raise NotFound(f"this agent has no open run {run_id}")
    return row[0], row[1]
