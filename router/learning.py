"""What a printer's own record says of estimates: how long it took, and how much the slicer asked.

A ratio is the median over the last prints with three prints that went as estimated before them, so
neither a first print nor one bad record moves it, and it stays within a half and double.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from statistics import median
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from basis.units import ceil_div
from printers import registry
from printers.capability import Profile
from printers.models import PrinterRow
from router.models import JobRow, RunRow

MOST_PRINTS = 50
"""Older ones say little of a machine that was mended since."""

PRIOR = 3
LOW, HIGH = 500, 2_000
"""Thousandths: beyond them a record is a fault, not a habit."""

BESIDE = (
    *("rated_power_w", "enclosure", "max_nozzle_c", "max_bed_c", "max_chamber_c"),
    *("max_acceleration_mm_s2", "max_z_acceleration_mm_s2", "max_jerk_mm_s", "max_z_jerk_mm_s"),
    "max_z_feed_mm_s",
)
"""Of a profile, what it may correct without being another machine: what it takes, and how far it
may be driven, changes no time and no filament."""

LEAST_S, LEAST_MG = 60, 100
"""Of a print that takes less, heating and rounding are most of it."""


def ratio(pairs: Sequence[tuple[int, int]]) -> int:
    """What things took ÷ what was said, in thousandths. Pure."""
    each = [took * 1_000 / said for took, said in pairs if said > 0]
    return round(max(LOW, min(HIGH, median([*each, *[1_000.0] * PRIOR]))))


def scaled(figure: int, per_mille: int) -> int:
    """An estimate by such a ratio, rounded up."""
    return ceil_div(figure * per_mille, 1_000)


def begin_anew(
    session: Session, printer: PrinterRow, *, before: Profile, after: Profile, now: datetime
) -> bool:
    """A printer's profile changed: where that makes another machine of it, what was learned of the
    old one is forgotten, and only jobs ordered from now on teach. Whether it did."""
    if replace(before, **{name: getattr(after, name) for name in BESIDE}) == after:
        return False
    printer.learns_since = now
    session.flush()
    registry.learned(
        session,
        printer_id=printer.id,
        took_per_mille=1_000,
        took_runs=0,
        mass_per_mille=1_000,
        mass_slices=0,
    )
    return True


def of_this_machine() -> ColumnElement[bool]:
    """Whether a job was for its printer as it is now; for selects that join both."""
    since = PrinterRow.learns_since
    return or_(since.is_(None), JobRow.created_at >= since)


def took(session: Session, run: RunRow, *, print_s: int | None) -> None:
    """A machine finished a print and says how long it worked: its times are estimated by that."""
    if not print_s:
        return
    run.print_s = print_s
    session.flush()
    pairs = session.execute(
        select(RunRow.print_s, JobRow.duration_s)
        .join(JobRow, JobRow.id == RunRow.job_id)
        .join(PrinterRow, PrinterRow.id == JobRow.printer_id)
        .where(
            of_this_machine(),
            RunRow.printer_id == run.printer_id,
            RunRow.print_s.is_not(None),
            JobRow.duration_s >= LEAST_S,
        )
        .order_by(RunRow.fence.desc())
        .limit(MOST_PRINTS)
    )
    found = [(int(print_s or 0), int(sliced_s or 0)) for print_s, sliced_s in pairs]
    registry.learned(
        session, printer_id=run.printer_id, took_per_mille=ratio(found), took_runs=len(found)
    )


def asked_for(session: Session, printer_id: UUID) -> None:
    """A slice for a printer is there: how much more or less than estimated do its settings ask?"""
    session.flush()
    pairs = session.execute(
        select(JobRow.mass_mg, JobRow.estimated_mg)
        .join(PrinterRow, PrinterRow.id == JobRow.printer_id)
        .where(
            of_this_machine(),
            JobRow.printer_id == printer_id,
            JobRow.mass_mg.is_not(None),
            JobRow.estimated_mg >= LEAST_MG,
        )
        .order_by(JobRow.created_at.desc(), JobRow.id)
        .limit(MOST_PRINTS)
    )
    found = [(int(mass_mg or 0), int(estimated_mg or 0)) for mass_mg, estimated_mg in pairs]
    registry.learned(
        session, printer_id=printer_id, mass_per_mille=ratio(found), mass_slices=len(found)
    )


def pace_said(per_mille: int, runs: int) -> str:
    """In words for the source of a figure; nothing when nothing is known."""
    if not runs or per_mille == 1_000:
        return ""
    percent = abs(per_mille - 1_000) / 10
    longer = "longer" if per_mille > 1_000 else "less"
    prints = "print" if runs == 1 else "prints"
    return (
        f"this printer takes {percent:.0f} % {longer} than its slicer thinks, from {runs} {prints}"
    )
