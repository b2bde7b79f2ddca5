"""The photo of a bed that a run's agent took at its end: kept with the run, once."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from basis.errors import NotAllowed, NotFound
from router import rows
from router.models import RunRow

UNTIL = timedelta(days=1)
"""How long after the end of a run its photo is taken."""


def wanted(session: Session, *, run_id: UUID, agent_id: UUID, now: datetime) -> str | None:
    """The sha256 of the photo that a run has already; None when one may be given.

    Raises NotFound for another agent's run, NotAllowed when it is too early or too late.
    """
    run = session.scalar(select(RunRow).where(RunRow.id == run_id, RunRow.agent_id == agent_id))
    return _wanted(run, run_id, now=now)


def keep(session: Session, *, run_id: UUID, agent_id: UUID, sha256: str, now: datetime) -> str:
    """Keep the photo of a run; returns its sha256, which is the first one's if it had one.

    Raises as `wanted`.
    """
    run = rows.locked_run(session, run_id)
    known = _wanted(run if run is not None and run.agent_id == agent_id else None, run_id, now=now)
    if known is not None or run is None:
        return known or ""
    run.photo_sha256 = sha256
    return sha256


def of_job(session: Session, *, job_id: UUID, run_id: UUID) -> str:
    """The sha256 of the photo of a job's run. Raises NotFound."""
    asked = select(RunRow.photo_sha256).where(RunRow.id == run_id, RunRow.job_id == job_id)
    found = session.scalar(asked)
    if found is None:
        raise NotFound(f"there is no photo of run {run_id}")
    return found


def _wanted(run: RunRow | None, run_id: UUID, *, now: datetime) -> str | None:
    if run is None:
        # Not told apart: a foreign agent learns nothing of runs that are not its own.
        raise NotFound(f"this agent has no run {run_id}")
    if run.permitted_at is None:
        raise NotAllowed(f"run {run_id} has not begun: there is nothing to be seen")
    if run.photo_sha256 is None and run.ended_at is not None and now - run.ended_at > UNTIL:
        raise NotAllowed(f"run {run_id} ended over a day ago: its photo is not kept any more")
    return run.photo_sha256
