"""Tend one run on one printer, from its lease to the hub's word that it knows the end.

The decisions are `printers.steps`; here they are carried out. Whatever stops this program, at
whatever line, the next start goes on from the journal and from what the printer recorded.
"""

import hashlib
import threading
from array import array
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from uuid import UUID

from basis.errors import Invalid
from printers.evidence import Job, Verdict
from printers.gcode import GcodeRefused, Guard, measure
from printers.hub import HubClient, HubFailed, HubRefused, WrongFile, backoff_s
from printers.journal import Journal, JournalFull, RunRecord, What
from printers.messenger import Messenger
from printers.octoprint import (
    AlreadyThere,
    PrinterBooting,
    PrinterBusy,
    PrinterError,
    PrinterRefused,
    PrinterSilent,
    PrinterUnreachable,
    checked_path,
    sha1_of,
)
from printers.port import Port
from printers.protocol import Beat, Lease, PermitAsk, Report, ReportEvent, StaleFence, Word
from printers.readings import Layers, Readings, layers_of, readings
from printers.sight import Sight
from printers.steps import (
    MARGIN_S,
    Circumstances,
    Next,
    Seen,
    Step,
    given_back,
    last_report,
    next_step,
)
from printers.watch import Watch

MARKS = (
    *("after_lease", "after_fetch", "after_upload", "before_permit", "after_permit"),
    *("after_intent", "after_start", "after_proof", "mid_print", "after_end", "after_report"),
)
"""The lines of the protocol at which a test may end the program."""

FROZEN_S = 600.0
"""A print whose file position stands still this long is worth a person's look; heating up and long
dwells stand still too, so it is only said."""

CANCEL_AGAIN_S = 10.0
REASON_S = 0.3
PROVING_S = 0.2
"""How often to look in the first moments after a start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a run is tended with; the clients belong to this thread alone."""

    octoprint: Port
    hub: HubClient
    talker: Callable[[], HubClient]
    """More clients, for the threads that speak of one run."""
    journal: Journal
    files: Path
    guard: Callable[[], Guard | None]
    """The printer's limits; None until the hub has told them."""
    clock: Callable[[], float]
    """Seconds that never jump and go on while the machine sleeps."""
    chance: Callable[[], float]
    at: Callable[[str], None]
    say: Callable[[str, str], None]
    show: Callable[[RunRecord, Beat, str], None]
    stop: threading.Event
    look_s: float
    photo: Callable[[UUID], None]
    """A run ended: its bed is worth a photo. Returns at once."""
    signed: Callable[[Lease], None]
    """Raises NotSigned for a run that our own hub did not sign; does nothing where no package for
    signatures can be had, and the sha256 from the hub's own answer decides."""
    watch: Watch
    """Whether the bed can be vouched for."""
    rest: Callable[[float], None]
    """Wait so many seconds, or less when there is something to look at."""
    reason: Callable[[str], str]
    """Why the print of a path failed, in words, where OctoPrint said it."""
    waits: Callable[[str], str]
    """What the paused print of a path waits for, where OctoPrint said it."""


class Tending:
    """One run, while this program lives."""

    def __init__(self, run: RunRecord, tools: Tools) -> None:
        self.run, self.tools = run, tools
        self.lease = run.lease
        self.file = tools.files / f"{run.lease.run}.gcode"
        self.messenger = Messenger(
            tools.talker(),
            run=run.lease.run,
            fence=run.lease.fence,
            say=tools.say,
            chance=tools.chance,
        )
        self.sight = Sight(
            tools.octoprint,
            run.lease.path,
            clock=tools.clock,
            warn=lambda why: tools.say("warning", why),
        )
        self.worked_s: int | None = None
        """By OctoPrint's clock, when the print was last seen under way."""
        self.stored = self.telling = self.proved = False
        self.permit_until: float | None = None
        self.refused = ""
        self.started_at: float | None = None
        self.cancelled_at: float | None = None
        self.beat = Beat(fence=run.lease.fence)
        self.failures = 0
        self.layers: Layers | None = None
        """Of the file, once it prints."""

    def until_told(self) -> RunRecord:
        """Go on until the hub knows the end, or the program stops."""
        self.messenger.start()
        try:
            while self.run.open and not self.tools.stop.is_set():
                self.tools.rest(self.once())
        finally:
            self.messenger.close()
        return self.run

    def once(self) -> float:
        """Look, decide, do one step; returns how many seconds to wait before the next."""
        seen = self.look()
        todo = next_step(self.run, self.circumstances(seen))
        self.beat_as(todo, seen)
        try:
            pause_s = self.do(todo)
        except StaleFence:
            self.messenger.stale = True
            return 0.0
        except (HubRefused, WrongFile, GcodeRefused, PrinterRefused, Invalid) as exc:
            return self.give_up(str(exc))
        except HubFailed as exc:
            self.failures += 1
            self.show(str(exc))
            return backoff_s(self.failures, chance=self.tools.chance)
        except PrinterError as exc:
            return self.troubled(str(exc))
        except OSError as exc:
            return self.give_up(f"this agent's disk: {exc}")
        self.failures = 0
        return pause_s

    def give_up(self, why: str) -> float:
        """A step before the start cannot succeed: the run goes back. Later, evidence decides."""
        if {What.INTENT, What.STARTED} & self.run.seen or self.run.end is not None:
            return self.troubled(why)
        self.end(given_back(self.run), f"{why}; the start was never asked for")
        return 0.0

    def do(self, todo: Next) -> float:
        """Carry out one step."""
        match todo.step:
            case Step.FETCH:
                return self.fetch()
            case Step.UPLOAD:
                return self.upload()
            case Step.PERMIT:
                return self.permit()
            case Step.START:
                return self.start()
            case Step.WATCH:
                return self.watch()
            case Step.END if todo.end is not None:
                self.end(todo.end, todo.evidence)
                return 0.0
            case Step.TELL:
                return self.tell()
        proving = self.started_at is not None and What.STARTED not in self.run.seen
        return PROVING_S if proving else min(self.tools.look_s, 1.0)

    def look(self) -> Seen | None:
        """The printer, once there is something to see: before the file is here there is not."""
        if What.FETCHED not in self.run.seen or self.run.end is not None:
            return None
        sent = bool({What.INTENT, What.STARTED} & self.run.seen)
        seen = self.sight.look(sent=sent)
        if seen is None or self.sight.job is None:
            return None
        try:
            # Of somebody else's print the hub must hear, also when it is over by then.
            if (sent or self.sight.printing) and not seen.foreign:
                self.tools.watch.touch()
            else:
                self.tools.watch.look(self.sight.job)
        except PrinterError as exc:
            self.sight.troubled("look", str(exc))
            return None
        return replace(seen, unwatched=self.tools.watch.owed)

    def troubled(self, why: str) -> float:
        """The step cannot be done now; how long that lasts decides when the run goes back."""
        self.sight.troubled("step", why)
        self.show(why)
        return self.tools.look_s

    def circumstances(self, seen: Seen | None) -> Circumstances:
        """Everything that the decision needs."""
        return Circumstances(
            seen=seen,
            stored=self.stored,
            permit_left_s=None if self.permit_until is None else self.permit_left_s(),
            stale=self.messenger.stale,
            word=self.messenger.word,
            trouble=self.sight.trouble,
            trouble_s=self.sight.trouble_s,
            traceless_s=self.sight.traceless_s,
            refused=self.refused,
            reason=self.reason(seen),
        )

    def reason(self, seen: Seen | None) -> str:
        """Why it failed, in OctoPrint's words: its hint may come a moment after its record."""
        for _ in range(3):
            said = self.tools.reason(self.lease.path)
            if said or seen is None or seen.verdict is not Verdict.FAILED:
                return said
            self.tools.rest(REASON_S)
        return self.tools.reason(self.lease.path)

    def permit_left_s(self) -> float:
        """Seconds for which the start is still allowed."""
        return 0.0 if self.permit_until is None else self.permit_until - self.tools.clock()

    # What is done.

    def fetch(self) -> float:
        """The file, verified and passed by the guard, on this machine's disk."""
        lease = self.lease
        guard = self.tools.guard()
        if guard is None:
            self.show("waiting for the hub to tell the limits of this printer")
            return self.tools.look_s
        if str(lease.run) not in checked_path(lease.path):
            raise Invalid(f"{lease.path} does not name run {lease.run}: it might be used twice")
        self.tools.signed(lease)
        self.download()
        if sha1_of(self.file) != lease.sha1:
            raise WrongFile(f"run {lease.run}: the lease's sha1 is not that of its own file")
        with self.file.open("rb") as gcode:
            measured = measure(gcode, guard)
        self.note(What.FETCHED, sha256=lease.sha256, lines=measured.lines)
        self.tools.at("after_fetch")
        return 0.0

    def download(self) -> None:
        """Have the right file here, whatever an earlier try left behind."""
        if self.file.is_file():
            with self.file.open("rb") as gcode:
                if hashlib.file_digest(gcode, "sha256").hexdigest() == self.lease.sha256:
                    return
        self.tools.files.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.tools.hub.fetch(
            self.lease.run, self.file, size_bytes=self.lease.size_bytes, sha256=self.lease.sha256
        )

    def upload(self) -> float:
        """Have the file on the printer, not selected, and know that it is ours."""
        octoprint, lease = self.tools.octoprint, self.lease
        stored = octoprint.file(lease.path)
        if stored is None:
            self.download()
            userdata = {"run": str(lease.run), "job": str(lease.job), "sha256": lease.sha256}
            try:
                octoprint.upload(lease.path, self.file, userdata=userdata)
            except AlreadyThere:
                pass  # compared below
            except PrinterSilent as exc:
                return self.troubled(str(exc))
            stored = octoprint.file(lease.path)
        if stored is None or not stored.sha1:
            return self.troubled("OctoPrint has not finished storing the file")
        if stored.sha1 != lease.sha1:
            raise WrongFile(f"{lease.path} on the printer is another file: sha1 {stored.sha1}")
        self.stored = True
        self.sight.cleared("step")
        # A short print by hand fits between two looks: before a permit the records are read anew.
        self.tools.watch.doubt()
        self.tools.at("after_upload")
        return 0.0

    def permit(self) -> float:
        """Ask to start. Asking again gives the same permit with what is left of it."""
        by_hand = self.sight.printing  # somebody at the machine started it
        if not by_hand and not self.tools.octoprint.printer().ready:
            return self.troubled("the printer says that it is not ready")
        self.tools.at("before_permit")
        # The seconds count from the question: however long the answer travelled, it is not older.
        asked_at = self.tools.clock()
        ask = PermitAsk(fence=self.lease.fence, sha256=self.lease.sha256)
        permit = self.tools.hub.permit(self.lease.run, ask)
        self.permit_until = asked_at + permit.good_s
        if What.PERMITTED not in self.run.seen:
            self.note(What.PERMITTED, good_s=permit.good_s)
        self.tools.at("after_permit")
        if not by_hand and self.permit_left_s() <= MARGIN_S:
            why = f"the permit came with {permit.good_s} s left, too late to start"
            self.end(What.NEVER_STARTED, why)
        return 0.0

    def start(self) -> float:
        """Write down the intent, then ask for the start, once in the life of this run."""
        octoprint, path = self.tools.octoprint, self.lease.path
        if not octoprint.printer().ready:
            return self.troubled("the printer says that it is not ready")
        try:
            self.run = self.tools.journal.write(self.lease.run, What.INTENT)
        except JournalFull as exc:
            self.end(What.NEVER_STARTED, f"not started, because the journal is full: {exc}")
            return 0.0
        self.tools.at("after_intent")
        self.started_at = self.tools.clock()
        try:
            octoprint.start(path, left_s=self.permit_left_s)
        except PrinterUnreachable as exc:
            self.end(What.NEVER_STARTED, f"the start could not be sent: {exc}")
            return 0.0
        except (PrinterBusy, PrinterRefused, PrinterBooting) as exc:
            self.refused = str(exc)[:500]
            self.tools.say("warning", f"the start was refused: {exc}")
        except PrinterError as exc:
            self.tools.say("warning", f"the start was not answered, looking for proof: {exc}")
        self.tools.at("after_start")
        return 0.0

    def watch(self) -> float:
        """It prints our file: say so, and hear whether it shall go on."""
        self.worked_s = self.sight.job.print_time_s if self.sight.job is not None else None
        if self.proved:
            self.tools.at("mid_print")
        else:
            self.proved = True
            self.tools.say("info", "the printer prints it")
            if What.STARTED not in self.run.seen:
                self.note(What.STARTED)
            report = Report(
                fence=self.lease.fence,
                event=ReportEvent.STARTED,
                evidence="OctoPrint's own job is the file of this run",
            )
            self.messenger.report(report)
            self.tools.at("after_proof")
        if self.messenger.word is Word.STOP:
            self.cancel()
        return self.tools.look_s

    def cancel(self) -> None:
        """Stop our print. A print that is not ours is left alone."""
        now = self.tools.clock()
        if self.cancelled_at is not None and now - self.cancelled_at < CANCEL_AGAIN_S:
            return
        self.cancelled_at = now
        if What.STOPPED not in self.run.seen:
            self.note(What.STOPPED)
        try:
            self.tools.octoprint.cancel(self.lease.path)
        except PrinterError as exc:
            self.tools.say("warning", f"the print could not be cancelled yet: {exc}")

    def end(self, what: What, why: str) -> None:
        """Write down what became of the run. The hub hears it next."""
        print_s = progress = None
        if what is What.DONE:
            progress = 1_000_000
            took_s = self.sight.print_s
            print_s = None if took_s is None else round(took_s)
        elif what in (What.FAILED, What.UNCLEAR):
            progress = self.beat.progress_ppm or None
            print_s = self.worked_s
        level = "info" if what is What.DONE else "warning"
        self.tools.say(level, f"{what}: {why}")
        self.note(what, evidence=why, print_s=print_s, progress_ppm=progress)
        if what in (What.DONE, What.FAILED, What.UNCLEAR):
            self.tools.photo(self.lease.run)
        self.tools.at("after_end")

    def tell(self) -> float:
        """Wait until the hub has the end, or says that it never will take it."""
        if not self.telling:
            self.telling = True
            self.messenger.report(last_report(self.run), last=True)
        if self.messenger.told(min(1.0, self.tools.look_s)):
            self.note(What.REPORTED, refusal=self.messenger.refusal)
            self.tools.at("after_report")
            with suppress(OSError):
                self.file.unlink(missing_ok=True)
        return 0.0

    # What is told.

    def beat_as(self, todo: Next, seen: Seen | None) -> None:
        """The next sign of life says what was just seen."""
        job = self.sight.job if todo.step is Step.WATCH else None
        percent = None if job is None else job.progress_percent
        self.beat = Beat(
            fence=self.lease.fence,
            printing=job is not None and not self.sight.paused,
            paused=job is not None and self.sight.paused,
            progress_ppm=(
                # 100 % only says that all bytes were sent.
                self.beat.progress_ppm if percent is None else min(round(percent * 10_000), 999_999)
            ),
            seconds_left=None if job is None else job.print_time_left_s,
            text=self.text(todo, seen)[:500],
            waits_for=self.tools.waits(self.lease.path) if job and self.sight.paused else "",
            **asdict(Readings() if job is None else self.readings(job)),
        )
        self.messenger.now(self.beat)
        self.show(self.sight.trouble)

    def readings(self, job: Job) -> Readings:
        """What a person who watches wants to know beside how far it is."""
        if self.layers is None:
            try:
                self.layers = layers_of(self.file)
            except OSError:  # somebody tidied up; a print needs no file here
                self.layers = Layers(array("Q"), array("L"))
        return readings(self.sight.machine, self.layers, job.filepos)

    def show(self, text: str) -> None:
        """Let the screen say why nothing happens."""
        self.tools.show(self.run, self.beat, text)

    def text(self, todo: Next, seen: Seen | None) -> str:
        """Where it stands, in words for people."""
        if todo.step is not Step.WATCH or seen is None:
            return self.sight.trouble or todo.step.value
        if self.sight.still_s > FROZEN_S:
            return f"no progress for {round(self.sight.still_s / 60)} min: look at the printer"
        return seen.text

    def note(self, what: What, **note: object) -> None:
        """Write down what can be proved again, should the disk be full just now."""
        self.run = self.tools.journal.note(self.lease.run, what, **note)
