"""Quotes, orders, jobs, runs and the record of everything that happened to them."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    false,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from basis.db import Base, EnumByValue, is_in, only_where
from router.states import HELD, LIVE, OPEN, Job, Run


class QuoteRow(Base):
    """One immutable answer to one request: anybody can compute its total again from `inputs`."""

    __tablename__ = "quote"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    request_id: Mapped[UUID] = mapped_column(index=True)
    """Quotes made together, to be compared with each other."""
    maker_id: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    """Who asked; empty for a visitor. Whoever orders by it must be this maker, if there is one."""
    place: Mapped[str | None] = mapped_column(String(200))
    """Where the maker wants it, as they wrote it: to ask again with the same wish, and for the
    maker alone."""
    printer_id: Mapped[UUID] = mapped_column(ForeignKey("printer.id"))
    spool_id: Mapped[UUID] = mapped_column(ForeignKey("spool.id"))
    """All of it is made from this one."""
    copies: Mapped[int]
    """Of all parts together."""
    currency: Mapped[str] = mapped_column(String(3))
    total_minor: Mapped[int] = mapped_column(BigInteger)
    distance_m: Mapped[int] = mapped_column(BigInteger)
    """By road, as stated: great circle times the country's circuity."""
    co2e_mg: Mapped[int] = mapped_column(BigInteger)
    cost: Mapped[int] = mapped_column(BigInteger)
    """The ranking's whole-number cost, lower is better; see `router.quote`."""
    lines: Mapped[list[Any]]
    terms: Mapped[list[Any]]
    choices: Mapped[dict[str, Any]]
    """`printers.capability.Choices`: how it will be sliced."""
    inputs: Mapped[dict[str, Any]]
    inputs_sha256: Mapped[str] = mapped_column(String(64))
    factors: Mapped[str] = mapped_column(String(40))
    """Id of the emission factor set."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    items: Mapped[list["QuoteItemRow"]] = relationship(order_by="QuoteItemRow.position")

    @property
    def mass_mg(self) -> int:
        """Of everything together, as quoted."""
        return sum(item.mass_mg * item.copies for item in self.items)

    @property
    def duration_s(self) -> int:
        """Of all prints together, as quoted."""
        return sum(item.duration_s * item.copies for item in self.items)


class QuoteItemRow(Base):
    """One part of a quote, with how many copies of it. A quote has at least one."""

    __tablename__ = "quote_item"
    __table_args__ = (UniqueConstraint("quote_id", "position"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    quote_id: Mapped[UUID] = mapped_column(ForeignKey("quote.id"))
    position: Mapped[int]
    """From 0, as the maker named the parts."""
    part_id: Mapped[int] = mapped_column(ForeignKey("part.id"), index=True)
    copies: Mapped[int]
    mass_mg: Mapped[int] = mapped_column(BigInteger)
    """Estimate for one copy."""
    duration_s: Mapped[int] = mapped_column(BigInteger)
    """Estimate for one copy."""
    estimated_s: Mapped[int] = mapped_column(BigInteger)
    """The same before the printer's record corrected it: what the record is made of, for a record
    of corrected figures would correct itself away."""
    pieces: Mapped[int] = mapped_column(default=1, server_default="1")
    """Most copies of it on one plate."""


class OrderRow(Base):
    """What a maker asked for and accepted at the price of one quote."""

    __tablename__ = "customer_order"
    __table_args__ = (UniqueConstraint("maker_id", "idempotency_key"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    maker_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"), index=True)
    quote_id: Mapped[UUID] = mapped_column(ForeignKey("quote.id"))
    idempotency_key: Mapped[str] = mapped_column(String(80))
    """Said by the client: the second click finds the first order."""
    created_at: Mapped[datetime]

    quote: Mapped[QuoteRow] = relationship()
    jobs: Mapped[list["JobRow"]] = relationship(order_by="JobRow.number", back_populates="order")


class JobRow(Base):
    """One plate to be made once, pinned to the printer of its quote."""

    __tablename__ = "job"
    __table_args__ = (
        UniqueConstraint("order_id", "number"),
        Index("job_queue", "printer_id", "ready_at", **only_where("state = 'ready'")),
        Index("job_to_slice", "id", **only_where("state = 'ordered'")),
        Index("job_printer_ended", "printer_id", "ended_at"),
        # A job that may be leased, or ever was, has its guarded G-code.
        CheckConstraint(
            f"NOT ({is_in('state', {Job.READY, Job.ASSIGNED, Job.PASSED, Job.DONE})})"
            " OR gcode_sha256 IS NOT NULL",
            name="gcode",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("customer_order.id"))
    number: Mapped[int]
    """1 to the jobs of its order, part by part."""
    item_id: Mapped[UUID] = mapped_column(ForeignKey("quote_item.id"), index=True)
    """The part it makes, as it was quoted."""
    copy: Mapped[int]
    """1 to the copies of its part; of several on its plate the first."""
    pieces: Mapped[int] = mapped_column(default=1, server_default="1")
    """Copies of its part on the plate."""
    good: Mapped[int | None]
    """How many of them passed when not all did: another job makes the others."""
    printer_id: Mapped[UUID] = mapped_column(ForeignKey("printer.id"))
    state: Mapped[Job] = mapped_column(EnumByValue(Job), default=Job.ORDERED)
    reason: Mapped[str] = mapped_column(Text, default="")
    """Why it is asked, failed, cancelled or unroutable, for a person."""
    reserved_mg: Mapped[int] = mapped_column(BigInteger)
    """Of the quote's spool; 0 once a run took it or the job ended."""
    gcode_sha256: Mapped[str | None] = mapped_column(String(64))
    gcode_sha1: Mapped[str | None] = mapped_column(String(40))
    """What OctoPrint reports of a file it holds."""
    gcode_bytes: Mapped[int | None] = mapped_column(BigInteger)
    mass_mg: Mapped[int | None] = mapped_column(BigInteger)
    estimated_mg: Mapped[int | None] = mapped_column(BigInteger)
    """What was estimated before slicing, without any printer's record."""
    duration_s: Mapped[int | None] = mapped_column(BigInteger)
    sliced_by: Mapped[str | None] = mapped_column(String(80))
    made_from: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Digests of mesh, profile and settings that were sliced; empty for older slices."""
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    ready_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    order: Mapped[OrderRow] = relationship(back_populates="jobs")
    item: Mapped[QuoteItemRow] = relationship()
    runs: Mapped[list["RunRow"]] = relationship(order_by="RunRow.fence")

    @property
    def copies(self) -> range:
        """The numbers of the copies that it stands for."""
        return range(self.copy, self.copy + (self.pieces if self.good is None else self.good))

    @property
    def needed_mg(self) -> int:
        """Filament of the whole plate: as sliced, else as quoted."""
        return self.mass_mg or self.item.mass_mg * self.pieces

    @property
    def needed_s(self) -> int:
        """Time of the whole plate: as sliced, else as quoted."""
        return self.duration_s or self.item.duration_s * self.pieces


NEEDED_MG = func.coalesce(JobRow.mass_mg, QuoteItemRow.mass_mg * JobRow.pieces)
NEEDED_S = func.coalesce(JobRow.duration_s, QuoteItemRow.duration_s * JobRow.pieces)
"""The same in a statement that joins a job's item."""


class SliceRow(Base):
    """G-code made once for the same mesh, settings and engine: the first file kept wins, since
    slicing twice gives other bytes and a permit may already name the first."""

    __tablename__ = "slice"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    plate: Mapped[str] = mapped_column(String(64), index=True)
    """Mesh and settings alone: what a quote looks for, whichever engine sliced it."""
    gcode_sha256: Mapped[str] = mapped_column(String(64))
    gcode_sha1: Mapped[str] = mapped_column(String(40))
    gcode_bytes: Mapped[int] = mapped_column(BigInteger)
    mass_mg: Mapped[int] = mapped_column(BigInteger)
    duration_s: Mapped[int] = mapped_column(BigInteger)
    sliced_by: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[datetime]


class RunRow(Base):
    """One run. `fence` grows per printer; a message with an older fence changes nothing."""

    __tablename__ = "run"
    __table_args__ = (
        UniqueConstraint("printer_id", "fence"),
        # A printer, and a job, has at most one run that may be physical at a time.
        Index(
            "run_printer_busy", "printer_id", unique=True, **only_where(is_in("state", HELD | LIVE))
        ),
        Index("run_job_busy", "job_id", unique=True, **only_where(is_in("state", OPEN))),
        Index("run_deadline", "lease_until", **only_where(is_in("state", HELD))),
        Index("run_passed", "ended_at", **only_where("state = 'passed'")),
        # Exactly the runs that an agent holds have a deadline.
        CheckConstraint(f"({is_in('state', HELD)}) = (lease_until IS NOT NULL)", name="deadline"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("job.id"), index=True)
    printer_id: Mapped[UUID] = mapped_column(ForeignKey("printer.id"))
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agent.id"))
    fence: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[Run] = mapped_column(EnumByValue(Run), default=Run.LEASED)
    leased_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    permitted_at: Mapped[datetime | None]
    permit_until: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    print_s: Mapped[int | None] = mapped_column(BigInteger)
    """How long the machine worked until it was done, by its own record."""
    progress_ppm: Mapped[int] = mapped_column(default=0)
    """Share of the file sent to the machine, in millionths."""
    seconds_left: Mapped[int | None]
    stop_asked: Mapped[bool] = mapped_column(default=False)
    """The maker cancelled or the workshop stopped it: the next beat's answer says so."""
    never_started: Mapped[bool] = mapped_column(default=False)
    """Its agent's journal proves that the printer was never told to start."""
    agent_ended: Mapped[bool] = mapped_column(default=False)
    """Its agent said what became of it: later words of that agent are echoes. False when a person
    or the clock ended it, for then the machine may still move."""
    job_at_fault: Mapped[bool | None]
    printer_at_fault: Mapped[bool | None]
    cause: Mapped[str] = mapped_column(Text, default="")
    waits_for: Mapped[str] = mapped_column(String(20), default="", server_default="")
    """While it is paused, a word of `printers.protocol.WaitsFor` where its agent knows one."""
    photo_sha256: Mapped[str | None] = mapped_column(String(64))
    """What its agent photographed at its end (`router.photos`): for maker and workshop."""
    nozzle_c: Mapped[int | None]
    nozzle_target_c: Mapped[int | None]
    bed_c: Mapped[int | None]
    bed_target_c: Mapped[int | None]
    layer: Mapped[int | None]
    layers: Mapped[int | None]
    z_um: Mapped[int | None]
    """What its agent last read off the machine (`router.readings`), for pages alone."""
    change_open: Mapped[bool] = mapped_column(default=False, server_default=false())
    """A spool was changed, and the next word of its agent may still tell where it stood."""

    job: Mapped[JobRow] = relationship(back_populates="runs")


class StretchRow(Base):
    """What a run is made from, from a share of its file on until the next stretch begins."""

    __tablename__ = "stretch"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[UUID] = mapped_column(ForeignKey("run.id"), index=True)
    spool_id: Mapped[UUID] = mapped_column(ForeignKey("spool.id"))
    slot: Mapped[int]
    """Where that spool was put; what comes into it later goes on with the run."""
    from_ppm: Mapped[int | None]
    """Share of the file, in millionths; empty while nobody knows where the print stood."""
    at: Mapped[datetime]
    """When a person said so."""


class ProvenanceRow(Base):
    """What the hub signed for one run: the text itself, for the signature is over its bytes."""

    __tablename__ = "provenance"

    run_id: Mapped[UUID] = mapped_column(ForeignKey("run.id"), primary_key=True)
    document: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(String(80))
    signature: Mapped[str] = mapped_column(String(120))


class HappeningRow(Base):
    """One line of the history of a job: written with every change of state, never altered."""

    __tablename__ = "happening"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    job_id: Mapped[UUID] = mapped_column(ForeignKey("job.id"), index=True)
    run_id: Mapped[UUID | None] = mapped_column(ForeignKey("run.id"))
    actor: Mapped[str] = mapped_column(String(80))
    """`account:<id>`, `agent:<id>` or `hub`."""
    what: Mapped[str] = mapped_column(String(40))
    before: Mapped[str] = mapped_column(String(20))
    after: Mapped[str] = mapped_column(String(20))
    note: Mapped[str] = mapped_column(Text, default="")
