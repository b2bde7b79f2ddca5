"""The files with which an OctoPrint server of the farm starts without asking anybody anything."""

import hashlib
import json
import secrets
from pathlib import Path
from typing import Any

HAND = "hand"
"""The user of an OctoPrint who starts prints at the machine itself."""

UNWANTED = (
    "achievements announcements backup corewizard discovery errortracking file_check firmware_check"
    " gcodeviewer health_check pi_support pluginmanager softwareupdate tracking"
)
# Runs inside OctoPrint. It writes down every print for itself, on disk before it goes on, so that
# tests count what the printer did instead of what our own records say.
PRINT_LOGGER = '''"""Append every print event to prints.jsonl in the base folder."""
import json, os, pathlib, time
import octoprint.plugin

LOG = pathlib.Path(__file__).resolve().parent.parent / "prints.jsonl"


class PrintLogger(octoprint.plugin.EventHandlerPlugin):
    def on_event(self, event, payload):
        if event in ("PrintStarted", "PrintDone", "PrintFailed"):
            line = {"event": event, "path": payload.get("path"), "time": time.time()}
            line |= {"pid": os.getpid(), "user": payload.get("user")}
            if event == "PrintFailed":
                line["reason"] = payload.get("reason")
            with LOG.open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\\n")
                log.flush()
                os.fsync(log.fileno())


__plugin_name__ = "Print logger"
__plugin_version__ = "1"
__plugin_pythoncompat__ = ">=3.7,<4"
__plugin_implementation__ = PrintLogger()
'''


def configure(basedir: Path, *, api_key: str | None, log_prints: bool) -> None:
    """Write what a server needs to start without questions.

    api_key : of a new server; None for one that has its users and settings, which stay.
    """
    basedir.mkdir(exist_ok=True, mode=0o700)
    plugins = basedir / "plugins"
    plugins.mkdir(exist_ok=True)
    logger = plugins / "print_logger.py"
    if log_prints:
        write(logger, PRINT_LOGGER)
    else:
        logger.unlink(missing_ok=True)
    if api_key is not None:
        write(basedir / "config.yaml", json.dumps(configuration()))
        write(basedir / "users.yaml", json.dumps(users(api_key)))


def configuration() -> dict[str, Any]:
    """OctoPrint's config.yaml: a virtual printer at boot, no wizard, nothing that calls out."""
    off = {"enabled": False}
    return {
        "accessControl": {"salt": secrets.token_hex(16), "autologinLocal": False},
        "server": {
            "host": "127.0.0.1",
            "firstRun": False,  # with users.yaml: no wizard, and the API answers
            "secretKey": secrets.token_hex(16),
            "ignoreIncompleteStartup": True,  # a kill during a start must not mean safe mode
            "onlineCheck": off,
            "pluginBlacklist": off,
            "pythonEolCheck": off,
            "ipCheck": off,
        },
        "serial": {
            "port": "VIRTUAL",
            "baudrate": 115200,
            "autoconnect": True,
            "autorefresh": False,
            "log": False,
        },
        "gcodeAnalysis": {"runAt": "never"},  # else one more process per upload
        "webcam": {
            "webcamEnabled": False,
            "timelapseEnabled": False,
            "timelapse": {"type": "off"},
        },
        "plugins": {
            "_disabled": UNWANTED.split(),
            # Left alone, the virtual printer makes transmission errors of its own.
            "virtual_printer": {"enabled": True, "simulated_errors": []},
        },
    }


def users(api_key: str) -> dict[str, Any]:
    """OctoPrint's users.yaml: an administrator, and whoever prints by hand. Each has a key and no
    password that matches; the log of prints tells them apart."""
    known = {
        "active": True,
        "groups": ["admins", "users"],
        "permissions": [],
        "roles": ["user", "admin"],
        "settings": {},
        "password": "!",
    }
    keys = {"farm": api_key, HAND: hand_key(api_key)}
    return {"_version": 2, **{name: known | {"apikey": key} for name, key in keys.items()}}


def hand_key(api_key: str) -> str:
    """The key of the user who prints by hand, made from the administrator's."""
    return hashlib.sha256(f"{HAND} {api_key}".encode()).hexdigest()[:32]


def write(path: Path, text: str) -> None:
    """Replace a file in one step, readable by nobody else: it may hold a key."""
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(text, "utf-8")
    draft.replace(path)
