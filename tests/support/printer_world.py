"""A small world of printers that fails in every way we know, around the hub's real functions.

The hub is real: its verbs run against a database, one transaction each. The decisions of the agents
are real too (`printers.steps`, `printers.evidence`, the records of `printers.journal`); their
threads, disks and network are played here, so that each can stop at any line. What is printed is
counted by the machines, not by the database.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from basis.db import Database
from basis.errors import HubError
from printers.evidence import File, Job, evidence
from printers.journal import RunRecord, What
from printers.protocol import (
    Beat,
    Lease,
    Report,
    ReportEvent,
    StaleFence,
    Word,
    gcode_path,
)
from printers.steps import MOVED, Circumstances, Seen, Step, given_back, last_report, next_step
from router import lease
from router.models import JobRow
from tests.support.builders import LEASE_S, NOW, PERMIT_S

MOST_UNSYNCED = 4
"""Lines that a disk may lose which nobody made sure of."""

Answer = TypeVar("Answer")
Message = Callable[[Session, datetime], object]


class Lost(Exception):
    """No answer came: the question, the answer or the hub was lost."""


class _Crash(Exception):
    """The hub dies before it commits."""


class Fate(StrEnum):
    """What becomes of one call from an agent to the hub."""

    OK = "ok"
    LOST = "lost"  # the question never arrives
    ANSWER_LOST = "answer lost"
    CRASH = "crash"  # the hub dies before it commits
    LATER = "later"  # it arrives when everybody has given it up
    TWICE = "twice"


class CrashAt(StrEnum):
    """The line at which an agent dies in this step, if it comes by it."""

    NOWHERE = "nowhere"
    BEFORE_INTENT = "before intent"
    AFTER_INTENT = "after intent"
    AFTER_START = "after start"
    BEFORE_REPORTED = "before reported"
    DISK_FULL = "disk full"  # it does not die, but nothing can be written down in this step


@dataclass(slots=True)
class Start:
    """A machine began to print."""

    job: UUID
    run: UUID
    bed_was_empty: bool


@dataclass(slots=True)
class Machine:
    """A printer with its OctoPrint: files, the record of prints, and what lies on the bed."""

    files: dict[str, File] = field(default_factory=dict)
    current: str | None = None
    selected: str | None = None
    reachable: bool = True
    on_bed: list[str] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    ejects: bool = False
    """Its end code takes the part off; a print that fails does not get there."""

    def job(self) -> Job:
        """What OctoPrint says of itself."""
        state = "Operational" if self.current is None else "Printing"
        return Job(state=state, path=self.selected)

    def start(self, path: str, *, job: UUID, run: UUID) -> None:
        """Print a file that is here, if nothing is being printed."""
        if self.current is None and path in self.files:
            self.starts.append(Start(job=job, run=run, bed_was_empty=not self.on_bed))
            self.current = self.selected = path
            self.on_bed.append(path)

    def end(self, *, good: bool) -> None:
        """The print ends, and OctoPrint writes down how."""
        if self.current is not None:
            path, self.current = self.current, None
            if good and self.ejects:
                self.on_bed.remove(path)
            file = self.files[path]
            self.files[path] = File(
                path=path,
                sha1=file.sha1,
                successes=file.successes + good,
                failures=file.failures + (not good),
            )

    def power_cycle(self) -> None:
        """OctoPrint dies in the middle: nothing is written down, nothing is selected any more."""
        self.current = self.selected = None
        self.reachable = True


class DiskFull(Exception):
    """A line could not be written, so nothing that depends on it may happen."""


@dataclass(frozen=True, slots=True)
class Lines:
    """What the lines of a journal say."""

    runs: dict[UUID, RunRecord] = field(default_factory=dict)
    fence: int = 0


@dataclass(slots=True)
class Agent:
    """One agent beside one machine. `runs` and `fence` are its journal as it knows it, `written`
    what a process finds that is started anew; the rest dies with it."""

    id: UUID
    printer: UUID
    machine: Machine
    runs: dict[UUID, RunRecord] = field(default_factory=dict)
    fence: int = 0
    written: list[Lines] = field(default_factory=lambda: [Lines()])
    """The file after each of its last lines. All but the newest are for power cuts."""
    alive: bool = True
    full: bool = False
    """Its disk takes nothing in this step."""
    owed: bool = False
    """It knows more than its file: the next line that can be written brings that along."""
    keeps_intent: bool = True
    """False is a mutation: the intent is forgotten with the process."""
    fsyncs: bool = True
    """False is a mutation: the newest lines are not on the disk when the power fails."""
    forgets: set[UUID] = field(default_factory=set)
    permit_until: datetime | None = None
    word: Word = Word.ON
    stale: bool = False
    stored: bool = False
    refused: str = ""
    traceless: datetime | None = None
    troubled: datetime | None = None

    def crash(self) -> None:
        """Lose everything that is not written down."""
        self.alive, self.owed = False, False
        last = self.written[-1]
        self.runs, self.fence = dict(last.runs), last.fence
        for run in self.forgets:
            record = self.runs[run]
            self.runs[run] = RunRecord(
                printer=record.printer,
                lease=record.lease,
                seen=record.seen - {What.INTENT, What.STARTED},
            )
        self.forgets = set()
        self._forget()

    def lose_power(self, lines: int) -> None:
        """Lose everything that is not on disk: without fsync also the newest lines."""
        if not self.fsyncs and lines:
            self.written = self.written[: max(1, len(self.written) - lines)]
        self.crash()
        self.written = self.written[-1:]

    def _forget(self) -> None:
        self.permit_until = self.traceless = self.troubled = None
        self.word, self.stale, self.stored, self.refused = Word.ON, False, False, ""

    @property
    def open_run(self) -> RunRecord | None:
        """What it still owes the hub or the printer."""
        return next((each for each in self.runs.values() if each.open), None)

    def receive(self, lease: Lease) -> None:
        """Take a lease, if that can be written down. Raises DiskFull."""
        if self.full:
            raise DiskFull
        self.fence = lease.fence
        self.runs[lease.run] = RunRecord(printer="one", lease=lease)
        self._write()

    def write(self, run: UUID, what: What) -> None:
        """One line that must be on disk before anything follows. Raises DiskFull."""
        if self.full:
            raise DiskFull
        self.note(run, what)

    def note(self, run: UUID, what: What, **note: object) -> None:
        """One line in its journal; on a full disk it is known to the process alone."""
        self.runs[run] = self.runs[run].after(what, note)
        self.owed = self.full
        if not self.full:
            self._write()
        if not self.runs[run].open:
            self._forget()

    def _write(self) -> None:
        self.written = [*self.written[-MOST_UNSYNCED:], Lines(dict(self.runs), self.fence)]
        self.owed = False


class World:
    """The hub's database, its agents and machines, and a network between them."""

    def __init__(self, database: Database, agents: dict[UUID, UUID]) -> None:
        """agents : printer → the agent that speaks for it."""
        self.database = database
        self.now = NOW
        """By a clock that nobody turns: the agents' own never jumps."""
        self.hub_is_wrong_by = timedelta(0)
        self.agents = {
            printer: Agent(id=agent, printer=printer, machine=Machine())
            for printer, agent in agents.items()
        }
        self.sent: list[Message] = []
        self.delayed: list[Message] = []
        self.check_repetition: Callable[[Callable[[], None]], None] = lambda again: again()

    @property
    def hub_now(self) -> datetime:
        """The time as the hub believes it."""
        return self.now + self.hub_is_wrong_by

    # The hub, and the way to it.

    def hub(self, message: Callable[[Session, datetime], Answer]) -> Answer:
        """One transaction of the hub."""
        with self.database.writing() as session:
            return message(session, self.hub_now)

    def call(self, message: Callable[[Session, datetime], Answer], fate: Fate) -> Answer:
        """A call over the network. Raises Lost, or what the hub answered."""
        self.sent.append(message)
        if fate is Fate.LATER:
            self.delayed.append(message)
        if fate in (Fate.LATER, Fate.LOST):
            raise Lost
        if fate is Fate.CRASH:
            self._die_in(message)
            raise Lost
        answer = self.hub(message)
        if fate is Fate.TWICE:
            self.check_repetition(lambda: self.deliver(message))
        if fate is Fate.ANSWER_LOST:
            raise Lost
        return answer

    def deliver(self, message: Message) -> None:
        """A message arrives (again) at the hub; nobody hears the answer."""
        with suppress(HubError):  # the hub says no, to nobody
            self.hub(message)

    def _die_in(self, message: Message) -> None:
        with suppress(_Crash, HubError), self.database.writing() as session:
            message(session, self.hub_now)
            raise _Crash

    # One agent.

    def step(self, agent: Agent, fate: Fate, crash_at: CrashAt = CrashAt.NOWHERE) -> None:
        """The agent does the next thing it would do."""
        agent.alive, agent.full = True, crash_at is CrashAt.DISK_FULL
        run = agent.open_run
        if run is None and (agent.full or agent.owed):
            return  # it is not ready while its journal cannot be written
        try:
            if run is None:
                self._ask(agent, fate)
            else:
                self._tend(agent, run, fate, crash_at)
        except (Lost, DiskFull):
            return

    def beat(self, agent: Agent, fate: Fate) -> None:
        """A sign of life about the open run, with what is seen of the machine."""
        run = agent.open_run
        if not agent.alive or run is None:
            return
        ours = agent.machine.reachable and agent.machine.current == run.lease.path
        beat = Beat(
            fence=run.lease.fence,
            printing=ours and bool({What.STARTED, What.INTENT} & run.seen),
            progress_ppm=500_000 if ours else 0,
        )
        try:
            agent.word = self.call(self.renewal(agent, run.lease.run, beat), fate)
            agent.stale = False
        except StaleFence:
            agent.stale = True
        except (Lost, HubError):
            return

    def renewal(self, agent: Agent, run: UUID, beat: Beat) -> Callable[[Session, datetime], Word]:
        """The message of a beat."""
        return lambda session, now: lease.renew(
            session,
            run_id=run,
            agent_id=agent.id,
            fence=beat.fence,
            beat=beat,
            now=now,
            lease_s=LEASE_S,
        )

    def _ask(self, agent: Agent, fate: Fate) -> None:
        machine = agent.machine
        if not machine.reachable or machine.current is not None:
            return
        self._unclear_after_all(agent)
        if agent.open_run is not None:
            return

        def ask(session: Session, now: datetime) -> Lease | None:
            run, _ = lease.take(
                session, printer_id=agent.printer, agent_id=agent.id, now=now, lease_s=LEASE_S
            )
            if run is None:
                return None
            job = session.get_one(JobRow, run.job_id)
            return Lease(
                run=run.id,
                job=job.id,
                printer=agent.printer,
                fence=run.fence,
                path=gcode_path(job=job.id, run=run.id),
                sha256=job.gcode_sha256 or "",
                sha1=job.gcode_sha1 or "",
                size_bytes=1,
                title="",
                duration_s=1,
                lease_s=LEASE_S,
            )

        got = self.call(ask, fate)
        if got is not None and got.fence > agent.fence:
            agent.receive(got)

    def _unclear_after_all(self, agent: Agent) -> None:
        last = next(reversed(agent.runs.values()), None)
        if last is not None and last.watched:
            path = last.lease.path
            verdict = evidence(agent.machine.files.get(path), agent.machine.job(), path, True)
            if verdict in MOVED:
                agent.note(last.lease.run, What.STARTED)

    def _look(self, agent: Agent, run: RunRecord) -> Seen | None:
        machine, path = agent.machine, run.lease.path
        if not machine.reachable:
            agent.traceless = None
            agent.troubled = agent.troubled or self.now
            return None
        agent.troubled = None
        sent = bool({What.INTENT, What.STARTED} & run.seen)
        job = machine.job()
        verdict = evidence(machine.files.get(path), job, path, sent)
        if sent and verdict not in MOVED:
            agent.traceless = agent.traceless or self.now
        else:
            agent.traceless = None
        foreign = job.active and job.path != path
        return Seen(verdict=verdict, idle=job.idle, foreign=foreign, text=job.state)

    def _tend(self, agent: Agent, run: RunRecord, fate: Fate, crash_at: CrashAt) -> None:
        seen = self._look(agent, run) if What.FETCHED in run.seen and run.end is None else None
        todo = next_step(run, self._circumstances(agent, seen))
        match todo.step:
            case Step.FETCH:
                agent.note(run.lease.run, What.FETCHED)
            case Step.UPLOAD:
                path = run.lease.path
                agent.machine.files.setdefault(path, File(path=path, sha1=run.lease.sha1))
                agent.stored = True
            case Step.PERMIT:
                self._permit(agent, run, fate)
            case Step.START:
                self._start(agent, run, crash_at)
            case Step.WATCH:
                self._watch(agent, run, fate)
            case Step.END if todo.end is not None:
                agent.note(run.lease.run, todo.end, evidence=todo.evidence)
            case Step.TELL:
                self._tell(agent, run, fate, crash_at)

    def _circumstances(self, agent: Agent, seen: Seen | None) -> Circumstances:
        def since(moment: datetime | None) -> float:
            return 0.0 if moment is None else (self.now - moment).total_seconds()

        left = agent.permit_until
        return Circumstances(
            seen=seen,
            stored=agent.stored,
            permit_left_s=None if left is None else (left - self.now).total_seconds(),
            stale=agent.stale,
            word=agent.word,
            trouble="OctoPrint is away" if agent.troubled else "",
            trouble_s=since(agent.troubled),
            traceless_s=since(agent.traceless),
            refused=agent.refused,
        )

    def _permit(self, agent: Agent, run: RunRecord, fate: Fate) -> None:
        asked_at, wanted = self.now, run.lease

        def ask(session: Session, now: datetime) -> int:
            return lease.permit(
                session,
                run_id=wanted.run,
                agent_id=agent.id,
                fence=wanted.fence,
                sha256=wanted.sha256,
                now=now,
                permit_s=PERMIT_S,
                lease_s=LEASE_S,
            )

        try:
            good_s = self.call(ask, fate)
        except StaleFence:
            agent.stale = True
        except HubError as exc:
            agent.note(wanted.run, given_back(run), evidence=str(exc))
        else:
            agent.permit_until = asked_at + timedelta(seconds=good_s)
            agent.note(wanted.run, What.PERMITTED)

    def _start(self, agent: Agent, run: RunRecord, crash_at: CrashAt) -> None:
        if crash_at is CrashAt.BEFORE_INTENT:
            return agent.crash()
        try:
            agent.write(run.lease.run, What.INTENT)
        except DiskFull:
            agent.note(run.lease.run, What.NEVER_STARTED, evidence="the journal is full")
            return None
        if not agent.keeps_intent:
            agent.forgets.add(run.lease.run)
        if crash_at is CrashAt.AFTER_INTENT:
            return agent.crash()
        agent.machine.start(run.lease.path, job=run.lease.job, run=run.lease.run)
        if crash_at is CrashAt.AFTER_START:
            agent.crash()
        return None

    def _watch(self, agent: Agent, run: RunRecord, fate: Fate) -> None:
        if What.STARTED not in run.seen:
            agent.note(run.lease.run, What.STARTED)
        if agent.word is Word.STOP:
            agent.note(run.lease.run, What.STOPPED)
            agent.machine.end(good=False)
            return
        with suppress(HubError):
            started = Report(fence=run.lease.fence, event=ReportEvent.STARTED)
            self.say(agent, run.lease, started, fate)

    def _tell(self, agent: Agent, run: RunRecord, fate: Fate, crash_at: CrashAt) -> None:
        with suppress(HubError):  # it will never take it: a person has decided
            self.say(agent, run.lease, last_report(run), fate)
        if crash_at is CrashAt.BEFORE_REPORTED:
            return agent.crash()
        agent.note(run.lease.run, What.REPORTED)
        return None

    def say(self, agent: Agent, of: Lease, report: Report, fate: Fate) -> None:
        """A report on a run."""

        def tell(session: Session, now: datetime) -> object:
            return lease.report(session, run_id=of.run, agent_id=agent.id, said=report, now=now)

        self.call(tell, fate)
