"""Jobs, runs and printers in words for people. Pure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from designhub.language import Lazy, _, lazy
from designhub.web import words
from designhub.web.moments import told
from router.states import LIVE, Job, Run

if TYPE_CHECKING:  # commands speak through this module too, without a database
    from router.models import RunRow

JOBS: Mapping[Job, Lazy] = {
    Job.ORDERED: lazy("Ordered: its G-code is being made."),
    Job.ASKED: lazy("Stopped: making it needs much more than was quoted."),
    Job.READY: lazy("Ready: it waits for its printer."),
    Job.ASSIGNED: lazy("With its printer."),
    Job.FAILED: lazy("Failed: the workshop decides whether to try again."),
    Job.PASSED: lazy("Made and found good: it waits to be handed over."),
    Job.DONE: lazy("Done: it is made and good."),
    Job.CANCELLED: lazy("Cancelled."),
    Job.UNROUTABLE: lazy("It cannot be made on this printer: order it elsewhere."),
}

RUNS: Mapping[Run, Lazy] = {
    Run.LEASED: lazy("The agent beside the printer prepares it."),
    Run.PERMITTED: lazy("The agent may start it now."),
    Run.PRINTING: lazy("Printing."),
    Run.PAUSED: lazy("Paused: the printer waits for somebody."),
    Run.UNKNOWN: lazy(
        "Nobody knows: its agent fell silent when it may have begun. A person must look."
    ),
    Run.PRINTED: lazy("Printed: a person must look at it."),
    Run.PASSED: lazy("A person looked: it is good."),
    Run.FAILED: lazy("Failed."),
    Run.RELEASED: lazy("Given back before anything moved."),
}

HAPPENINGS: Mapping[str, Lazy] = {
    "job.begun": lazy("Not good the first time"),
    "job.sliced": lazy("The G-code is ready"),
    "job.costs_more": lazy("The slice needs much more than was quoted"),
    "job.agree": lazy("Agreed to make it at the quoted price"),
    "job.refuse": lazy("It cannot be sliced for this printer"),
    "job.lease": lazy("Given to the printer's agent"),
    "job.released": lazy("Back to the queue"),
    "job.run_failed": lazy("The try failed"),
    "job.retry": lazy("One more try"),
    "job.slice_again": lazy("One more try, on a plate of its own"),
    "job.pass": lazy("Found good"),
    "job.receive": lazy("Handed over"),
    "job.cancel": lazy("Cancelled"),
    "run.permit": lazy("Allowed to start"),
    "run.start": lazy("The print began"),
    "run.pause": lazy("The print paused"),
    "run.ejected": lazy("The printer took the part off its bed"),
    "run.waits_filament": lazy("It waits for filament"),
    "run.waits_printer": lazy("The printer itself asked for the pause"),
    "run.spool_changed": lazy("Another spool was put in"),
    "run.finish": lazy("The print finished"),
    "run.fail": lazy("The print failed"),
    "run.pass": lazy("A person looked at the print and took it"),
    "run.expire": lazy("The agent fell silent"),
    "run.cancel": lazy("Taken back before it started"),
    "run.release": lazy("The agent gave it back before it started"),
    "run.stop_asked": lazy("Asked the printer to stop"),
    "run.moves_unbidden": lazy("The printer moves without leave"),
    "late.started": lazy("Said too late: the print began"),
    "late.paused": lazy("Said too late: the print paused"),
    "late.finished": lazy("Said too late: the print finished"),
    "late.failed": lazy("Said too late: the print failed"),
    "late.never_started": lazy("Said too late: it never started"),
    "late.released": lazy("Said too late: given back"),
    "late.unclear": lazy("Said too late: the agent does not know either"),
    "said.at_printer": lazy("A person spoke at the printer"),
    "message": lazy("A message"),
}

GOOD = frozenset({"job.sliced", "run.start", "run.finish", "run.pass", "job.pass", "job.receive"})
WAITS: Mapping[str, Lazy] = {
    "filament": lazy("It waits for filament, which the workshop loads."),
    "person": lazy("Somebody at the workshop paused it."),
    "printer": lazy("The printer itself paused: its filament may have run out."),
}
"""What a paused print waits for, for its maker."""

LOOK = frozenset({"job.costs_more", "run.pause", "run.expire", "run.stop_asked", "job.cancel"})
BAD = frozenset({"job.begun", "job.refuse", "job.run_failed", "run.fail", "run.moves_unbidden"})
"""Happenings by how a timeline marks them."""

NEXT: Mapping[Job, tuple[Lazy, Lazy]] = {
    Job.ORDERED: (
        lazy("The hub slices the part for this printer, most often within minutes."),
        lazy("The hub slices the part for your printer. There is nothing to do."),
    ),
    Job.ASKED: (
        lazy("The workshop may make it at the quoted price all the same. Or cancel and ask anew."),
        lazy("Make it at the quoted price, or leave it to the maker to cancel and ask anew."),
    ),
    Job.READY: (
        lazy("It starts by itself when the printer is free, its bed clear and its spool loaded."),
        lazy("It starts by itself: keep the bed clear and its material loaded."),
    ),
    Job.ASSIGNED: (
        lazy("The printer works on it."),
        lazy("The printer works on it."),
    ),
    Job.FAILED: (
        lazy("The workshop decides whether to try again. If you cancel, you owe nothing for it."),
        lazy("Read what went wrong, then try again or cancel it."),
    ),
    Job.PASSED: (
        lazy("It comes to you. Say so when you have it."),
        lazy("Send it, and say so when the maker has it."),
    ),
    Job.DONE: (
        lazy("Nothing is left to do. Its price is written in the open book."),
        lazy("Nothing is left to do. Its price is written in the open book."),
    ),
    Job.CANCELLED: (
        lazy("It ended without a part, and nothing is owed for it."),
        lazy("It ended without a part, and nothing is owed for it."),
    ),
    Job.UNROUTABLE: (
        lazy("Nothing is owed for it. Order it again: another printer may be able to."),
        lazy("Nothing is owed for it. The maker can order it elsewhere."),
    ),
}
"""What happens next to a job, to the maker and to the workshop."""

# A table of its own: `Job.FAILED` and `Run.FAILED` are equal as keys.
NEXT_OF_RUN: Mapping[Run, tuple[Lazy, Lazy]] = {
    Run.LEASED: (
        lazy("The agent fetches the file and checks it. Nothing has moved yet."),
        lazy("The agent fetches the file and checks it. Nothing has moved yet."),
    ),
    Run.PERMITTED: (
        lazy("The printer heats up and begins any moment."),
        lazy("The printer heats up and begins any moment. Keep your hands off the bed."),
    ),
    Run.PRINTING: (
        lazy("When it is printed, a person of the workshop looks at it."),
        lazy("When it is printed, look at it and take it off the bed."),
    ),
    Run.PAUSED: (
        lazy("Somebody of the workshop has to go to the printer before it goes on."),
        lazy("Go to the printer, see why it waits, and let it go on there."),
    ),
    Run.UNKNOWN: (
        lazy(
            "A person of the workshop must look at the printer. Until then nothing is started"
            " again, so that nothing is made twice."
        ),
        lazy(
            "Go and look at the printer. If the part is there and good, say so; if not, say that"
            " it failed. Until then nothing starts on this printer."
        ),
    ),
    Run.PRINTED: (
        lazy("A person of the workshop looks at it and takes it off the bed."),
        lazy("Look at the part, say whether it is good, and clear the bed."),
    ),
    Run.PASSED: (lazy("It is good."), lazy("It is good.")),
    Run.FAILED: (lazy("This try is over."), lazy("This try is over.")),
    Run.RELEASED: (lazy("Nothing moved in this try."), lazy("Nothing moved in this try.")),
}
"""What happens next to a job that waits for a run, to the maker and to the workshop."""

MODES: Mapping[str, Lazy] = {
    "foot": lazy("fetched on foot"),
    "bicycle": lazy("fetched by bicycle"),
    "car": lazy("fetched by car"),
    "parcel": lazy("sent as a parcel"),
}

MOVING = frozenset({Job.ORDERED, Job.READY})
"""Jobs that go on by themselves; with a run, `moves` decides."""


def job_state(job: Job, run: Run | None) -> str:
    """A job's state in a sentence: what its open run does, where it has one."""
    if job is Job.ASSIGNED and run is not None:
        return str(RUNS[run])
    return str(JOBS[job])


def of_part(part: str, copies: range, wanted: int) -> str:
    """Which job of an order of several parts it is."""
    which = of_all(copies, wanted)
    return _("%(part)s, %(which)s", part=part, which=which) if which else part


def of_all(copies: range, wanted: int) -> str:
    """Which copies of its part a job makes: `copy 2 of 3`; nothing where one is wanted."""
    if wanted == 1:
        return ""
    if len(copies) == 1:
        return _("copy %(n)s of %(all)s", n=copies[0], all=wanted)
    first, last = copies[0], copies[-1]
    return _("copies %(first)s to %(last)s of %(all)s", first=first, last=last, all=wanted)


def numbered(copies: range) -> str:
    """The copies that a job makes, as its name: `Copy 2`, `Copies 1 to 4`."""
    if len(copies) == 1:
        return _("Copy %(n)s", n=copies[0])
    return _("Copies %(first)s to %(last)s", first=copies[0], last=copies[-1])


def moves(job: Job, run: Run | None) -> bool:
    """Whether a page of this job will soon be out of date, and nobody has to type on it."""
    if job is Job.ASSIGNED:
        return run in (LIVE | {Run.LEASED}) - {Run.UNKNOWN}
    return job in MOVING


def happening(what: str, before: str, after: str) -> str:
    """One line of a job's history, without who and when."""
    known = HAPPENINGS.get(what)
    return str(known) if known else f"{what}: {before} to {after}"


def kind_of(what: str) -> str:
    """How a timeline marks a happening."""
    if what in GOOD:
        return "good"
    return "bad" if what in BAD else "warn" if what in LOOK or what.startswith("late.") else ""


def kind_of_state(job: Job, run: Run | None) -> str:
    """How the state of a job is marked: by what somebody has to do, or that it ended well."""
    if job is Job.ASSIGNED and run is not None:
        return {Run.UNKNOWN: "bad", Run.PAUSED: "warn", Run.PRINTED: "warn"}.get(run, "")
    if job in (Job.FAILED, Job.UNROUTABLE):
        return "bad"
    return {Job.ASKED: "warn", Job.PASSED: "good", Job.DONE: "good"}.get(job, "")


def next_step(job: Job, run: Run | None, *, workshop: bool, collected: bool) -> str:
    """What happens next, for one side."""
    if job in (Job.PASSED, Job.DONE) and collected and not workshop:
        return _("Fetch it at the workshop, if you do not have it yet.")
    if job is Job.PASSED and collected:
        return _("It waits to be fetched. Say so when the maker has it.")
    if job is Job.ASSIGNED and run is not None:
        maker_reads, workshop_reads = NEXT_OF_RUN[run]
    else:
        maker_reads, workshop_reads = NEXT[job]
    return str(workshop_reads if workshop else maker_reads)


def known(run: "RunRow") -> list[str]:
    """What is proved of a try that failed or that nobody knows of."""
    found = []
    if run.never_started:
        found.append(_("The agent's own record proves that the printer was never told to start."))
    elif run.permitted_at:
        found.append(told(_("It got the right to start on %(at)s."), at=run.permitted_at))
    if run.started_at:
        seen = _("The printer was seen printing it on %(at)s.")
        found.append(told(seen, at=run.started_at))
    if run.progress_ppm:
        share = words.per_cent(run.progress_ppm)
        found.append(_("At the last word %(share)s of the file were sent to it.", share=share))
    if run.layer is not None:
        found.append(_("It was in layer %(n)s of %(all)s then.", n=run.layer, all=run.layers))
    if run.ended_at and run.state is not Run.UNKNOWN:
        found.append(told(_("The try ended on %(at)s."), at=run.ended_at))
    if run.cause:
        found.append(_("Said of it: %(cause)s", cause=run.cause))
    return found


def not_known(run: "RunRow") -> list[str]:
    """What nobody can say of a try."""
    if run.state is Run.UNKNOWN:
        began = run.started_at is not None
        return [
            _("Whether it went on to its end.") if began else _("Whether it began at all."),
            _("Whether something lies on the bed."),
        ]
    if run.state is Run.FAILED and not run.agent_ended:
        return [_("What the printer did since: its agent has not said how it ended.")]
    return []


def blame(run: "RunRow") -> str:
    """Whose fault a person said a failed try was."""
    if run.printer_at_fault is None and run.job_at_fault is None:
        return ""
    if run.printer_at_fault and run.job_at_fault:
        return _("At fault: the printer and the job.")
    if run.printer_at_fault:
        return _("At fault: the printer.")
    return (
        _("At fault: the job.") if run.job_at_fault else _("Neither printer nor job is at fault.")
    )
