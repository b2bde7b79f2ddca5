"""A printer's form, filled in: from the profiles of a few hundred machines, or from a file."""

from flask import Blueprint, g, render_template, request
from flask.typing import ResponseReturnValue

from basis.errors import HubError, Invalid, Unavailable
from designhub import access
from designhub.api.machines import bundle_of
from designhub.errors import status_of
from designhub.hub import this_hub
from designhub.web.session import signed_in
from designhub.web.workshop_forms import printer_form, shown_machine
from printers.bundles import bundles, shown_name
from printers.models import WorkshopRow
from printers.own_ini import MOST_BYTES, read_ini
from printers.presets import Built, built, choices_for, found

bp = Blueprint("machines", __name__)

MOST_FILAMENTS = 5


@bp.get("/workshops/<slug>/printers/machines")
@signed_in
def search(slug: str) -> ResponseReturnValue:
    """Machines by vendor and name; of a chosen one, the profiles that go with it."""
    return _page(_own(slug))


@bp.post("/workshops/<slug>/printers/machines")
@signed_in
def take(slug: str) -> ResponseReturnValue:
    """The form of a new printer, filled with a machine's profiles or with a file's settings."""
    workshop = _own(slug)
    try:
        made = _from_file() if "file" in request.files else _from_presets()
    except HubError as exc:
        return _page(workshop, fault=exc)
    return printer_form(workshop, shown_machine(made.profile), made=made)


def _from_presets() -> Built:
    form = request.form
    filaments = [name for name in form.getlist("filament") if name][:MOST_FILAMENTS]
    return built(
        bundle_of(form.get("vendor", "")),
        printer=form.get("printer", ""),
        print_=form.get("print", ""),
        filaments=list(dict.fromkeys(filaments)),
    )


def _from_file() -> Built:
    given = request.files["file"]
    content = given.stream.read(MOST_BYTES + 1)
    if not content:
        raise Invalid("choose a file first: the one that your slicer's Export config writes")
    return read_ini(content, name=(given.filename or "")[:80])


def _own(slug: str) -> WorkshopRow:
    with this_hub().database.reading() as session:
        return access.own_workshop(session, g.caller, slug)


def _page(workshop: WorkshopRow, *, fault: HubError | None = None) -> ResponseReturnValue:
    said = request.values
    words, vendor, printer = said.get("search", "")[:200], said.get("vendor", ""), ""
    try:
        known = bundles(this_hub().settings.slicer_profiles)
        chosen = title = None
        if vendor:
            bundle, printer = bundle_of(vendor), said.get("printer", "")
            preset = bundle.preset("printer", printer)
            chosen, title = choices_for(bundle, preset), shown_name(bundle, preset)
        machines = found(known, words)
    except HubError as exc:
        if isinstance(exc, Unavailable) or fault is not None:
            vendor = ""
        fault, chosen, title, machines = fault or exc, None, None, []
    page = render_template(
        "printer_machines.html",
        workshop=workshop,
        words_said=words,
        machines=machines,
        vendor=vendor,
        printer=printer,
        title=title,
        chosen=chosen,
        fault=fault,
    )
    return page, 200 if fault is None else status_of(fault)
