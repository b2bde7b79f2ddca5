"""The systemd unit that keeps an agent running, for the installation that prints it."""

import sys
from collections.abc import Sequence
from pathlib import Path

from basis.errors import Invalid

ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""Keeps memory small on a small board: the threads of an agent wait most of the time, and need no
room of their own to allocate in."""

UNIT = """\
# {name}: printed by designhub agent --systemd
[Unit]
Description=DesignHub agent: takes work for the printers beside this machine
Wants=network-online.target
After=network-online.target

[Service]
User={user}
Environment={environment}
ExecStart={start}
# A print goes on by itself in OctoPrint; the agent finds it again.
Restart=always
RestartSec=5
TimeoutStopSec=20
UMask=0077

# It reads its settings, writes its own folder, and speaks to the network: nothing else.
ReadWritePaths={folder}
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=true
PrivateDevices=true
ProtectClock=true
ProtectControlGroups=true
ProtectHostname=true
ProtectKernelLogs=true
ProtectKernelModules=true
ProtectKernelTunables=true
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
LockPersonality=true
NoNewPrivileges=true
CapabilityBoundingSet=
AmbientCapabilities=
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target
"""

NAME = "designhub-agent.service"


def unit(*, config: Path, folder: Path, user: str, program: Sequence[str] | None = None) -> str:
    """The text of the unit. Raises Invalid for a path that cannot stand in one.

    config  : the settings file that the agent runs with.
    folder  : where its journal goes; the only place it may write to.
    program : how it is started; by default the installation that this runs in.
    """
    start = [*(program or this_program()), "agent", "--config", str(config), "--json"]
    return UNIT.format(
        name=NAME,
        config=config,
        user=user,
        environment=" ".join(f"{name}={value}" for name, value in ENVIRONMENT.items()),
        start=" ".join(map(quoted, start)),
        folder=quoted(str(folder)),
    )


def this_program() -> list[str]:
    """How the `designhub` of this installation is started."""
    script = Path(sys.prefix) / "bin" / "designhub"
    return [str(script)] if script.is_file() else [sys.executable, "-P", "-m", "designhub.cli"]


def quoted(text: str) -> str:
    """One word of a unit's line. Raises Invalid for one with a line break."""
    if any(ord(sign) < 32 for sign in text):
        raise Invalid(f"{text!r} cannot stand in a systemd unit: it has a control character")
    safe = text.replace("%", "%%").replace("$", "$$")
    if not any(sign in safe for sign in " \"'\\;"):
        return safe
    inside = safe.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inside}"'
