"""`designhub key`: the key that signs what is printed, on the hub's own machine."""

from pathlib import Path

import click

from basis import clock
from designhub.commands.common import json_option, note, put, put_json
from designhub.commands.local import data_option, settings_with
from designhub.keys import Keys
from printers.protocol import HubKeys


@click.group()
def key() -> None:
    """The key with which the hub whose folder lies on this machine signs what is printed."""


@key.command()
@data_option
@json_option
def show(data: Path | None, as_json: bool) -> None:
    """The public key in use, and those before it. Everybody may know them.

    \b
    designhub key show --data /srv/hub
    """
    known = Keys(settings_with(data).data_dir).public()
    if as_json:
        put_json(HubKeys(keys=known))
        return
    for each in known:
        put(f"{each.key} since {each.since}{' (in use)' if each is known[-1] else ''}")


@key.command()
@data_option
def rotate(data: Path | None) -> None:
    """Sign with a new key from now on, also in a hub that runs.

    The old one signs for the new one and is then forgotten, so agents follow by themselves the next
    time they greet; what it signed stays verifiable. If it was stolen this is not enough, for the
    thief can sign too: then put the new key into every agent's settings as hub_key.

    \b
    designhub key rotate --data /srv/hub
    """
    made = Keys(settings_with(data).data_dir).rotate(now=clock.now())
    put(made.key)
    note("Take a new backup: an older one brings the older key back, which agents then refuse.")
