"""`designhub printer` about a printer's service: duty, quiet hours, upkeep."""

from typing import Any

import click

from basis.errors import Invalid
from designhub.api import schema
from designhub.client import HubApi, part_of_path
from designhub.commands.common import hub_options, json_option, put, put_json, put_table
from designhub.commands.workshops import printer, printer_id, put_printer
from printers.hours import DAYS

ON = click.argument("on", metavar="WORKSHOP/PRINTER")
RESTS = {
    "pause": (
        *("paused", "Finish what it prints, and start nothing new."),
        "new nozzle on Monday",
    ),
    "drain": (
        *("draining", "Make what waits for it, and take no new order."),
        "it moves house in May",
    ),
    "maintain": (
        *("maintenance", "Somebody works at it: nothing starts before `designhub printer open`."),
        "new belts",
    ),
}
"""Commands after which a printer takes no new order: the duty, what it means, and such a reason."""


def _rest(name: str, duty: str, means: str, because: str) -> None:
    shown = f'designhub printer {name} atelier/ender --because "{because}"'

    @printer.command(name, help=f"{means}\n\n\b\n{shown}")
    @ON
    @click.option("--because", default="", help="Why, for everybody to read.")
    @hub_options
    @json_option
    def rest(api: HubApi, on: str, because: str, as_json: bool) -> None:
        _duty(api, on, duty, because, as_json)


for _name, _said in RESTS.items():
    _rest(_name, *_said)


@printer.command("open")
@ON
@hub_options
@json_option
def reopen(api: HubApi, on: str, as_json: bool) -> None:
    """Take new work again.

    \b
    designhub printer open atelier/ender
    """
    _duty(api, on, "open", "", as_json)


@printer.command()
@ON
@click.argument("most", metavar="COPIES", type=click.IntRange(1))
@hub_options
@json_option
def plates(api: HubApi, on: str, most: int, as_json: bool) -> None:
    """Print up to so many copies of a part on one plate, from the next quote on.

    \b
    designhub printer plates atelier/ender 4
    """
    asked = schema.PrinterChange(most_pieces=most)
    put_printer(
        api.ask(schema.Printer, "PATCH", f"/printers/{printer_id(api, on)}", asked), as_json
    )


@printer.command()
@ON
@click.argument("task", required=False)
@click.option("--note", default="", help="More about it.")
@click.option("--again-hours", type=click.IntRange(1), help="Due after so many hours of printing.")
@click.option("--again-on", metavar="DAY", help="Due on this day: 2027-01-31.")
@hub_options
@json_option
def upkeep(
    api: HubApi,
    on: str,
    task: str | None,
    note: str,
    again_hours: int | None,
    again_on: str | None,
    as_json: bool,
) -> None:
    """What was done to keep it well, and what is due. With a TASK: it was done just now.

    \b
    designhub printer upkeep atelier/ender "rods oiled" --again-hours 200
    """
    where = f"/printers/{printer_id(api, on)}/upkeep"
    if task is None:
        found = api.ask(schema.UpkeepOf, "GET", where)
    else:
        done = schema.UpkeepAsk(task=task, note=note, again_hours=again_hours, again_on=again_on)
        found = api.ask(schema.UpkeepOf, "POST", where, done)
    if as_json:
        put_json(found)
        return
    put(f"printed for this hub: {_hours(found.printed_s)}")
    rows = [
        (each.last.task, each.last.at[:10], each.last.by, _hours(each.since_s), _due(each))
        for each in found.tasks
    ]
    headings = ("task", "last", "by", "printed since>", "next")
    put_table(headings, rows, none="Nothing was noted yet.")


@printer.command()
@click.argument("on", metavar="WORKSHOP[/PRINTER]")
@click.option("--every", metavar="SPAN", help="The same each day: 22-7.")
@click.option("--day", "days", metavar="DAY=SPAN", multiple=True, help="fri=22:30-8; repeat it.")
@click.option("--must-be-over", is_flag=True, help="No print may run into them either.")
@click.option("--none", "never", is_flag=True, help="There are none.")
@click.option("--as-workshop", is_flag=True, help="A printer's are those of its workshop again.")
@hub_options
@json_option
def quiet(
    api: HubApi,
    on: str,
    every: str | None,
    days: tuple[str, ...],
    must_be_over: bool,
    never: bool,
    as_workshop: bool,
    as_json: bool,
) -> None:
    """Quiet hours of a workshop, or of one printer: no print starts in them.

    \b
    designhub printer quiet atelier --every 22-7
    designhub printer quiet atelier/ender --day fri=20-24 --day sat=0-24 --must-be-over
    """
    said = dict.fromkeys(DAYS, every) if every else {}
    said |= dict(_of_day(each) for each in days)
    if [bool(said), never, as_workshop].count(True) != 1:
        raise click.UsageError("say one of: --every and --day, --none, --as-workshop")
    asked = schema.QuietAsk(days=said, must_be_over=must_be_over)
    if "/" not in on:
        if as_workshop:
            raise click.UsageError("--as-workshop is for a printer: WORKSHOP/PRINTER")
        path = f"/workshops/{part_of_path(on)}/quiet"
        made = api.ask(schema.Workshop, "POST", path, asked)
        if as_json:
            put_json(made)
        else:
            put(f"{made.name}: {_spans(made.quiet)}")
        return
    where = f"/printers/{printer_id(api, on)}/quiet"
    method, body = ("DELETE", None) if as_workshop else ("POST", asked)
    found = api.ask(schema.Printer, method, where, body)
    put_printer(found, as_json)
    if not as_json:
        put(f"  {_spans(found.quiet)}")


def _duty(api: HubApi, on: str, duty: str, because: str, as_json: bool) -> None:
    asked = schema.PrinterChange(duty=duty, because=because)
    put_printer(
        api.ask(schema.Printer, "PATCH", f"/printers/{printer_id(api, on)}", asked), as_json
    )


def _of_day(text: str) -> tuple[str, str]:
    day, equals, span = text.partition("=")
    if not equals or day not in DAYS:
        raise Invalid(f"{text[:40]!r}: say DAY=SPAN, such as fri=22-7; days: {', '.join(DAYS)}")
    return day, span


def _spans(quiet: dict[str, Any] | None) -> str:
    if quiet is None or not quiet["days"]:
        return "no quiet hours"
    days = "; ".join(f"{day} {span}" for day, span in quiet["days"].items())
    return f"quiet hours: {days}" + (", prints must be over" if quiet["must_be_over"] else "")


def _hours(seconds: int) -> str:
    return f"{seconds / 3_600:.0f} h"


def _due(task: schema.UpkeepTask) -> str:
    last, said = task.last, []
    if last.due_printed_s is not None:
        said.append(f"after {_hours(last.due_printed_s - last.printed_s)}")
    if last.due_on is not None:
        said.append(f"on {last.due_on}")
    return ("due now: " if task.due else "") + (" or ".join(said) or "-")
