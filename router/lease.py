"""From a waiting job to at most one print: lease, permit, beat, report, expiry.

Who may rely on what:

- A *lease* says which agent prepares a job for its printer. It ends by itself; nothing physical
  has happened under it.
- A *permit* is the single right to start. Granting it checks lease, fence, file and bed in one
  transaction and marks the bed occupied. From then on silence means UNKNOWN, never "again".
- A *fence* is the run's number on its printer. Whoever speaks with another gets StaleFence.

Every function repeats harmlessly with the same arguments, and none commits.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from basis.errors import Conflict, NotAllowed, NotFound, NotYours
from designs import queries as designs
from printers import registry
from printers.models import Bed, PrinterRow
from printers.offer import STARTS
from printers.protocol import Beat, Report, ReportEvent, StaleFence, WaitsFor, Word
from router import ejecting, endings, readings, rows, stretches
from router.history import HUB, agent, job_event, noted, run_event
from router.models import JobRow, RunRow
from router.states import HELD, LIVE, OPEN, Event, JobEvent, Run
from router.waiting import NOT_CLEAR, RESTING, may_not_start, next_job

__all__ = [
    "BedNotClear",
    "NotNow",
    "PermitOver",
    "any_late",
    "expire",
    "permit",
    "renew",
    "report",
    "run_of_agent",
    "take",
    "title",
]

AGAIN_HELD_S = 120
"""The lease of a run that a report brings back from UNKNOWN, until the next beat renews it."""

MOST_S_LEFT = 10_000_000
"""No print has four months left: a larger figure is a fault of the printer's estimate."""


class BedNotClear(NotAllowed):
    """A person must look at the bed first."""

    code = "bed_not_clear"


class NotNow(NotAllowed):
    """Its workshop paused the printer, works at it, or keeps quiet hours: the run goes back."""

    code = "not_now"


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
    printer = rows.locked_printer(session, printer_id)
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
    if printer.duty not in STARTS:
        return None, RESTING[printer.duty]
    if printer.bed is not Bed.CLEAR:
        return None, NOT_CLEAR
    if _permit_still_out(session, printer_id, now=now):
        return None, "an earlier start permit has not run out yet"
    job, why = next_job(session, printer, now=now)
    if job is None:
        return None, why
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
    job_event(session, job, JobEvent.LEASE, actor=agent(agent_id), now=now, run_id=run.id)
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

    Raises StaleFence, BedNotClear, NotNow, PermitOver, Conflict when the file is another one,
    NotAllowed when the maker cancelled meanwhile.
    """
    run = _own(session, run_id=run_id, agent_id=agent_id, fence=fence)
    _check_not_lost(run, now=now)
    if run.stop_asked:
        raise NotAllowed(f"run {run_id} was cancelled: do not start it")
    if run.state in (Run.PERMITTED, Run.UNKNOWN):
        left_s = 0 if run.permit_until is None else int((run.permit_until - now).total_seconds())
        if left_s <= 0:
            raise PermitOver(f"the permit of run {run_id} ran out or was used")
        return min(left_s, permit_s)  # more than was given: this hub's clock was set back
    if run.state is not Run.LEASED:
        raise NotAllowed(f"run {run_id} is {run.state}: it has started")
    job = session.get_one(JobRow, run.job_id)
    if sha256 != job.gcode_sha256:
        raise Conflict(f"run {run_id} prints {job.gcode_sha256}, not {sha256}: fetch it again")
    printer = session.get_one(PrinterRow, run.printer_id)
    if printer.bed is not Bed.CLEAR:
        raise BedNotClear(NOT_CLEAR)
    if why := may_not_start(printer, duration_s=job.duration_s or 0, now=now):
        raise NotNow(why)
    lease_until = now + timedelta(seconds=lease_s)
    run_event(session, run, Event.PERMIT, actor=agent(agent_id), now=now, lease_until=lease_until)
    run.permitted_at, run.permit_until = now, now + timedelta(seconds=permit_s)
    stretches.begun(session, run, spool=rows.made_from(session, job.order.quote), now=now)
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

    A machine that moves under a run which may not, or which somebody ended from afar, is told to
    stop, and its bed is marked occupied. Raises StaleFence for every other word about a run that
    is another's by now, or ended.
    """
    run, who = _own(session, run_id=run_id, agent_id=agent_id, fence=fence), agent(agent_id)
    moving = beat.printing or beat.paused
    if moving and run.state not in LIVE and not run.agent_ended:
        _moves_unbidden(session, run, actor=who, now=now)
        return Word.STOP
    _check_not_lost(run, now=now)
    if run.state is Run.PRINTED:
        raise StaleFence(f"run {run_id} has been reported as printed")
    lease_until = now + timedelta(seconds=lease_s)
    if moving:
        _moving(session, run, paused=beat.paused, actor=who, now=now, lease_until=lease_until)
        _waits(session, run, beat.waits_for if beat.paused else "", actor=who, now=now)
    if run.state in HELD:
        run.lease_until = lease_until
    _progress(run, beat.progress_ppm)
    if moving and run.change_open:
        stretches.seen(session, run, standing=beat.paused)
    if moving:
        readings.noted(run, beat)
    if beat.seconds_left is not None:
        run.seconds_left = max(0, min(beat.seconds_left, MOST_S_LEFT))
    return Word.STOP if run.stop_asked else Word.ON


def report(
    session: Session, *, run_id: UUID, agent_id: UUID, said: Report, now: datetime
) -> RunRow:
    """Take an agent's word, with its evidence, of what became of a run.

    What is known already changes nothing. Of a run that ended without its agent, the word is kept
    for people, and decides whether something may lie on the bed. Raises StaleFence for another
    fence, NotAllowed for a claim that contradicts what was proved before.
    """
    run, who = _own(session, run_id=run_id, agent_id=agent_id, fence=said.fence), agent(agent_id)
    if said.event not in (ReportEvent.STARTED, ReportEvent.PAUSED):
        run.permit_until = None  # its own agent will not start it any more
    if run.state in LIVE:
        if said.progress_ppm is not None:
            _progress(run, said.progress_ppm)
        _of_live(session, run, said, actor=who, now=now)
    elif run.state is Run.LEASED:
        _of_leased(session, run, said, actor=who, now=now)
    elif not run.agent_ended:
        noted(session, run, f"late.{said.event.value}", actor=who, now=now, note=said.evidence)
        if said.event not in NOTHING_MOVED:
            registry.occupied(session, printer_id=run.printer_id, now=now)
    run.agent_ended = run.agent_ended or said.event in ENDS
    return run


ENDS = frozenset(
    {
        ReportEvent.FINISHED,
        ReportEvent.FAILED,
        ReportEvent.NEVER_STARTED,
        ReportEvent.RELEASED,
    }
)
NOTHING_MOVED = frozenset({ReportEvent.NEVER_STARTED, ReportEvent.RELEASED})


def _of_live(session: Session, run: RunRow, said: Report, *, actor: str, now: datetime) -> None:
    """An agent's word about a run whose machine may be moving."""
    note = said.evidence
    match said.event:
        case ReportEvent.STARTED | ReportEvent.PAUSED:
            until = now + timedelta(seconds=AGAIN_HELD_S)
            paused = said.event is ReportEvent.PAUSED
            _moving(session, run, paused=paused, actor=actor, now=now, lease_until=until, note=note)
            if run.change_open:
                stretches.seen(session, run, standing=paused)
        case ReportEvent.FINISHED:
            before = run.state
            endings.finished(session, run, actor=actor, now=now, print_s=said.print_s, note=note)
            ejecting.finished(session, run, before=before, now=now)
        case ReportEvent.FAILED:
            endings.failed(session, run, actor=actor, now=now, print_s=said.print_s, cause=note)
        case ReportEvent.NEVER_STARTED:
            run.agent_ended = True
            endings.never_started(session, run, actor=actor, now=now, note=note)
        case ReportEvent.RELEASED:
            raise NotAllowed(
                f"run {run.id} is {run.state}, too late to give it back: report what became of it"
            )
        case ReportEvent.UNCLEAR:
            if run.state is not Run.UNKNOWN:
                run_event(session, run, Event.EXPIRE, actor=actor, now=now, note=note)


def _of_leased(session: Session, run: RunRow, said: Report, *, actor: str, now: datetime) -> None:
    """An agent's word about a run that has no permit: given back, or moved by hand."""
    if said.event not in NOTHING_MOVED:
        _moves_unbidden(session, run, actor=actor, now=now, note=said.evidence)
    if said.event in (ReportEvent.STARTED, ReportEvent.PAUSED):
        return
    run.agent_ended = True
    run_event(session, run, Event.RELEASE, actor=actor, now=now, note=said.evidence)
    endings.given_back(session, run, actor=actor, now=now, why=said.evidence)


def expire(session: Session, *, now: datetime, printer_id: UUID | None = None) -> int:
    """End every lease that ran out; returns how many. LEASED is released, later states become
    UNKNOWN. Called by a sweep, and for one printer before anything is decided about it."""
    late = [RunRow.state.in_(HELD), RunRow.lease_until < now]
    if printer_id is None:
        printers = session.scalars(select(RunRow.printer_id).where(*late).distinct())
        # In one order, so that two sweeps cannot wait for each other.
        return sum(expire(session, now=now, printer_id=each) for each in sorted(printers))
    rows.locked_printer(session, printer_id)
    runs = list(
        session.scalars(
            select(RunRow)
            .where(*late, RunRow.printer_id == printer_id)
            .execution_options(populate_existing=True)
        )
    )
    for run in runs:
        note = "its agent was silent"
        run_event(session, run, Event.EXPIRE, actor=HUB, now=now, note=note)
        if run.state is Run.RELEASED:
            endings.given_back(session, run, actor=HUB, now=now, why=note)
    return len(runs)


def any_late(session: Session, *, now: datetime) -> bool:
    """Whether any lease ran out: asked often, so it writes nothing."""
    late = select(RunRow.id).where(RunRow.state.in_(HELD), RunRow.lease_until < now)
    return session.scalar(late.limit(1)) is not None


def _moving(
    session: Session,
    run: RunRow,
    *,
    paused: bool,
    actor: str,
    now: datetime,
    lease_until: datetime,
    note: str = "",
) -> None:
    """The machine works on our file, or waits in the middle of it."""
    wanted = Run.PAUSED if paused else Run.PRINTING
    run.permit_until = None  # used
    if run.started_at is None:
        run.started_at = now
    if run.state is not wanted:
        event = Event.PAUSE if paused else Event.START
        run_event(session, run, event, actor=actor, now=now, note=note, lease_until=lease_until)


def _waits(session: Session, run: RunRow, said: str, *, actor: str, now: datetime) -> None:
    """What a paused run waits for; its people hear of filament, or a printer that asks, at once."""
    known = said if said in list(WaitsFor) else ""
    if known == run.waits_for:
        return
    run.waits_for = known
    if known in (WaitsFor.FILAMENT, WaitsFor.PRINTER):
        noted(session, run, f"run.waits_{known}", actor=actor, now=now)


def _moves_unbidden(
    session: Session, run: RunRow, *, actor: str, now: datetime, note: str = ""
) -> None:
    """The machine works on the file of a run without a permit, or of one that a person ended.
    Refusing to know would leave the bed marked clear."""
    registry.occupied(session, printer_id=run.printer_id, now=now)
    noted(session, run, "run.moves_unbidden", actor=actor, now=now, note=note)


def _progress(run: RunRow, ppm: int) -> None:
    run.progress_ppm = max(run.progress_ppm, min(ppm, 1_000_000))


def _own(session: Session, *, run_id: UUID, agent_id: UUID, fence: int) -> RunRow:
    """The run, its printer locked, if this agent got it with this fence."""
    run = rows.locked_run(session, run_id)
    if run is None or run.agent_id != agent_id:
        # Not told apart: a foreign agent learns nothing of runs that are not its own.
        raise NotFound(f"this agent has no run {run_id}")
    if run.fence != fence:
        raise StaleFence(f"run {run_id} has fence {run.fence}, not {fence}")
    return run


def _check_not_lost(run: RunRow, *, now: datetime) -> None:
    """Raises StaleFence when a run is not its agent's to move on any more."""
    if run.state is Run.LEASED and run.lease_until is not None and run.lease_until < now:
        raise StaleFence(f"the lease of run {run.id} ran out; ask for work again")
    if run.state not in OPEN:
        raise StaleFence(f"run {run.id} ended: it is {run.state}")


def _permit_still_out(session: Session, printer_id: UUID, *, now: datetime) -> bool:
    """Whether an agent that vanished could still start something by a permit it holds."""
    asked = select(RunRow.id).where(RunRow.printer_id == printer_id, RunRow.permit_until > now)
    return session.scalar(asked.limit(1)) is not None


def title(session: Session, job: JobRow) -> str:
    """Design, version, part and copy of a job, for the agent's screen."""
    item = job.item
    part, version, design = designs.part(session, item.part_id)
    copy = ""
    if item.copies > 1:
        several = f"copies {job.copy} to {job.copies[-1]}"
        copy = f", {several if len(job.copies) > 1 else f'copy {job.copy}'} of {item.copies}"
    return f"{design.title}: {part.name}{copy} ({version.commit[:10]})"


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
