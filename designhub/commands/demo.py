"""`designhub demo`."""

import json
import time
from pathlib import Path

import click

from designhub.commands.common import note, put
from designhub.commands.farm import OCTOPRINT
from designhub.demo import story
from designhub.demo.stage import stage
from designhub.processes import Asked, ended_by_signals


@click.command()
@click.option("--once", is_flag=True, help="End when the part is accepted; the last line is JSON.")
@click.option("--port", default=8080, type=click.IntRange(1, 65_535), show_default=True)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".demo"),
    show_default=True,
    help="What the demo keeps for the next time.",
)
@click.option(
    "--octoprint",
    type=click.Path(path_type=Path),
    default=OCTOPRINT,
    help="The octoprint program of its own environment; make setup-octoprint installs it.",
)
def demo(once: bool, port: int, folder: Path, octoprint: Path) -> None:
    """A whole hub on this machine: three workshops with virtual printers behind real OctoPrint
    servers, designs pushed by git, and one part made from push to hand.

    It goes on serving until Ctrl-C, which ends every process that it started.

    \b
    designhub demo
    designhub demo --once --port 9000
    """
    found = None
    with ended_by_signals():
        try:
            with stage(folder.absolute(), port=port) as whole:
                cast = story.set_up(whole, octoprint=octoprint)
                told = story.play(whole, cast)
                story.show(told, stage=whole, cast=cast)
                found = story.result(told)
                if not once:
                    put("Serving until Ctrl-C.")
                    while True:
                        whole.check()
                        time.sleep(0.5)
        except Asked as exc:
            note(f"{exc}: everything the demo started has ended.")
            if found is None:
                raise click.exceptions.Exit(130) from None
            return
    if found is not None:
        click.echo(json.dumps(found))
