"""`designhub printer` and `designhub bed`."""

import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import click

from basis.errors import Invalid, NotFound
from designhub.api import schema
from designhub.client import HubApi, HubSays, part_of_path
from designhub.commands.common import hub_options, json_option, note, put, put_json, put_table
from designhub.web import words
from printers.appkeys import AppKeys
from printers.capability import COMMON, Profile
from printers.materials import MATERIALS

MOST_PROFILE_BYTES = 100_000
RESTING = {
    "paused": "paused, starts nothing new",
    "draining": "makes what waits for it, takes no order",
    "maintenance": "in maintenance",
}
MOST_INI_BYTES = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """A printer that an agent may speak for; the token is told this once."""

    workshop: str
    printer: schema.Printer
    agent: schema.AgentMade


@click.group()
def printer() -> None:
    """Printers: enrol them at a hub, load them, let them rest, and see how they do."""


@printer.command()
@click.argument("name")
@click.option("--workshop", required=True, help="Its workshop; opened when there is none.")
@click.option("--near", "place", metavar="PLACE", help="Where the workshop is, to open it.")
@click.option("--title", default="", help="What people read of the workshop.")
@click.option("--currency", default="EUR", show_default=True)
@click.option("--per-hour", default=150, show_default=True, help="In cents.")
@click.option("--labour", default=100, show_default=True, help="For each copy, in cents.")
@click.option(
    "--common", type=click.Choice(sorted(COMMON)), help="Take the profile of a common printer."
)
@click.option(
    "--profile",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Or your own: a profile (.json), or what your slicer's Export config wrote (.ini).",
)
@click.option("--machine", metavar="VENDOR/PRINTER", help="Or one of: designhub printer profiles.")
@click.option("--print", "print_profile", default="", help="With --machine: how it prints.")
@click.option(
    "--filament", "filaments", multiple=True, help="With --machine; one for each family at most."
)
@click.option("--material", type=click.Choice(sorted(MATERIALS)), default="PLA", show_default=True)
@click.option("--colour", default="white", show_default=True)
@click.option("--grams", default=1_000, type=click.IntRange(1), show_default=True, help="Left.")
@click.option("--per-kg", default=2_000, type=click.IntRange(0), show_default=True, help="Cents.")
@click.option("--octoprint", metavar="URL", help="Its OctoPrint, as the agent reaches it.")
@click.option("--key", metavar="KEY", help="An API key there; without it its owner is asked.")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the agent's settings; <workshop>-<printer>.toml.",
)
@hub_options
@json_option
def enrol(
    api: HubApi,
    name: str,
    workshop: str,
    place: str | None,
    title: str,
    currency: str,
    per_hour: int,
    labour: int,
    common: str | None,
    profile: Path | None,
    machine: str | None,
    print_profile: str,
    filaments: tuple[str, ...],
    material: str,
    colour: str,
    grams: int,
    per_kg: int,
    octoprint: str | None,
    key: str | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Enrol printer NAME: its workshop, its profile, a spool, and an agent that may speak for it.

    What is there already stays; the agent's token is always a new one. It is written with the
    OctoPrint's address into a file that only you can read.

    \b
    designhub printer enrol ender --workshop atelier --near "Ulm, DE" --common ender3 \\
        --octoprint http://octopi.local
    """
    if [common, profile, machine].count(None) != 2:
        raise click.UsageError("say one of --common NAME, --profile FILE, --machine VENDOR/PRINTER")
    place = place or ""
    opened = schema.WorkshopAsk(
        name=workshop,
        place=place,
        title=title,
        currency=currency,
        per_hour_minor=per_hour,
        labour_minor=labour,
    )
    read = None
    if machine is not None:
        read = _machine_ask(machine, print_profile, filaments)
    elif profile is not None and profile.suffix == ".ini":
        read = schema.MachineAsk(ini=_ini(profile), name=profile.name)
    given = _profile(profile) if profile is not None and read is None else None
    if read is not None:
        given = _profile_of(api, read)
    asked = schema.PrinterAsk(name=name, common=common, profile=given)
    spool = schema.SpoolAsk(
        material=material, colour=colour, left_mg=grams * 1_000, price_per_kg_minor=per_kg
    )
    if octoprint and not key:
        key = _granted(octoprint)
    made = enrolled(api, workshop=opened, printer=asked, spool=spool)
    path = (config or Path(f"{workshop}-{name}.toml")).absolute()
    if octoprint and key:
        write_agent_config(path, hub=api.url, made=made, octoprint=octoprint, key=key)
        start = f"designhub agent --config {path}"
    else:
        start = (
            f"DESIGNHUB_AGENT_TOKEN={made.agent.token} designhub agent --hub {api.url}"
            f" --folder {path.with_suffix('')} --printer {name}=OCTOPRINT-URL,KEY"
        )
    if as_json:
        put_json(
            {
                "workshop": workshop,
                "printer": made.printer.to_json(),
                "agent": made.agent.to_json(),
                "start": start,
            }
        )
        return
    put(
        f"{workshop}/{name} is enrolled. Look at its bed, then say: designhub bed clear"
        f" {workshop}/{name}"
    )
    put("Start its agent:")
    put(f"  {start}")


@printer.command()
@click.option("--search", default="", help="Words of vendor, model or nozzle.")
@click.option("--machine", metavar="VENDOR/PRINTER", help="Its print and filament profiles.")
@hub_options
@json_option
def profiles(api: HubApi, search: str, machine: str | None, as_json: bool) -> None:
    """Machines that the hub's slicer has profiles for.

    \b
    designhub printer profiles --search "ender-3 0.4"
    designhub printer profiles --machine "Creality/Creality Ender-3 (0.4 mm nozzle)"
    """
    if machine is None:
        found = api.ask(schema.Machines, "GET", "/machines?" + urlencode({"search": search}))
        if as_json:
            put_json(found)
            return
        rows = [(f"{each.vendor}/{each.printer}", each.title) for each in found.machines]
        put_table(("machine", "is"), rows, none="None: say --search with words of its name")
        return
    vendor, _, printer = machine.partition("/")
    asked = urlencode({"vendor": vendor, "printer": printer})
    presets = api.ask(schema.Presets, "GET", f"/machines/presets?{asked}")
    if as_json:
        put_json(presets)
        return
    for kind, names in (("--print", presets.prints), ("--filament", presets.filaments)):
        for name in names:
            put(f"{kind} {shlex.quote(name)}")


def _machine_ask(machine: str, print_profile: str, filaments: tuple[str, ...]) -> schema.MachineAsk:
    vendor, _, name = machine.partition("/")
    return schema.MachineAsk(
        vendor=vendor, printer=name, print_profile=print_profile, filaments=list(filaments)
    )


def _profile_of(api: HubApi, asked: schema.MachineAsk) -> dict[str, Any]:
    """The profile that the hub makes of it; what a person should read is said."""
    made = api.ask(schema.MachineProfile, "POST", "/machines/profile", asked)
    for each in made.left_out:
        if each.look:
            note(f"{each.name}: {each.why}")
    if rest := [each.name for each in made.left_out if not each.look]:
        note(f"Left out: {', '.join(rest)}")
    return made.profile


def _ini(path: Path) -> str:
    if path.stat().st_size > MOST_INI_BYTES:
        raise Invalid(f"{path} is over {MOST_INI_BYTES // 1_000} KB: no settings are that long")
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise Invalid(f"{path} cannot be read as text: {exc}") from exc


def enrolled(
    api: HubApi,
    *,
    workshop: schema.WorkshopAsk,
    printer: schema.PrinterAsk,
    spool: schema.SpoolAsk,
) -> Enrolled:
    """Have a workshop, a printer in it with something loaded, and an agent with a new token."""
    where = f"/workshops/{part_of_path(workshop.name)}"
    try:
        found = api.ask(schema.Workshop, "GET", where)
    except HubSays as exc:
        if exc.status != 404:
            raise
        if not workshop.place:
            raise Invalid(
                f"there is no workshop {workshop.name!r} yet: say where it is with --near PLACE"
            ) from exc
        found = api.ask(schema.Workshop, "POST", "/workshops", workshop)
    known = next((each for each in found.printers if each.name == printer.name), None)
    row = known or api.ask(schema.Printer, "POST", f"{where}/printers", printer)
    if not row.spools:
        row = api.ask(schema.Printer, "POST", f"/printers/{row.id}/spools", spool)
    agent = schema.AgentAsk(name=f"agent of {printer.name}", printers=[printer.name])
    made = api.ask(schema.AgentMade, "POST", f"{where}/agents", agent)
    return Enrolled(workshop=workshop.name, printer=row, agent=made)


def write_agent_config(path: Path, *, hub: str, made: Enrolled, octoprint: str, key: str) -> None:
    """The agent's settings as a file that nobody else can read: it holds two keys."""
    texts = {"hub": hub, "token": made.agent.token, "folder": str(path.with_suffix(""))}
    texts |= {"hub_key": made.agent.hub_key} if made.agent.hub_key else {}
    # A JSON string is a TOML string, but for DEL, which no address or key has.
    lines = [f"{name} = {json.dumps(text)}" for name, text in texts.items()]
    lines += ["", f"[printers.{made.printer.name}]"]
    lines += [f"url = {json.dumps(octoprint)}", f"key = {json.dumps(key)}", ""]
    new = path.with_name(f".{path.name}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
    new.replace(path)


@printer.command("list")
@hub_options
@json_option
def list_printers(api: HubApi, as_json: bool) -> None:
    """Every printer of every workshop.

    \b
    designhub printer list
    """
    found = api.ask(schema.Workshops, "GET", "/workshops")
    if as_json:
        put_json(found)
        return
    rows = [
        (
            f"{workshop.name}/{each.name}",
            workshop.place,
            "; ".join(f"{spool.material} {spool.colour}" for spool in each.spools),
            f"bed {each.bed}" + ("" if each.accepting else f", {each.duty}"),
            each.run_state or ("never seen" if each.seen_at is None else each.machine_state),
            str(each.waiting),
        )
        for workshop in found.workshops
        for each in workshop.printers
    ]
    headings = ("printer", "place", "loaded", "bed", "now", "waiting>")
    put_table(headings, rows, none="No printer yet: designhub printer enrol")


@printer.command()
@click.argument("printer", metavar="WORKSHOP/PRINTER")
@hub_options
@json_option
def show(api: HubApi, printer: str, as_json: bool) -> None:
    """One printer: bed, material, work.

    \b
    designhub printer show atelier/ender
    """
    put_printer(api.ask(schema.Printer, "GET", f"/printers/{printer_id(api, printer)}"), as_json)


@printer.command()
@click.argument("printer", metavar="WORKSHOP/PRINTER")
@click.option(
    "--material", type=click.Choice(sorted(MATERIALS)), required=True, help="What it is made of."
)
@click.option("--colour", required=True, help="As makers read it.")
@click.option("--grams", type=click.IntRange(1), required=True, help="What is left on the spool.")
@click.option(
    "--per-kg",
    type=click.IntRange(0),
    help="In the smallest unit of the workshop's money; as before for the same material.",
)
@click.option("--slot", type=click.IntRange(0), default=0, show_default=True, help="0 is first.")
@hub_options
@json_option
def load(
    api: HubApi,
    printer: str,
    material: str,
    colour: str,
    grams: int,
    per_kg: int | None,
    slot: int,
    as_json: bool,
) -> None:
    """A spool is in the printer now, in place of what was in that slot.

    Jobs that wait for this material and colour go on.

    \b
    designhub printer load atelier/ender --material PLA --colour white --grams 800 --per-kg 2000
    """
    where = f"/printers/{printer_id(api, printer)}"
    asked = schema.SpoolAsk(
        material=material,
        colour=colour,
        left_mg=grams * 1_000,
        price_per_kg_minor=_price(api, where, material) if per_kg is None else per_kg,
        slot=slot,
    )
    put_printer(api.ask(schema.Printer, "POST", f"{where}/spools", asked), as_json)


def _price(api: HubApi, where: str, material: str) -> int:
    """What a loaded spool of this material costs. Raises Invalid when there is none."""
    for spool in api.ask(schema.Printer, "GET", where).spools:
        if spool.material == material:
            return spool.price_per_kg_minor
    raise Invalid(f"no {material} is loaded there: say what a kilogram costs with --per-kg")


@click.group()
def bed() -> None:
    """Beds: nothing is printed on one until a person said that it is clear."""


@bed.command()
@click.argument("printer", metavar="WORKSHOP/PRINTER")
@hub_options
@json_option
def clear(api: HubApi, printer: str, as_json: bool) -> None:
    """You looked: the bed is clear.

    \b
    designhub bed clear atelier/ender
    """
    asked = f"/printers/{printer_id(api, printer)}/bed/clear"
    put_printer(api.ask(schema.Printer, "POST", asked), as_json)


def printer_id(api: HubApi, text: str) -> UUID:
    """A printer by its id, or by `workshop/printer`. Raises NotFound, Invalid."""
    workshop, slash, name = text.partition("/")
    if not slash:
        try:
            return UUID(text)
        except ValueError:
            raise Invalid(f"{text!r} names no printer: say workshop/printer, or its id") from None
    found = api.ask(schema.Workshop, "GET", f"/workshops/{part_of_path(workshop)}")
    known = {each.name: each.id for each in found.printers}
    if name not in known:
        raise NotFound(f"{workshop} has no printer {name!r}, only: {', '.join(known) or 'none'}")
    return known[name]


def put_printer(found: schema.Printer, as_json: bool) -> None:
    if as_json:
        put_json(found)
        return
    put(
        f"{found.name} ({found.profile['name']}): bed {found.bed},"
        f" {found.machine_state or 'never seen'}"
        + ("" if found.accepting else f"; {RESTING[found.duty]}")
        + (f" ({found.because})" if found.because else "")
    )
    if found.quiet_until is not None:
        put(f"  quiet hours: nothing starts before {found.quiet_until}")
    if found.most_pieces > 1:
        put(f"  up to {found.most_pieces} copies of a part on one plate")
    for spool in found.spools:
        left = words.grams(spool.left_mg)
        put(f"  slot {spool.slot}: {spool.material} {spool.colour}, {left} left")
    if found.job is not None:
        put(f"  job {found.job}: {found.run_state}; {found.waiting} more wait")


def _profile(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MOST_PROFILE_BYTES:
        raise Invalid(f"{path} is over {MOST_PROFILE_BYTES} bytes: no profile is that long")
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise Invalid(f"{path} is no JSON: {exc}") from exc
    if not isinstance(found, dict):
        raise Invalid(f"{path} holds no JSON object")
    return Profile.from_json(found).as_json()  # before anything is made at the hub


def _granted(octoprint: str) -> str:
    """A key that the owner of the OctoPrint grants in its own pages."""
    desk = AppKeys(octoprint)
    request = desk.ask("DesignHub")
    note(f"Allow DesignHub in OctoPrint: {request.where or octoprint}")
    return desk.wait(request)
