"""`designhub agent`: run an agent beside printers, with a live view or a log.

designhub agent --hub https://hub.example --token dha_… --printer ender=http://octopi.local,KEY
designhub agent --config agent.toml --json
"""

import json
import os
import pwd
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from basis import clock
from basis.errors import HubError, Invalid
from basis.settings import AGENT_PREFIX
from printers.agent import Agent, AgentConfig, Happening, PrinterAt, trust_of
from printers.agent_config import load
from printers.agent_enrol import SETTINGS_FILE, Wish, enrol
from printers.agent_unit import unit
from printers.hub import HubClient, HubRefused, HubSilent, HubUnreachable, TokenRefused
from printers.octoprint import OctoPrint, PrinterBusy, PrinterError, PrinterRefused
from printers.protocol import Hello

COLOURS = {"info": None, "warning": "yellow", "error": "red"}


@click.command()
@click.option("--config", metavar="FILE", default="", help="TOML file with any of these settings.")
@click.option("--hub", metavar="URL", default="", help="Address of the hub.")
@click.option("--token", metavar="TOKEN", default="", help="The agent's token from the hub.")
@click.option("--folder", metavar="DIR", default="", help="Where the journal is kept.")
@click.option(
    "--printer",
    "printers",
    metavar="NAME=URL,KEY",
    multiple=True,
    help="A printer's name in the hub, its OctoPrint's address and API key. Repeat for more.",
)
@click.option("--enrol", "code", metavar="CODE", default="", help="The code from the hub's page.")
@click.option(
    "--octoprint",
    "octoprints",
    metavar="[NAME=]URL",
    multiple=True,
    help="With --enrol: where OctoPrint is, for each printer of the code.",
)
@click.option(
    "--key", metavar="KEY", default="", help="With --enrol: its key; else OctoPrint asks you."
)
@click.option("--json", "as_json", is_flag=True, help="Log as JSON, one object a line.")
@click.option("--check", is_flag=True, help="Try the hub and every printer, then end.")
@click.option("--systemd", is_flag=True, help="Print a unit that keeps it running, then end.")
def agent(
    config: str,
    hub: str,
    token: str,
    folder: str,
    printers: tuple[str, ...],
    code: str,
    octoprints: tuple[str, ...],
    key: str,
    as_json: bool,
    check: bool,
    systemd: bool,
) -> None:
    """Take work from a hub for the printers beside this machine.

    With --enrol it first turns the code from the workshop's page into settings of its own, kept in
    --config (designhub-agent.toml), and then runs with them.

    Every option may also be given as DESIGNHUB_AGENT_<NAME>. A token or key among the options can
    be seen by other users of this machine: a file or variables keep it to yourself.
    """
    options = {"config": config, "hub": hub, "token": token, "folder": folder}
    given = options | {"printers": " ".join(printers)}
    try:
        if code:
            wish = Wish(
                code=code.strip().upper(),
                hub=hub,
                octoprints=octoprints,
                key=key,
                path=Path(config or SETTINGS_FILE).expanduser().absolute(),
                folder=folder,
            )
            given = {"config": str(enrol(wish, say=lambda text: click.echo(text, err=True)))}
        if systemd:
            click.echo(_unit(given), nl=False)
            return
        run_agent(given, as_json=as_json, check=check)
    except HubError as exc:
        raise click.ClickException(str(exc)) from exc


def run_agent(
    options: Mapping[str, str],
    *,
    as_json: bool = False,
    check: bool = False,
    stop: threading.Event | None = None,
    environ: Mapping[str, str] | None = None,
) -> None:
    """Run an agent until it is interrupted, or `stop` is set.

    options : by the names of `agent_config.AgentSettings`; "" counts as not given.
    environ : where DESIGNHUB_AGENT_* are read from; this process's environment by default.

    Raises a HubError whose message says what to change.
    """
    loaded = load(_ours(environ), options)
    for warning in loaded.warnings:
        said = Happening(at=clock.now(), level="warning", printer="", text=warning)
        _line(said, as_json=as_json, err=True)
    if check:
        _checked(loaded.agent)
        return
    ending = stop or threading.Event()
    with _until_interrupted(ending):
        if as_json or not sys.stdout.isatty():
            Agent(loaded.agent, on_event=lambda what: _line(what, as_json=as_json)).run(ending)
        else:
            # Loaded for a person who looks: on a small board nobody does, and it takes its memory.
            from printers.agent_screen import with_screen

            with_screen(loaded.agent, ending)


def _ours(environ: Mapping[str, str] | None) -> Mapping[str, str]:
    """The agent's own variables: the only look at the environment on the printer side."""
    given = os.environ if environ is None else environ
    return {name: text for name, text in given.items() if name.startswith(AGENT_PREFIX)}


def _unit(options: Mapping[str, str]) -> str:
    """The unit for an agent that runs with a settings file, as whoever asks."""
    file = Path(options["config"]).expanduser().absolute()
    if not options["config"]:
        raise Invalid("say which settings file it shall run with: --config FILE --systemd")
    loaded = load({}, {"config": str(file)})
    user = pwd.getpwuid(os.getuid()).pw_name
    return unit(config=file, folder=loaded.agent.folder, user=user)


def _checked(config: AgentConfig) -> None:
    """Say of the hub and every printer whether it can be worked with; the first fault is raised."""
    client = HubClient(
        config.hub_url,
        token=config.token,
        connect_s=config.connect_s,
        ca_file=config.ca_file,
        proxy=config.proxy,
    )
    try:
        welcome = client.hello(Hello(program="designhub-agent check"))
    except TokenRefused as exc:
        raise click.ClickException(f"{exc}: change --token or {AGENT_PREFIX}TOKEN") from exc
    except (HubUnreachable, HubSilent) as exc:
        raise click.ClickException(f"{exc}: is --hub or {AGENT_PREFIX}HUB right?") from exc
    except HubRefused as exc:
        raise click.ClickException(str(exc)) from exc
    click.echo(f"hub: answers, and knows this agent as {welcome.name}")
    if (trust := trust_of(config)) is not None:
        click.echo(f"hub: signs with {trust.newest(welcome.keys)}, which this agent believes")
    ours = {brief.name for brief in welcome.printers}
    for name, given in config.printers.items():
        address = PrinterAt(*given)
        if name not in ours and name not in {str(brief.printer) for brief in welcome.printers}:
            there = ", ".join(sorted(ours)) or "none"
            raise click.ClickException(f"printer {name}: the hub gives this token only: {there}")
        octoprint = OctoPrint(address.url, api_key=address.api_key)
        try:
            state = octoprint.connection()
            octoprint.file("designhub/check.gcode")
        except PrinterRefused as exc:
            raise click.ClickException(
                f"printer {name}: {exc}: change its key: a user's API key from OctoPrint's settings"
            ) from exc
        except (PrinterError, PrinterBusy) as exc:
            raise click.ClickException(f"printer {name}: {exc}: is its address right?") from exc
        click.echo(f"printer {name}: OctoPrint {octoprint.version()}, {state}")


@contextmanager
def _until_interrupted(ending: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the agent in order; a print under way goes on without it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_: int, __: FrameType | None) -> None:
        ending.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _line(what: Happening, *, as_json: bool, err: bool = False) -> None:
    """One line of the log, for a program or for a person."""
    if as_json:
        said = {"at": clock.iso(what.at), "level": what.level, "text": what.text}
        if what.printer:
            said["printer"] = what.printer
        click.echo(json.dumps(said))
        return
    where = f"{what.printer}: " if what.printer else ""
    colour = COLOURS[what.level]
    click.secho(f"{what.at:%H:%M:%S} {where}{what.text}", fg=colour, err=err)
