"""Changing a job's or a run's state: always by the tables of `router.states`, always on record."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from router.models import HappeningRow, JobRow, RunRow
from router.states import HELD, Event, Job, JobEvent, Run, after, job_after

HUB = "hub"
"""The actor of what nobody asked for: a lease that ran out, a slice that is done."""

ENDED_RUNS = frozenset({Run.PRINTED, Run.PASSED, Run.FAILED, Run.RELEASED})
ENDED_JOBS = frozenset({Job.DONE, Job.CANCELLED, Job.UNROUTABLE})


def account(account_id: UUID) -> str:
    """A person, as an actor."""
    return f"account:{account_id}"


def agent(agent_id: UUID) -> str:
    """An agent, as an actor."""
    return f"agent:{agent_id}"


def run_event(
    session: Session,
    run: RunRow,
    event: Event,
    *,
    actor: str,
    now: datetime,
    note: str = "",
    lease_until: datetime | None = None,
) -> None:
    """Let `event` happen to a run. Raises NotAllowed when it cannot.

    lease_until : the new deadline; without one a run that stays held keeps its own.
    """
    before, run.state = run.state, after(run.state, event)
    run.lease_until = (lease_until or run.lease_until) if run.state in HELD else None
    if run.state in ENDED_RUNS and run.ended_at is None:
        run.ended_at = now
    session.add(
        HappeningRow(
            at=now,
            job_id=run.job_id,
            run_id=run.id,
            actor=actor,
            what=f"run.{event.value}",
            before=before.value,
            after=run.state.value,
            note=note[:2_000],
        )
    )
    # At once: partial indexes see one run enter before another leaves, never two together.
    session.flush()


def job_event(
    session: Session,
    job: JobRow,
    event: JobEvent,
    *,
    actor: str,
    now: datetime,
    note: str = "",
    run_id: UUID | None = None,
) -> None:
    """Let `event` happen to a job. Raises NotAllowed when it cannot."""
    before, job.state = job.state, job_after(job.state, event)
    if job.state in ENDED_JOBS:
        job.ended_at = now
    if job.state is Job.READY:
        # To the end of the queue, also when it was given back: a file that its printer refuses
        # again and again must not keep the others waiting.
        job.ready_at = now
    session.add(
        HappeningRow(
            at=now,
            job_id=job.id,
            run_id=run_id,
            actor=actor,
            what=f"job.{event.value}",
            before=before.value,
            after=job.state.value,
            note=note[:2_000],
        )
    )
    session.flush()


def begun(session: Session, job: JobRow, *, actor: str, now: datetime, note: str) -> None:
    """A job came about by something else than an order."""
    session.add(
        HappeningRow(
            at=now,
            job_id=job.id,
            actor=actor,
            what="job.begun",
            before="",
            after=job.state.value,
            note=note[:2_000],
        )
    )


def noted(
    session: Session,
    run: RunRow,
    what: str,
    *,
    actor: str,
    now: datetime,
    note: str = "",
    once: bool = True,
) -> None:
    """Something worth knowing that changes no state, such as a message that came too late. Once
    for each run unless told otherwise: who repeats it adds nothing."""
    known = select(HappeningRow.id).where(HappeningRow.run_id == run.id, HappeningRow.what == what)
    if once and session.scalar(known.limit(1)) is not None:
        return
    session.add(
        HappeningRow(
            at=now,
            job_id=run.job_id,
            run_id=run.id,
            actor=actor,
            what=what,
            before=run.state.value,
            after=run.state.value,
            note=note[:2_000],
        )
    )
