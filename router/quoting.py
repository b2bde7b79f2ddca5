"""From a maker's wish to ranked quotes, near misses and refusals: reads rows and memory only."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from basis.errors import Invalid
from basis.units import ceil_div
from designs.facts import estimated_mass_mg
from designs.queries import PrintablePart
from printers.capability import MATERIALS, Choices
from printers.offer import Carriage, Loaded, Mode, Offer
from printers.queries import offers
from printers.slicer_ini import margin_um
from router import jobs
from router.emissions import CURRENT, factors
from router.estimate import Record, duration_s
from router.globe import Place
from router.index import Index
from router.matching import Axis, Fixer, Need, Reason, is_near_miss, spool_for, why_not
from router.models import JobRow, OrderRow, QuoteRow, RunRow
from router.quote import MOST_IDLE_H, Inputs, Preset, Quote, late_after_s, quote
from router.states import Job, Run

BATCH = 64
MOST_CANDIDATES = 1_024
"""Printers looked at for one request, the nearest first."""

MOST_COPIES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a maker asks for."""

    part: PrintablePart
    copies: int
    place: Place
    choices: Choices
    modes: frozenset[Mode]
    preset: Preset
    deadline: datetime | None = None
    max_distance_m: int | None = None
    max_total_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A printer that was looked at and cannot, with every reason."""

    offer: Offer
    distance_m: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Quotes best first, then those nearly possible, then those that are not."""

    quotes: tuple[QuoteRow, ...]
    offers: Mapping[UUID, Offer]
    """The printers of the quotes, by id."""
    near_misses: tuple[Refusal, ...]
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class _Candidate:
    inputs: Inputs
    result: Quote
    offer: Offer
    spool: Loaded


def quotes_for(
    session: Session,
    *,
    index: Index,
    request: Request,
    maker_id: UUID | None,
    now: datetime,
    quote_s: int,
    unseen_s: int,
    wanted: int = 10,
) -> Answer:
    """Ask the printers around a place, the nearest first, and store the best quotes.

    The search widens until there are `wanted` quotes and then once more, for a cleaner grid
    further off can win; it ends after `MOST_CANDIDATES` printers.
    """
    if not 1 <= request.copies <= MOST_COPIES:
        raise Invalid(f"copies must be 1 to {MOST_COPIES}, got {request.copies}")
    if request.choices.material not in MATERIALS:
        raise Invalid(f"{request.choices.material!r} is none of: {', '.join(sorted(MATERIALS))}")
    index.catch_up(session)
    found: list[_Candidate] = []
    refused: list[Refusal] = []
    enough = False
    for batch in _batches(index, request.place):
        _look(session, batch, request, found, refused, now=now, unseen_s=unseen_s)
        if enough:
            break
        enough = len(found) >= wanted
    found.sort(key=lambda each: (each.result.cost, each.offer.idle_since, each.offer.printer))
    rows = _stored(session, found[:wanted], request, maker_id=maker_id, now=now, quote_s=quote_s)
    refused.sort(key=lambda each: (each.distance_m, each.offer.printer))
    near = tuple(each for each in refused if is_near_miss(each.reasons))
    far = tuple(each for each in refused if not is_near_miss(each.reasons))
    offered = {each.offer.printer: each.offer for each in found[:wanted]}
    return Answer(quotes=rows, offers=offered, near_misses=near[:20], refusals=far[:50])


def recomputed(row: QuoteRow) -> Quote:
    """The quote again, from what was stored: its total and cost must be the row's."""
    return quote(Inputs.from_json(row.inputs))


def _batches(index: Index, place: Place) -> Iterator[list[tuple[UUID, int]]]:
    around = islice(index.nearest(place.lat_udeg, place.lon_udeg), MOST_CANDIDATES)
    while batch := list(islice(around, BATCH)):
        yield batch


def _look(
    session: Session,
    batch: Sequence[tuple[UUID, int]],
    request: Request,
    found: list[_Candidate],
    refused: list[Refusal],
    *,
    now: datetime,
    unseen_s: int,
) -> None:
    """Price one batch of printers: five statements, whatever their number."""
    metres = dict(batch)
    rows = offers(session, metres, reserved_mg=jobs.reserved_mg(session))
    queues = _queues_s(session, list(metres))
    records = _records(session, list(metres))
    for offer in rows:
        needed = _need(request, offer)
        circuity = factors().circuity(offer.country).value
        distance_m = ceil_div(metres[offer.printer] * circuity, 1_000)
        reasons = why_not(needed, offer, distance_m=distance_m, now=now, unseen_s=unseen_s)
        spool = spool_for(needed, offer)
        ways = [
            way
            for way in offer.carriage
            if way.mode in request.modes and distance_m <= way.most_km * 1_000
        ]
        if not ways:
            reasons = (*reasons, _no_way(request, offer, distance_m))
        if reasons or spool is None:
            refused.append(Refusal(offer=offer, distance_m=distance_m, reasons=reasons))
            continue
        for way in ways:
            inputs = _inputs(
                request,
                offer,
                spool,
                way,
                great_circle_m=metres[offer.printer],
                circuity=circuity,
                queue_s=queues.get(offer.printer, 0),
                record=records.get(offer.printer),
                now=now,
            )
            result = quote(inputs)
            too_much = _over_limits(request, result)
            if too_much:
                refused.append(Refusal(offer=offer, distance_m=distance_m, reasons=too_much))
            else:
                found.append(_Candidate(inputs, result, offer, spool))


def _need(request: Request, offer: Offer) -> Need:
    facts = request.part.facts
    return Need(
        size_x_um=facts.size_x_um,
        size_y_um=facts.size_y_um,
        size_z_um=facts.size_z_um,
        mass_mg=_mass_mg(request) * request.copies,
        material=request.choices.material,
        colour=request.choices.colour,
        layer_height_um=request.choices.layer_height_um,
        margin_um=margin_um(offer.profile, request.choices),
        max_distance_m=request.max_distance_m,
    )


def _mass_mg(request: Request) -> int:
    choices = request.choices
    return estimated_mass_mg(
        request.part.facts,
        density_mg_per_cm3=MATERIALS[choices.material].density_mg_per_cm3,
        infill_pct=choices.infill_pct,
        shell_um=choices.perimeters * 450,
    )


def _inputs(
    request: Request,
    offer: Offer,
    spool: Loaded,
    way: Carriage,
    *,
    great_circle_m: int,
    circuity: int,
    queue_s: int,
    record: Record | None,
    now: datetime,
) -> Inputs:
    mass_mg = _mass_mg(request)
    seconds, source = duration_s(
        request.part.facts,
        mass_mg=mass_mg,
        profile=offer.profile,
        choices=request.choices,
        record=record,
    )
    idle_h = int((now - offer.idle_since).total_seconds()) // 3_600
    return Inputs(
        copies=request.copies,
        mass_mg=mass_mg,
        mass_source="estimated from volume, shell and infill, before slicing",
        duration_s=seconds,
        duration_source=source,
        material=spool.material,
        material_per_kg_minor=spool.price_per_kg_minor,
        prices=offer.prices,
        carriage=way,
        mode=way.mode.value,
        great_circle_m=great_circle_m,
        circuity_per_mille=circuity,
        country=offer.country,
        rated_power_w=offer.profile.rated_power_w,
        passed=offer.passed,
        failed=offer.failed,
        queue_s=queue_s,
        bed_clear=offer.bed_clear,
        idle_h=max(0, min(idle_h, MOST_IDLE_H)) if queue_s == 0 else 0,
        late_after_s=late_after_s(request.deadline, now),
        preset=request.preset.value,
        factors=CURRENT,
    )


def _no_way(request: Request, offer: Offer, distance_m: int) -> Reason:
    there = ", ".join(f"{way.mode} to {way.most_km} km" for way in offer.carriage)
    return Reason(
        axis=Axis.CARRIAGE,
        needed=f"{' or '.join(sorted(request.modes))} over {distance_m / 1000:.1f} km",
        available=there,
        unit="",
        who_can_fix=Fixer.MAKER,
    )


def _over_limits(request: Request, result: Quote) -> tuple[Reason, ...]:
    """The maker's own limits, known only once there is a price and a time."""
    if request.max_total_minor is None or result.total_minor <= request.max_total_minor:
        return ()
    return (
        Reason(
            axis=Axis.PRICE,
            needed=f"at most {request.max_total_minor}",
            available=str(result.total_minor),
            unit="minor units",
            who_can_fix=Fixer.MAKER,
        ),
    )


def _stored(
    session: Session,
    found: Sequence[_Candidate],
    request: Request,
    *,
    maker_id: UUID | None,
    now: datetime,
    quote_s: int,
) -> tuple[QuoteRow, ...]:
    request_id = uuid4()
    rows = []
    for each in found:
        inputs, result = each.inputs, each.result
        row = QuoteRow(
            request_id=request_id,
            maker_id=maker_id,
            part_id=request.part.part_id,
            printer_id=each.offer.printer,
            spool_id=each.spool.spool,
            copies=request.copies,
            currency=each.offer.currency,
            total_minor=result.total_minor,
            mass_mg=inputs.mass_mg,
            duration_s=inputs.duration_s,
            distance_m=inputs.distance_m,
            co2e_mg=result.co2e_mg,
            cost=result.cost,
            lines=[asdict(line) for line in result.lines],
            terms=[asdict(term) for term in result.terms],
            choices=request.choices.as_json(),
            inputs=inputs.to_json(),
            inputs_sha256=inputs.sha256(),
            factors=inputs.factors,
            created_at=now,
            expires_at=now + timedelta(seconds=quote_s),
        )
        rows.append(row)
    session.add_all(rows)
    session.flush()
    return tuple(rows)


def _queues_s(session: Session, printers: Sequence[UUID]) -> dict[UUID, int]:
    """Seconds of work already promised on each printer."""
    waiting = (Job.ORDERED, Job.ASKED, Job.READY, Job.ASSIGNED)
    asked = (
        select(
            JobRow.printer_id,
            func.sum(func.coalesce(JobRow.duration_s, QuoteRow.duration_s)),
        )
        .join(OrderRow, OrderRow.id == JobRow.order_id)
        .join(QuoteRow, QuoteRow.id == OrderRow.quote_id)
        .where(JobRow.printer_id.in_(printers), JobRow.state.in_(waiting))
        .group_by(JobRow.printer_id)
    )
    return {printer: int(seconds or 0) for printer, seconds in session.execute(asked)}


def _records(session: Session, printers: Sequence[UUID]) -> dict[UUID, Record]:
    """What each printer's finished jobs took beside what they were quoted at."""
    asked = (
        select(
            JobRow.printer_id,
            func.count(),
            func.sum(JobRow.duration_s),
            func.sum(QuoteRow.duration_s),
        )
        .join(OrderRow, OrderRow.id == JobRow.order_id)
        .join(QuoteRow, QuoteRow.id == OrderRow.quote_id)
        .where(
            JobRow.printer_id.in_(printers),
            JobRow.duration_s.is_not(None),
            JobRow.id.in_(select(RunRow.job_id).where(RunRow.state == Run.PASSED)),
        )
        .group_by(JobRow.printer_id)
    )
    return {
        printer: Record(jobs=count, took_s=int(took or 0), quoted_s=int(quoted or 0))
        for printer, count, took, quoted in session.execute(asked)
    }
