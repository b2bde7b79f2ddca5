"""What runs, verdicts and hand-overs mean for the open book: rows become facts, facts are recorded.

Called by the verbs of `router.jobs`, in their transaction, last of all: the book's head is locked
from the first fact to the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from basis.units import ceil_div
from commons import book
from commons.facts import Outcome
from commons.settlement import Line, Share, per_job, shares, summed, total
from designs import queries as designs
from printers import queries as printers
from printers import registry, upkeep
from printers.capability import Profile
from printers.models import SpoolRow
from router import rows, stretches
from router.emissions import energy_mwh, factors
from router.models import JobRow, OrderRow, QuoteItemRow, QuoteRow, RunRow
from router.quote import Inputs, copy_weights


@dataclass(frozen=True, slots=True)
class _Deal:
    """Who is part of one job, and what its share of the price is."""

    order: OrderRow
    quote: QuoteRow
    item: QuoteItemRow
    workshop_id: UUID
    design_id: int
    lines: tuple[tuple[str, int], ...]

    @property
    def shares(self) -> tuple[Share, ...]:
        return shares(self.lines, workshop_id=self.workshop_id, design_id=self.design_id)


def lines_of_jobs(quote: QuoteRow, jobs: Sequence[JobRow]) -> list[tuple[Line, ...]]:
    """What each of some jobs of an order bears of its price: what its copies bear, each in
    proportion to what it takes to make. Over all jobs they sum to the lines of the quote exactly.
    """
    lines = [(line["label"], line["amount_minor"]) for line in quote.lines]
    of_copies = per_job(lines, weights=copy_weights(Inputs.from_json(quote.inputs)))
    before = accumulate((item.copies for item in quote.items), initial=0)
    first = {item.id: copies for item, copies in zip(quote.items, before, strict=False)}
    return [
        summed([of_copies[first[job.item_id] + copy - 1] for copy in job.copies]) for job in jobs
    ]


def run_key(run: RunRow) -> str:
    """The name of a run in the book."""
    return f"printer:{run.printer_id}/job:{run.job_id}/run:{run.id}"


def ordered(session: Session, order: OrderRow, *, now: datetime) -> None:
    """The order's price is reserved."""
    quote = order.quote
    workshop = printers.printer(session, quote.printer_id).workshop_id
    fact = book.order_reserved(
        order_id=order.id,
        maker_id=order.maker_id,
        workshop_id=workshop,
        lines=[(line["label"], line["amount_minor"]) for line in quote.lines],
        currency=quote.currency,
        jobs=quote.copies,
        at=now,
    )
    book.record(session, fact, now=now)


def run_took(
    session: Session,
    run: RunRow,
    *,
    outcome: Outcome,
    by: str,
    print_s: int | None,
    printed_ppm: int | None,
    now: datetime,
) -> None:
    """What the machine took, good or not: filament off its spool, energy, hours.

    printed_ppm : how much of it a person found; None is what the machine last told.
    """
    job = session.scalars(select(JobRow).where(JobRow.id == run.job_id)).one()
    deal = _deal(session, job)
    part, version, design = designs.part(session, deal.item.part_id)
    printer = printers.printer(session, run.printer_id)
    # A person found it, perhaps days later: nobody knows when the machine stopped.
    most_s = job.duration_s if by.startswith("account:") else None
    seconds, time_source = _seconds(run, print_s, most_s=most_s, now=now)
    if printed_ppm is not None and run.started_at is None:
        seconds = (job.duration_s or 0) * printed_ppm // 1_000_000
        time_source = "the slice's time, by the share that a person found printed"
    made = outcome == "printed"
    sliced_mg = job.needed_mg
    share_ppm = run.progress_ppm if printed_ppm is None else printed_ppm
    taken_mg = sliced_mg if made else ceil_div(sliced_mg * share_ppm, 1_000_000)
    spool = rows.made_from(session, deal.quote)
    lots = stretches.borne(session, run, spool=spool, sliced_mg=sliced_mg, taken_mg=taken_mg)
    for each, mg in lots:
        _take(session, run, each, mg=mg, workshop_id=deal.workshop_id, now=now)
    upkeep.worked(session, printer_id=run.printer_id, seconds=seconds)
    job.reserved_mg = 0
    profile = Profile.from_json(printer.profile)
    used = factors(deal.quote.factors)
    source = used.single("energy", "per_mille_of_rated_power").said
    fact = book.run_ended(
        run_key=run_key(run),
        printer_id=run.printer_id,
        workshop_id=deal.workshop_id,
        agent_id=_book_name(by),
        design=design.id,
        commit=version.commit,
        part=part.slug,
        lots=[(each.id, mg) for each, mg in lots],
        outcome=outcome,
        filament_source=_mass_source(made=made, lots=len(lots), seen=printed_ppm is not None),
        energy_mwh=energy_mwh(used, rated_power_w=profile.rated_power_w, duration_s=seconds),
        energy_source=f"estimated from rated power and {time_source}: {source}",
        machine_s=seconds,
        good_mg=sliced_mg if made else 0,
        pieces=job.pieces,
        at=now,
    )
    book.record(session, fact, now=now)


def _take(
    session: Session, run: RunRow, spool: SpoolRow, *, mg: int, workshop_id: UUID, now: datetime
) -> None:
    """Take what a run used off a spool. One that held more than anybody thought is weighed by it:
    the book learns that first."""
    if mg > spool.left_mg:
        extra = book.lot_weighed(
            lot_id=spool.id,
            workshop_id=workshop_id,
            weighing_id=run.id,
            difference_mg=mg - spool.left_mg,
            by="hub",
            at=now,
        )
        book.record(session, extra, now=now)
    registry.take_filament(session, spool_id=spool.id, mg=mg)


def rejected(
    session: Session, run: RunRow, *, by: str, now: datetime, pieces: int | None = None
) -> None:
    """A person failed a part that the machine called finished: it is scrap.

    pieces : how many of the plate; all without it.
    """
    job = session.scalars(select(JobRow).where(JobRow.id == run.job_id)).one()
    deal = _deal(session, job)
    fact = book.rejected(
        run_key=run_key(run),
        workshop_id=deal.workshop_id,
        good_mg=_mass_mg(job, pieces or job.pieces),
        reason=blame(run),
        by=_book_name(by),
        at=now,
        pieces=pieces or job.pieces,
    )
    book.record(session, fact, now=now)


def passed(session: Session, job: JobRow, run: RunRow, *, by: UUID, now: datetime) -> None:
    """From here on the job's share of the price is owed."""
    deal = _deal(session, job)
    fact = book.part_passed(
        job_id=job.id,
        order_id=job.order_id,
        run_key=run_key(run),
        maker_id=deal.order.maker_id,
        workshop_id=deal.workshop_id,
        design_id=deal.design_id,
        shares=deal.shares,
        currency=deal.quote.currency,
        by=by,
        at=now,
        pieces=len(job.copies),
    )
    book.record(session, fact, now=now)


def received(session: Session, job: JobRow, *, distance_m: int, by: UUID, now: datetime) -> None:
    """The part changed hands: what was owed is settled."""
    deal = _deal(session, job)
    fact = book.part_received(
        job_id=job.id,
        order_id=job.order_id,
        maker_id=deal.order.maker_id,
        workshop_id=deal.workshop_id,
        shares=deal.shares,
        currency=deal.quote.currency,
        mass_mg=job.needed_mg - _mass_mg(job, job.pieces - len(job.copies)),
        distance_m=distance_m,
        by=by,
        at=now,
        pieces=len(job.copies),
    )
    book.record(session, fact, now=now)


def voided(session: Session, job: JobRow, *, why: str, by: str, now: datetime) -> None:
    """The job ended without a part: its share of the reservation is free again."""
    deal = _deal(session, job)
    fact = book.job_voided(
        job_id=job.id,
        order_id=job.order_id,
        amount_minor=total(deal.lines),
        currency=deal.quote.currency,
        reason=why,
        by=_book_name(by),
        at=now,
        pieces=job.pieces,
    )
    book.record(session, fact, now=now)


def lot_added(
    session: Session, spool: SpoolRow, *, workshop_id: UUID, by: UUID, now: datetime
) -> None:
    """A spool was loaded for the first time."""
    fact = book.lot_added(
        lot_id=spool.id, workshop_id=workshop_id, mass_mg=spool.left_mg, by=by, at=now
    )
    book.record(session, fact, now=now)


def _deal(session: Session, job: JobRow) -> _Deal:
    order = session.scalars(select(OrderRow).where(OrderRow.id == job.order_id)).one()
    quote = session.scalars(select(QuoteRow).where(QuoteRow.id == order.quote_id)).one()
    item = session.get_one(QuoteItemRow, job.item_id)
    return _Deal(
        order=order,
        quote=quote,
        item=item,
        workshop_id=printers.printer(session, quote.printer_id).workshop_id,
        design_id=designs.part(session, item.part_id)[2].id,
        lines=lines_of_jobs(quote, [job])[0],
    )


def _mass_mg(job: JobRow, pieces: int) -> int:
    """What some of the copies on a plate weigh: none nothing, all the whole of it."""
    return job.needed_mg * pieces // job.pieces


def _mass_source(*, made: bool, lots: int, seen: bool) -> str:
    """Where the mass that a print took, and its division among spools, comes from."""
    if seen:
        return "sliced, by the share that a person found printed"
    if made and lots == 1:
        return "sliced"
    return "sliced, by the share of the file that was sent"


def _seconds(
    run: RunRow, print_s: int | None, *, most_s: int | None, now: datetime
) -> tuple[int, str]:
    """How long the machine worked: by its own record, else by the hub's clock, but no longer than
    `most_s`, what its slice asks."""
    if print_s is not None:
        return print_s, "the printer's own time"
    if run.started_at is None:
        return 0, "no start seen"
    seconds = max(0, int((now - run.started_at).total_seconds()))
    if most_s is not None and seconds > most_s:
        return most_s, "the slice's time, for nobody saw the end"
    return seconds, "the hub's clock"


def _book_name(actor: str) -> str:
    """An actor of the history, as the book names it."""
    return actor.replace("account:", "member:")


def blame(run: RunRow) -> str:
    """Why a part was rejected, in fixed words: the book is public for good, and what a person
    typed may name somebody. Their own words stay with the job."""
    at_fault = [
        word
        for word, flag in (("the job", run.job_at_fault), ("the printer", run.printer_at_fault))
        if flag
    ]
    return f"rejected; at fault: {' and '.join(at_fault) or 'nobody'}"
