"""The agent's settings: from a file, then DESIGNHUB_AGENT_* variables, then options.

# agent.toml, mode 0600
hub = "https://hub.example"
token = "dha_…"
hub_key = "ed25519:…"
folder = "/var/lib/designhub-agent"

[printers.ender]
url = "http://octopi.local"
key = "…"
# snapshot = "http://octopi.local:8080/?action=snapshot"
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from basis.errors import Invalid
from basis.settings import AGENT_PREFIX, parsed, setting
from printers.agent import AgentConfig, PrinterAt
from printers.agent_enrol import UNFINISHED
from printers.camera import NEVER

MOST_CONFIG_BYTES = 1_000_000
WHERE = "docs/connecting-a-printer.md"
"""The page that explains every setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Everything the owner of a printer may choose."""

    config: str = setting(parse=str, default="")
    """A TOML file with any of the names below, and a table `printers.<name>` with `url` and `key`
    for each printer."""

    hub: str = setting(parse=str, default="")
    """Address of the hub, e.g. `https://hub.example`."""

    token: str = setting(parse=str, default="")
    """The agent's token, as the hub showed it once when the agent was enrolled."""

    hub_key: str = setting(parse=str, default="")
    """The hub's public key, as enrolling wrote it: nothing is printed that it did not sign. Empty
    believes the key that the hub names first, and keeps it in `folder`."""

    folder: str = setting(parse=str, default="designhub-agent")
    """Where the journal and files under way are kept. Never delete it while a print runs."""

    printers: str = setting(parse=str, default="")
    """`NAME=URL,KEY` for each printer, parted by spaces. NAME is the printer's name in the hub,
    KEY an OctoPrint user's API key."""

    wait_s: int = setting(parse=int, default=10, low=0, high=60)
    """How long the hub may hold a question until there is work."""

    keep_files: int = setting(parse=int, default=20, low=0, high=10_000)
    """Files of ended runs that stay on each printer; older ones of ours are deleted."""

    ca_file: str = setting(parse=str, default="")
    """Certificates to trust for the hub, instead of the public ones."""

    proxy: str = setting(parse=str, default="")
    """An HTTP proxy on the way to the hub. The printers are always spoken to directly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The settings, and what is worth telling the owner about them."""

    agent: AgentConfig
    warnings: tuple[str, ...] = field(default=())


def load(environ: Mapping[str, str], options: Mapping[str, str]) -> Loaded:
    """Settings from options over variables over the file that either of them names.

    options : by the names of `AgentSettings`; "" counts as not given.

    Raises Invalid for an unknown name, a bad value, or when something needed is missing.
    """
    known = {each.name: each for each in fields(AgentSettings)}
    given = {
        name.removeprefix(AGENT_PREFIX).lower(): text
        for name, text in environ.items()
        if name.startswith(AGENT_PREFIX)
    }
    if unknown := sorted(given.keys() - known.keys()):
        names = ", ".join(AGENT_PREFIX + name.upper() for name in unknown)
        raise Invalid(f"unknown settings: {names}; the known ones: {WHERE}")
    given |= {name: text for name, text in options.items() if text}
    warnings: tuple[str, ...] = ()
    printers: dict[str, PrinterAt] = {}
    if path := given.get("config", ""):
        in_file, printers, warnings = _from_file(Path(path).expanduser())
        given = in_file | given
    values = {name: parsed(name, known[name], text) for name, text in given.items()}
    settings = AgentSettings(**values)
    if settings.printers:
        printers = printers_of(settings.printers)
    for name, text in (("hub", settings.hub), ("token", settings.token)):
        if not text:
            variable = f"{AGENT_PREFIX}{name.upper()}"
            raise Invalid(f"no {name}: give --{name}, {variable} or a --config; see {WHERE}")
    agent = AgentConfig(
        hub_url=settings.hub,
        token=settings.token.strip(),
        folder=Path(settings.folder).expanduser().absolute(),
        printers=printers,
        wait_s=settings.wait_s,
        keep_files=settings.keep_files,
        ca_file=settings.ca_file,
        proxy=settings.proxy,
        hub_key=settings.hub_key.strip(),
    )
    return Loaded(agent=agent, warnings=warnings)


def printers_of(text: str) -> dict[str, PrinterAt]:
    """Printers from `NAME=URL,KEY NAME=URL,KEY …`. Raises Invalid naming the one at fault."""
    found: dict[str, PrinterAt] = {}
    for each in text.split():
        name, is_there, rest = each.partition("=")
        url, comma, key = rest.rpartition(",")
        if not (name and is_there and url and comma and key):
            # Not the whole text: it holds a key.
            raise Invalid(f"printer {name[:80]!r}: expected NAME=URL,KEY")
        if name in found:
            raise Invalid(f"printer {name!r} is named twice")
        found[name] = PrinterAt(url, key)
    return found


def _from_file(path: Path) -> tuple[dict[str, str], dict[str, PrinterAt], tuple[str, ...]]:
    """The texts, printers and warnings of a TOML file."""
    try:
        if path.stat().st_size > MOST_CONFIG_BYTES:
            raise Invalid(f"{path}: larger than {MOST_CONFIG_BYTES} bytes")
        readable = path.stat().st_mode & 0o077
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as exc:
        raise Invalid(f"{path}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise Invalid(f"{path}: {exc}") from exc
    if UNFINISHED in data:
        raise Invalid(
            f"{path}: enrolling is not finished: say the command with --enrol {data[UNFINISHED]}"
            " again; if that code is over, make a new one on the workshop's page"
        )
    known = {each.name for each in fields(AgentSettings)} - {"config"}
    if unknown := sorted(data.keys() - known):
        raise Invalid(f"{path}: unknown {', '.join(unknown)}; the known ones: {WHERE}")
    tables = data.pop("printers", {})
    if not isinstance(tables, dict):
        raise Invalid(f"{path}: write each printer as a table [printers.NAME] with url and key")
    printers = {name: _printer(path, name, table) for name, table in tables.items()}
    texts = {name: _text(path, name, value) for name, value in data.items()}
    warning = f"{path} holds keys and others can read it: chmod 600 {path}"
    return texts, printers, (warning,) if readable else ()


def _printer(path: Path, name: str, table: Any) -> PrinterAt:
    if not isinstance(table, dict) or set(table) - {"snapshot"} != {"url", "key"}:
        raise Invalid(f"{path}: [printers.{name}] needs url and key, and may have snapshot")
    snapshot = _text(path, "snapshot", table.get("snapshot", "")).strip()
    if snapshot not in ("", NEVER) and urlsplit(snapshot).scheme not in ("http", "https"):
        raise Invalid(f"{path}: snapshot of {name} is an address http://… or {NEVER!r}")
    return PrinterAt(_text(path, "url", table["url"]), _text(path, "key", table["key"]), snapshot)


def _text(path: Path, name: str, value: Any) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise Invalid(f"{path}: {name} must be text or a whole number")
    return str(value)
