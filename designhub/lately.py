"""What was made lately, told across designs, orders and workshops."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, select, text
from sqlalchemy.orm import Session

from designs.models import DesignRow, MeshRow, PartRow, VersionRow, Visibility
from printers.models import PrinterRow, WorkshopRow
from router.models import JobRow, OrderRow, QuoteItemRow, QuoteRow, RunRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A part of a public design that somebody made, as everybody may know it: the maker is not
    named, nor where they live."""

    at: datetime | None
    part_id: int
    part: str
    has_picture: bool
    design: str
    design_slug: str
    owner_id: UUID
    workshop: str
    workshop_slug: str
    place: str
    mass_mg: int | None
    distance_m: int


_PASSED = (
    select(
        RunRow.ended_at,
        PartRow.id,
        PartRow.name,
        MeshRow.picture_sha256.is_not(None),
        DesignRow.title,
        DesignRow.slug,
        DesignRow.owner_id,
        WorkshopRow.title,
        WorkshopRow.slug,
        WorkshopRow.place,
        JobRow.mass_mg,
        QuoteRow.distance_m,
    )
    .join(JobRow, JobRow.id == RunRow.job_id)
    .join(OrderRow, OrderRow.id == JobRow.order_id)
    .join(QuoteRow, QuoteRow.id == OrderRow.quote_id)
    .join(QuoteItemRow, QuoteItemRow.id == JobRow.item_id)
    .join(PartRow, PartRow.id == QuoteItemRow.part_id)
    .join(MeshRow, MeshRow.id == PartRow.mesh_id)
    .join(VersionRow, VersionRow.id == PartRow.version_id)
    .join(DesignRow, DesignRow.id == VersionRow.design_id)
    .join(PrinterRow, PrinterRow.id == RunRow.printer_id)
    .join(WorkshopRow, WorkshopRow.id == PrinterRow.workshop_id)
    .where(
        text("run.state = 'passed'"),  # as the index says it, which is therefore used
        QuoteItemRow.position == 0,
        JobRow.copy == 1,
        DesignRow.visibility == Visibility.PUBLIC,
        DesignRow.deleted_at.is_(None),
    )
    .order_by(RunRow.ended_at.desc())
    .limit(bindparam("most"))
)
"""Made once: every visit of the home page asks it."""


def printed_lately(session: Session, *, most: int) -> list[Printed]:
    """The parts that passed last, of each order only the first copy of its first part."""
    rows = session.execute(_PASSED, {"most": most})
    return [
        Printed(
            at=row[0],
            part_id=row[1],
            part=row[2],
            has_picture=row[3],
            design=row[4],
            design_slug=row[5],
            owner_id=row[6],
            workshop=row[7],
            workshop_slug=row[8],
            place=row[9],
            mass_mg=row[10],
            distance_m=row[11],
        )
        for row in rows
    ]
