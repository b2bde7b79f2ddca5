"""Reading workshops and printers."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from basis.errors import NotFound
from printers.capability import Profile
from printers.models import (
    AgentRow,
    Bed,
    EnrolmentRow,
    PrinterNoteRow,
    PrinterRow,
    SpoolRow,
    Trial,
    WorkshopRow,
)
from printers.offer import Carriage, Loaded, Offer, Prices
from printers.protocol import AgentKind
from printers.quiet import Quiet

MOST_LOADED = 500
"""Kinds of filament that are listed for a choice."""


def places(session: Session, *, after_change: int) -> Sequence[tuple[UUID, int, int, int]]:
    """(printer, lat, lon in millionths of a degree, change) of printers changed since a number."""
    rows = session.execute(
        select(PrinterRow.id, WorkshopRow.lat_udeg, WorkshopRow.lon_udeg, PrinterRow.change)
        .join(WorkshopRow)
        .where(PrinterRow.change > after_change)
        .order_by(PrinterRow.change)
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def offers(
    session: Session, printers: Collection[UUID], *, reserved_mg: Mapping[UUID, int]
) -> list[Offer]:
    """The offers of the named printers, in no order. Three statements, whatever their number.

    reserved_mg : per spool, what open jobs have reserved of it.
    """
    rows = session.scalars(
        select(PrinterRow)
        .where(PrinterRow.id.in_(printers), PrinterRow.removed_at.is_(None))
        .options(joinedload(PrinterRow.workshop), selectinload(PrinterRow.spools))
    )
    return [offer_of(row, reserved_mg=reserved_mg) for row in rows]


def offer_of(row: PrinterRow, *, reserved_mg: Mapping[UUID, int]) -> Offer:
    """One row as routing sees it; its workshop and spools must be loaded."""
    workshop = row.workshop
    return Offer(
        printer=row.id,
        workshop=workshop.id,
        printer_name=row.name,
        workshop_title=workshop.title,
        workshop_slug=workshop.slug,
        place=workshop.place,
        lat_udeg=workshop.lat_udeg,
        lon_udeg=workshop.lon_udeg,
        country=workshop.country,
        time_zone=workshop.time_zone,
        currency=workshop.currency,
        profile=_profile(json.dumps(row.profile, sort_keys=True)),
        loaded=tuple(_loaded(spool, reserved_mg.get(spool.id, 0)) for spool in row.spools),
        prices=Prices.from_json(workshop.prices),
        carriage=tuple(Carriage.from_json(each) for each in workshop.carriage),
        accepting=row.accepting,
        tried=row.trial is Trial.PASSED,
        bed_clear=row.bed is Bed.CLEAR,
        seen_at=row.seen_at,
        idle_since=row.idle_since,
        passed=row.passed,
        failed=row.failed,
        took_per_mille=row.took_per_mille,
        took_runs=row.took_runs,
        mass_per_mille=row.mass_per_mille,
        mass_slices=row.mass_slices,
        duty=row.duty,
        quiet=quiet_of(row),
        most_pieces=row.most_pieces,
    )


def quiet_of(row: PrinterRow) -> Quiet | None:
    """A printer's quiet hours: its own, else its workshop's, which must be loaded."""
    said = row.workshop.quiet if row.quiet is None else row.quiet
    return None if said is None else _quiet(json.dumps(said, sort_keys=True))


@lru_cache(maxsize=1_024)
def _quiet(text: str) -> Quiet:
    return Quiet.from_json(json.loads(text))


@lru_cache(maxsize=1_024)
def _profile(text: str) -> Profile:
    """A stored profile. Its start and end code are checked line by line, once for all printers
    that share it, not for each of a thousand offers."""
    return Profile.from_json(json.loads(text))


def _loaded(spool: SpoolRow, reserved_mg: int) -> Loaded:
    return Loaded(
        spool=spool.id,
        material=spool.material,
        colour=spool.colour,
        free_mg=max(0, spool.left_mg - reserved_mg),
        price_per_kg_minor=spool.price_per_kg_minor,
    )


def printer(session: Session, printer_id: UUID) -> PrinterRow:
    """One printer with its workshop and spools. Raises NotFound."""
    row = session.scalar(
        select(PrinterRow)
        .where(PrinterRow.id == printer_id)
        .options(joinedload(PrinterRow.workshop), selectinload(PrinterRow.spools))
    )
    if row is None:
        raise NotFound(f"there is no printer {printer_id}")
    return row


def workshop(session: Session, slug: str) -> WorkshopRow:
    """One workshop by the name in its address, with its printers. Raises NotFound."""
    row = session.scalar(
        select(WorkshopRow)
        .where(WorkshopRow.slug == slug)
        .options(selectinload(WorkshopRow.printers).selectinload(PrinterRow.spools))
    )
    if row is None:
        raise NotFound(f"there is no workshop {slug!r}")
    return row


def workshops(
    session: Session, *, owner_id: UUID | None = None, after: str = "", most: int = 200
) -> list[WorkshopRow]:
    """Workshops by name, all or one owner's, with their printers; those after a name."""
    asked = select(WorkshopRow).options(
        selectinload(WorkshopRow.printers).selectinload(PrinterRow.spools)
    )
    if owner_id is not None:
        asked = asked.where(WorkshopRow.owner_id == owner_id)
    if after:
        asked = asked.where(WorkshopRow.slug > after)
    return list(session.scalars(asked.order_by(WorkshopRow.slug).limit(most)))


def whereabouts(session: Session, *, most: int) -> list[tuple[str, str, str]]:
    """(name in its address, title, place) of workshops, the youngest first."""
    rows = session.execute(
        select(WorkshopRow.slug, WorkshopRow.title, WorkshopRow.place)
        .order_by(WorkshopRow.created_at.desc(), WorkshopRow.slug)
        .limit(most)
    )
    return [(row[0], row[1], row[2]) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkshopPlace:
    """Where a workshop is, and how much stands there."""

    slug: str
    title: str
    place: str
    lat_udeg: int
    lon_udeg: int
    printers: int


def workshop_places(session: Session, *, most: int) -> list[WorkshopPlace]:
    """All workshops, those with the most printers first: one statement."""
    printers = func.count(PrinterRow.id)
    rows = session.execute(
        select(
            WorkshopRow.slug,
            WorkshopRow.title,
            WorkshopRow.place,
            WorkshopRow.lat_udeg,
            WorkshopRow.lon_udeg,
            printers,
        )
        .outerjoin(
            PrinterRow,
            (PrinterRow.workshop_id == WorkshopRow.id) & PrinterRow.removed_at.is_(None),
        )
        .group_by(WorkshopRow.id)
        .order_by(printers.desc(), WorkshopRow.slug)
        .limit(most)
    )
    return [
        WorkshopPlace(slug=slug, title=title, place=place, lat_udeg=lat, lon_udeg=lon, printers=n)
        for slug, title, place, lat, lon, n in rows
    ]


@dataclass(frozen=True, slots=True)
class KnownAgent:
    """An agent whose token was right."""

    id: UUID
    workshop_id: UUID
    name: str
    kind: AgentKind


_AGENT = select(AgentRow.id, AgentRow.workshop_id, AgentRow.name, AgentRow.kind).where(
    AgentRow.digest == bindparam("digest"), AgentRow.revoked_at.is_(None)
)
"""Made once: every call of an agent begins with it."""


def agent_by_digest(session: Session, digest: str) -> KnownAgent | None:
    """The agent whose token has this sha256, unless it was revoked."""
    found = session.execute(_AGENT, {"digest": digest}).first()
    return None if found is None else KnownAgent(*found)


def printers_of(session: Session, agent_id: UUID) -> list[PrinterRow]:
    """The printers an agent speaks for, by name."""
    return list(
        session.scalars(
            select(PrinterRow).where(PrinterRow.agent_id == agent_id).order_by(PrinterRow.name)
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentView:
    """An agent of a workshop and the printers it speaks for, by name."""

    row: AgentRow
    printers: list[str]


def agents_of(session: Session, workshop_id: UUID) -> list[AgentView]:
    """A workshop's agents that still have a token, the youngest first, by two statements."""
    agents = session.scalars(
        select(AgentRow)
        .where(AgentRow.workshop_id == workshop_id, AgentRow.revoked_at.is_(None))
        .order_by(AgentRow.created_at.desc(), AgentRow.id)
    ).all()
    names: dict[UUID | None, list[str]] = {}
    for agent_id, name in session.execute(
        select(PrinterRow.agent_id, PrinterRow.name)
        .where(PrinterRow.workshop_id == workshop_id, PrinterRow.agent_id.is_not(None))
        .order_by(PrinterRow.name)
    ):
        names.setdefault(agent_id, []).append(name)
    return [AgentView(row=each, printers=names.get(each.id, [])) for each in agents]


def enrolment(session: Session, enrolment_id: UUID, *, workshop_id: UUID) -> EnrolmentRow:
    """A code that was made for a workshop. Raises NotFound."""
    row = session.get(EnrolmentRow, enrolment_id)
    if row is None or row.workshop_id != workshop_id:
        raise NotFound("there is no such code of this workshop")
    return row


def notes_of(session: Session, printer_id: UUID, *, most: int = 30) -> list[PrinterNoteRow]:
    """A printer's own record, the youngest line first."""
    asked = select(PrinterNoteRow).where(PrinterNoteRow.printer_id == printer_id)
    return list(session.scalars(asked.order_by(PrinterNoteRow.id.desc()).limit(most)))


def loaded(session: Session) -> list[tuple[str, str]]:
    """Each (material, colour) that a printer which takes work has loaded, by one statement."""
    rows = session.execute(
        select(SpoolRow.material, SpoolRow.colour)
        .join(PrinterRow, PrinterRow.id == SpoolRow.printer_id)
        .where(SpoolRow.slot.is_not(None), PrinterRow.accepting, PrinterRow.removed_at.is_(None))
        .distinct()
        .order_by(SpoolRow.material, SpoolRow.colour)
        .limit(MOST_LOADED)
    )
    return [(row[0], row[1]) for row in rows]
