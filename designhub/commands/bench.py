"""`designhub bench`: experiments that show what is promised."""

import json
import secrets
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import click

from basis.errors import HubError
from designhub.chaos import plan as plans
from designhub.chaos import storm
from designhub.chaos.plan import Plan
from designhub.chaos.result import Result
from designhub.chaos.surroundings import INSIDE, in_a_view_of_its_own
from designhub.chaos.world import Places, World
from designhub.commands.common import note, put, put_table
from designhub.commands.farm import OCTOPRINT
from designhub.processes import Asked, ended_by_signals

SMALL, LARGE = (3, 40), (8, 500)
INTERRUPTED = 130


@click.group()
def bench() -> None:
    """Experiments on this machine that show what a hub promises."""


@bench.command()
@click.option("--small", "size", flag_value="small", default=True, help="3 printers, 40 jobs.")
@click.option("--large", "size", flag_value="large", help="8 printers, 500 jobs.")
@click.option("--printers", type=click.IntRange(1, 32), help="Another number of printers.")
@click.option("--jobs", type=click.IntRange(1, 10_000), help="Another number of jobs.")
@click.option("--seed", default="", help="Decides the plan; without it one is chosen and told.")
@click.option("--plan", "only_plan", is_flag=True, help="Print the plan of the seed, and end.")
@click.option("--json", "as_json", is_flag=True, help="The last line is JSON, nothing else.")
@click.option("--keep", is_flag=True, help="Keep the folder with all logs; a failure keeps it too.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to do it; a new folder for temporary files.",
)
@click.option(
    "--octoprint",
    type=click.Path(path_type=Path),
    default=OCTOPRINT,
    help="The octoprint program of its own environment; make setup-octoprint installs it.",
)
@click.option(INSIDE, "inside", is_flag=True, hidden=True, help="Within mounts of our own.")
def chaos(
    size: str,
    printers: int | None,
    jobs: int | None,
    seed: str,
    only_plan: bool,
    as_json: bool,
    keep: bool,
    folder: Path | None,
    octoprint: Path,
    inside: bool,
) -> None:
    """Kill everything at every line of the protocol, and count what the printers did.

    A hub, agents and real OctoPrint servers work off orders, while a monkey ends processes, cuts
    connections, turns clocks, fills disks and prints by hand. Exit 0 only when nothing was started
    twice or on a full bed, no job was forgotten, and the open book says what was printed.

    \b
    designhub bench chaos --small --seed 1 --json
    designhub bench chaos --large --keep
    designhub bench chaos --seed 1 --plan
    """
    few = SMALL if size == "small" else LARGE
    plan = plans.make(
        seed or secrets.token_hex(4), printers=printers or few[0], jobs=jobs or few[1]
    )
    if only_plan:
        for line in plan.told():
            put(line)
        return
    if not inside:
        in_a_view_of_its_own([*sys.argv[1:], *([] if seed else ["--seed", plan.seed])])
    place = (folder or Path(tempfile.mkdtemp(prefix="designhub-chaos-"))).absolute()
    with ended_by_signals():
        try:
            found = _run(plan, place, octoprint=octoprint, mounts=inside, keep=keep)
        except Asked as exc:
            note(f"{exc}: everything has ended; what was written is in {place}")
            raise click.exceptions.Exit(INTERRUPTED) from None
    if keep or not found.ok:
        note(f"All logs are in {place}")
    elif folder is None:
        shutil.rmtree(place, ignore_errors=True)
    if not as_json:
        _show(found)
    click.echo(json.dumps(found.to_json()))
    if not found.ok:
        raise click.exceptions.Exit(1)


def _run(plan: Plan, place: Path, *, octoprint: Path, mounts: bool, keep: bool) -> Result:
    """Do it; what lies on disks in memory is copied when somebody may want to see it."""
    kept = keep
    world = World(Places(folder=place), seed=plan.seed, octoprint=octoprint, mounts=mounts)
    with storm.running(world):
        try:
            found = storm.run(plan, world, say=_say)
            kept = kept or not found.ok
        except HubError:
            note(f"It came to no end; all logs are in {place}")
            kept = True
            raise
        finally:
            if kept:
                _keep_disks(place)
    if kept:
        stories = "\n\n".join(["\n".join(found.problems), *found.broken])
        (place / "story.txt").write_text(stories + "\n")
        (place / "result.json").write_text(json.dumps(found.to_json(), indent=2) + "\n")
    return found


def _say(text: str) -> None:
    note(f"{time.strftime('%H:%M:%S')}  {text}")


def _keep_disks(place: Path) -> None:
    for disk in (place / "hub", *place.glob("agent-*/")):
        with suppress(OSError, shutil.Error):
            shutil.copytree(disk, place / "kept" / disk.name, dirs_exist_ok=True)


def _show(found: Result) -> None:
    """The figures as a table, and every broken promise in words."""
    rows = [
        (name.replace("_", " "), _words(value))
        for name, value in found.to_json().items()
        if name not in ("marks", "problems", "ok")
    ]
    put_table(("what", "how it was"), rows, none="")
    for problem in found.problems:
        put(f"Not as promised: {problem}")


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items()) or "none"
    return str(value)
