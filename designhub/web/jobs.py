"""Orders and jobs: what became of them, and what people may say of them."""

from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, g, redirect, render_template, request
from flask.typing import ResponseReturnValue

from basis import clock
from basis.errors import Invalid, NotFound
from designhub import access
from designhub.api import schema
from designhub.api.jobs import VERBS, accept, fail, say
from designhub.auth import Caller
from designhub.hub import this_hub
from designhub.web.job_words import moves
from designhub.web.quotes import anew
from designhub.web.session import own_path, signed_in
from designs import queries as designs
from router import queries
from router.jobs import NotEnoughLeft, QuoteOver
from router.models import RunRow
from router.queries import JobStory
from router.quote import Inputs
from router.states import OPEN, Job, Run

bp = Blueprint("jobs", __name__)

REFRESH_S = 5
"""How often a page looks again while something moves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Buttons:
    """What the viewer may say of a job as it stands."""

    judge: bool
    retry: bool
    agree: bool
    received: bool
    cancel: bool


@bp.post("/orders")
@signed_in
def order() -> ResponseReturnValue:
    """Accept a quote; pressing twice orders once."""
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
    """What the viewer ordered, the newest first."""
    with this_hub().database.reading() as session:
        rows = queries.orders_of(session, g.caller.id)
        titles = designs.titles(session, {row.quote.part_id for row in rows})
    return render_template("orders.html", orders=rows, titles=titles)


@bp.get("/orders/<uuid:order_id>")
@signed_in
def show_order(order_id: UUID) -> ResponseReturnValue:
    """One order: its price and its jobs."""
    with this_hub().database.reading() as session:
        row = queries.order_by_id(session, order_id)
        if row.maker_id != g.caller.id and not g.caller.operator:
            raise NotFound(f"there is no order {order_id}")
        titles = designs.titles(session, {row.quote.part_id})
    moving = any(job.state in (Job.ORDERED, Job.READY, Job.ASSIGNED) for job in row.jobs)
    return render_template(
        "order.html",
        order=row,
        title=titles[row.quote.part_id],
        inputs=Inputs.from_json(row.quote.inputs),
        refresh_s=_refresh_s(moving),
    )


@bp.get("/jobs/<uuid:job_id>")
@signed_in
def show(job_id: UUID) -> ResponseReturnValue:
    """One job for its maker and its workshop: state, tries, history, and what to say of it."""
    with this_hub().database.reading() as session:
        roles = access.job_roles(session, g.caller, job_id)
        story = queries.job_story(session, job_id)
        people = {story.order.maker_id, story.printer.workshop.owner_id}
        names = access.names_of(session, people)
    run = _open_run(story)
    return render_template(
        "job.html",
        story=story,
        job=story.job,
        run=run,
        buttons=_buttons(story.job.state, run, roles),
        inputs=Inputs.from_json(story.quote.inputs),
        maker=names[story.order.maker_id],
        actor=lambda actor: _actor(actor, story, g.caller),
        refresh_s=_refresh_s(moves(story.job.state, run.state if run else None)),
        now=clock.now(),
    )


@bp.post("/jobs/<uuid:job_id>/failed")
@signed_in
def failed(job_id: UUID) -> ResponseReturnValue:
    """The part is not good."""
    said = (request.form.get("reason", "").strip(), request.form.get("cause", "").strip())
    asked = schema.FailedAsk(
        cause=": ".join(text for text in said if text not in ("", "other"))[:2_000],
        job_at_fault="job_at_fault" in request.form,
        printer_at_fault="printer_at_fault" in request.form,
        again="again" in request.form,
    )
    with this_hub().database.writing() as session:
        fail(session, g.caller, job_id, asked)
    return _back(job_id)


@bp.post("/jobs/<uuid:job_id>/<word>")
@signed_in
def spoken(job_id: UUID, word: str) -> ResponseReturnValue:
    """Good, again, agreed, received, cancelled."""
    if word not in VERBS:
        raise NotFound(f"nothing is done to a job by {word[:40]!r}")
    with this_hub().database.writing() as session:
        say(session, g.caller, job_id, word)
    return _back(job_id)


def _back(job_id: UUID) -> ResponseReturnValue:
    """To the page the button was on: the job's own, or the board."""
    return redirect(own_path(request.form.get("next", f"/jobs/{job_id}")), 303)


def _open_run(story: JobStory) -> RunRow | None:
    return next((run for run in reversed(story.job.runs) if run.state in OPEN), None)


def _buttons(job: Job, run: RunRow | None, roles: frozenset[str]) -> Buttons:
    """What the states allow and the viewer may say; the verbs themselves check it again."""
    workshop = "workshop" in roles
    cancellable = job in (Job.ORDERED, Job.ASKED, Job.READY, Job.FAILED)
    stoppable = run is not None and run.state is not Run.PRINTED and not run.stop_asked
    return Buttons(
        judge=workshop and run is not None and run.state in (Run.PRINTED, Run.UNKNOWN),
        retry=workshop and job is Job.FAILED,
        agree=workshop and job is Job.ASKED,
        received=job is Job.PASSED,
        cancel=cancellable or (job is Job.ASSIGNED and stoppable),
    )


def _actor(actor: str, story: JobStory, caller: Caller) -> str:
    """Who did something, as the viewer would say it."""
    kind, _, ident = actor.partition(":")
    if kind == "agent":
        return "the agent"
    if kind != "account":
        return "the hub"
    if ident == str(caller.id):
        return "you"
    if ident == str(story.order.maker_id):
        return "the maker"
    known = ident == str(story.printer.workshop.owner_id)
    return "the workshop" if known else "the hub's operator"


def _refresh_s(moving: bool) -> int | None:
    """Nothing is reloaded under somebody who asked for a page that keeps still."""
    return REFRESH_S if moving and "still" not in request.args else None
