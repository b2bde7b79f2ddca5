"""Every state of a job and of a run, and the only tables of what may follow what.

A *job* is one plate to be made once. A *run* is one physical try of it on one printer. Between the
permit and a person's look at the bed there may be plastic on it, and nobody prints the job again
without evidence.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from basis.errors import NotAllowed


class Job(StrEnum):
    """What is still owed to the maker of one plate."""

    ORDERED = "ordered"  # accepted; not sliced yet
    ASKED = "asked"  # the slice needs much more than was quoted: people must agree or cancel
    READY = "ready"  # its G-code is guarded and kept; any moment its printer may take it
    ASSIGNED = "assigned"  # a run of it is open
    FAILED = "failed"  # its last run failed after it may have started: a person says "again" or not
    PASSED = "passed"  # the part is good and waits to be carried
    DONE = "done"  # the maker has it
    CANCELLED = "cancelled"
    UNROUTABLE = "unroutable"  # it cannot be sliced for its printer: order elsewhere


class Run(StrEnum):
    """One physical try to make one plate on one printer."""

    LEASED = "leased"  # one agent holds it; nothing physical has happened
    PERMITTED = "permitted"  # the start permit is out: from here on plastic may be on the bed
    PRINTING = "printing"  # the printer confirmed it; the lease is still renewed
    PAUSED = "paused"  # the printer waits for somebody; the lease is still renewed
    UNKNOWN = "unknown"  # silent since the permit; its agent or a person must speak
    PRINTED = "printed"  # the machine says it finished; a person has not looked yet
    PASSED = "passed"  # a person took it off the bed and accepted it
    FAILED = "failed"  # there is evidence that it failed, or that it never started
    RELEASED = "released"  # given back before the permit; the job goes on


class Event(StrEnum):
    """What can happen to a run."""

    PERMIT = "permit"
    START = "start"
    PAUSE = "pause"
    FINISH = "finish"
    FAIL = "fail"
    PASS = "pass"  # noqa: S105 - a verdict, not a secret
    EXPIRE = "expire"  # its lease ran out
    CANCEL = "cancel"
    RELEASE = "release"  # its agent gives it back


class JobEvent(StrEnum):
    """What can happen to a job."""

    SLICED = "sliced"
    COSTS_MORE = "costs_more"
    AGREE = "agree"
    REFUSE = "refuse"
    LEASE = "lease"
    RELEASED = "released"
    RUN_FAILED = "run_failed"
    RETRY = "retry"
    SLICE_AGAIN = "slice_again"  # once more, and other copies are on the plate than before
    PASS = "pass"  # noqa: S105 - a verdict, not a secret
    RECEIVE = "receive"
    CANCEL = "cancel"


HELD = frozenset({Run.LEASED, Run.PERMITTED, Run.PRINTING, Run.PAUSED})
"""An agent owes us a sign of life: exactly these have a deadline."""

LIVE = frozenset({Run.PERMITTED, Run.PRINTING, Run.PAUSED, Run.UNKNOWN})
"""The machine may be moving."""

OPEN = HELD | LIVE | {Run.PRINTED}
"""The job waits for this run: no other may begin."""

RUN_TRANSITIONS: Mapping[tuple[Run, Event], Run] = {
    (Run.LEASED, Event.PERMIT): Run.PERMITTED,
    (Run.LEASED, Event.RELEASE): Run.RELEASED,
    (Run.LEASED, Event.EXPIRE): Run.RELEASED,
    (Run.LEASED, Event.CANCEL): Run.RELEASED,
    (Run.PERMITTED, Event.START): Run.PRINTING,
    (Run.PERMITTED, Event.PAUSE): Run.PAUSED,
    (Run.PERMITTED, Event.FINISH): Run.PRINTED,  # the start report was lost on the way
    (Run.PERMITTED, Event.FAIL): Run.FAILED,
    # The agent journals its intent before it tells the printer, so silence after the permit may
    # mean plastic on the bed: the job is never handed on without evidence.
    (Run.PERMITTED, Event.EXPIRE): Run.UNKNOWN,
    (Run.PERMITTED, Event.CANCEL): Run.UNKNOWN,
    (Run.PRINTING, Event.PAUSE): Run.PAUSED,
    (Run.PRINTING, Event.FINISH): Run.PRINTED,
    (Run.PRINTING, Event.FAIL): Run.FAILED,
    (Run.PRINTING, Event.EXPIRE): Run.UNKNOWN,
    (Run.PAUSED, Event.START): Run.PRINTING,
    (Run.PAUSED, Event.FINISH): Run.PRINTED,
    (Run.PAUSED, Event.FAIL): Run.FAILED,
    (Run.PAUSED, Event.EXPIRE): Run.UNKNOWN,
    (Run.UNKNOWN, Event.START): Run.PRINTING,
    (Run.UNKNOWN, Event.PAUSE): Run.PAUSED,
    (Run.UNKNOWN, Event.FINISH): Run.PRINTED,
    (Run.UNKNOWN, Event.FAIL): Run.FAILED,
    (Run.PRINTED, Event.PASS): Run.PASSED,
    (Run.PRINTED, Event.FAIL): Run.FAILED,
}

JOB_TRANSITIONS: Mapping[tuple[Job, JobEvent], Job] = {
    (Job.ORDERED, JobEvent.SLICED): Job.READY,
    (Job.ORDERED, JobEvent.COSTS_MORE): Job.ASKED,
    (Job.ORDERED, JobEvent.REFUSE): Job.UNROUTABLE,
    (Job.ORDERED, JobEvent.CANCEL): Job.CANCELLED,
    (Job.ASKED, JobEvent.AGREE): Job.READY,
    (Job.ASKED, JobEvent.CANCEL): Job.CANCELLED,
    (Job.READY, JobEvent.LEASE): Job.ASSIGNED,
    (Job.READY, JobEvent.CANCEL): Job.CANCELLED,
    (Job.ASSIGNED, JobEvent.RELEASED): Job.READY,
    (Job.ASSIGNED, JobEvent.RUN_FAILED): Job.FAILED,
    (Job.ASSIGNED, JobEvent.PASS): Job.PASSED,
    # A part made is a part made: cancelling an assigned job releases or stops its run first.
    (Job.FAILED, JobEvent.RETRY): Job.READY,
    (Job.FAILED, JobEvent.SLICE_AGAIN): Job.ORDERED,
    (Job.FAILED, JobEvent.CANCEL): Job.CANCELLED,
    (Job.PASSED, JobEvent.RECEIVE): Job.DONE,
}

State = TypeVar("State", bound=StrEnum)
Happening = TypeVar("Happening", bound=StrEnum)


def after(run: Run, event: Event) -> Run:
    """The state a run enters when `event` happens to it; the only place that decides this."""
    return _next(RUN_TRANSITIONS, run, event, what="run")


def job_after(job: Job, event: JobEvent) -> Job:
    """The state a job enters when `event` happens to it; the only place that decides this."""
    return _next(JOB_TRANSITIONS, job, event, what="job")


def _next(
    table: Mapping[tuple[State, Happening], State], state: State, event: Happening, *, what: str
) -> State:
    try:
        return table[state, event]
    except KeyError:
        possible = ", ".join(e for s, e in table if s is state) or "nothing"
        raise NotAllowed(f"the {what} is {state}, so no {event}; possible: {possible}") from None
