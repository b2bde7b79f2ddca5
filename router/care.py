"""What a workshop does to a printer that may have work: load it, take back "clear", change it,
remove it.

Each verb takes an open transaction, locks the printer, and never commits.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from basis.errors import NotAllowed
from printers import registry
from printers.capability import Profile
from printers.models import Bed, PrinterRow, SpoolRow
from router import bookkeeping, ejecting, learning, rows, stretches
from router.models import JobRow, RunRow
from router.states import Job

UNDO_S = 60
"""How long a person may take back that the bed is clear."""

UNFINISHED = frozenset(Job) - {Job.DONE, Job.CANCELLED, Job.UNROUTABLE}
SLICED = UNFINISHED - {Job.PASSED}
"""Jobs whose G-code is made, or about to be, for the machine as it stands."""


def may_undo(printer: PrinterRow, *, now: datetime) -> bool:
    """Whether "the bed is clear" is young enough to be taken back, as far as the row tells."""
    young = now - printer.bed_changed_at <= timedelta(seconds=UNDO_S)
    return printer.bed is Bed.CLEAR and young


def undo_clear(session: Session, *, printer_id: UUID, by: UUID, now: datetime) -> None:
    """The bed is not clear after all: pressed by mistake. Saying it twice is harmless.

    Raises NotAllowed after a minute, or when a run was leased since.
    """
    printer = rows.locked_printer(session, printer_id)
    if printer.bed is Bed.OCCUPIED:
        return
    if not may_undo(printer, now=now):
        raise NotAllowed(
            f"it is over {UNDO_S} s ago: pause the printer, then go and look at its bed"
        )
    leased = select(RunRow.id).where(
        RunRow.printer_id == printer_id, RunRow.leased_at >= printer.bed_changed_at
    )
    if (run_id := session.scalar(leased.limit(1))) is not None:
        raise NotAllowed(f"run {run_id} was given to its agent meanwhile: cancel its job, and look")
    registry.occupied(session, printer_id=printer_id, now=now)
    registry.noted(session, printer_id=printer_id, by=by, what="bed.undone", now=now)


def load(
    session: Session,
    *,
    printer_id: UUID,
    material: str,
    colour: str,
    left_mg: int,
    price_per_kg_minor: int,
    slot: int,
    by: UUID,
    now: datetime,
) -> SpoolRow:
    """A person put a spool into a printer: it enters the book, and a print under way from that
    slot is made from it from here on. Raises Invalid for what no spool can be."""
    printer = rows.locked_printer(session, printer_id)
    spool = registry.load(
        session,
        printer_id=printer_id,
        material=material,
        colour=colour,
        left_mg=left_mg,
        price_per_kg_minor=price_per_kg_minor,
        slot=slot,
        now=now,
    )
    stretches.changed(session, spool, by=by, now=now)
    bookkeeping.lot_added(session, spool, workshop_id=printer.workshop_id, by=by, now=now)
    return spool


def change(
    session: Session, *, printer_id: UUID, name: str, profile: Profile, by: UUID, now: datetime
) -> None:
    """Give a printer another name or profile.

    Raises NotAllowed when the profile would change under jobs: G-code for the machine as it was
    must not run on another. Raises Invalid, Conflict.
    """
    printer = rows.locked_printer(session, printer_id)
    machine = None if profile == Profile.from_json(printer.profile) else profile
    if machine is not None and (count := _jobs(session, printer_id, SLICED)):
        raise NotAllowed(
            f"{count} of its jobs were sliced for the machine as it is: let it make them, or"
            " cancel them, then change it. Its name may change at any time"
        )
    before, was = printer.name, Profile.from_json(printer.profile)
    registry.change_printer(session, printer, name=name, profile=machine)
    if before != name:
        note = f"{before} → {name}"
        registry.noted(session, printer_id=printer_id, by=by, what="renamed", now=now, note=note)
    if machine is not None:
        anew = learning.begin_anew(session, printer, before=was, after=machine, now=now)
        note = "its record of times and filament begins anew" if anew else ""
        registry.noted(session, printer_id=printer_id, by=by, what="changed", now=now, note=note)
        # Another end code may leave the part where it is.
        ejecting.withdraw(session, printer_id=printer_id, by=by, now=now)


def remove(session: Session, *, printer_id: UUID, by: UUID, now: datetime) -> None:
    """Take a printer away. Raises NotAllowed while something is owed of it."""
    printer = rows.locked_printer(session, printer_id)
    if printer.removed_at is not None:
        return
    if count := _jobs(session, printer_id, UNFINISHED):
        raise NotAllowed(
            f"{count} of its jobs are open: pause it, finish or cancel them, then remove it"
        )
    registry.remove_printer(session, printer, now=now)
    registry.noted(session, printer_id=printer_id, by=by, what="removed", now=now)


def _jobs(session: Session, printer_id: UUID, states: frozenset[Job]) -> int:
    counted = select(func.count()).where(JobRow.printer_id == printer_id, JobRow.state.in_(states))
    return session.scalar(counted) or 0
