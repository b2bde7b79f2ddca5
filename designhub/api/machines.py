"""Machines in the slicer's own bundles, and what a workshop's own file of settings would give."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from basis.errors import Invalid, NotFound
from designhub.api import schema
from designhub.api.openapi import describes, said
from designhub.auth import Scope, needs
from designhub.hub import this_hub
from printers.bundles import Bundle, bundles
from printers.own_ini import read_ini
from printers.presets import Built, built, choices_for, found

bp = Blueprint("machines_api", __name__, url_prefix="/api/v1")


@bp.get("/machines")
@describes(
    "Find a machine",
    gives=schema.Machines,
    query={"search": "words of its vendor, model or nozzle"},
)
def search() -> ResponseReturnValue:
    """Of the few hundred that the slicer has profiles for."""
    known = bundles(this_hub().settings.slicer_profiles)
    machines = [
        schema.Machine(vendor=each.vendor, printer=each.printer, title=each.title)
        for each in found(known, request.args.get("search", "")[:200])
    ]
    return schema.Machines(machines=machines).to_json()


@bp.get("/machines/presets")
@describes(
    "The profiles that go with a machine",
    gives=schema.Presets,
    query={"vendor": "its vendor, as found", "printer": "its printer profile, as found"},
)
def presets() -> ResponseReturnValue:
    """The first of each is suggested."""
    bundle = bundle_of(request.args.get("vendor", ""))
    chosen = choices_for(bundle, bundle.preset("printer", request.args.get("printer", "")))
    return schema.Presets(
        prints=list(chosen.prints),
        filaments=list(chosen.filaments),
        unclear=list(chosen.unclear),
    ).to_json()


@bp.post("/machines/profile")
@describes(
    "A profile of a machine", takes=schema.MachineAsk, gives=schema.MachineProfile, who="account"
)
@needs(Scope.OPERATE)
def profile() -> ResponseReturnValue:
    """Nothing is kept: add a printer with it once you have read what was left out."""
    asked = said(schema.MachineAsk)
    if (asked.ini is None) == (asked.vendor is None):
        raise Invalid("say either vendor and printer, or ini (the text of your own settings)")
    if asked.ini is not None:
        made = read_ini(asked.ini.encode(), name=asked.name)
    else:
        made = built(
            bundle_of(asked.vendor or ""),
            printer=asked.printer,
            print_=asked.print_profile,
            filaments=asked.filaments,
        )
    return shown(made).to_json()


def bundle_of(vendor: str) -> Bundle:
    """One vendor's profiles. Raises NotFound naming the vendors there are."""
    known = bundles(this_hub().settings.slicer_profiles)
    if vendor not in known:
        raise NotFound(f"no profiles of a vendor {vendor[:80]!r}; there are {', '.join(known)}")
    return known[vendor]


def shown(made: Built) -> schema.MachineProfile:
    """A profile and all that is not in it."""
    return schema.MachineProfile(
        profile=made.profile.as_json(),
        left_out=[
            schema.LeftOut(name=each.name, why=each.why, look=each.look) for each in made.left_out
        ],
        codes=dict(made.codes),
    )
