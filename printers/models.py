"""Workshops, the printers they run, the material loaded, and the agents that speak for printers."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from basis.db import Base, EnumByValue
from printers.offer import Duty
from printers.protocol import AgentKind


class Bed(StrEnum):
    """Whether something may lie on the printer's bed. Only a person (or a declared ejector) clears
    it; a new printer starts occupied."""

    CLEAR = "clear"
    OCCUPIED = "occupied"


class Trial(StrEnum):
    """Whether a cube could be sliced for a printer as it is now: it takes work only then."""

    DUE = "due"
    PASSED = "passed"
    FAILED = "failed"


class WorkshopRow(Base):
    """A microfactory, fab lab or person that runs printers at one place."""

    __tablename__ = "workshop"
    __table_args__ = (
        CheckConstraint("lat_udeg BETWEEN -90000000 AND 90000000", name="lat"),
        CheckConstraint("lon_udeg BETWEEN -180000000 AND 180000000", name="lon"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"), index=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    place: Mapped[str] = mapped_column(String(200))
    """The place in words, as shown to everybody: a city, not a doorbell."""
    lat_udeg: Mapped[int]
    lon_udeg: Mapped[int]
    """Millionths of a degree, WGS 84."""
    country: Mapped[str] = mapped_column(String(2))
    """ISO 3166-1 alpha-2: decides the grid's emission factor and the road factor."""
    time_zone: Mapped[str] = mapped_column(String(60))
    currency: Mapped[str] = mapped_column(String(3))
    created_at: Mapped[datetime]
    prices: Mapped[dict[str, Any]]
    """`printers.capability.Prices.to_json`, minor units of `currency`."""
    carriage: Mapped[list[Any]]
    """`printers.capability.Carriage.to_json` of each way a part can leave."""
    address: Mapped[str | None] = mapped_column(Text)
    """Where exactly a part is fetched, told to a maker whose order was accepted and to nobody
    else."""
    hours: Mapped[dict[str, Any] | None]
    """`printers.hours.Hours.to_json`: when somebody is there, for people to read."""
    quiet: Mapped[dict[str, Any] | None]
    """`printers.quiet.Quiet.to_json`: when no print of its printers starts."""

    printers: Mapped[list["PrinterRow"]] = relationship(
        primaryjoin="and_(PrinterRow.workshop_id == WorkshopRow.id,"
        " PrinterRow.removed_at.is_(None))",
        order_by="PrinterRow.name",
        viewonly=True,
    )
    """Those that stand there now; removed ones stay in their table, for orders name them."""


class AgentRow(Base):
    """A program beside printers that asks the hub for work. It has one token."""

    __tablename__ = "agent"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    workshop_id: Mapped[UUID] = mapped_column(ForeignKey("workshop.id"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[AgentKind] = mapped_column(
        EnumByValue(AgentKind), default=AgentKind.AGENT, server_default="agent"
    )
    """As the code was made for, and as it said of itself."""
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class PrinterRow(Base):
    """One machine. `fence` only grows: every run takes the next, and an older one has no effect."""

    __tablename__ = "printer"
    __table_args__ = (UniqueConstraint("workshop_id", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    workshop_id: Mapped[UUID] = mapped_column(ForeignKey("workshop.id"), index=True)
    agent_id: Mapped[UUID | None] = mapped_column(ForeignKey("agent.id"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    profile: Mapped[dict[str, Any]]
    """`printers.capability.Profile.to_json`: what the machine is."""
    trial: Mapped[Trial] = mapped_column(EnumByValue(Trial), server_default="passed")
    trial_said: Mapped[str] = mapped_column(Text, default="", server_default="")
    """What the cube would take, or why there is none, for the workshop."""
    bed: Mapped[Bed] = mapped_column(EnumByValue(Bed), default=Bed.OCCUPIED)
    bed_changed_at: Mapped[datetime] = mapped_column(index=True)
    duty: Mapped[Duty] = mapped_column(EnumByValue(Duty), default=Duty.OPEN, server_default="open")
    accepting: Mapped[bool] = mapped_column(default=True)
    """Whether it takes new orders: exactly while its duty is `open`, as its workshop set it."""
    paused_because: Mapped[str] = mapped_column(Text, default="", server_default="")
    """What its workshop says of its duty: "waits for a new nozzle"."""
    quiet: Mapped[dict[str, Any] | None]
    """Its own quiet hours, instead of its workshop's."""
    printed_s: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """How long it has printed for this hub, failed prints too: what upkeep is counted by."""
    most_pieces: Mapped[int] = mapped_column(default=1, server_default="1")
    """Most copies of a part that its workshop puts on one plate."""
    ejects_by: Mapped[UUID | None]
    ejects_since: Mapped[datetime | None]
    """Who answers for it, and since when, that its end code takes the part off the bed
    (`router.ejecting`)."""
    fence: Mapped[int] = mapped_column(BigInteger, default=0)
    seen_at: Mapped[datetime | None]
    """When its agent last spoke for it, by the hub's clock."""
    machine_state: Mapped[str] = mapped_column(String(60), default="")
    """What the agent last said of the machine, for people."""
    passed: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    """How many prints a person accepted, and how many failed with the printer at fault."""
    took_per_mille: Mapped[int] = mapped_column(default=1_000, server_default="1000")
    took_runs: Mapped[int] = mapped_column(default=0, server_default="0")
    """What its prints took, of what the slicer thought, and of how many that is the median."""
    mass_per_mille: Mapped[int] = mapped_column(default=1_000, server_default="1000")
    mass_slices: Mapped[int] = mapped_column(default=0, server_default="0")
    """What slices for it asked of filament, of what was estimated, and how many."""
    learns_since: Mapped[datetime | None]
    """When the machine became another (`router.learning.begin_anew`): jobs before teach nothing."""
    idle_since: Mapped[datetime]
    change: Mapped[int] = mapped_column(BigInteger, index=True)
    """Number of the last change that routing must know: place, profile, prices, material."""
    removed_at: Mapped[datetime | None]
    """When its workshop took it away; it has no place in any list any more."""

    workshop: Mapped[WorkshopRow] = relationship()
    spools: Mapped[list["SpoolRow"]] = relationship(
        primaryjoin="and_(SpoolRow.printer_id == PrinterRow.id, SpoolRow.slot.is_not(None))",
        order_by="SpoolRow.slot",
        viewonly=True,
    )
    """What is loaded now; spools that left stay in their table."""


class SpoolRow(Base):
    """The filament in one slot of a printer; without a slot it was taken out. It stays, for orders
    and the book name it."""

    __tablename__ = "spool"
    __table_args__ = (UniqueConstraint("printer_id", "slot"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    printer_id: Mapped[UUID] = mapped_column(ForeignKey("printer.id"), index=True)
    slot: Mapped[int | None] = mapped_column(default=0)
    material: Mapped[str] = mapped_column(String(20))
    """A key of `printers.capability.MATERIALS`."""
    colour: Mapped[str] = mapped_column(String(30))
    left_mg: Mapped[int] = mapped_column(BigInteger)
    """What is thought to be on it: weighed, less what prints took. It may be a little off, so it
    is corrected, not trusted; it never goes below zero."""
    price_per_kg_minor: Mapped[int]
    loaded_at: Mapped[datetime]


class PrinterNoteRow(Base):
    """One line of a printer's own record: paused and why, opened, bed cleared, spool loaded."""

    __tablename__ = "printer_note"

    id: Mapped[int] = mapped_column(primary_key=True)
    printer_id: Mapped[UUID] = mapped_column(ForeignKey("printer.id"), index=True)
    at: Mapped[datetime]
    by: Mapped[UUID] = mapped_column(ForeignKey("account.id"))
    what: Mapped[str] = mapped_column(String(40))
    note: Mapped[str] = mapped_column(Text, default="")


class UpkeepRow(Base):
    """One thing that was done to keep a printer well, and when it is due again. Never altered: the
    last line of a task says when it is due."""

    __tablename__ = "upkeep"
    __table_args__ = (Index("upkeep_task", "printer_id", "task", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    printer_id: Mapped[UUID] = mapped_column(ForeignKey("printer.id"))
    at: Mapped[datetime]
    by: Mapped[UUID] = mapped_column(ForeignKey("account.id"))
    task: Mapped[str] = mapped_column(String(80))
    """What was done, in the same words each time: "nozzle changed"."""
    note: Mapped[str] = mapped_column(Text, default="")
    printed_s: Mapped[int] = mapped_column(BigInteger)
    """The printer's `printed_s` then."""
    due_printed_s: Mapped[int | None] = mapped_column(BigInteger)
    """Due again once the printer has printed so long."""
    due_on: Mapped[date | None]
    """Due again on this day, by the workshop's clock."""


class EnrolmentRow(Base):
    """A short code that makes an agent once. Only a keyed hash of the code is kept."""

    __tablename__ = "enrolment"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    workshop_id: Mapped[UUID] = mapped_column(ForeignKey("workshop.id"), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[AgentKind] = mapped_column(
        EnumByValue(AgentKind), default=AgentKind.AGENT, server_default="agent"
    )
    """What it enrols, as whoever made it chose: nothing else may use it."""
    printers: Mapped[list[Any]]
    """Ids of the printers that the agent will speak for."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    agent_id: Mapped[UUID | None] = mapped_column(ForeignKey("agent.id"))
    """The agent it made; the code is used up by it."""


class ChangeRow(Base):
    """The last number given to a change of any printer; one row."""

    __tablename__ = "printer_change"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)


class Attaching(StrEnum):
    """How far the hub has come with a printer that it shall tend itself."""

    ASKED = "asked"  # nobody has looked yet
    WAITING = "waiting"  # its owner shall allow it in OctoPrint
    ATTACHED = "attached"  # the hub's own agent speaks for it
    TROUBLE = "trouble"  # it cannot be; why stands beside


class AttachedRow(Base):
    """A printer on the hub's own network, which the hub's own agent tends."""

    __tablename__ = "attached_printer"

    printer_id: Mapped[UUID] = mapped_column(ForeignKey("printer.id"), primary_key=True)
    url: Mapped[str] = mapped_column(String(300))
    """Where its OctoPrint is, as seen from the hub."""
    sealed_key: Mapped[str] = mapped_column(Text, default="")
    """OctoPrint's key, sealed with the hub's secret; no page and no answer holds it."""
    state: Mapped[Attaching] = mapped_column(EnumByValue(Attaching), default=Attaching.ASKED)
    dialogue: Mapped[str] = mapped_column(String(500), default="")
    """The page of OctoPrint where its owner allows the key."""
    trouble: Mapped[str] = mapped_column(Text, default="")
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("account.id"))
    asked_at: Mapped[datetime]
