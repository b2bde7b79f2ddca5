"""From a maker's wish to ranked quotes, near misses and refusals: reads rows and memory only."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID, uuid4

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from basis.errors import Invalid
from basis.units import ceil_div
from designs.facts import posed
from designs.queries import PrintablePart
from printers.capability import Choices
from printers.offer import Carriage, Loaded, Mode, Offer
from printers.queries import offers, printer
from printers.quiet import delay_s
from printers.slicer_ini import margin_um
from router import jobs
from router.emissions import CURRENT, factors
from router.estimate import Record
from router.figures import Figures, Figuring, by_record, records
from router.globe import Place, great_circle_m
from router.index import Index
from router.matching import Axis, Body, Fixer, Need, Reason, is_near_miss, spool_for, why_not
from router.models import NEEDED_S, JobRow, QuoteItemRow, QuoteRow
from router.quote import (
    BED_WAIT_S,
    MOST_IDLE_H,
    Inputs,
    Item,
    Preset,
    Quote,
    late_after_s,
    plates,
    quote,
    sha256_of,
    start_s,
)
from router.states import Job

FIRST_BATCH = 64
"""Printers looked at in the first step, the nearest; each further step doubles it."""

MOST_CANDIDATES = 1_024
"""Printers looked at for one request."""

MOST_COPIES = 100
"""Of all parts together: each may be a job."""

MOST_PARTS = 40
"""Different parts in one wish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One part and how many copies of it."""

    part: PrintablePart
    copies: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a maker asks for: everything from one printer."""

    items: tuple[Wanted, ...]
    place: Place
    place_said: str = ""
    """The place as the maker wrote it, so that the same can be asked again."""
    choices: Choices
    modes: frozenset[Mode]
    preset: Preset
    deadline: datetime | None = None
    max_distance_m: int | None = None
    max_total_minor: int | None = None
    currency: str | None = None
    """Quotes in one currency can be compared; None is that of the nearest who could make it."""

    def __post_init__(self) -> None:
        """Raises Invalid for no part, one named twice, or too many."""
        copies = [each.copies for each in self.items]
        if not 1 <= len(copies) <= MOST_PARTS:
            raise Invalid(f"name 1 to {MOST_PARTS} different parts, not {len(copies)}")
        if min(copies) < 1 or sum(copies) > MOST_COPIES:
            raise Invalid(f"copies must be 1 to {MOST_COPIES} in all, got {sum(copies)}")
        if len({each.part.part_id for each in self.items}) < len(copies):
            raise Invalid("a part is named twice: say once how many copies of it")

    @property
    def names(self) -> tuple[str, ...]:
        """What the parts are called; those of the same name are told apart by a number."""
        names = [each.part.name for each in self.items]
        return tuple(
            f"{name} ({names[: n + 1].count(name)})" if names.count(name) > 1 else name
            for n, name in enumerate(names)
        )


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
    estimated_s: tuple[int, ...]
    """Of each part, as `Figures` says it."""


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
    keep: bool = True,
) -> Answer:
    """Ask the printers around a place, the nearest first, and store the best quotes. Without
    `keep` they are only shown: nothing is written, and nothing can be ordered by them.

    The search widens until there are `wanted` quotes and then once more, for a cleaner grid
    further off can win; it ends after `MOST_CANDIDATES` printers. The number of statements grows
    with the number of steps only, of which there are five at most.
    """
    index.catch_up(session)
    search = _Search(session, request, now=now, unseen_s=unseen_s)
    enough = False
    for batch in _batches(index, request.place):
        search.look(session, batch)
        if enough:
            break
        enough = len(search.comparable()) >= wanted
    found, refused = search.comparable(), search.refusals()
    found.sort(key=lambda each: (each.result.cost, each.offer.idle_since, each.offer.printer))
    rows = _rows(found[:wanted], request, maker_id=maker_id, now=now, quote_s=quote_s)
    if keep:
        session.add_all(rows)
        session.flush()
    near = tuple(each for each in refused if is_near_miss(each.reasons))
    far = tuple(each for each in refused if not is_near_miss(each.reasons))
    offered = {each.offer.printer: each.offer for each in found[:wanted]}
    return Answer(quotes=rows, offers=offered, near_misses=near[:20], refusals=far[:50])


def quote_at(
    session: Session,
    *,
    printer_id: UUID,
    request: Request,
    maker_id: UUID | None,
    now: datetime,
    quote_s: int,
    unseen_s: int,
) -> QuoteRow | None:
    """One binding quote of the printer that somebody chose, stored; None when it cannot any more.

    Raises NotFound for no printer.
    """
    where = printer(session, printer_id).workshop
    here = (request.place.lat_udeg, request.place.lon_udeg)
    metres = great_circle_m(here, (where.lat_udeg, where.lon_udeg))
    search = _Search(session, request, now=now, unseen_s=unseen_s)
    search.look(session, [(printer_id, metres)])
    found = sorted(search.comparable(), key=lambda each: each.result.cost)
    rows = _rows(found[:1], request, maker_id=maker_id, now=now, quote_s=quote_s)
    session.add_all(rows)
    session.flush()
    return rows[0] if rows else None


def forget_places(session: Session, *, maker_id: UUID) -> None:
    """Keep no more where somebody wanted things made. What their quotes are computed from stays."""
    session.execute(
        update(QuoteRow)
        .where(QuoteRow.maker_id == maker_id, QuoteRow.place.is_not(None))
        .values(place=None)
    )


def recomputed(row: QuoteRow) -> Quote:
    """The quote again, from what was stored: its total and cost must be the row's."""
    return quote(Inputs.from_json(row.inputs))


def _batches(index: Index, place: Place) -> Iterator[list[tuple[UUID, int]]]:
    around = islice(index.nearest(place.lat_udeg, place.lon_udeg), MOST_CANDIDATES)
    size = FIRST_BATCH
    while batch := list(islice(around, size)):
        yield batch
        size *= 2


class _Search:
    """What one request has found so far."""

    def __init__(self, session: Session, request: Request, *, now: datetime, unseen_s: int) -> None:
        self._request, self._now, self._unseen_s = request, now, unseen_s
        self._reserved = jobs.reserved_mg(session)
        parts = [(each.part, each.copies) for each in request.items]
        self._figuring = Figuring(parts, request.choices)
        self._circuity = factors().circuity
        self._names = request.names
        self._currency = request.currency
        self._found: list[_Candidate] = []
        self._refused: list[Refusal] = []

    def comparable(self) -> list[_Candidate]:
        """The candidates whose prices are in one currency."""
        return [each for each in self._found if each.offer.currency == self._currency]

    def refusals(self) -> list[Refusal]:
        """Everybody else, the nearest first."""
        foreign = {
            each.offer.printer: Refusal(
                offer=each.offer,
                distance_m=each.inputs.distance_m,
                reasons=(_other_currency(self._currency or "", each.offer.currency),),
            )
            for each in self._found
            if each.offer.currency != self._currency
        }
        both = (*self._refused, *foreign.values())
        return sorted(both, key=lambda each: (each.distance_m, each.offer.printer))

    def look(self, session: Session, batch: Sequence[tuple[UUID, int]]) -> None:
        """Price one batch of printers: a fixed number of statements, whatever their number."""
        metres = dict(batch)
        rows = offers(session, metres, reserved_mg=self._reserved)
        rows.sort(key=lambda offer: (metres[offer.printer], offer.printer))
        queues = _queues_s(session, list(metres))
        known = records(session, rows)
        self._figuring.learn(session, {(offer.profile, offer.most_pieces) for offer in rows})
        for offer in rows:
            self._consider(
                offer,
                record=known.get(offer.printer),
                straight_m=metres[offer.printer],
                queue_s=queues.get(offer.printer, 0),
            )

    def _planned(
        self, offer: Offer, *, record: Record | None, queue_s: int
    ) -> tuple[tuple[Figures, ...], tuple[Item, ...], int | None]:
        """Figures, plates, and what quiet hours add; None when they leave no time for a plate.
        Where full plates are too long for them, one copy at a time may not be."""
        for most in dict.fromkeys((offer.most_pieces, 1)):
            said = self._figuring.of((offer.profile, most), record=record)
            figures = tuple(by_record(each, offer) for each in said)
            items = _items(self._request, self._names, figures)
            quiet_s = _quiet_s(offer, items, queue_s=queue_s, now=self._now)
            if quiet_s is not None:
                break
        return figures, items, quiet_s

    def _consider(
        self, offer: Offer, *, record: Record | None, straight_m: int, queue_s: int
    ) -> None:
        """One printer: a candidate for each way the parts can travel, or a refusal."""
        request = self._request
        figures, items, quiet_s = self._planned(offer, record=record, queue_s=queue_s)
        plain_s = tuple(each.estimated_s for each in figures)
        needed = _need(request, offer, items)
        circuity = self._circuity(offer.country).value
        distance_m = ceil_div(straight_m * circuity, 1_000)
        reasons = why_not(
            needed, offer, distance_m=distance_m, now=self._now, unseen_s=self._unseen_s
        )
        ways = [
            way
            for way in offer.carriage
            if way.mode in request.modes and distance_m <= way.most_km * 1_000
        ]
        if not ways:
            reasons = (*reasons, _no_way(request, offer, distance_m))
        spool = spool_for(needed, offer)
        if quiet_s is None:
            reasons = (*reasons, _no_hours(items))
        made: list[_Candidate] = []
        if not reasons and spool is not None and quiet_s is not None:
            for way in ways:
                inputs = _inputs(
                    request,
                    offer,
                    spool,
                    way,
                    items,
                    straight_m=straight_m,
                    circuity=circuity,
                    queue_s=queue_s,
                    quiet_s=quiet_s,
                    now=self._now,
                )
                made.append(_Candidate(inputs, quote(inputs), offer, spool, plain_s))
            cheapest_minor = min(each.result.total_minor for each in made)
            made = [each for each in made if _within(request, each.result.total_minor)]
            if not made:
                reasons = (_too_dear(request, cheapest_minor),)
        if reasons:
            self._refused.append(Refusal(offer=offer, distance_m=distance_m, reasons=reasons))
        elif made:
            self._found += made
            self._currency = self._currency or offer.currency


def _items(request: Request, names: Sequence[str], figures: Sequence[Figures]) -> tuple[Item, ...]:
    return tuple(
        Item(
            part=name,
            copies=wanted.copies,
            mass_mg=each.mass_mg,
            mass_source=each.mass_source,
            duration_s=each.duration_s,
            duration_source=each.duration_source,
            pieces=each.pieces,
        )
        for wanted, name, each in zip(request.items, names, figures, strict=True)
    )


def _need(request: Request, offer: Offer, items: Sequence[Item]) -> Need:
    lying = [posed(wanted.part.facts, request.choices.orientation) for wanted in request.items]
    return Need(
        bodies=tuple(
            Body(
                part=item.part,
                size_x_um=facts.size_x_um,
                size_y_um=facts.size_y_um,
                size_z_um=facts.size_z_um,
            )
            for facts, item in zip(lying, items, strict=True)
        ),
        mass_mg=sum(item.mass_mg * item.copies for item in items),
        material=request.choices.material,
        colour=request.choices.colour,
        layer_height_um=request.choices.layer_height_um,
        margin_um=margin_um(offer.profile, request.choices),
        max_distance_m=request.max_distance_m,
    )


def _inputs(
    request: Request,
    offer: Offer,
    spool: Loaded,
    way: Carriage,
    items: tuple[Item, ...],
    *,
    straight_m: int,
    circuity: int,
    queue_s: int,
    quiet_s: int,
    now: datetime,
) -> Inputs:
    idle_h = int((now - offer.idle_since).total_seconds()) // 3_600
    return Inputs(
        items=items,
        material=spool.material,
        material_per_kg_minor=spool.price_per_kg_minor,
        prices=offer.prices,
        carriage=way,
        mode=way.mode.value,
        great_circle_m=straight_m,
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
        quiet_s=quiet_s,
    )


def _quiet_s(offer: Offer, items: Sequence[Item], *, queue_s: int, now: datetime) -> int | None:
    """What a printer's quiet hours add, by the estimate; None when they never leave time enough."""
    return delay_s(
        offer.quiet,
        offer.time_zone,
        now + timedelta(seconds=start_s(queue_s=queue_s, bed_clear=offer.bed_clear)),
        durations_s=(
            item.duration_s * pieces
            for item in items
            for pieces in plates(item.copies, item.pieces)
        ),
        between_s=BED_WAIT_S,
    )


def _no_hours(items: Sequence[Item]) -> Reason:
    longest = max(items, key=lambda item: item.duration_s)
    return Reason(
        axis=Axis.QUIET,
        needed=f"{longest.duration_s / 3_600:.1f}",
        available="less between quiet hours",
        unit="h",
        who_can_fix=Fixer.WORKSHOP,
        part=longest.part if len(items) > 1 else "",
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


def _within(request: Request, total_minor: int) -> bool:
    return request.max_total_minor is None or total_minor <= request.max_total_minor


def _too_dear(request: Request, total_minor: int) -> Reason:
    """The maker's own limit, known only once there is a price."""
    return Reason(
        axis=Axis.PRICE,
        needed=f"at most {request.max_total_minor}",
        available=str(total_minor),
        unit="minor units",
        who_can_fix=Fixer.MAKER,
    )


def _other_currency(asked: str, priced: str) -> Reason:
    return Reason(
        axis=Axis.CURRENCY, needed=asked, available=priced, unit="", who_can_fix=Fixer.MAKER
    )


def _rows(
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
        inputs, result, stored = each.inputs, each.result, each.inputs.to_json()
        row = QuoteRow(
            request_id=request_id,
            maker_id=maker_id,
            place=request.place_said or None,
            printer_id=each.offer.printer,
            spool_id=each.spool.spool,
            copies=inputs.copies,
            currency=each.offer.currency,
            total_minor=result.total_minor,
            distance_m=inputs.distance_m,
            co2e_mg=result.co2e_mg,
            cost=result.cost,
            lines=[asdict(line) for line in result.lines],
            terms=[asdict(term) for term in result.terms],
            choices=request.choices.as_json(),
            inputs=stored,
            inputs_sha256=sha256_of(stored),
            factors=inputs.factors,
            created_at=now,
            expires_at=now + timedelta(seconds=quote_s),
            items=_item_rows(request, each),
        )
        rows.append(row)
    return tuple(rows)


def _item_rows(request: Request, found: _Candidate) -> list[QuoteItemRow]:
    figured = zip(request.items, found.inputs.items, found.estimated_s, strict=True)
    return [
        QuoteItemRow(
            position=position,
            part_id=wanted.part.part_id,
            copies=item.copies,
            mass_mg=item.mass_mg,
            duration_s=item.duration_s,
            estimated_s=estimated_s,
            pieces=item.pieces,
        )
        for position, (wanted, item, estimated_s) in enumerate(figured)
    ]


def _queues_s(session: Session, printers: Sequence[UUID]) -> dict[UUID, int]:
    """Seconds of work already promised on each printer."""
    waiting = (Job.ORDERED, Job.ASKED, Job.READY, Job.ASSIGNED)
    asked = (
        select(
            JobRow.printer_id,
            func.sum(NEEDED_S),
        )
        .join(QuoteItemRow, QuoteItemRow.id == JobRow.item_id)
        .where(JobRow.printer_id.in_(printers), JobRow.state.in_(waiting))
        .group_by(JobRow.printer_id)
    )
    return {printer: int(seconds or 0) for printer, seconds in session.execute(asked)}
