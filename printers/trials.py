"""The trial of a printer as a side task: it runs outside any transaction, and may run twice."""

import logging
from pathlib import Path
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from basis.db import Database
from basis.errors import HubError, Unavailable
from printers.capability import Profile
from printers.models import PrinterRow, Trial
from printers.registry import touched
from printers.slicer import PROGRAM
from printers.trial import Tried, tried

MOST_SAID = 1_000

log = logging.getLogger(__name__)


def due(session: Session) -> list[UUID]:
    """Printers for which a cube is owed: what the sweep asks for again."""
    owed = (PrinterRow.trial == Trial.DUE, PrinterRow.removed_at.is_(None))
    return list(session.scalars(select(PrinterRow.id).where(*owed).order_by(PrinterRow.id)))


def try_printer(
    printer_id: UUID, *, database: Database, scratch: Path, wall_s: float, program: str = PROGRAM
) -> None:
    """Slice the cube for a printer that is owed one, and let it take work, or say why not.

    Does nothing for another, so running it twice is harmless. What this machine itself lacks (the
    slicer, disk) raises Unavailable, and the printer is owed its cube still.
    """
    with database.reading() as session:
        row = session.get(PrinterRow, printer_id)
        if row is None or row.trial is not Trial.DUE or row.removed_at is not None:
            return
        said = row.profile
    try:
        outcome = tried(Profile.from_json(said), scratch=scratch, wall_s=wall_s, program=program)
    except Unavailable:
        raise
    except HubError as exc:  # a profile that is refused nowadays
        outcome = Tried(fault=str(exc), said="")
    with database.writing() as session:
        row = session.get_one(PrinterRow, printer_id)
        if row.trial is not Trial.DUE or row.profile != said:
            return  # changed meanwhile: another cube is owed, or was sliced
        row.trial = Trial.FAILED if outcome.fault else Trial.PASSED
        row.trial_said = (outcome.fault or outcome.said)[:MOST_SAID]
        touched(session, printer_id)
    log.info("printer %s: %s", printer_id, outcome.fault or f"a cube takes {outcome.said}")
