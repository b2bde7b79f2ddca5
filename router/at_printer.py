"""What a person says at the printer itself, through the plugin inside its OctoPrint.

The hub does not know that person. It knows the plugin, which the workshop enrolled for this one
printer, and it takes three words from it as the workshop's own: *good*, *failed*, *the bed is
clear*. Each goes through the verb of `router.jobs` that the page calls, with its rules; beside it
stands who said it, by the name that OctoPrint gave, and through which agent. Any other agent, and
any other printer or job, is refused. Why: docs/decisions/0009-the-plugin.md.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from basis.errors import NotFound, NotYours
from printers.models import PrinterRow, WorkshopRow
from printers.protocol import AgentKind
from printers.queries import KnownAgent
from router import jobs, rows
from router.history import agent as actor_of
from router.history import noted
from router.models import RunRow

SAID = "said.at_printer"
MOST_NAME = 80


def passed(
    session: Session,
    *,
    agent: KnownAgent,
    printer_id: UUID,
    job_id: UUID,
    run_id: UUID | None,
    name: str,
    now: datetime,
) -> None:
    """The part is good. Raises what `jobs.passed` raises, NotYours, NotFound."""
    owner = _heard(session, agent=agent, printer_id=printer_id)
    run = _last_run(session, printer_id=printer_id, job_id=job_id)
    if run_id not in (None, run.id):
        return  # said again, of a try before
    noted(session, run, SAID, actor=actor_of(agent.id), now=now, note=_by(name))
    jobs.passed(session, job_id=job_id, by=owner, now=now)


def failed(
    session: Session,
    *,
    agent: KnownAgent,
    printer_id: UUID,
    job_id: UUID,
    run_id: UUID | None,
    name: str,
    cause: str,
    job_at_fault: bool,
    printer_at_fault: bool,
    now: datetime,
) -> None:
    """It is not good, or did not come about. Raises as `passed`."""
    owner = _heard(session, agent=agent, printer_id=printer_id)
    run = _last_run(session, printer_id=printer_id, job_id=job_id)
    if run_id not in (None, run.id):
        return  # said again, of a try before
    noted(session, run, SAID, actor=actor_of(agent.id), now=now, note=_by(name))
    jobs.failed(
        session,
        job_id=job_id,
        by=owner,
        cause=cause,
        job_at_fault=job_at_fault,
        printer_at_fault=printer_at_fault,
        now=now,
    )


def clear_bed(
    session: Session, *, agent: KnownAgent, printer_id: UUID, name: str, now: datetime
) -> None:
    """The bed is clear. Raises what `jobs.clear_bed` raises, NotYours."""
    owner = _heard(session, agent=agent, printer_id=printer_id)
    jobs.clear_bed(session, printer_id=printer_id, by=owner, now=now, note=_by(name))


def _heard(session: Session, *, agent: KnownAgent, printer_id: UUID) -> UUID:
    """The account that the workshop belongs to, if this agent may speak for people there."""
    if agent.kind is not AgentKind.PLUGIN:
        raise NotYours(
            "only the plugin inside OctoPrint speaks for the people at its printer: say it on the"
            " workshop's page"
        )
    printer = rows.locked_printer(session, printer_id)
    if printer.agent_id != agent.id:
        raise NotYours(f"this agent does not speak for printer {printer_id}")
    owner = (
        select(WorkshopRow.owner_id)
        .join(PrinterRow, PrinterRow.workshop_id == WorkshopRow.id)
        .where(PrinterRow.id == printer_id)
    )
    return session.scalars(owner).one()


def _last_run(session: Session, *, printer_id: UUID, job_id: UUID) -> RunRow:
    """The last try of a job. Raises NotFound unless it was here."""
    run = session.scalar(
        select(RunRow).where(RunRow.job_id == job_id).order_by(RunRow.fence.desc()).limit(1)
    )
    if run is None or run.printer_id != printer_id:
        raise NotFound(f"there is no print of job {job_id} on this printer")
    return run


def _by(name: str) -> str:
    shown = "".join(sign for sign in name if sign.isprintable()).strip()[:MOST_NAME]
    return f"said at the printer by {shown or 'somebody'}"
