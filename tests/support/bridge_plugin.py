"""A plugin of the tests alone, copied into an OctoPrint that has OctoPrint-DesignHub installed.

It lets a test call the plugin's own way to the printer from outside, so that one set of tests runs
over both ways, and ends OctoPrint at a chosen line of the protocol, as a power cut would.
"""

import contextlib
import os
import pathlib
import signal
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import flask
import octoprint.plugin
from octoprint_designhub.basis.errors import HubError

BASE = pathlib.Path(__file__).resolve().parent.parent
KILL_AT = BASE / "kill_at"


class Bridge(octoprint.plugin.StartupPlugin, octoprint.plugin.SimpleApiPlugin):
    """Speaks for the plugin under test."""

    def on_startup(self, host: str, port: int) -> None:
        """Before the agent runs: be called at the lines of its protocol."""
        self.life().at = self.reached

    def life(self) -> Any:
        """The life of the plugin under test."""
        return self._plugin_manager.get_plugin_info("designhub").implementation.life

    def reached(self, mark: str) -> None:
        """End OctoPrint here, if a test said so."""
        if KILL_AT.exists() and KILL_AT.read_text() == mark:
            KILL_AT.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    def is_api_protected(self) -> bool:
        """As every plugin must say."""
        return True

    def get_api_commands(self) -> dict[str, list[str]]:
        """One call of the port; and no line can be written into the journal of prints any more."""
        return {"call": ["method", "arguments", "more"], "spoil": []}

    def on_api_command(self, command: str, data: dict[str, Any]) -> Any:
        """Make it; the answer, or the error by its code."""
        if command == "spoil":
            prints = self.life().port._prints
            prints._file = os.open(prints.path, os.O_RDONLY)
            return flask.jsonify({})
        method: Callable[..., Any] = getattr(self.life().port, data["method"])
        arguments, more = data["arguments"], data["more"]
        if "left_s" in more:
            left_s = more["left_s"]
            more["left_s"] = lambda: left_s
        if data["method"] == "upload":
            arguments[1] = pathlib.Path(arguments[1])
        try:
            answer = method(*arguments, **more)
        except HubError as exc:
            return flask.jsonify({"error": exc.code, "text": str(exc)})
        with contextlib.suppress(TypeError):
            answer = asdict(answer)
        if isinstance(answer, dict) and "flags" in answer:
            answer["flags"] = sorted(answer["flags"])
        return flask.jsonify({"answer": answer})


def before_anything_is_sent(comm: Any, kind: str, name: str, *args: Any, **more: Any) -> None:
    """OctoPrint is about to send the first line: die here, before or after the other plugin."""
    if KILL_AT.exists() and KILL_AT.read_text() == name:
        KILL_AT.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


__plugin_name__ = "Bridge"
__plugin_version__ = "1"
__plugin_pythoncompat__ = ">=3.11,<4"
__plugin_implementation__ = Bridge()
# Before every other plugin: what dies here has its file selected, and nothing is written down.
__plugin_hooks__ = {"octoprint.comm.protocol.scripts": (before_anything_is_sent, -100)}
