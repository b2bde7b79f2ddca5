"""Printers whose end code takes the part off the bed: their workshop says so, with a name.

It is the one way by which a bed becomes clear without a person's look, so it is narrow: only after
a run whose own agent, never silent, has the printer's record of success, and only when nothing else
happened to the bed since the permit. After everything else a person looks, here as well.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from printers import registry
from printers.models import PrinterRow
from router import rows
from router.history import HUB, noted
from router.models import RunRow
from router.states import HELD, Run


def declare(session: Session, *, printer_id: UUID, by: UUID, now: datetime) -> None:
    """Somebody answers for it that the printer's end code empties the bed, every time."""
    printer = rows.locked_printer(session, printer_id)
    if printer.ejects_since is None:
        printer.ejects_by, printer.ejects_since = by, now
        registry.noted(session, printer_id=printer_id, by=by, what="ejects", now=now)


def withdraw(session: Session, *, printer_id: UUID, by: UUID, now: datetime) -> None:
    """It does not, or not any more: a person looks after each print."""
    printer = rows.locked_printer(session, printer_id)
    if printer.ejects_since is not None:
        printer.ejects_by = printer.ejects_since = None
        registry.noted(session, printer_id=printer_id, by=by, what="ejects.not", now=now)


def finished(session: Session, run: RunRow, *, before: Run, now: datetime) -> None:
    """The run's own agent proved that it finished: an ejector has emptied the bed by then.

    before : the run's state until this proof.
    """
    printer = session.get_one(PrinterRow, run.printer_id)
    if not _emptied(printer, run, before=before) or printer.ejects_by is None:
        return
    if registry.cleared(session, printer_id=printer.id, now=now):
        by, what = printer.ejects_by, "bed.ejected"
        registry.noted(session, printer_id=printer.id, by=by, what=what, now=now)
        noted(session, run, "run.ejected", actor=HUB, now=now)


def _emptied(printer: PrinterRow, run: RunRow, *, before: Run) -> bool:
    """Whether the ejector's word is enough."""
    since, permitted = printer.ejects_since, run.permitted_at
    if since is None or permitted is None or before not in HELD:
        return False
    # Declared before the start, the newest run, and the bed untouched since its permit: nobody
    # printed something else on it meanwhile.
    return since <= permitted and run.fence == printer.fence and printer.bed_changed_at <= permitted
