"""`designhub design`: make, find and show designs."""

import click

from designhub.api import schema
from designhub.client import HubApi, design_path, part_of_path
from designhub.commands.common import hub_options, json_option, put, put_json, put_table
from designhub.web import words


@click.group()
def design() -> None:
    """Designs: make one to push to, find others, look at one."""


@design.command()
@click.argument("name")
@click.option("--title", default="", help="What people read; the manifest may say it too.")
@click.option("--description", default="", help="What it is for.")
@click.option("--private", is_flag=True, help="Only you can see it.")
@hub_options
@json_option
def create(
    api: HubApi, name: str, title: str, description: str, private: bool, as_json: bool
) -> None:
    """Make a design called NAME, and say how to push to it.

    \b
    designhub design create hook
    designhub design create hook --title "Coat hook" --private
    """
    asked = schema.DesignAsk(
        name=name,
        title=title,
        description=description,
        visibility="private" if private else "public",
    )
    made = api.ask(schema.Design, "POST", "/designs", asked)
    if as_json:
        put_json(made)
        return
    put(f"{made.owner}/{made.name} is there. Push to it with your name and a token as password:")
    put(f"  git remote add hub {made.clone}")
    put("  git push hub main")


@design.command("list")
@click.option("--after", default=0, type=click.IntRange(0), help="Pass over so many.")
@hub_options
@json_option
def list_designs(api: HubApi, after: int, as_json: bool) -> None:
    """The newest designs.

    \b
    designhub design list
    """
    _show(api.ask(schema.Designs, "GET", "/designs", query={"after": after}), as_json)


@design.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--after", default=0, type=click.IntRange(0), help="Pass over so many.")
@hub_options
@json_option
def search(api: HubApi, words: tuple[str, ...], after: int, as_json: bool) -> None:
    """Designs with all WORDS, the best first; a word may be a beginning.

    \b
    designhub design search hose coupl
    """
    asked: dict[str, str | int] = {"q": " ".join(words), "after": after}
    _show(api.ask(schema.Designs, "GET", "/designs", query=asked), as_json)


@design.command()
@click.argument("design", metavar="OWNER/NAME")
@click.option("--version", default="latest", help="A tag, branch or commit.", show_default=True)
@hub_options
@json_option
def show(api: HubApi, design: str, version: str, as_json: bool) -> None:
    """A version of a design with its parts, and what was measured of them.

    \b
    designhub design show ada/hook
    designhub design show ada/hook --version v1.2
    """
    path = f"{design_path(design)}/versions/{part_of_path(version)}"
    found = api.ask(schema.Version, "GET", path)
    if as_json:
        put_json(found)
        return
    licence = found.licence or "no licence: ask its designer before you use it"
    put(f"{design} {', '.join(found.refs)} ({found.commit[:10]}), {licence}")
    if found.analysis == "due":
        put("Its parts are being measured; look again in a moment.")
    for fault in found.faults:
        put(f"  {fault.severity}: {fault.text}" + (f" {fault.fix}" if fault.fix else ""))
    rows = [_part(part) for part in found.parts]
    put_table(("part", "size", "volume>", "remark"), rows, none="It has no printable part.")


def _part(part: schema.Part) -> tuple[str, str, str, str]:
    facts = part.facts
    if facts is None:
        remark = part.refusal_text or "being measured"
        return part.name, "", "", remark
    size = words.size(facts["size_x_um"], facts["size_y_um"], facts["size_z_um"])
    remarks = " ".join(each["text"] for each in facts["warnings"])
    return part.name, size, words.volume(facts["volume_mm3"]), remarks


def _show(found: schema.Designs, as_json: bool) -> None:
    if as_json:
        put_json(found)
        return
    rows = [
        (f"{each.owner}/{each.name}", each.title, each.pushed_at or "") for each in found.designs
    ]
    put_table(("design", "title", "pushed"), rows, none="No design found.")
    if found.next is not None:
        put(f"There are more: --after {found.next}")
