"""`designhub verify`: check a G-code file against what a hub signed of it."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import click

from basis.errors import HubError, Invalid
from designhub.client import HubApi
from designhub.commands.common import json_option, note, put, put_json
from printers.protocol import HubKey, HubKeys, Signed
from printers.provenance import NotSigned, Provenance
from printers.signing import checked, checked_key, successors

MOST_BYTES = 1_000_000
"""Of a provenance file: a page of text."""

READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=READABLE)
@click.option("--provenance", "record", type=READABLE, required=True, help="The downloaded record.")
@click.option(
    "--key", default="", metavar="KEY", help="The hub's public key, known from elsewhere."
)
@click.option("--hub", default="", metavar="URL", help="Ask this hub which keys are its own.")
@json_option
@click.pass_context
def verify(ctx: click.Context, file: Path, record: Path, key: str, hub: str, as_json: bool) -> None:
    """Verify that FILE is the G-code that a hub signed for one run, and show what it says of it.

    With --key the signature must be that key's, or with --hub too that of a key which follows it.
    The exit code is 0 when all is right, 1 when it is not, 2 when something cannot be read.

    \b
    designhub verify hook.gcode --provenance provenance-1f6c….json --hub https://hub.example
    """
    try:
        signed = _read(record)
        keys = HubApi(hub).ask(HubKeys, "GET", "/keys").keys if hub else []
        trusted = checked_key(key) if key else ""
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
    except (OSError, ValueError, HubError) as exc:
        raise _Unreadable(str(exc)) from exc
    try:
        made = _verified(signed, sha256=found, keys=keys, trusted=trusted)
    except NotSigned as exc:
        if as_json:
            put_json({"ok": False, "why": str(exc)})
        else:
            put(f"NOT what the hub signed: {exc}")
        ctx.exit(1)
    if as_json:
        put_json({"ok": True, "key": signed.key, "provenance": made.to_json()})
    else:
        _show(made, key=signed.key)
    if not (hub or key):
        note(
            "The key was compared with nothing: anybody can make one. Compare it with the hub's, by"
            " --hub URL or --key KEY."
        )


def _verified(signed: Signed, *, sha256: str, keys: Sequence[HubKey], trusted: str) -> Provenance:
    """What the record says. Raises NotSigned unless key, signature and file are right."""
    if keys and signed.key not in successors(keys, trusted=trusted or keys[0].key):
        origin = trusted or "the hub's first key"
        raise NotSigned(f"{signed.key} is no key of this hub that follows from {origin}")
    if trusted and not keys and signed.key != trusted:
        raise NotSigned(f"it is signed by {signed.key}, not by {trusted}")
    made = checked(signed, trusted=signed.key)
    if made.gcode_sha256 != sha256:
        raise NotSigned(f"the file's sha256 is {sha256}, signed is {made.gcode_sha256}")
    return made


def _read(record: Path) -> Signed:
    if record.stat().st_size > MOST_BYTES:
        raise Invalid(f"{record} is larger than any record")
    return Signed.from_json(json.loads(record.read_text("utf-8")))


def _show(made: Provenance, *, key: str) -> None:
    put(f"This file is what {made.hub} signed, with {key}.")
    for name, value in made.to_json().items():
        put(f"  {name:<16} {json.dumps(value, ensure_ascii=False) if name == 'choices' else value}")


class _Unreadable(click.ClickException):
    exit_code = 2
