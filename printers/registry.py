"""Writing workshops, printers and agents: enrolling, loading material, and the bed.

The bed is the gate: it becomes occupied with a permit and after anything unclear, and only a
person's word clears it, never a state of the machine.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import case, delete, select, tuple_, update
from sqlalchemy.orm import Session

from basis.errors import Conflict, Invalid, NotFound
from printers import protocol
from printers.capability import COMMON, MATERIALS, Profile
from printers.hours import Hours
from printers.models import (
    AgentRow,
    AttachedRow,
    Bed,
    ChangeRow,
    EnrolmentRow,
    PrinterNoteRow,
    PrinterRow,
    SpoolRow,
    Trial,
    WorkshopRow,
)
from printers.offer import Carriage, Duty, Prices
from printers.protocol import AgentKind
from printers.quiet import Quiet

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
NOT_SLUGS = frozenset({"new"})
"""Words of the pages' own addresses below `/workshops`."""
CURRENCY = re.compile(r"[A-Z]{3}")
AGENT_TOKEN = protocol.AGENT_TOKEN
MOST_SPOOL_MG = 20_000_000
MOST_SLOTS = 16
MOST_NOTE = 500
MOST_ADDRESS = 500
MOST_IN_ONE = 5_000
"""Printers named in one statement: SQLite takes 32,766 values."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What its owner says of a workshop."""

    title: str
    place: str
    lat_udeg: int
    lon_udeg: int
    country: str
    time_zone: str
    currency: str
    prices: Prices
    carriage: Sequence[Carriage]
    hours: Hours | None = None
    quiet: Quiet | None = None
    address: str = ""


def create_workshop(
    session: Session, *, owner_id: UUID, slug: str, said: Description, now: datetime
) -> WorkshopRow:
    """Open a workshop. Raises Invalid, or Conflict when the name is taken."""
    if not SLUG.fullmatch(slug) or slug in NOT_SLUGS:
        raise Invalid(f"{slug!r} cannot name a workshop: a-z, 0-9 and - inside, at most 64")
    row = WorkshopRow(owner_id=owner_id, slug=slug, created_at=now)
    _describe(row, said)
    if session.scalar(select(WorkshopRow.id).where(WorkshopRow.slug == slug)) is not None:
        raise Conflict(f"there is a workshop {slug!r} already; choose another name")
    session.add(row)
    session.flush()
    return row


def change_workshop(session: Session, row: WorkshopRow, said: Description) -> None:
    """Say anew what is true of a workshop; quotes given out before stay as they are.

    Raises Invalid, or Conflict when the currency would change while spools are priced in it.
    """
    if _currency(said.currency) != row.currency and any(each.spools for each in row.printers):
        raise Conflict(
            f"spools are loaded with prices in {row.currency}: unload them, then change the"
            " currency, then load them again at their new prices"
        )
    _describe(row, said)
    session.flush()
    touched(session, *(printer.id for printer in row.printers))


def _describe(row: WorkshopRow, said: Description) -> None:
    row.title = said.title.strip()[:200] or row.slug
    row.place, row.country, row.time_zone = said.place, said.country, said.time_zone
    row.lat_udeg, row.lon_udeg = said.lat_udeg, said.lon_udeg
    row.currency, row.address = _currency(said.currency), _address(said.address)
    row.prices, row.carriage = said.prices.to_json(), _ways(said.carriage)
    row.hours = None if said.hours is None else said.hours.to_json()
    row.quiet = None if said.quiet is None else said.quiet.to_json()


def set_quiet(session: Session, row: WorkshopRow, quiet: Quiet | None) -> None:
    """Say when no print of a workshop's printers starts; a printer may have its own quiet hours
    (`printers.upkeep.set_quiet`)."""
    row.quiet = None if quiet is None else quiet.to_json()
    session.flush()
    touched(session, *(printer.id for printer in row.printers))


def close_workshop(session: Session, row: WorkshopRow, *, now: datetime) -> None:
    """Nobody runs it any more: it takes nothing new, its agents and codes are good for nothing,
    and its exact address is forgotten. The rest stays, for orders and the book name it."""
    for printer in row.printers:
        printer.duty, printer.accepting = Duty.PAUSED, False
    touched(session, *(printer.id for printer in row.printers))
    row.address = None
    _forget_keys(session, [printer.id for printer in row.printers])
    session.execute(
        update(AgentRow)
        .where(AgentRow.workshop_id == row.id, AgentRow.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    session.execute(
        update(EnrolmentRow)
        .where(EnrolmentRow.workshop_id == row.id, EnrolmentRow.expires_at > now)
        .values(expires_at=now)
    )


def _ways(carriage: Iterable[Carriage]) -> list[Any]:
    ways = [each.to_json() for each in carriage]
    if not ways:
        raise Invalid("a workshop needs at least one way for a part to leave it")
    return ways


def _currency(text: str) -> str:
    if not CURRENCY.fullmatch(text):
        raise Invalid(f"{text!r} is not a currency code such as EUR")
    return text


def _address(text: str) -> str | None:
    said = text.strip()
    if len(said) > MOST_ADDRESS:
        raise Invalid(f"an address has at most {MOST_ADDRESS} characters")
    return said or None


def add_printer(
    session: Session, *, workshop: WorkshopRow, name: str, profile: Profile, now: datetime
) -> PrinterRow:
    """Add a printer. Its bed counts as occupied until a person has looked."""
    _check_name(session, workshop, name)
    row = PrinterRow(
        workshop_id=workshop.id,
        name=name,
        profile=profile.as_json(),
        trial=_first_trial(profile),
        bed=Bed.OCCUPIED,
        bed_changed_at=now,
        idle_since=now,
        change=_next_change(session),
    )
    session.add(row)
    session.flush()
    return row


def change_printer(
    session: Session, row: PrinterRow, *, name: str, profile: Profile | None = None
) -> None:
    """Give a printer another name or profile. The caller has checked that no job was sliced for
    the machine as it was (`router.care.change`). Raises Invalid, Conflict."""
    if name != row.name:
        _check_name(session, row.workshop, name)
        row.name = name
    if profile is not None:
        row.profile = profile.as_json()
        row.trial, row.trial_said = _first_trial(profile), ""
    session.flush()
    touched(session, row.id)


def try_again(session: Session, row: PrinterRow) -> None:
    """Have the cube sliced once more: something else than the profile was mended."""
    row.trial, row.trial_said = Trial.DUE, ""
    session.flush()


def _first_trial(profile: Profile) -> Trial:
    """The machines that come with this program are sliced for by its own tests."""
    return Trial.PASSED if profile in COMMON.values() else Trial.DUE


def remove_printer(session: Session, row: PrinterRow, *, now: datetime) -> None:
    """Take a printer out of every list. Its row stays, for orders name it; its name becomes free.
    The caller has checked that nothing is owed of it (`router.care.remove`)."""
    row.name = f"{row.name[:60]} (removed {row.id.hex[:6]})"
    row.duty, row.accepting = Duty.PAUSED, False
    row.agent_id, row.removed_at = None, now
    _forget_keys(session, [row.id])
    session.flush()
    touched(session, row.id)


def _forget_keys(session: Session, printers: Sequence[UUID]) -> None:
    """The hub tends them no more, and keeps no key of their OctoPrints."""
    session.execute(delete(AttachedRow).where(AttachedRow.printer_id.in_(printers)))


def _check_name(session: Session, workshop: WorkshopRow, name: str) -> None:
    if not SLUG.fullmatch(name):
        raise Invalid(f"{name!r} cannot name a printer: a-z, 0-9 and - inside, at most 64")
    taken = select(PrinterRow.id).where(
        PrinterRow.workshop_id == workshop.id, PrinterRow.name == name
    )
    if session.scalar(taken) is not None:
        raise Conflict(f"{workshop.slug} has a printer {name!r} already; choose another name")


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


def unload(session: Session, *, printer_id: UUID, slot: int) -> SpoolRow:
    """Take the spool out of a slot. Jobs that reserved it wait for the same material and colour.

    Raises NotFound when nothing is in it.
    """
    row = session.scalar(
        select(SpoolRow).where(SpoolRow.printer_id == printer_id, SpoolRow.slot == slot)
    )
    if row is None:
        raise NotFound(f"nothing is loaded in slot {slot}")
    row.slot = None
    session.flush()
    touched(session, printer_id)
    return row


def take_filament(session: Session, *, spool_id: UUID, mg: int) -> None:
    """Take what a run used off its spool; never below zero, for the spool is only thought of."""
    left = case((SpoolRow.left_mg > mg, SpoolRow.left_mg - mg), else_=0)
    session.execute(update(SpoolRow).where(SpoolRow.id == spool_id).values(left_mg=left))


def enrol_agent(
    session: Session,
    *,
    workshop_id: UUID,
    name: str,
    printers: Iterable[UUID],
    now: datetime,
    token: str | None = None,
    kind: AgentKind = AgentKind.AGENT,
) -> tuple[AgentRow, str]:
    """Make an agent for printers of one workshop; its token is shown this once.

    A printer that another agent spoke for changes hands: the old agent's next word about it is
    refused. An agent may bring a `token` of its own making (`printers.enrolment`).
    """
    token = token or AGENT_TOKEN + secrets.token_urlsafe(32)
    row = AgentRow(
        workshop_id=workshop_id,
        name=name[:80],
        digest=token_digest(token),
        kind=kind,
        created_at=now,
    )
    session.add(row)
    session.flush()
    chosen = list(printers)
    _locked(session, chosen)
    for printer_id in chosen:
        changed = session.execute(
            update(PrinterRow)
            .where(
                PrinterRow.id == printer_id,
                PrinterRow.workshop_id == workshop_id,
                PrinterRow.removed_at.is_(None),
            )
            .values(agent_id=row.id, change=_next_change(session))
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
    seen_many(session, {agent_id: states}, now=now)


def seen_many(session: Session, said: Mapping[UUID, Mapping[UUID, str]], *, now: datetime) -> None:
    """The same for many agents at once: what each said of the machines it speaks for."""
    spoken: dict[str, list[tuple[UUID, UUID]]] = {}
    for agent_id, states in said.items():
        for printer_id, text in states.items():
            spoken.setdefault(text[:60], []).append((printer_id, agent_id))
    printers = [printer_id for pairs in spoken.values() for printer_id, _ in pairs]
    connection = session.connection()
    for some in _some(sorted(printers)):  # one order: no two can wait for each other
        _locked(session, some)
    for text, pairs in spoken.items():
        for of_one in _some(pairs):
            connection.execute(
                update(PrinterRow)
                .where(
                    PrinterRow.id.in_([printer_id for printer_id, _ in of_one]),  # by its index
                    tuple_(PrinterRow.id, PrinterRow.agent_id).in_(of_one),
                )
                .values(seen_at=now, machine_state=text)
            )
    agents = list(said)
    _locked(session, agents, of=AgentRow)
    connection.execute(update(AgentRow).where(AgentRow.id.in_(agents)).values(seen_at=now))


def _some(them: Sequence[T]) -> Iterator[Sequence[T]]:
    """All of them, in parts that fit into one statement."""
    for first in range(0, len(them), MOST_IN_ONE):
        yield them[first : first + MOST_IN_ONE]


def occupied(session: Session, *, printer_id: UUID, now: datetime) -> None:
    """Something lies on the bed, or may."""
    session.execute(
        update(PrinterRow)
        .where(PrinterRow.id == printer_id)
        .values(bed=Bed.OCCUPIED, bed_changed_at=now)
    )


def cleared(session: Session, *, printer_id: UUID, now: datetime) -> bool:
    """A person says that the bed is empty and ready; False when it was known already. The caller
    has checked that no run may be moving on it (`router.jobs.clear_bed`)."""
    changed = session.execute(
        update(PrinterRow)
        .where(PrinterRow.id == printer_id, PrinterRow.bed == Bed.OCCUPIED)
        .values(bed=Bed.CLEAR, bed_changed_at=now)
        .returning(PrinterRow.id)
    )
    return changed.scalar() is not None


def noted(
    session: Session, *, printer_id: UUID, by: UUID, what: str, now: datetime, note: str = ""
) -> None:
    """Write a line into the printer's own record: who did what to it, and when."""
    session.add(
        PrinterNoteRow(printer_id=printer_id, at=now, by=by, what=what, note=note[:MOST_NOTE])
    )


def revoke_agent(
    session: Session, *, workshop_id: UUID, agent_id: UUID, now: datetime
) -> Sequence[UUID]:
    """End an agent's token; its printers wait for another. Returns them. Raises NotFound."""
    spoken_for = select(PrinterRow.id).where(PrinterRow.agent_id == agent_id)
    _locked(session, session.scalars(spoken_for))  # before the agent, as signs of life do
    changed = session.execute(
        update(AgentRow)
        .where(
            AgentRow.id == agent_id,
            AgentRow.workshop_id == workshop_id,
            AgentRow.revoked_at.is_(None),
        )
        .values(revoked_at=now)
        .returning(AgentRow.id)
    )
    if changed.scalar() is None:
        raise NotFound("the workshop has no such agent, or it was revoked before")
    freed = session.scalars(
        update(PrinterRow)
        .where(PrinterRow.agent_id == agent_id)
        .values(agent_id=None, change=_next_change(session))
        .returning(PrinterRow.id)
    )
    return freed.all()


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


def learned(session: Session, *, printer_id: UUID, **figures: int) -> None:
    """Keep what a printer's record says of estimates (`router.learning`)."""
    session.execute(update(PrinterRow).where(PrinterRow.id == printer_id).values(**figures))


def idle(session: Session, *, printer_id: UUID, now: datetime) -> None:
    """The printer's run ended: the longest idle wins a tie between equal quotes."""
    session.execute(update(PrinterRow).where(PrinterRow.id == printer_id).values(idle_since=now))


def touched(session: Session, *printer_ids: UUID) -> None:
    """Something that is kept in memory of printers changed: by routing, or for idle agents."""
    _locked(session, printer_ids)
    session.execute(
        update(PrinterRow)
        .where(PrinterRow.id.in_(printer_ids))
        .values(change=_next_change(session))
    )


def _locked(
    session: Session, ids: Iterable[UUID], *, of: type[PrinterRow | AgentRow] = PrinterRow
) -> None:
    """Have these printers, or agents, in one order, so that no two who want them can wait for each
    other: printers first, then agents, then the number of changes; who holds it waits for nobody.

    Not against those who only name one of them in a row of theirs: two new orders for a printer
    would each hold what the other waits for.
    """
    of_these = select(of.id).where(of.id.in_(list(ids))).order_by(of.id)
    session.execute(of_these.with_for_update(key_share=True))


def _next_change(session: Session) -> int:
    number: int | None = session.scalar(
        update(ChangeRow).values(number=ChangeRow.number + 1).returning(ChangeRow.number)
    )
    if number is None:
        session.add(ChangeRow(id=1, number=1))
        session.flush()
        return 1
    return number
