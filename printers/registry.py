"""Writing workshops, printers and agents: enrolling, loading material, and the bed.

The bed is the gate: it becomes occupied with a permit and after anything unclear, and only a
person's word clears it, never a state of the machine.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from basis.errors import Conflict, Invalid, NotFound
from printers.capability import MATERIALS, Profile
from printers.models import AgentRow, Bed, ChangeRow, PrinterRow, SpoolRow, WorkshopRow
from printers.offer import Carriage, Prices

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
CURRENCY = re.compile(r"[A-Z]{3}")
AGENT_TOKEN = "dha_"  # noqa: S105 - the visible beginning of every agent's token
MOST_SPOOL_MG = 20_000_000
MOST_SLOTS = 16


def create_workshop(
    session: Session,
    *,
    owner_id: UUID,
    slug: str,
    title: str,
    place: str,
    lat_udeg: int,
    lon_udeg: int,
    country: str,
    time_zone: str,
    currency: str,
    prices: Prices,
    carriage: Iterable[Carriage],
    now: datetime,
) -> WorkshopRow:
    """Open a workshop. Raises Invalid, or Conflict when the name is taken."""
    if not SLUG.fullmatch(slug):
        raise Invalid(f"{slug!r} cannot name a workshop: a-z, 0-9 and - inside, at most 64")
    if not CURRENCY.fullmatch(currency):
        raise Invalid(f"{currency!r} is not a currency code such as EUR")
    ways = list(carriage)
    if not ways:
        raise Invalid("a workshop needs at least one way for a part to leave it")
    if session.scalar(select(WorkshopRow.id).where(WorkshopRow.slug == slug)) is not None:
        raise Conflict(f"there is a workshop {slug!r} already; choose another name")
    row = WorkshopRow(
        owner_id=owner_id,
        slug=slug,
        title=title.strip()[:200] or slug,
        place=place,
        lat_udeg=lat_udeg,
        lon_udeg=lon_udeg,
        country=country,
        time_zone=time_zone,
        currency=currency,
        created_at=now,
        prices=prices.to_json(),
        carriage=[each.to_json() for each in ways],
    )
    session.add(row)
    session.flush()
    return row


def add_printer(
    session: Session, *, workshop: WorkshopRow, name: str, profile: Profile, now: datetime
) -> PrinterRow:
    """Add a printer. Its bed counts as occupied until a person has looked."""
    if not SLUG.fullmatch(name):
        raise Invalid(f"{name!r} cannot name a printer: a-z, 0-9 and - inside, at most 64")
    taken = select(PrinterRow.id).where(
        PrinterRow.workshop_id == workshop.id, PrinterRow.name == name
    )
    if session.scalar(taken) is not None:
        raise Conflict(f"{workshop.slug} has a printer {name!r} already; choose another name")
    row = PrinterRow(
        workshop_id=workshop.id,
        name=name,
        profile=profile.as_json(),
        bed=Bed.OCCUPIED,
        bed_changed_at=now,
        idle_since=now,
        change=_next_change(session),
    )
    session.add(row)
    session.flush()
    return row


def load(
    session: Session,
    *,
    printer_id: UUID,
    material: str,
    colour: str,
    left_mg: int,
    price_per_kg_minor: int,
    now: datetime,
    slot: int = 0,
) -> SpoolRow:
    """Put a spool into a slot, in place of what was there. Each loading is a new lot of its own.

    Jobs that reserved the old one wait for the same material and colour (`router.rows.made_from`).
    """
    if material not in MATERIALS:
        raise Invalid(f"{material!r} is not a known material: {', '.join(sorted(MATERIALS))}")
    if not 0 <= slot < MOST_SLOTS:
        raise Invalid(f"slots are 0 to {MOST_SLOTS - 1}, got {slot}")
    if not 0 < left_mg <= MOST_SPOOL_MG:
        raise Invalid(f"a spool holds 1 mg to {MOST_SPOOL_MG // 1_000_000} kg, got {left_mg} mg")
    if not 0 <= price_per_kg_minor <= 10_000_000:
        raise Invalid(f"{price_per_kg_minor} is no price per kg")
    if not 1 <= len(colour) <= 30:
        raise Invalid("name the colour in 1 to 30 characters")
    old = session.scalar(
        select(SpoolRow).where(SpoolRow.printer_id == printer_id, SpoolRow.slot == slot)
    )
    if old is not None:
        old.slot = None
        session.flush()
    row = SpoolRow(
        printer_id=printer_id,
        slot=slot,
        material=material,
        colour=colour,
        left_mg=left_mg,
        price_per_kg_minor=price_per_kg_minor,
        loaded_at=now,
    )
    session.add(row)
    touched(session, printer_id)
    session.flush()
    return row


def take_filament(session: Session, *, spool_id: UUID, mg: int) -> None:
    """Take what a run used off its spool; never below zero, for the spool is only thought of."""
    left = case((SpoolRow.left_mg > mg, SpoolRow.left_mg - mg), else_=0)
    session.execute(update(SpoolRow).where(SpoolRow.id == spool_id).values(left_mg=left))


def enrol_agent(
    session: Session, *, workshop_id: UUID, name: str, printers: Iterable[UUID], now: datetime
) -> tuple[AgentRow, str]:
    """Make an agent for printers of one workshop; its token is shown this once.

    A printer that another agent spoke for changes hands: the old agent's next word about it is
    refused.
    """
    token = AGENT_TOKEN + secrets.token_urlsafe(32)
    row = AgentRow(
        workshop_id=workshop_id, name=name[:80], digest=token_digest(token), created_at=now
    )
    session.add(row)
    session.flush()
    for printer_id in printers:
        changed = session.execute(
            update(PrinterRow)
            .where(PrinterRow.id == printer_id, PrinterRow.workshop_id == workshop_id)
            .values(agent_id=row.id)
            .returning(PrinterRow.id)
        )
        if changed.scalar() is None:
            raise NotFound(f"the workshop has no printer {printer_id}")
    return row, token


def token_digest(token: str) -> str:
    """What is kept of a token: 32 random bytes behind one sha256 cannot be guessed back."""
    return hashlib.sha256(token.encode()).hexdigest()


def seen(session: Session, *, agent_id: UUID, states: Mapping[UUID, str], now: datetime) -> None:
    """Note that an agent spoke for its printers, and what it said of each machine."""
    for printer_id, text in sorted(states.items()):  # one order: no two can wait for each other
        session.execute(
            update(PrinterRow)
            .where(PrinterRow.id == printer_id, PrinterRow.agent_id == agent_id)
            .values(seen_at=now, machine_state=text[:60])
        )
    session.execute(update(AgentRow).where(AgentRow.id == agent_id).values(seen_at=now))


def occupied(session: Session, *, printer_id: UUID, now: datetime) -> None:
    """Something lies on the bed, or may."""
    session.execute(
        update(PrinterRow)
        .where(PrinterRow.id == printer_id)
        .values(bed=Bed.OCCUPIED, bed_changed_at=now)
    )


def cleared(session: Session, *, printer_id: UUID, now: datetime) -> None:
    """A person says that the bed is empty and ready. The caller has checked that no run may be
    moving on it (`router.jobs.clear_bed`)."""
    session.execute(
        update(PrinterRow)
        .where(PrinterRow.id == printer_id, PrinterRow.bed == Bed.OCCUPIED)
        .values(bed=Bed.CLEAR, bed_changed_at=now)
    )


def set_accepting(session: Session, *, printer_id: UUID, accepting: bool) -> None:
    """Let a printer take new work, or let it run dry."""
    session.execute(
        update(PrinterRow).where(PrinterRow.id == printer_id).values(accepting=accepting)
    )
    touched(session, printer_id)


def next_fence(session: Session, printer_id: UUID) -> int:
    """The next number for a run on this printer; the update serialises two who ask at once."""
    fence: int | None = session.scalar(
        update(PrinterRow)
        .where(PrinterRow.id == printer_id)
        .values(fence=PrinterRow.fence + 1)
        .returning(PrinterRow.fence)
    )
    if fence is None:
        raise NotFound(f"there is no printer {printer_id}")
    return fence


def count(session: Session, *, printer_id: UUID, passed: int = 0, failed: int = 0) -> None:
    """Remember how a print ended, for the printer's record."""
    session.execute(
        update(PrinterRow)
        .where(PrinterRow.id == printer_id)
        .values(passed=PrinterRow.passed + passed, failed=PrinterRow.failed + failed)
    )


def idle(session: Session, *, printer_id: UUID, now: datetime) -> None:
    """The printer's run ended: the longest idle wins a tie between equal quotes."""
    session.execute(update(PrinterRow).where(PrinterRow.id == printer_id).values(idle_since=now))


def touched(session: Session, printer_id: UUID) -> None:
    """Something that routing keeps in memory changed."""
    session.execute(
        update(PrinterRow).where(PrinterRow.id == printer_id).values(change=_next_change(session))
    )


def _next_change(session: Session) -> int:
    number: int | None = session.scalar(
        update(ChangeRow).values(number=ChangeRow.number + 1).returning(ChangeRow.number)
    )
    if number is None:
        session.add(ChangeRow(id=1, number=1))
        session.flush()
        return 1
    return number
