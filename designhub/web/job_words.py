"""Jobs, runs and printers in words for people. Pure."""

from collections.abc import Mapping
from datetime import datetime

from designhub.language import Lazy, _, lazy
from designhub.web import words
from router.states import LIVE, Job, Run

JOBS: Mapping[Job, Lazy] = {
    Job.ORDERED: lazy("Ordered: its G-code is being made."),
    Job.ASKED: lazy("Stopped: making it needs much more than was quoted."),
    Job.READY: lazy("Ready: it waits for its printer."),
    Job.ASSIGNED: lazy("With its printer."),
    Job.FAILED: lazy("Failed: the workshop decides whether to try again."),
    Job.PASSED: lazy("Made and found good: it waits to be handed over."),
    Job.DONE: lazy("Done: the maker has it."),
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
    "job.sliced": lazy("The G-code is ready"),
    "job.costs_more": lazy("The slice needs much more than was quoted"),
    "job.agree": lazy("Agreed to make it at the quoted price"),
    "job.refuse": lazy("It cannot be sliced for this printer"),
    "job.lease": lazy("Given to the printer's agent"),
    "job.released": lazy("Back to the queue"),
    "job.run_failed": lazy("The try failed"),
    "job.retry": lazy("One more try"),
    "job.pass": lazy("Found good"),
    "job.receive": lazy("Handed over"),
    "job.cancel": lazy("Cancelled"),
    "run.permit": lazy("Allowed to start"),
    "run.start": lazy("The print began"),
    "run.pause": lazy("The print paused"),
    "run.finish": lazy("The print finished"),
    "run.fail": lazy("The print failed"),
    "run.pass": lazy("A person looked at the print and took it"),
    "run.expire": lazy("The agent fell silent"),
    "run.cancel": lazy("Taken back before it started"),
    "run.release": lazy("The agent gave it back before it started"),
    "run.stop_asked": lazy("Asked the printer to stop"),
    "run.moves_unbidden": lazy("The printer moves without leave"),
}

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


def moves(job: Job, run: Run | None) -> bool:
    """Whether a page of this job will soon be out of date, and nobody has to type on it."""
    if job is Job.ASSIGNED:
        return run in (LIVE | {Run.LEASED}) - {Run.UNKNOWN}
    return job in MOVING


def happening(what: str, before: str, after: str) -> str:
    """One line of a job's history, without who and when."""
    known = HAPPENINGS.get(what)
    return str(known) if known else f"{what}: {before} to {after}"


def seen(at: datetime | None, *, now: datetime, unseen_s: int) -> str:
    """What is known of the agent beside a printer."""
    if at is None:
        return _("no agent has spoken yet")
    if (now - at).total_seconds() > unseen_s:
        return _("silent since %(moment)s", moment=words.moment(at))
    return _("spoke %(ago)s", ago=words.ago(at, now))
