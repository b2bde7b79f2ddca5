"""The `designhub` command. Each command is loaded when it is asked for, so that the base install,
which has no server, runs the agent and all that speaks to a hub."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from basis.errors import HubError

SECTIONS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Try it": {
        "demo": ("demo", "From a push to a printed part on this machine, with virtual printers."),
    },
    "Run a hub": {
        "serve": ("serve", "Serve pages, API and git, with the side work beside it."),
        "worker": ("serve", "Run only the side work: measuring and slicing."),
        "attached": ("serve", "Tend printers on the hub's own network."),
        "user": ("people", "Make accounts and invite, on the hub's own machine."),
        "token": ("people", "Make tokens, on the hub's own machine."),
        "key": ("keys", "Show or rotate the key that signs what is printed."),
        "backup": ("backup", "Write all that a hub keeps into one file, while it runs."),
        "restore": ("backup", "Bring a backup back into an empty data folder."),
    },
    "Share designs and order parts": {
        "design": ("designs", "Make, find and show designs."),
        "quote": ("orders", "Ask who near a place would make a part."),
        "order": ("orders", "Order a part by a quote, or from the best one."),
        "job": ("jobs", "Watch a job, and say what became of it."),
        "audit": ("audit", "Verify an open book from its export alone."),
        "verify": ("verify", "Verify a G-code file against what a hub signed of it."),
    },
    "Run printers": {
        "printer": ("service", "Enrol, load, pause, drain, maintain and show printers."),
        "bed": ("workshops", "Say that a bed is clear."),
        "agent": ("agent", "Take work from a hub for the printers beside this machine."),
        "farm": ("farm", "Real OctoPrint servers with virtual printers, for trying things."),
    },
    "Prove it": {
        "bench": ("bench", "Experiments on this machine that show what is promised."),
    },
}
"""What there is: name → (module of `designhub.commands`, what it does in a line)."""

SERVER_NEEDED = "this needs the server's packages: pip install 'designhub[hub]'"
INTERRUPTED = 130


class Commands(click.Group):
    """Commands by section, each imported when it is used; a known failure is one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for section in SECTIONS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = next((each[cmd_name][0] for each in SECTIONS.values() if cmd_name in each), None)
        if module is None:
            return None
        try:
            found = getattr(import_module(f"designhub.commands.{module}"), cmd_name)
        except ModuleNotFoundError as exc:
            if (exc.name or "").partition(".")[0] in ("designhub", "basis", "printers"):
                raise
            raise click.ClickException(f"{SERVER_NEEDED} ({exc.name} is missing)") from exc
        assert isinstance(found, click.Command)  # noqa: S101 - a mistake in the table above
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, about) for name, (_, about) in commands.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HubError as exc:
            raise click.ClickException(str(exc)) from exc
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="designhub")
def main() -> None:
    """DesignHub: push a design, order a part, and a printer nearby makes it.

    \b
    designhub demo                      see it work, on this machine
    designhub serve                     run a hub on http://127.0.0.1:8080
    designhub order ada/hook --near Seoul
    """


if __name__ == "__main__":
    main()
