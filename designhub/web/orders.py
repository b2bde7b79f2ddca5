"""Orders: ordering by a quote, what somebody ordered, and what has become of it."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, g, redirect, render_template, request, session
from flask.typing import ResponseReturnValue

from basis import clock
from basis.errors import Invalid
from commons.settlement import total
from designhub import access
from designhub.api.jobs import accept, say
from designhub.hub import this_hub
from designhub.web import job_words
from designhub.web.job_words import moves
from designhub.web.kit import called
from designhub.web.quotes import anew
from designhub.web.session import signed_in
from designhub.web.wish import Wish
from designs import queries as designs
from printers import queries as printers
from router import queries
from router.bookkeeping import lines_of_jobs
from router.history import ENDED_JOBS
from router.jobs import NotEnoughLeft, QuoteOver
from router.models import JobRow, OrderRow, RunRow
from router.quote import Inputs
from router.states import Job, Run
from router.talking import MESSAGE

bp = Blueprint("orders", __name__)

REFRESH_S = 10
"""How often a page without script looks again while something moves."""

MADE = frozenset({Job.PASSED, Job.DONE})
STOPPABLE = frozenset({Job.ORDERED, Job.ASKED, Job.READY, Job.FAILED})
"""Jobs that end at once when they are cancelled."""

MOST_ORDERS = 50
MOST_LINES = 60
"""Lines of an order's timeline; each job has its own in full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """One order in a list."""

    row: OrderRow
    title: str
    design: str
    """Of its first part."""
    several: bool
    """Whether it is of more than one part."""
    names: dict[UUID, str]
    """Of its parts, by item."""
    pictured: int | None
    """The first of its parts that there is a picture of."""
    open: bool
    made: int
    wanted: int

    @property
    def ppm(self) -> int:
        """How much of it is made, in millionths."""
        return 1_000_000 * self.made // max(1, self.wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """One part of an order with its jobs."""

    name: str
    picture: str | None
    jobs: list[JobRow]

    @property
    def copies(self) -> int:
        """How many copies its jobs make."""
        return sum(len(job.copies) for job in self.jobs)


@bp.post("/orders")
@signed_in
def order() -> ResponseReturnValue:
    """Accept a quote; pressing twice orders once. One that ended is asked anew instead."""
    try:
        quote_id = UUID(request.form.get("quote", ""))
    except ValueError:
        raise Invalid("the form names no quote: ask for quotes again") from None
    key = request.form.get("key", "")
    try:
        row = accept(this_hub(), quote_id=quote_id, key=key, maker_id=g.caller.id)
    except (QuoteOver, NotEnoughLeft):
        return redirect(anew(quote_id), 303)  # the same wish, at today's price, to be read first
    return redirect(f"/orders/{row.id}", 303)


@bp.get("/orders")
@signed_in
def orders() -> ResponseReturnValue:
    """What the viewer ordered: what is still open first, then the newest."""
    with this_hub().database.reading() as database:
        rows = queries.orders_of(database, g.caller.id, most=MOST_ORDERS)
        parts = {item.part_id for row in rows for item in row.quote.items}
        titles = designs.titles(database, parts)
        pictured = designs.pictured(database, parts, reader_id=g.caller.id)
        assigned = [j.id for row in rows for j in row.jobs if j.state is Job.ASSIGNED]
        runs = queries.open_runs(database, assigned)
    shown = [_shown(row, titles, pictured) for row in rows]
    shown.sort(key=lambda each: not each.open)  # stable: the newest first in each half
    return render_template(
        "orders.html", orders=shown, label=label, runs=runs, more=len(rows) == MOST_ORDERS
    )


@bp.get("/orders/<uuid:order_id>")
@signed_in
def show(order_id: UUID) -> ResponseReturnValue:
    """One order: its jobs, what it costs and what of it is owed, and all that happened."""
    with this_hub().database.reading() as database:
        row = access.own_order(database, g.caller, order_id)
        parts, ids = {item.part_id for item in row.quote.items}, [job.id for job in row.jobs]
        titles = designs.titles(database, parts)
        pictured = designs.pictured(database, parts, reader_id=g.caller.id)
        runs = queries.open_runs(database, ids)
        history = queries.history_of(database, ids, most=MOST_LINES)
        printer = printers.printer(database, row.quote.printer_id)
    moving = any(moves(job.state, _state(runs, job)) for job in row.jobs)
    wish = Wish.of_quote(row.quote, place=str(session.get("place", "")))
    shown = _shown(row, titles, pictured)
    return render_template(
        "order.html",
        order=row,
        shown=shown,
        groups=_groups(row, shown, pictured),
        runs=runs,
        labels={job.id: label(job, shown) for job in row.jobs},
        history=[each for each in history if each.what != MESSAGE],
        printer=printer,
        inputs=Inputs.from_json(row.quote.inputs),
        owed_minor=_minor(row, MADE),
        paid_minor=_minor(row, {Job.DONE}),
        stoppable=[job for job in row.jobs if job.state in STOPPABLE],
        again=wish.address,
        live=any(job.state not in ENDED_JOBS for job in row.jobs),
        refresh_s=REFRESH_S if moving and "still" not in request.args else None,
        now=clock.now(),
    )


@bp.post("/orders/<uuid:order_id>/cancel")
@signed_in
def cancel(order_id: UUID) -> ResponseReturnValue:
    """End every job that is not with its printer yet, in one go."""
    with this_hub().database.writing() as database:
        row = access.own_order(database, g.caller, order_id)
        for job in row.jobs:
            if job.state in STOPPABLE:
                say(database, g.caller, job.id, "cancel")
    return redirect(f"/orders/{order_id}", 303)


def label(job: JobRow, shown: _Shown) -> str:
    """Which job of an order it is: of one part its copy, of several the part too."""
    if not shown.several:
        return job_words.numbered(job.copies)
    return job_words.of_part(shown.names[job.item_id], job.copies, job.item.copies)


def _groups(row: OrderRow, shown: _Shown, pictured: frozenset[int]) -> list[_Group]:
    return [
        _Group(
            name=shown.names[item.id],
            picture=f"/parts/{item.part_id}.png" if item.part_id in pictured else None,
            jobs=[job for job in row.jobs if job.item_id == item.id],
        )
        for item in row.quote.items
    ]


def _state(runs: dict[UUID, RunRow], job: JobRow) -> Run | None:
    run = runs.get(job.id)
    return run.state if run else None


def _shown(row: OrderRow, titles: dict[int, tuple[str, str]], pictured: frozenset[int]) -> _Shown:
    items = row.quote.items
    of_parts = [titles[item.part_id] for item in items]
    wanted = [job for job in row.jobs if job.state not in (Job.CANCELLED, Job.UNROUTABLE)]
    return _Shown(
        row=row,
        title=called(of_parts),
        design=of_parts[0][0],
        several=len(items) > 1,
        names={item.id: part for item, (_design, part) in zip(items, of_parts, strict=True)},
        pictured=next((item.part_id for item in items if item.part_id in pictured), None),
        open=any(job.state not in ENDED_JOBS for job in row.jobs),
        made=sum(len(job.copies) for job in wanted if job.state in MADE),
        wanted=sum(len(job.copies) for job in wanted),
    )


def _minor(row: OrderRow, states: Collection[Job]) -> int:
    """What the jobs in some states cost, as the open book divides the price."""
    jobs = [job for job in row.jobs if job.state in states]
    return sum(total(lines) for lines in lines_of_jobs(row.quote, jobs))
