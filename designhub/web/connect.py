"""Connecting a printer: a code for the board beside it, the lines to paste, and its agents."""

from uuid import UUID

from flask import Blueprint, g, redirect, render_template, request
from flask import session as cookie
from flask.typing import ResponseReturnValue

from basis import clock
from basis.errors import Invalid
from designhub import access, enrolling
from designhub.hub import base_url, is_only_here, this_hub
from designhub.web import downloads, printer_words
from designhub.web.session import signed_in
from printers import queries, registry
from printers.models import AgentRow
from printers.protocol import AgentKind

bp = Blueprint("connect", __name__)


@bp.get("/workshops/<slug>/connect")
@signed_in
def ask(slug: str) -> ResponseReturnValue:
    """Which printers the board stands beside, and the agents that there are."""
    with this_hub().database.reading() as session:
        row = access.own_workshop(session, g.caller, slug)
        agents = queries.agents_of(session, row.id)
    wanted = request.args.get("printer", "")
    chosen = {printer.id for printer in row.printers if str(printer.id) == wanted}
    return render_template(
        "connect.html",
        workshop=row,
        agents=agents,
        chosen=chosen or {printer.id for printer in row.printers if printer.agent_id is None},
        plugins=downloads.plugins(),
        attaches=g.caller.operator and bool(this_hub().settings.attached_networks),
        now=clock.now(),
    )


@bp.post("/workshops/<slug>/connect")
@signed_in
def offered(slug: str) -> ResponseReturnValue:
    """Make a code. Its text stays with the browser that asked: the hub keeps none."""
    with this_hub().database.writing() as session:
        row = access.own_workshop(session, g.caller, slug)
        ours = {str(printer.id): printer.id for printer in row.printers}
        asked = [each for each in request.form.getlist("printers") if each in ours]
        if not asked:
            raise Invalid("choose at least one printer that the board stands beside")
        plugin = request.form.get("kind") == AgentKind.PLUGIN
        made, code = enrolling.offer(
            this_hub(),
            session,
            workshop_id=row.id,
            printers=[ours[each] for each in asked],
            kind=AgentKind.PLUGIN if plugin else AgentKind.AGENT,
        )
        address = f"/workshops/{row.slug}/connect/{made.id}"
    cookie["enrol"] = {"id": str(made.id), "code": code}
    return redirect(address, 303)


@bp.get("/workshops/<slug>/connect/<uuid:enrolment_id>")
@signed_in
def show(slug: str, enrolment_id: UUID) -> ResponseReturnValue:
    """The code with the lines to paste, and how far its agent has come."""
    now = clock.now()
    with this_hub().database.reading() as session:
        row = access.own_workshop(session, g.caller, slug)
        made = queries.enrolment(session, enrolment_id, workshop_id=row.id)
        agent = None if made.agent_id is None else session.get_one(AgentRow, made.agent_id)
    told = cookie.get("enrol", {})
    printers = [printer for printer in row.printers if str(printer.id) in made.printers]
    reported = agent is not None and agent.seen_at is not None
    return render_template(
        "connecting.html",
        workshop=row,
        made=made,
        agent=agent,
        reported=reported,
        unloaded=not all(printer.spools for printer in printers),
        over=agent is None and made.expires_at < now,
        code=told["code"] if told.get("id") == str(made.id) else None,
        printers=printers,
        wheels=downloads.agents(),
        plugins=downloads.plugins(),
        base=base_url(),
        only_here=is_only_here(),
        now=now,
        unseen_s=this_hub().settings.unseen_s,
        printer_words=printer_words,
    )


@bp.post("/workshops/<slug>/agents/<uuid:agent_id>/revoke")
@signed_in
def revoke(slug: str, agent_id: UUID) -> ResponseReturnValue:
    """Its token is good for nothing from now on."""
    now = clock.now()
    with this_hub().database.writing() as session:
        row = access.own_workshop(session, g.caller, slug)
        freed = registry.revoke_agent(session, workshop_id=row.id, agent_id=agent_id, now=now)
        for printer_id in freed:
            registry.noted(
                session, printer_id=printer_id, by=g.caller.id, what="agent.revoked", now=now
            )
    this_hub().stirring.look_at_once()
    return redirect(f"/workshops/{slug}/connect", 303)
