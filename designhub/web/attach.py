"""Attaching printers on the hub's own network: for operators, for the hub itself connects to them.

Nothing here connects to anything: a wish is written down, and `designhub.attached` tries it.
"""

from uuid import UUID

from flask import Blueprint, g, redirect, render_template, request
from flask.typing import ResponseReturnValue

from basis import clock
from basis.errors import Invalid, NotAllowed, NotYours
from designhub import access
from designhub.hub import secret_key, this_hub
from designhub.language import Lazy, lazy
from designhub.web.session import signed_in
from printers import attaching
from printers.models import Attaching

bp = Blueprint("attach", __name__)

STATES: dict[Attaching, tuple[Lazy, str]] = {
    Attaching.ASKED: (lazy("Looking at it"), ""),
    Attaching.WAITING: (lazy("Allow it in OctoPrint"), "warn"),
    Attaching.ATTACHED: (lazy("Attached"), "good"),
    Attaching.TROUBLE: (lazy("Not attached"), "bad"),
}
"""What a state is called, and its colour."""


@bp.get("/workshops/<slug>/attach")
@signed_in
def show(slug: str) -> ResponseReturnValue:
    """Which printers the hub tends itself, and how far it has come with each."""
    _only_operators()
    with this_hub().database.reading() as session:
        row = access.own_workshop(session, g.caller, slug)
        rows = attaching.of_workshop(session, row.id)
    return render_template(
        "attach.html",
        workshop=row,
        rows=rows,
        states=STATES,
        networks=this_hub().settings.attached_networks.replace(",", ", "),
        working=any(each.state in (Attaching.ASKED, Attaching.WAITING) for each in rows.values()),
        chosen=request.args.get("printer", ""),
    )


@bp.post("/workshops/<slug>/attach")
@signed_in
def asked(slug: str) -> ResponseReturnValue:
    """Wish that the hub tends a printer. Its key is sealed before it is kept."""
    _only_operators()
    hub = this_hub()
    if not hub.settings.attached_networks:
        raise NotAllowed(
            "this hub connects to no printer: name its networks in DESIGNHUB_ATTACHED_NETWORKS"
        )
    key = request.form.get("key", "").strip()
    if len(key) > attaching.MOST_KEY or not all("!" <= each <= "~" for each in key):
        raise Invalid("an OctoPrint API key is printable ASCII without spaces; copy it again")
    with hub.database.writing() as session:
        row = access.own_workshop(session, g.caller, slug)
        printer = next(
            (each for each in row.printers if str(each.id) == request.form.get("printer")), None
        )
        if printer is None:
            raise Invalid("choose one of the workshop's printers")
        attaching.ask(
            session,
            printer=printer,
            url=request.form.get("url", ""),
            sealed_key=attaching.sealed(key, secret=secret_key(hub.settings)) if key else "",
            by=g.caller.id,
            now=clock.now(),
        )
    return redirect(f"/workshops/{slug}/attach", 303)


@bp.post("/workshops/<slug>/attach/<uuid:printer_id>/detach")
@signed_in
def detached(slug: str, printer_id: UUID) -> ResponseReturnValue:
    """The hub tends it no more, and forgets its key."""
    _only_operators()
    with this_hub().database.writing() as session:
        row = access.own_workshop(session, g.caller, slug)
        if printer_id in {each.id for each in row.printers}:
            attaching.detach(session, printer_id=printer_id, by=g.caller.id, now=clock.now())
    return redirect(f"/workshops/{slug}/attach", 303)


def _only_operators() -> None:
    if not g.caller.operator:
        raise NotYours("only the hub's operators attach printers: it connects to their network")
