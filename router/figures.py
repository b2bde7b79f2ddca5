"""What one copy of each part takes on each of many printers: as sliced before, or estimated."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from basis.turning import Direction
from basis.units import ceil_div
from designs.facts import MeshFacts, pose_of, posed
from designs.queries import PrintablePart
from printers.capability import Choices, Profile
from printers.models import PrinterRow
from printers.offer import Offer
from printers.slicer import BadSettings, cache_key, job_ini, most_on_a_plate
from router import estimate, learning
from router.estimate import Record
from router.models import JobRow, QuoteItemRow, RunRow, SliceRow
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
    pieces: int = 1
    """Most copies on one plate."""
    sliced: bool = False
    """Whether a slicer said so, not only our estimate."""


def plate_of(*, stl_sha256: str, ini: str, pieces: int = 1, down: Direction | None = None) -> str:
    """Names mesh, settings and how many lie on it, whichever engine slices them."""
    return cache_key(stl_sha256=stl_sha256, ini=ini, engine_version="", copies=pieces, down=down)


def down_of(facts: MeshFacts, choices: Choices) -> Direction | None:
    """What of a part's mesh lies on the bed, as it was chosen; None as it was modelled."""
    pose = pose_of(facts, choices.orientation)
    return None if pose is None else pose.down


Machine = tuple[Profile, int]
"""A printer as figures see it: its profile, and the most copies that its workshop puts on a
plate."""


class Figuring:
    """Figures for some parts with one set of choices. Printers that are alike share them.

    parts : each with how many copies of it are wanted.
    """

    def __init__(self, parts: Sequence[tuple[PrintablePart, int]], choices: Choices) -> None:
        self._choices = choices
        self._parts = [
            replace(part, facts=posed(part.facts, choices.orientation)) for part, _copies in parts
        ]
        self._copies = [copies for _part, copies in parts]
        self._downs = [down_of(part.facts, choices) for part, _copies in parts]
        self._estimates: dict[Profile, tuple[tuple[int, int], ...]] = {}
        self._pieces: dict[Machine, tuple[int, ...]] = {}
        self._plates: dict[Machine, tuple[str, ...]] = {}
        self._sliced: dict[str, SliceRow | None] = {}

    def learn(self, session: Session, machines: Collection[Machine]) -> None:
        """Find earlier slices for these machines, in at most one statement."""
        for machine in set(machines) - self._plates.keys():
            self._plates[machine] = self._plates_of(machine)
        wanted = {plate for each in self._plates.values() for plate in each} - self._sliced.keys()
        if not wanted:
            return
        self._sliced |= dict.fromkeys(wanted)
        rows = select(SliceRow).where(SliceRow.plate.in_(wanted)).order_by(SliceRow.created_at)
        self._sliced |= {row.plate: row for row in session.scalars(rows)}

    def of(self, machine: Machine, *, record: Record | None) -> tuple[Figures, ...]:
        """The figures of each part on one printer: of a slice if `learn` found one, else the
        estimate, its time corrected by the printer's own record."""
        plates = self._plates.get(machine) or ("",) * len(self._parts)
        pieces, estimates = self._pieces_of(machine), self._estimate(machine[0])
        return tuple(
            self._figures(self._sliced.get(plate), each, mass_mg, plain_s, record)
            for plate, each, (mass_mg, plain_s) in zip(plates, pieces, estimates, strict=True)
        )

    @staticmethod
    def _figures(
        known: SliceRow | None, pieces: int, mass_mg: int, plain_s: int, record: Record | None
    ) -> Figures:
        if known is not None:
            source = f"sliced by {known.sliced_by}"
            if pieces > 1:
                source += f", {pieces} on a plate"
            return Figures(
                mass_mg=ceil_div(known.mass_mg, pieces),
                mass_source=source,
                duration_s=ceil_div(known.duration_s, pieces),
                duration_source=source,
                estimated_s=plain_s,
                pieces=pieces,
                sliced=True,
            )
        duration_s, source = estimate.corrected(plain_s, record)
        return Figures(
            mass_mg=mass_mg,
            mass_source="estimated from volume, shell and infill, before slicing",
            duration_s=duration_s,
            duration_source=source,
            estimated_s=plain_s,
            pieces=pieces,
        )

    def _pieces_of(self, machine: Machine) -> tuple[int, ...]:
        if machine not in self._pieces:
            profile, most = machine
            self._pieces[machine] = tuple(
                1 if min(most, copies) == 1 else min(most, copies, self._room(profile, part.facts))
                for part, copies in zip(self._parts, self._copies, strict=True)
            )
        return self._pieces[machine]

    def _room(self, profile: Profile, facts: MeshFacts) -> int:
        return most_on_a_plate(
            profile,
            self._choices,
            size_um=(facts.size_x_um, facts.size_y_um),
            triangles=facts.triangles,
        )

    def _estimate(self, profile: Profile) -> tuple[tuple[int, int], ...]:
        if profile not in self._estimates:
            choices = self._choices
            self._estimates[profile] = tuple(
                (
                    estimate.mass_mg(part.facts, profile=profile, choices=choices),
                    estimate.duration_s(part.facts, profile=profile, choices=choices),
                )
                for part in self._parts
            )
        return self._estimates[profile]

    def _plates_of(self, machine: Machine) -> tuple[str, ...]:
        try:
            ini = job_ini(machine[0], self._choices)
        except BadSettings:  # this printer cannot follow: matching says so in its own words
            return ()
        return tuple(
            plate_of(stl_sha256=part.stl_sha256, ini=ini, pieces=pieces, down=down)
            for part, pieces, down in zip(
                self._parts, self._pieces_of(machine), self._downs, strict=True
            )
        )


def by_record(figures: Figures, offer: Offer) -> Figures:
    """Figures as a printer's own record corrects them: the time by what its prints took, and the
    mass, where it is an estimate only, by what slices for it asked."""
    mass_mg, mass_source = figures.mass_mg, figures.mass_source
    if not figures.sliced and offer.mass_slices and offer.mass_per_mille != 1_000:
        mass_mg = learning.scaled(mass_mg, offer.mass_per_mille)
        mass_source += f", corrected by {offer.mass_slices} slices for this printer"
    said = learning.pace_said(offer.took_per_mille, offer.took_runs)
    return replace(
        figures,
        mass_mg=mass_mg,
        mass_source=mass_source,
        duration_s=learning.scaled(figures.duration_s, offer.took_per_mille),
        duration_source=f"{figures.duration_source}; {said}" if said else figures.duration_source,
    )


def records(session: Session, offers: Collection[Offer]) -> Mapping[UUID, Record]:
    """Per printer, what its passed jobs were sliced at beside their plain estimates, as long as it
    is the machine it is."""
    asked = (
        select(
            JobRow.printer_id,
            func.count(),
            func.sum(JobRow.duration_s),
            func.sum(QuoteItemRow.estimated_s * JobRow.pieces),
        )
        .join(QuoteItemRow, QuoteItemRow.id == JobRow.item_id)
        .join(PrinterRow, PrinterRow.id == JobRow.printer_id)
        .where(
            learning.of_this_machine(),
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
