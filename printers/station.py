"""One printer's thread: free, it says whether it could take work; with a run, it tends it."""

import queue
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from uuid import UUID

from printers.evidence import Job, evidence
from printers.journal import FenceSeen, JournalFull, RunRecord, What
from printers.octoprint import PrinterBusy, PrinterError, PrinterRefused
from printers.protocol import Beat, Lease
from printers.push import Hint, Reasons
from printers.readings import Readings
from printers.steps import MOVED
from printers.tending import Tending, Tools
from printers.waits import Waits
from printers.watch import OURS

CONNECT_AGAIN_S = 600.0
FAULT_PAUSE_S = 30.0
MOST_PAUSE_S = 600.0
ENDS_OF_PRINTS = ("PrintStarted", "PrintDone", "PrintFailed")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One printer at this moment, for the screen and for the question to the hub."""

    name: str
    ready: bool = False
    text: str = "not looked at yet"
    """The machine's own word for its state, or what keeps it from working."""
    run: UUID | None = None
    title: str = ""
    progress_ppm: int = 0
    seconds_left: int | None = None
    readings: Readings = field(default_factory=Readings)
    why_not: str = ""
    """The hub's word for why a ready printer gets nothing."""


class Station(threading.Thread):
    """Owns one printer: no other thread speaks to its OctoPrint.

    tools   : everything but `say` and `show`, which this adds.
    changed : called when the printer becomes ready, so that it is asked for at once.
    """

    def __init__(
        self,
        name: str,
        *,
        tools: Callable[["Station"], Tools],
        keep_files: int,
        changed: Callable[[], None],
    ) -> None:
        super().__init__(name=f"printer-{name}", daemon=True)
        self.printer = name
        self.reasons = Reasons()
        self.waits = Waits(time.monotonic)
        self._stirred = threading.Event()
        self.tools = tools(self)
        self._keep_files, self._changed = keep_files, changed
        self._offers: queue.Queue[Lease] = queue.Queue(maxsize=1)
        self._guard = threading.Lock()
        self._view = View(name=name)
        self.looked = threading.Event()
        """Set once it is known whether the bed can be vouched for."""
        self._connected_at: float | None = None
        self._fruitless = 0
        self._pause_until = 0.0
        self._pause_why = ""

    @property
    def view(self) -> View:
        """What to show; safe from any thread."""
        with self._guard:
            return self._view

    def offer(self, lease: Lease) -> bool:
        """Hand over a lease; False when this printer did not wait for one."""
        with self._guard:
            if not self._view.ready:
                return False
            try:
                self._offers.put_nowait(lease)
            except queue.Full:
                return False
            # Until it has looked at the lease it must not be asked for again.
            self._view = replace(self._view, ready=False, text="taking a run")
            self.stir()
            return True

    def stir(self) -> None:
        """There is something to look at now."""
        self._stirred.set()

    def rest(self, seconds: float) -> None:
        """Wait, or until there is something to look at."""
        self._stirred.wait(seconds)
        self._stirred.clear()

    def hear(self, hint: Hint) -> None:
        """OctoPrint says that something happened: look, and believe what is seen."""
        self.reasons.hear(hint)
        self.waits.hear(hint)
        if hint.kind in ENDS_OF_PRINTS and not hint.path.startswith(OURS):
            self.tools.watch.doubt()
        self.stir()

    def told_why_not(self, why: str) -> None:
        """The hub said why this printer gets nothing."""
        with self._guard:
            self._view = replace(self._view, why_not=why)

    def show(self, run: RunRecord, beat: Beat, trouble: str) -> None:
        """What `Tending` tells the screen."""
        view = View(
            name=self.printer,
            text=trouble or beat.text,
            run=run.lease.run,
            title=run.lease.title,
            progress_ppm=beat.progress_ppm,
            seconds_left=beat.seconds_left,
            readings=Readings(**{each.name: getattr(beat, each.name) for each in fields(Readings)}),
        )
        with self._guard:
            self._view = view

    def run(self) -> None:
        """Until stopped: tend what is open, otherwise be ready."""
        while not self.tools.stop.is_set():
            try:
                self._turn()
            except Exception:  # a mistake at one printer must not stop the others
                last = traceback.format_exc(limit=-3)
                self.tools.say("error", f"unexpected, nothing is started: {last}")
                self._free(ready=False, text="a fault of the agent; see its log")
                self.tools.stop.wait(FAULT_PAUSE_S)
        self.tools.watch.save()

    def _turn(self) -> None:
        runs = self.tools.journal.runs(self.printer)
        if open_run := next((each for each in runs if each.open), None):
            self.looked.set()  # its bed is taken, or will be asked for before it starts
            ended = Tending(open_run, self.tools).until_told()
            if not ended.open:
                self._rest(ended)
            return
        self._clean()
        ready, text = self._look()
        self.looked.set()
        self._free(ready=ready, text=text)
        self.tools.rest(self.tools.look_s)
        with suppress(queue.Empty):
            self._take(self._offers.get_nowait())

    def _take(self, lease: Lease) -> None:
        try:
            self.tools.journal.receive(self.printer, lease)
        except FenceSeen as exc:
            # An answer may arrive twice. An unknown run with an old fence is another matter.
            known = self.tools.journal.run(lease.run) is not None
            hint = "" if known else "; was the hub restored from an old copy?"
            self.tools.say("info" if known else "error", f"{exc}{hint}")
        except JournalFull as exc:
            self.tools.say("error", f"a run was not taken: {exc}")
        else:
            self.tools.say("info", f"took run {lease.run} ({lease.title}), fence {lease.fence}")
            self.tools.at("after_lease")

    def _look(self) -> tuple[bool, str]:
        """Whether it could start something now, and the state in words."""
        if not self.tools.journal.settled():
            return False, "the journal cannot be written: free some space"
        try:
            job = self.tools.octoprint.job()
            if not self._unclear_after_all(job):
                self.tools.watch.look(job)
        except PrinterRefused as exc:
            return False, f"{exc}: is the key of printer {self.printer} right, and may it print?"
        except PrinterError as exc:
            return False, str(exc)
        if job.state.lower().startswith("offline after error"):
            self._reconnect(job)
        left_s = self._pause_until - self.tools.clock()
        if job.idle and left_s > 0:
            return False, f"pausing for {left_s:.0f} s: {self._pause_why}"
        return job.idle, job.state

    def _unclear_after_all(self, job: Job) -> bool:
        """A run of which nobody knew: should the printer know after all, the hub must hear it."""
        runs = self.tools.journal.runs(self.printer)
        if not runs or not runs[-1].watched:
            return False
        run = runs[-1]
        octoprint, path = self.tools.octoprint, run.lease.path
        file, own = octoprint.file(path), octoprint.own_record(path)
        verdict = evidence(file, job, path, start_recorded=True, own=own)
        if verdict in MOVED:
            self.tools.say("warning", f"run {run.lease.run}, unclear before, is {verdict}")
            # Open again: tending it finds the rest.
            self.tools.journal.note(run.lease.run, What.STARTED)
            return True
        return False

    def _reconnect(self, job: Job) -> None:
        """Once, and not again for a while: what fails repeatedly is for a person."""
        now = self.tools.clock()
        if self._connected_at is None or now - self._connected_at > CONNECT_AGAIN_S:
            self._connected_at = now
            self.tools.say("warning", f"{job.state}: connecting once")
            self.tools.octoprint.connect()

    def _rest(self, ended: RunRecord) -> None:
        """Runs that end before they start must not go round and round between hub and agent."""
        if ended.end not in (What.RELEASED, What.NEVER_STARTED):
            self._fruitless = 0
            return
        pause_s = min(MOST_PAUSE_S, 5.0 * 2.0 ** min(self._fruitless, 10))
        self._fruitless += 1
        self._pause_until = self.tools.clock() + pause_s
        self._pause_why = ended.evidence[:200]

    def _clean(self) -> None:
        """Delete the files of old runs on the printer; the hub has had their ends for long.

        The newest stay, for people, and so that nothing unclear loses its last evidence.
        """
        closed = [each for each in self.tools.journal.runs(self.printer) if not each.open]
        for run in closed[: max(0, len(closed) - self._keep_files)]:
            try:
                self.tools.octoprint.delete(run.lease.path)
            except PrinterRefused as exc:  # the key may not delete: then the owner tidies up
                self.tools.say("warning", f"{run.lease.path} stays on the printer: {exc}")
            except PrinterBusy:
                continue  # somebody prints it again
            except PrinterError:
                return  # it is away: later
            (self.tools.files / f"{run.lease.run}.gcode").unlink(missing_ok=True)
            self.tools.journal.note(run.lease.run, What.CLEANED)

    def _free(self, *, ready: bool, text: str) -> None:
        with self._guard:
            ready = ready and self._offers.empty()
            news = ready and not self._view.ready
            why_not = self._view.why_not if ready else ""
            self._view = View(name=self.printer, ready=ready, text=text[:500], why_not=why_not)
        if news:
            self._changed()
