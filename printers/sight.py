"""What one printer lets be seen of one run, and what has stood in the way for how long."""

from collections.abc import Callable
from contextlib import suppress

from printers.evidence import Job, Machine, Verdict, evidence
from printers.octoprint import PrinterError
from printers.port import Port
from printers.steps import MOVED, Seen

HEAT_S = 10.0
"""How often the heaters of a print under way are read: instead of the file's record, so that
watching asks no more of OctoPrint."""

HEAT_OLD_S = 60.0
"""After that nobody knows any more how warm it is."""


class Sight:
    """Looks at the job and the file of `path`, and remembers since when nothing was to be seen.

    clock : seconds that never jump.
    warn  : called once when something begins to stand in the way.
    """

    def __init__(
        self,
        octoprint: Port,
        path: str,
        *,
        clock: Callable[[], float],
        warn: Callable[[str], None],
    ) -> None:
        self.octoprint, self.path = octoprint, path
        self._clock, self._warn = clock, warn
        self.job: Job | None = None
        """As last read; None while OctoPrint does not answer."""
        self.print_s: float | None = None
        """By OctoPrint's record of a print that ended."""
        self._troubles: dict[str, tuple[float, str]] = {}
        self._traceless_since: float | None = None
        self._connected = self._running = False
        self._machine: Machine | None = None
        self._heat_at = -HEAT_OLD_S
        self._heat_due_at = -HEAT_OLD_S
        self._position: tuple[int | None, float] = (None, clock())

    def look(self, *, sent: bool) -> Seen | None:
        """The printer now; None while OctoPrint does not answer as OctoPrint.

        sent : whether the start may have been asked for, by the journal.
        """
        try:
            # The job first, so that a print that ends between the two is seen as ended.
            job = self.octoprint.job()
            if self._reads_heat(job):
                verdict = Verdict.RUNNING  # as the look before said, and its own job says still
            else:
                file = self.octoprint.file(self.path)
                own = self.octoprint.own_record(self.path)
                verdict = evidence(file, job, self.path, sent, own)
                self.print_s = file.last_print_s if file is not None else None
        except PrinterError as exc:
            self.job = self._traceless_since = None
            self._running = False
            self.troubled("look", str(exc))
            return None
        self.job, self._running = job, verdict is Verdict.RUNNING
        if sent and verdict not in MOVED:
            self._traceless_since = self._traceless_since or self._clock()
        else:
            self._traceless_since = None
        if job.closed and verdict not in MOVED:
            self.troubled("look", f"the printer is not connected: {job.state}")
            self._reconnect(job)
        else:
            self.cleared("look")
        if job.filepos != self._position[0] or self.paused:
            self._position = (job.filepos, self._clock())
        foreign = job.active and job.path != self.path
        return Seen(verdict=verdict, idle=job.idle, foreign=foreign, text=job.state)

    @property
    def machine(self) -> Machine | None:
        """Its heaters, unless they were read too long ago."""
        old = self._clock() - self._heat_at > HEAT_OLD_S
        return None if old else self._machine

    @property
    def printing(self) -> bool:
        """The printer works on our file, or waits in the middle of it."""
        return self.job is not None and self.job.active and self.job.path == self.path

    @property
    def paused(self) -> bool:
        """It waits for somebody."""
        state = "" if self.job is None else self.job.state.lower()
        return state.startswith(("paused", "pausing"))

    @property
    def still_s(self) -> float:
        """How long the file position has not moved."""
        return self._clock() - self._position[1]

    @property
    def traceless_s(self) -> float:
        """How long the printer has answered without a trace of a run that may have started."""
        return 0.0 if self._traceless_since is None else self._clock() - self._traceless_since

    def troubled(self, what: str, why: str) -> None:
        """Something stands in the way: looking, or the step under way."""
        since, before = self._troubles.get(what, (self._clock(), ""))
        if not before:
            self._warn(why)
        self._troubles[what] = (since, why)

    def cleared(self, what: str) -> None:
        """It does no longer."""
        self._troubles.pop(what, None)

    @property
    def trouble(self) -> str:
        """What has stood in the way for longest, in words; "" when nothing does."""
        return min(self._troubles.values(), default=(0.0, ""))[1]

    @property
    def trouble_s(self) -> float:
        """For how long it has."""
        now = self._clock()
        return now - min((since for since, _ in self._troubles.values()), default=now)

    def _reads_heat(self, job: Job) -> bool:
        """Whether this look reads the heaters: of our print, known to run, once in a while."""
        ours = self._running and job.active and job.path == self.path
        if not ours or self._clock() < self._heat_due_at:
            return False
        self._heat_due_at = self._clock() + HEAT_S
        with suppress(PrinterError):  # whatever ails it, the next look tells
            self._machine = self.octoprint.printer()
            self._heat_at = self._clock()
        return True

    def _reconnect(self, job: Job) -> None:
        """Once: OctoPrint never does it by itself, and what fails twice is for a person."""
        if job.state.lower().startswith("offline after error") and not self._connected:
            self._connected = True
            with suppress(PrinterError):
                self.octoprint.connect()
