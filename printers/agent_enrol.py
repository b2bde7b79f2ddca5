"""Enrolling this machine's agent by the short code from the hub's page.

The settings file is the memory of it: it is written with a token of our own making before the code
is said, and again whenever an OctoPrint hands out a key. Cut off at any moment, the same command
said again goes on where it stopped; the hub knows the token by then.
"""

import json
import os
import secrets
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from basis.errors import Invalid
from printers.appkeys import AppKeys
from printers.hub import HubClient, HubRefused, HubSilent, HubUnreachable, checked_hub_url
from printers.journal import sync_folder
from printers.protocol import AGENT_TOKEN, EnrolAsk, Enrolled

SETTINGS_FILE = "designhub-agent.toml"
UNFINISHED = "enrol"
"""The key of the settings file that holds the code while enrolling is not finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the owner said on the command line."""

    code: str
    hub: str
    octoprints: Sequence[str]
    """`URL` where there is one printer, `NAME=URL` for each of several."""
    key: str = ""
    """An OctoPrint key for all of them; without it each owner is asked in OctoPrint."""
    path: Path
    """Of the settings file."""
    folder: str = ""
    ca_file: str = ""
    proxy: str = ""


@dataclass(slots=True, kw_only=True)
class _Known:
    """What the settings file holds."""

    token: str
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Address and key by the printer's name."""
    hub_key: str = ""
    """What the hub signs with."""


def enrol(wish: Wish, *, say: Callable[[str], None]) -> Path:
    """Enrol, and have a settings file that `designhub agent --config` runs with; its path.

    say : tells the owner what to do meanwhile.

    Raises a HubError whose message says what to do; what was reached until then stays.
    """
    if not wish.octoprints:
        raise Invalid("say where OctoPrint is: --octoprint http://127.0.0.1:5000")
    hub = checked_hub_url(wish.hub)
    known = _begun(wish)
    _write(wish, known, code=wish.code)
    client = HubClient(hub, token=known.token, ca_file=wish.ca_file, proxy=wish.proxy)
    try:
        made = client.enrol(EnrolAsk(code=wish.code, token=known.token))
    except HubRefused:
        if not known.keys:
            wish.path.unlink(missing_ok=True)  # another code begins anew
        raise
    except (HubUnreachable, HubSilent) as exc:
        raise type(exc)(f"{exc}; nothing is lost: say the same command again") from exc
    finally:
        client.close()
    known.hub_key = made.hub_key
    for name, url in _addresses(wish, made).items():
        known_url, key = known.keys.get(name, ("", ""))
        if not key or known_url != url:
            known.keys[name] = (url, wish.key or _granted(name, url, say=say))
            _write(wish, known, code=wish.code)  # OctoPrint tells a key exactly once
    _write(wish, known, code="")
    say(f"Enrolled at {made.workshop}. From now on: designhub agent --config {wish.path}")
    return wish.path


def _begun(wish: Wish) -> _Known:
    """What an earlier try with this code has left, or a new token."""
    fresh = _Known(token=AGENT_TOKEN + secrets.token_urlsafe(32))
    try:
        data = tomllib.loads(wish.path.read_text("utf-8"))
    except FileNotFoundError:
        return fresh
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise Invalid(f"{wish.path}: {exc}; move it away, or choose another --config") from exc
    if UNFINISHED not in data:
        raise Invalid(
            f"{wish.path} belongs to an agent that is enrolled already: run it with designhub agent"
            f" --config {wish.path}, or choose another file with --config to enrol a second one"
        )
    if data[UNFINISHED] != wish.code:
        return fresh
    keys = {name: (each["url"], each["key"]) for name, each in data.get("printers", {}).items()}
    return _Known(token=data["token"], keys=keys)


def _addresses(wish: Wish, made: Enrolled) -> Mapping[str, str]:
    """Where each printer's OctoPrint is. Raises Invalid naming what is missing or unknown."""
    names = [each.name for each in made.printers]
    if len(names) == 1 and len(wish.octoprints) == 1 and "=" not in wish.octoprints[0]:
        return {names[0]: wish.octoprints[0]}
    said = dict(each.partition("=")[::2] for each in wish.octoprints)
    missing = [name for name in names if name not in said]
    unknown = [name for name in said if name not in names]
    if missing or unknown:
        wanted = " ".join(f"--octoprint {name}=http://127.0.0.1:5000" for name in names)
        raise Invalid(
            f"this code is for {', '.join(names)}: say the same command again with where each one's"
            f" OctoPrint is, as {wanted}"
        )
    return said


def _granted(name: str, url: str, *, say: Callable[[str], None]) -> str:
    """A key that the owner of an OctoPrint grants in its own pages. Raises PrinterError."""
    desk = AppKeys(url)
    if not desk.available():
        raise Invalid(
            f"{name}: {url} hands out no keys now: is it OctoPrint, and running? Say the same"
            " command again, or make a key in OctoPrint and give it with --key"
        )
    request = desk.ask("DesignHub")
    say(f"{name}: allow DesignHub in OctoPrint, within ten minutes: {request.where or url}")
    return desk.wait(request)


def _write(wish: Wish, known: _Known, *, code: str) -> None:
    """The settings file, whole or not at all, which nobody else can read: it holds the keys."""
    folder = wish.folder or str(wish.path.with_suffix(""))
    texts = {"hub": checked_hub_url(wish.hub), "token": known.token, "folder": folder}
    texts |= {"hub_key": known.hub_key} if known.hub_key else {}
    texts |= {"ca_file": wish.ca_file} if wish.ca_file else {}
    texts |= {"proxy": wish.proxy} if wish.proxy else {}
    texts |= {UNFINISHED: code} if code else {}
    # A JSON string is a TOML string, but for DEL, which no address or key has.
    lines = [f"{name} = {json.dumps(text)}" for name, text in texts.items()]
    for name, (url, key) in sorted(known.keys.items()):
        lines += [
            "",
            f"[printers.{json.dumps(name)}]",
            f"url = {json.dumps(url)}",
            f"key = {json.dumps(key)}",
        ]
    new = wish.path.with_name(f".{wish.path.name}.new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write("\n".join((*lines, "")))
        file.flush()
        os.fsync(file.fileno())
    new.replace(wish.path)
    sync_folder(wish.path.parent)
