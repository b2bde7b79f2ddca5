"""What agents say and ask: the hub's side of `printers.protocol`."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from flask import Blueprint, g, request, send_file
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from basis import clock
from basis.errors import Invalid, NotYours, Unavailable
from designhub import auth, enrolling
from designhub.api.openapi import describes, said
from designhub.auth import agent_only
from designhub.hub import Hub, base_url, this_hub
from designhub.idle import again_s
from designhub.seen import SEEN_EVERY_S
from printers import protocol, queries, registry
from printers.models import Bed
from router import lease, provenance, waiting
from router.models import JobRow, RunRow

bp = Blueprint("agents_api", __name__, url_prefix="/api/v1")

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.25
"""How often a held question looks whether a job became ready."""

MOST_WAIT_S = 25

AFTER_HELD_S = 0.2
"""When an agent whose question was held shall ask again."""


@bp.post("/agents/enrol")
@describes("Enrol by a code", takes=protocol.EnrolAsk, gives=protocol.Enrolled)
def enrol() -> ResponseReturnValue:
    """The code stands on the workshop's page, *Connect a printer*; it is good once, for 15 minutes.

    The printers of the code change hands: an agent that spoke for them before is refused.
    """
    asked = said(protocol.EnrolAsk, strict=False)
    address = auth.whence(request.remote_addr)
    return enrolling.enrol(this_hub(), asked, address=address).to_json()


@bp.post("/agents/me/hello")
@describes("Greet the hub", takes=protocol.Hello, gives=protocol.Welcome, who="agent")
@agent_only
def hello() -> ResponseReturnValue:
    """Which printers the agent speaks for, with the limits its G-code is checked against."""
    hub, asked, agent = this_hub(), said(protocol.Hello, strict=False), g.agent
    if asked.protocol != protocol.VERSION:
        raise Invalid(
            f"this hub speaks version {protocol.VERSION} of the agents' protocol, not"
            f" {asked.protocol}: install the agent that it offers at /downloads/"
        )
    with hub.database.reading() as session:
        printers = queries.printers_of(session, agent.id)
    return protocol.Welcome(
        agent=agent.id,
        name=agent.name,
        printers=[
            protocol.PrinterBrief(printer=row.id, name=row.name, profile=row.profile)
            for row in printers
        ],
        beat_s=hub.settings.beat_s,
        lease_s=hub.settings.lease_s,
        keys=hub.keys.public(),
    ).to_json()


@bp.get("/keys")
@describes("The hub's public keys", gives=protocol.HubKeys)
def keys() -> ResponseReturnValue:
    """What the hub signs the provenance of prints with: the last one now, the others before. Each
    was signed for by the one it replaces."""
    return protocol.HubKeys(keys=this_hub().keys.public()).to_json()


@bp.post("/agents/me/ask")
@describes("Is there work?", takes=protocol.Question, gives=protocol.Answer, who="agent")
@agent_only
def ask() -> ResponseReturnValue:
    """Runs for idle printers, leased from now on; without any, when to ask again. With `wait_s`
    the question may be held open until there is work."""
    hub, asked = this_hub(), said(protocol.Question, strict=False)
    wait_s = min(max(0, asked.wait_s), MOST_WAIT_S)
    as_of, answer = hub.stirring.looks, _answer(hub, asked)
    ready = [each.printer for each in asked.printers if each.ready]
    if answer.work or not ready or not wait_s:
        return answer.to_json()
    # What was said of a bed is heard by now: said again it would outlive a person's "clear".
    asked = replace(asked, printers=[replace(each, foreign=False) for each in asked.printers])
    with _may_hold(hub) as held:
        until = time.monotonic() + wait_s
        while held and not answer.work and not hub.live.closed and time.monotonic() < until:
            time.sleep(LOOK_EVERY_S)  # no database session is open meanwhile
            if hub.stirring.since(ready, as_of):
                as_of, answer = hub.stirring.looks, _answer(hub, asked)
    if held and not answer.work:
        # It shall be held again: between two questions a job would wait.
        answer = replace(answer, again_s=AFTER_HELD_S)
    return answer.to_json()


@bp.get("/runs/<uuid:run_id>/gcode")
@describes("Fetch a run's G-code", media="text/x.gcode", who="agent")
@agent_only
def gcode(run_id: UUID) -> ResponseReturnValue:
    """The whole file, or with `Range` the rest of it; its sha256 stands in the lease."""
    hub = this_hub()
    with hub.database.reading() as session:
        _, job = lease.run_of_agent(session, run_id=run_id, agent_id=g.agent.id)
    if job.gcode_sha256 is None:
        raise Unavailable(f"job {job.id} has no G-code")
    answer = send_file(
        hub.blobs.path(job.gcode_sha256),
        mimetype="text/x.gcode",
        conditional=True,
        etag=job.gcode_sha256,
        max_age=0,
    )
    answer.headers["Content-Disposition"] = "attachment"
    return answer


@bp.post("/runs/<uuid:run_id>/permit")
@describes("May it start?", takes=protocol.PermitAsk, gives=protocol.Permit, who="agent")
@agent_only
def permit(run_id: UUID) -> ResponseReturnValue:
    """The single right to start. Asking again gives the same permit with the seconds left."""
    hub, asked = this_hub(), said(protocol.PermitAsk, strict=False)
    with hub.database.writing() as session:
        good_s = lease.permit(
            session,
            run_id=run_id,
            agent_id=g.agent.id,
            fence=asked.fence,
            sha256=asked.sha256,
            now=clock.now(),
            permit_s=hub.settings.permit_s,
            lease_s=hub.settings.lease_s,
        )
    return protocol.Permit(run=run_id, fence=asked.fence, good_s=good_s).to_json()


@bp.post("/runs/<uuid:run_id>/beat")
@describes("A sign of life", takes=protocol.Beat, gives=protocol.BeatAnswer, who="agent")
@agent_only
def beat(run_id: UUID) -> ResponseReturnValue:
    """Progress and renewal; the answer is "on" or "stop"."""
    hub, asked = this_hub(), said(protocol.Beat, strict=False)
    with hub.database.writing() as session:
        word = lease.renew(
            session,
            run_id=run_id,
            agent_id=g.agent.id,
            fence=asked.fence,
            beat=asked,
            now=clock.now(),
            lease_s=hub.settings.lease_s,
        )
    settings = hub.settings
    return protocol.BeatAnswer(
        word=word, beat_s=settings.beat_s, lease_s=settings.lease_s
    ).to_json()


@bp.post("/runs/<uuid:run_id>/report")
@describes("What became of it", takes=protocol.Report, gives=protocol.Reported, who="agent")
@agent_only
def report(run_id: UUID) -> ResponseReturnValue:
    """Evidence about a run; repeating it, or coming too late, changes nothing."""
    asked = said(protocol.Report, strict=False)
    with this_hub().database.writing() as session:
        run = lease.report(session, run_id=run_id, agent_id=g.agent.id, said=asked, now=clock.now())
    return protocol.Reported(run=run.id, state=run.state.value).to_json()


def _answer(hub: Hub, asked: protocol.Question) -> protocol.Answer:
    agent, now = g.agent, clock.now()
    ready = [each.printer for each in asked.printers if each.ready]
    with hub.database.reading() as session:
        known = waiting.at_a_glance(session, agent.id)
        worth = [each for each in ready if each in known and known[each].worth]
        quiet = waiting.quiet_until(session, worth, now=now) if worth else {}
    foreign = [str(each.printer) for each in asked.printers if each.printer not in known]
    if foreign:
        raise NotYours(f"this agent does not speak for {', '.join(foreign)}: enrol it again")
    worth = [printer for printer in worth if printer not in quiet]
    texts = {each.printer: each.text for each in asked.printers}
    news = any(_is_news(known[printer], text, now=now) for printer, text in texts.items())
    theirs = {each.printer: each.why[:200] for each in asked.printers if each.foreign}
    covered = [printer for printer in theirs if known[printer].bed is Bed.CLEAR]
    work, why_not = [], {str(each): quiet.get(each) or known[each].reason for each in ready}
    if worth or news or covered:
        with hub.database.writing() as session:
            if news:
                registry.seen(session, agent_id=agent.id, states=texts, now=now)
            for printer_id in sorted(covered):  # before anything is leased
                registry.occupied(session, printer_id=printer_id, now=now)
                log.info("printer %s: its bed is taken: %s", printer_id, theirs[printer_id])
            for printer_id in sorted(worth):
                run, why = lease.take(
                    session,
                    printer_id=printer_id,
                    agent_id=agent.id,
                    now=now,
                    lease_s=hub.settings.lease_s,
                )
                why_not[str(printer_id)] = why
                if run is not None:
                    job = session.get_one(JobRow, run.job_id)
                    work.append(_lease(session, run, job, hub=hub))
    return protocol.Answer(
        work=work,
        again_s=again_s(hub.settings.poll_s),
        why_not={printer: why for printer, why in why_not.items() if why},
    )


def _is_news(known: waiting.Glance, text: str, *, now: datetime) -> bool:
    if known.seen_at is None or known.machine_state != text[:60]:
        return True
    return (now - known.seen_at).total_seconds() > SEEN_EVERY_S


def _lease(session: Session, run: RunRow, job: JobRow, *, hub: Hub) -> protocol.Lease:
    if job.gcode_sha256 is None or job.gcode_sha1 is None or job.gcode_bytes is None:
        raise Unavailable(f"job {job.id} is ready without G-code")  # the database forbids it
    return protocol.Lease(
        run=run.id,
        job=job.id,
        printer=run.printer_id,
        fence=run.fence,
        path=protocol.gcode_path(job=job.id, run=run.id),
        sha256=job.gcode_sha256,
        sha1=job.gcode_sha1,
        size_bytes=job.gcode_bytes,
        title=lease.title(session, job),
        duration_s=job.duration_s or 0,
        lease_s=hub.settings.lease_s,
        signed=provenance.signed(session, run, job, hub=base_url(), sign=hub.keys.sign),
    )


@contextmanager
def _may_hold(hub: Hub) -> Iterator[bool]:
    """Whether one more question may hold a thread of this server."""
    taken = hub.held.take()
    try:
        yield taken
    finally:
        if taken:
            hub.held.give_back()
