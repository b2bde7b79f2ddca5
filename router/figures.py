"""What one copy of a part takes on each of many printers: as sliced before, or else estimated."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from designs.queries import PrintablePart
from printers.capability import Choices, Profile
from printers.offer import Offer
from printers.slicer import BadSettings, cache_key, job_ini
from router import estimate
from router.estimate import Record
from router.models import JobRow, OrderRow, QuoteRow, RunRow, SliceRow
from router.states import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Filament and time for one copy, each with its source in words."""

    mass_mg: int
    mass_source: str
    duration_s: int
    duration_source: str
    estimated_s: int
    """The plain estimate, whatever is said in the end: what a printer's record is made of."""


def plate_of(*, stl_sha256: str, ini: str) -> str:
    """Names mesh and settings, whichever engine slices them."""
    return cache_key(stl_sha256=stl_sha256, ini=ini, engine_version="", copies=1)


class Figuring:
    """Figures for one part with one set of choices. Printers with the same profile share them."""

    def __init__(self, part: PrintablePart, choices: Choices) -> None:
        self._part, self._choices = part, choices
        self._estimates: dict[Profile, tuple[int, int]] = {}
        self._plates: dict[Profile, str | None] = {}
        self._sliced: dict[str, SliceRow | None] = {}

    def learn(self, session: Session, profiles: Collection[Profile]) -> None:
        """Find earlier slices for these profiles, in at most one statement."""
        for profile in set(profiles) - self._plates.keys():
            self._plates[profile] = self._plate(profile)
        wanted = {plate for plate in self._plates.values() if plate} - self._sliced.keys()
        if not wanted:
            return
        self._sliced |= dict.fromkeys(wanted)
        rows = select(SliceRow).where(SliceRow.plate.in_(wanted)).order_by(SliceRow.created_at)
        self._sliced |= {row.plate: row for row in session.scalars(rows)}

    def of(self, profile: Profile, *, record: Record | None) -> Figures:
        """The figures on one printer: of a slice if `learn` found one, else the estimate, its time
        corrected by the printer's own record."""
        mass_mg, plain_s = self._estimate(profile)
        plate = self._plates.get(profile)
        known = self._sliced.get(plate) if plate else None
        if known is not None:
            return Figures(
                mass_mg=known.mass_mg,
                mass_source=f"sliced by {known.sliced_by}",
                duration_s=known.duration_s,
                duration_source=f"sliced by {known.sliced_by}",
                estimated_s=plain_s,
            )
        duration_s, source = estimate.corrected(plain_s, record)
        return Figures(
            mass_mg=mass_mg,
            mass_source="estimated from volume, shell and infill, before slicing",
            duration_s=duration_s,
            duration_source=source,
            estimated_s=plain_s,
        )

    def _estimate(self, profile: Profile) -> tuple[int, int]:
        if profile not in self._estimates:
            facts, choices = self._part.facts, self._choices
            self._estimates[profile] = (
                estimate.mass_mg(facts, profile=profile, choices=choices),
                estimate.duration_s(facts, profile=profile, choices=choices),
            )
        return self._estimates[profile]

    def _plate(self, profile: Profile) -> str | None:
        try:
            ini = job_ini(profile, self._choices)
        except BadSettings:  # this printer cannot follow: matching says so in its own words
            return None
        return plate_of(stl_sha256=self._part.stl_sha256, ini=ini)


def records(session: Session, offers: Collection[Offer]) -> Mapping[UUID, Record]:
    """Per printer, what its passed jobs were sliced at beside their plain estimates."""
    asked = (
        select(
            JobRow.printer_id,
            func.count(),
            func.sum(JobRow.duration_s),
            func.sum(QuoteRow.estimated_s),
        )
        .join(OrderRow, OrderRow.id == JobRow.order_id)
        .join(QuoteRow, QuoteRow.id == OrderRow.quote_id)
        .where(
            JobRow.printer_id.in_([offer.printer for offer in offers]),
            JobRow.duration_s.is_not(None),
            JobRow.id.in_(select(RunRow.job_id).where(RunRow.state == Run.PASSED)),
        )
        .group_by(JobRow.printer_id)
    )
    return {
        printer: Record(jobs=count, sliced_s=int(sliced or 0), estimated_s=int(estimated or 0))
        for printer, count, sliced, estimated in session.execute(asked)
    }
