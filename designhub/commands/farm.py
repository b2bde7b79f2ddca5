"""`designhub farm`: virtual printers behind real OctoPrint servers."""

import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import click

import designhub
from designhub.commands.common import json_option, note, put_json, put_table
from designhub.processes import Asked, ended_by_signals
from printers import farm as farms

CHECKOUT = Path(designhub.__file__).parents[1]
OCTOPRINT = CHECKOUT / ".venv-octoprint" / "bin" / "octoprint"

folder_option = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("farm"),
    show_default=True,
    help="Where the servers keep their files.",
)


@click.group()
def farm() -> None:
    """Real OctoPrint servers with virtual printers on this machine, for trying things."""


@farm.command()
@click.argument("count", type=click.IntRange(1, farms.MOST), default=1)
@folder_option
@click.option("--port", default=0, help="Server i listens on this plus i; 0 takes free ones.")
@click.option(
    "--octoprint",
    type=click.Path(path_type=Path),
    default=OCTOPRINT,
    help="The octoprint program of its own environment; make setup-octoprint installs it.",
)
@click.option("--wait", is_flag=True, help="Stay until Ctrl-C, then stop them.")
@json_option
def start(count: int, folder: Path, port: int, octoprint: Path, wait: bool, as_json: bool) -> None:
    """Have COUNT servers run; what runs already stays.

    \b
    designhub farm start 3
    designhub farm start 3 --folder /tmp/farm --wait
    """
    with ended_by_signals(), suppress(Asked):
        try:
            running = farms.start(folder, count, octoprint=octoprint, base_port=port)
            if as_json:
                put_json({"printers": [asdict(each) for each in running]})
            else:
                _table(farms.status(folder))
            if wait:
                threading.Event().wait()
        finally:
            if wait:
                farms.stop(folder)


@farm.command()
@folder_option
@json_option
def status(folder: Path, as_json: bool) -> None:
    """Every server, whether it runs, and what its printer says.

    \b
    designhub farm status
    """
    found = farms.status(folder)
    if as_json:
        put_json({"printers": [asdict(each) for each in found]})
    else:
        _table(found)


@farm.command()
@folder_option
def stop(folder: Path) -> None:
    """End all servers; their files stay, and so do their ports and keys.

    \b
    designhub farm stop
    """
    farms.stop(folder)
    note("The farm is stopped.")


def _table(found: list[farms.Status]) -> None:
    rows = [
        (each.instance.url, each.instance.api_key, each.state if each.alive else "not running")
        for each in found
    ]
    put_table(("OctoPrint", "key", "printer"), rows, none="There is no farm here.")
