"""Jobs: what becomes of one, what people may say of it, and what they say to each other."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from flask import Blueprint, g, redirect, render_template, request, session
from flask.typing import ResponseReturnValue

from basis import clock
from basis.errors import HubError, Invalid, NotFound, TooMany
from commons.settlement import total
from designhub import access
from designhub.api import schema
from designhub.api.jobs import VERBS, fail, say, signed_run
from designhub.api.photos import photo
from designhub.auth import Caller
from designhub.errors import status_of
from designhub.hub import base_url, this_hub
from designhub.language import _
from designhub.web import job_words, printer_words, quote_words
from designhub.web.job_words import moves
from designhub.web.session import own_path, signed_in
from designhub.web.wish import Wish
from designs import queries as designs
from printers.offer import COLLECTED, Mode
from printers.protocol import Signed
from printers.provenance import Provenance, read
from router import provenance, queries, talking
from router.bookkeeping import lines_of_jobs
from router.history import ENDED_JOBS
from router.models import RunRow
from router.queries import JobStory
from router.quote import Inputs, eta_s
from router.states import OPEN, Job, Run

bp = Blueprint("jobs", __name__)

REFRESH_S = 10
"""How often a page without script looks again while something moves."""


BEGUN = frozenset({Job.ASSIGNED, Job.PASSED, Job.DONE})
"""Jobs that a printer took up and that came to something, or still may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Buttons:
    """What the viewer may say of a job as it stands."""

    judge: bool
    retry: bool
    agree: bool
    received: bool
    cancel: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """What a run prints, as the hub signed it."""

    run: RunRow
    made: Provenance
    key: str


@bp.get("/jobs/<uuid:job_id>")
@signed_in
def show(job_id: UUID) -> ResponseReturnValue:
    """One job for its maker and its workshop: state, what is next, what is known, and messages."""
    return _page(job_id)


@bp.get("/jobs/<uuid:job_id>/runs/<uuid:run_id>/provenance.json")
@signed_in
def provenance_file(job_id: UUID, run_id: UUID) -> ResponseReturnValue:
    """What exactly a run prints, with the hub's signature, to keep and to check elsewhere."""
    body = json.dumps(signed_run(g.caller, run_id).to_json(), ensure_ascii=False, indent=1) + "\n"
    name = f"provenance-{run_id}.json"
    return body, {
        "Content-Type": "application/json",
        "Content-Disposition": f'attachment; filename="{name}"',
    }


@bp.get("/jobs/<uuid:job_id>/runs/<uuid:run_id>/photo.jpg")
@signed_in
def photo_file(job_id: UUID, run_id: UUID) -> ResponseReturnValue:
    """The bed at the end of a run."""
    return photo(g.caller, job_id, run_id)


@bp.post("/jobs/<uuid:job_id>/messages")
@signed_in
def write(job_id: UUID) -> ResponseReturnValue:
    """Say something to the other side."""
    text = request.form.get("text", "")
    try:
        with this_hub().database.writing() as database:
            access.job_roles(database, g.caller, job_id)
            talking.write(database, job_id=job_id, by=g.caller.id, text=text, now=clock.now())
    except (Invalid, TooMany) as exc:
        return _page(job_id, fault=exc, typed=text)
    return redirect(f"/jobs/{job_id}#messages", 303)


@bp.post("/jobs/<uuid:job_id>/failed")
@signed_in
def failed(job_id: UUID) -> ResponseReturnValue:
    """The part is not good."""
    said = (request.form.get("reason", "").strip(), request.form.get("cause", "").strip())
    good = _good(request.form.get("good", ""))
    asked = schema.FailedAsk(
        cause=": ".join(text for text in said if text not in ("", "other"))[:2_000],
        job_at_fault="job_at_fault" in request.form,
        printer_at_fault="printer_at_fault" in request.form,
        again="again" in request.form,
        good=good,
        printed_ppm=_share(request.form.get("printed", "")) if good == 0 else None,
    )
    with this_hub().database.writing() as database:
        fail(database, g.caller, job_id, asked)
    return _back(job_id)


@bp.post("/jobs/<uuid:job_id>/<word>")
@signed_in
def spoken(job_id: UUID, word: str) -> ResponseReturnValue:
    """Good, again, agreed, received, cancelled."""
    if word not in VERBS:
        raise NotFound(f"nothing is done to a job by {word[:40]!r}")
    with this_hub().database.writing() as database:
        say(database, g.caller, job_id, word)
    return _back(job_id)


def _back(job_id: UUID) -> ResponseReturnValue:
    """To the page the button was on: the job's own, or the board."""
    return redirect(own_path(request.form.get("next", f"/jobs/{job_id}")), 303)


def _page(job_id: UUID, *, fault: HubError | None = None, typed: str = "") -> ResponseReturnValue:
    with this_hub().database.reading() as database:
        roles = access.job_roles(database, g.caller, job_id)
        story = queries.job_story(database, job_id)
        signed = provenance.of_job(database, job_id)
        people = {story.order.maker_id, story.printer.workshop.owner_id, story.design_owner}
        names = access.names_of(database, people)
        pictured = designs.pictured(database, {story.part_id}, reader_id=g.caller.id)
    job, run = story.job, _open_run(story)
    inputs = Inputs.from_json(story.quote.inputs)
    collected = Mode(inputs.mode) in COLLECTED
    yours = story.order.maker_id == g.caller.id
    state = run.state if run else None
    wish = Wish.of_quote(story.quote, place=str(session.get("place", "")))
    page = render_template(
        "job.html",
        story=story,
        job=job,
        run=run,
        doubtful=_doubtful(story, run),
        yours=yours,
        workshop="workshop" in roles,
        buttons=_buttons(job.state, run, roles),
        inputs=inputs,
        collected=collected,
        begun=job.state in BEGUN,
        address=_address(story, collected=collected, roles=roles),
        ready_at=story.order.created_at + timedelta(seconds=eta_s(inputs)),
        next_step=job_words.next_step(job.state, state, workshop=not yours, collected=collected),
        kind=job_words.kind_of_state(job.state, state),
        quote_words=quote_words,
        bars=quote_words.bars(story.quote, inputs),
        sources=quote_words.sources(inputs),
        printed=_printed(story, signed),
        base_url=base_url(),
        happened=[each for each in story.history if each.what != talking.MESSAGE],
        messages=[each for each in story.history if each.what == talking.MESSAGE],
        most_chars=talking.MOST_CHARS,
        fault=fault,
        typed=typed[: 2 * talking.MOST_CHARS],
        printer_words=printer_words,
        names=names,
        pictured=story.part_id in pictured,
        again=wish.address,
        share_minor=total(lines_of_jobs(story.quote, [job])[0]),
        actor=lambda actor: _actor(actor, story, g.caller),
        live=job.state not in ENDED_JOBS,
        refresh_s=_refresh_s(moves(job.state, state)),
        now=clock.now(),
    )
    return page, 200 if fault is None else status_of(fault)


def _good(text: str) -> int:
    """How many of a plate are good all the same, as it was typed. Raises Invalid."""
    said = text.strip() or "0"
    if not (said.isascii() and said.isdigit() and len(said) < 5):
        raise Invalid(f"good: {text[:40]!r} is not a whole number")
    return int(said)


def _share(text: str) -> int | None:
    """How much of a print lies there, as it was chosen; None for what was last heard. Raises
    Invalid."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 8):
        raise Invalid(f"printed: {text[:40]!r} is not a share in millionths")
    return int(text)


def _printed(story: JobStory, signed: Mapping[UUID, Signed]) -> Printed | None:
    """What the youngest run with a signature prints, or printed."""
    for run in reversed(story.job.runs):
        if run.id in signed:
            made = signed[run.id]
            return Printed(run=run, made=read(made.document), key=made.key)
    return None


def _doubtful(story: JobStory, run: RunRow | None) -> RunRow | None:
    """The try of which a person should read what is proved and what is not."""
    if run is not None and run.state is Run.UNKNOWN:
        return run
    if story.job.state is Job.FAILED and story.job.runs:
        return story.job.runs[-1]
    return None


def _address(story: JobStory, *, collected: bool, roles: frozenset[str]) -> str | None:
    """The workshop's street address for the maker who comes to fetch it: from the moment its
    printer took the job up until the part is handed over, and afterwards, for the part may still
    lie there. Nobody reads a doorbell from an order that was not begun or came to nothing."""
    shown = collected and "maker" in roles and story.job.state in BEGUN
    return story.printer.workshop.address if shown else None


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
    kind, _colon, ident = actor.partition(":")
    if kind == "agent":
        return _("the agent")
    if kind != "account":
        return _("the hub")
    if ident == str(caller.id):
        return _("you")
    if ident == str(story.order.maker_id):
        return _("the maker")
    known = ident == str(story.printer.workshop.owner_id)
    return _("the workshop") if known else _("the hub's operator")


def _refresh_s(moving: bool) -> int | None:
    """Nothing is reloaded under somebody who asked for a page that keeps still."""
    return REFRESH_S if moving and "still" not in request.args else None
