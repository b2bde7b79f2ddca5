"""OctoPrint-DesignHub: takes work from a hub for the printer of this OctoPrint.

What OctoPrint calls, and nothing more: every call here looks at memory, writes one line to disk, or
puts a wish into a queue. The rest is `life` (threads and the hub) and `inside` (the printer).

Plugins: https://docs.octoprint.org/en/main/plugins/index.html
"""

import secrets
import threading
from pathlib import Path
from typing import Any

import flask
import octoprint.plugin
from flask_login import current_user
from octoprint.access.permissions import Permissions

from basis.errors import Conflict, HubError
from printers.journal import JournalFull
from printers.plugin.inside import LOCAL, Inside
from printers.plugin.life import Life
from printers.print_journal import NEARLY_PERCENT, Fact, PrintJournal

EVENTS = {"PrintStarted": Fact.BEGUN, "PrintDone": Fact.DONE, "PrintFailed": Fact.FAILED}
SCRIPTS = {"beforePrintStarted": Fact.BEGUN, "afterPrintDone": Fact.DONE}
"""OctoPrint asks for these scripts in the thread that starts or ends a print, and sends nothing of
the file before it has them: what is written down meanwhile is on disk before anything moves. The
events of the same moments come later, from another thread."""


class DesignHubPlugin(
    octoprint.plugin.StartupPlugin,
    octoprint.plugin.ShutdownPlugin,
    octoprint.plugin.TemplatePlugin,
    octoprint.plugin.AssetPlugin,
    octoprint.plugin.EventHandlerPlugin,
    octoprint.plugin.ProgressPlugin,
    octoprint.plugin.SimpleApiPlugin,
):
    """One printer that works for a hub."""

    prints: PrintJournal | None = None
    life: Life | None = None
    fault = ""

    def initialize(self) -> None:
        """Open the journal of prints, before anything can be printed."""
        folder = Path(self.get_plugin_data_folder())
        try:
            self.prints = PrintJournal(folder / "prints.jsonl", life=secrets.token_hex(8))
        except (JournalFull, Conflict) as exc:
            self.fault = str(exc)
            self._logger.error("nothing is taken from the hub: %s", exc)
            return
        port = Inside(self._printer, self._file_manager, prints=self.prints)
        self.life = Life(folder, port=port, log=self._logger)

    def on_after_startup(self) -> None:
        """OctoPrint is up: go on with the work."""
        if self.life is not None:
            self.life.start()

    def on_shutdown(self) -> None:
        """End our threads; a print goes on as far as OctoPrint lets it."""
        if self.life is not None:
            self.life.stop()
        if self.prints is not None:
            self.prints.close()

    # What happens to prints.

    def on_script(self, comm: Any, kind: str, name: str, *args: Any, **more: Any) -> None:
        """OctoPrint is about to send the first line of a print, or has sent the last."""
        if kind == "gcode" and name in SCRIPTS:
            file = (self._printer.get_current_job() or {}).get("file") or {}
            self.happened(file.get("origin"), file.get("path"), SCRIPTS[name])

    def on_event(self, event: str, payload: Any) -> None:
        """The same, and failures, from OctoPrint's event thread: one line to disk."""
        if event not in EVENTS or not isinstance(payload, dict):
            return
        origin, path, fact = payload.get("origin"), payload.get("path"), EVENTS[event]
        if fact is Fact.BEGUN and (self.prints is None or self.prints.begun_before(path)):
            return  # the script was there first, and the end may be written down already
        self.happened(origin, path, fact)

    def on_print_progress(self, storage: str, path: str, progress: int) -> None:
        """So many per cent of the file were sent."""
        if progress >= NEARLY_PERCENT:
            self.happened(storage, path, Fact.NEARLY)

    def happened(self, origin: object, path: object, fact: Fact) -> None:
        """Write down what became true of a file, if it is one of ours."""
        if self.prints is None or origin != LOCAL or not isinstance(path, str):
            return
        try:
            self.prints.happened(path, fact)
        except JournalFull as exc:
            self._logger.error("%s is %s, and that could not be written down: %s", path, fact, exc)
            if fact is Fact.BEGUN:
                # A print that our journal does not know must not go on. Not in this thread: it
                # holds what the cancel needs.
                threading.Thread(target=self._printer.cancel_print, daemon=True).start()

    # What the pages ask and say.

    def is_api_protected(self) -> bool:
        """Nobody asks anything without being signed in."""
        return True

    def on_api_get(self, request: Any) -> Any:
        """The state, for the tab and the settings."""
        if not Permissions.STATUS.can():
            flask.abort(403)
        return flask.jsonify(self.state())

    def state(self) -> dict[str, Any]:
        """Everything the pages show."""
        told = {"fault": self.fault, "enrolled": False} if self.life is None else self.life.state()
        return told | {"may_change": Permissions.SETTINGS.can(), "may_say": Permissions.PRINT.can()}

    def get_api_commands(self) -> dict[str, list[str]]:
        """What may be said, with what each needs."""
        return {"enrol": ["hub", "code"], "leave": [], "looked": ["job", "good"], "bed_clear": []}

    def on_api_command(self, command: str, data: dict[str, Any]) -> Any:
        """Take a wish; how it went is told with the state."""
        needed = Permissions.SETTINGS if command in ("enrol", "leave") else Permissions.PRINT
        if not needed.can():
            flask.abort(403)
        if self.life is None:
            flask.abort(409, description=self.fault)
        try:
            self.obey(self.life, command, data)
        except HubError as exc:
            flask.abort(400, description=str(exc))
        return flask.jsonify(self.state())

    def obey(self, life: Life, command: str, data: dict[str, Any]) -> None:
        """Put down what was said. Raises a HubError that says what to change."""
        # Who pressed, as this OctoPrint knows them: kept with their word at the hub.
        by = str(current_user.get_name())[:80]
        match command:
            case "enrol":
                life.enrol(hub=str(data["hub"])[:500], code=str(data["code"])[:80])
            case "leave":
                life.leave()
            case "looked":
                life.looked(
                    job=str(data["job"]),
                    good=data["good"] is True,
                    by=by,
                    cause=str(data.get("cause", ""))[:500],
                    job_at_fault=data.get("job_at_fault") is True,
                    printer_at_fault=data.get("printer_at_fault") is True,
                )
            case "bed_clear":
                life.bed_is_clear(by=by)

    def kept_out_of_backups(self, excludes: Any, *args: Any, **more: Any) -> list[str]:
        """All of ours: the token opens a door, and a journal put back would know too little."""
        return ["."]

    # What the pages are made of.

    def get_template_configs(self) -> list[dict[str, Any]]:
        """A tab and a page of settings."""
        return [
            {"type": "tab", "name": "DesignHub", "custom_bindings": True},
            {"type": "settings", "name": "DesignHub", "custom_bindings": True},
        ]

    def is_template_autoescaped(self) -> bool:
        """What templates show is text."""
        return True

    def get_assets(self) -> dict[str, list[str]]:
        """Their script and their look."""
        return {"js": ["js/designhub.js"], "css": ["css/designhub.css"]}


__plugin_name__ = "DesignHub"
__plugin_author__ = "The DesignHub authors"
__plugin_description__ = "Takes work from a DesignHub for this printer."
__plugin_license__ = "AGPL-3.0-or-later"
__plugin_pythoncompat__ = ">=3.11,<4"
__plugin_implementation__ = DesignHubPlugin()
__plugin_hooks__ = {
    "octoprint.comm.protocol.scripts": __plugin_implementation__.on_script,
    "octoprint.plugin.backup.additional_excludes": __plugin_implementation__.kept_out_of_backups,
}
