"""What the stand-in for OctoPrint remembers, and how it answers: as 1.11 was seen to.

No HTTP here; that, and the faults, stand in `octoprint_stand_in`.
"""

import hashlib
import io
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

NO_SUCH = "The requested URL was not found on the server."
BUSY = "Printer is already printing, cannot select a new file"  # said when offline, too
Answer = tuple[int, dict[str, Any] | None]


@dataclass(kw_only=True)
class Stored:
    """A file and its record."""

    content: bytes
    userdata: dict[str, Any]
    success: int = 0
    failure: int = 0
    last_print_s: float | None = None
    last_end: float = 0.0

    @property
    def print_s(self) -> float:
        """How long it prints: only dwells take time here."""
        return sum(int(ms) for ms in re.findall(rb"^G4 P(\d+)", self.content, re.M)) / 1000


@dataclass
class Memory:
    """Files, printer and job. Every method may be called from a test while it serves."""

    files: dict[str, Stored] = field(default_factory=dict)
    state: str = "Operational"
    error: str = ""
    selected: str | None = None
    starts: list[str] = field(default_factory=list)  # physical starts, in order
    warm: list[tuple[float, float]] = field(default_factory=list)
    """The nozzle's history: seconds since 1970, and °C."""
    session: str = "5e5510"
    silent: bool = False  # the firmware says nothing: prints stand still, cancels stick
    began: float = 0.0
    printed_s: float = 0.0  # before the last pause, or at its end
    lock: threading.RLock = field(default_factory=threading.RLock)
    hear: Callable[[str, dict[str, Any]], None] = lambda kind, payload: None
    """Told of every event of a print, as the push socket is."""

    # What a test does to it

    def firmware_error(self) -> None:
        """The firmware gives up in mid-print."""
        with self.lock:
            self.end(success=False, reason="error", error="Printer halted. kill() called!")
            self.state, self.error, self.selected = "Offline after error", "Printer halted", None

    def firmware_reset(self) -> None:
        """The board resets in mid-print: cancelled, then idle."""
        with self.lock:
            self.end(success=False)

    def power_cut(self) -> None:
        """The server dies and comes back: the files stay, of the print nothing is recorded."""
        with self.lock:
            self.advance()
            self.state, self.error, self.selected, self.silent = "Operational", "", None, False

    def local_print(self, path: str, content: bytes) -> None:
        """A person at the printer prints something of their own."""
        with self.lock:
            self.files[path] = Stored(content=content, userdata={})
            self.begin(path)

    # The printer

    def advance(self) -> None:
        """Let the time that went by have its effect."""
        if self.state == "Printing" and not self.silent and self.elapsed_s() >= self.length_s():
            self.end(success=True)

    def tick(self) -> None:
        """The same, for who does not ask anything."""
        with self.lock:
            self.advance()

    def length_s(self) -> float:
        return self.files[self.selected].print_s if self.selected else 0.0

    def elapsed_s(self) -> float:
        running = self.state == "Printing" and not self.silent
        return self.printed_s + (time.monotonic() - self.began if running else 0.0)

    def begin(self, path: str) -> None:
        self.selected, self.state = path, "Printing"
        self.began, self.printed_s = time.monotonic(), 0.0
        self.starts.append(path)
        self.hear("PrintStarted", self.payload())

    def payload(self) -> dict[str, Any]:
        """What an event says of the file it is about."""
        path = self.selected or ""
        size = len(self.files[path].content) if path in self.files else None
        name = path.rpartition("/")[2]
        return {"name": name, "path": path, "origin": "local", "size": size}

    def end(self, *, success: bool, reason: str = "cancelled", error: str = "") -> None:
        if self.state in ("Printing", "Paused", "Cancelling") and self.selected:
            file = self.files[self.selected]
            file.success += success
            file.failure += not success
            file.last_print_s = self.length_s() if success else None
            file.last_end = time.time()
            self.printed_s = self.length_s() if success else 0.0
            self.state = "Operational"
            if success:
                self.hear("PrintDone", {**self.payload(), "time": file.last_print_s})
            else:
                if reason == "cancelled":
                    self.hear("PrintCancelled", self.payload())
                why = {"reason": reason, **({"error": error} if reason == "error" else {})}
                self.hear("PrintFailed", {**self.payload(), **why, "time": 1.0})

    @property
    def busy(self) -> bool:
        return self.state in ("Printing", "Paused", "Cancelling")

    # The calls

    def answer(self, method: str, path: str, body: bytes, kind: str, query: str = "") -> Answer:
        """The effect of one request of a known user, and the status and JSON it gets."""
        with self.lock:
            self.advance()
            if path == "/api/files/local" and method == "POST":
                return self.upload(body, kind)
            if path.startswith("/api/files/local/"):
                return self.on_file(method, path.removeprefix("/api/files/local/"), body, kind)
            if method == "GET":
                return self.on_get(path, query)
            if method == "POST" and path == "/api/login":
                return 200, {"name": "somebody", "session": self.session, "active": True}
            if method == "POST" and path in ("/api/connection", "/api/job"):
                command, refusal = parsed(body, kind)
                if refusal:
                    return refusal
                return self.on_connection(command) if "conn" in path else self.on_job(command)
            return 404, {"error": NO_SUCH}

    def on_get(self, path: str, query: str) -> Answer:
        if path == "/api/files/local":
            return 200, {"files": tree(self.files, ""), "free": 10**9, "total": 10**10}
        if path == "/api/version":
            return 200, {"api": "0.1", "server": "1.11.8", "text": "OctoPrint 1.11.8"}
        closed = self.state.startswith("Offline")
        if path == "/api/connection":
            return 200, {"current": {"state": "Closed" if closed else self.state}, "options": {}}
        if path == "/api/job":
            return 200, self.job()
        if path == "/api/printer" and closed:
            return 409, {"error": "Printer is not operational"}
        if path == "/api/printer":
            names = ("cancelling", "paused", "printing")
            flags = {name: self.state.lower() == name for name in names}
            flags |= {"operational": True, "ready": not self.busy, "closedOrError": False}
            heater: dict[str, object] = {"actual": 21.3, "offset": 0, "target": 0.0}
            temperature: dict[str, object] = {"tool0": heater, "bed": heater}
            if "history=true" in query:
                temperature["history"] = [
                    {
                        "time": int(at),
                        "tool0": {"actual": c, "target": 0.0},
                        "bed": {"actual": 21.3, "target": 0.0},
                    }
                    for at, c in self.warm
                ]
            return 200, {
                "state": {"text": self.state, "flags": flags, "error": ""},
                "temperature": temperature,
            }
        return 404, {"error": NO_SUCH}

    def job(self) -> dict[str, Any]:
        file = self.files.get(self.selected or "")
        part = min(1.0, self.elapsed_s() / (self.length_s() or 1.0))
        size = len(file.content) if file else 0
        shown = file is not None and (self.busy or self.printed_s > 0)
        progress = {
            "completion": part * 100 if shown else None,
            "filepos": int(part * size) if shown else None,
            "printTime": int(self.elapsed_s()) if shown else None,
            "printTimeLeft": 0 if shown and part == 1.0 else None,
        }
        whose = {
            "path": self.selected,
            "origin": "local" if file else None,
            "size": size if file else None,
        }
        said = {"error": self.error} if self.error else {}
        return {"job": {"file": whose}, "progress": progress, "state": self.state, **said}

    def on_connection(self, command: dict[str, Any]) -> Answer:
        if command.get("command") == "disconnect":
            self.end(success=False, reason="error")  # this kills a print
            self.state, self.selected, self.silent = "Offline", None, False
        elif command.get("command") != "connect":
            return 400, {"error": "command is invalid"}
        elif self.state.startswith("Offline"):
            self.state, self.error = "Operational", ""
        return 204, None

    def on_job(self, command: dict[str, Any]) -> Answer:
        what, action = command.get("command"), command.get("action", "toggle")
        if what not in ("start", "cancel", "pause", "restart"):
            return 400, {"error": "command is invalid"}
        if self.state.startswith("Offline"):
            return 409, {"error": "Printer is not operational"}
        if what == "start" and self.busy:
            return 409, {"error": "Printer already has an active print job"}
        if what == "start":
            if self.selected:
                self.begin(self.selected)
            return 204, None  # also when there was nothing to start
        if not self.busy or (what == "restart" and self.state != "Paused"):
            return 409, {"error": f"Printer is neither printing nor paused, '{what}' impossible"}
        if what == "restart":
            self.begin(str(self.selected))
        elif what == "cancel" and self.silent:
            self.state = "Cancelling"
        elif what == "cancel":
            self.end(success=False)
        elif self.state == "Printing" and action in ("pause", "toggle"):
            self.printed_s, self.state = self.elapsed_s(), "Paused"
        elif self.state == "Paused" and action in ("resume", "toggle"):
            self.began, self.state = time.monotonic(), "Printing"
        return 204, None

    def on_file(self, method: str, path: str, body: bytes, kind: str) -> Answer:
        file = self.files.get(path)
        folder = path.rpartition("/")[0]
        folders = {
            f"{name}/"[: i + 1] for name in self.files for i, c in enumerate(name) if c == "/"
        }
        if file is None and f"{path}/" in folders:
            return 200, {"path": path, "type": "folder", "children": []}
        if file is None and method == "GET" and folder and f"{folder}/" not in folders:
            return 500, {"error": "The server encountered an internal error"}
        if file is None:
            return 404, {"error": NO_SUCH}
        if method == "GET":
            return 200, shown(path, file)
        if method == "DELETE":
            if self.busy and self.selected == path:
                return 409, {"error": "Trying to delete a file that is currently in use"}
            self.selected = None if self.selected == path else self.selected
            del self.files[path]
            return 204, None
        command, refusal = parsed(body, kind)
        if refusal or command.get("command") != "select":
            return refusal or (400, {"error": "command is invalid"})
        if self.state != "Operational":
            return 409, {"error": BUSY}
        self.selected, self.printed_s = path, 0.0
        if command.get("print") is True:
            self.begin(path)
        return 204, None

    def upload(self, body: bytes, kind: str) -> Answer:
        mimetype, options = parse_options_header(kind)
        _, form, files = FormDataParser().parse(io.BytesIO(body), mimetype, len(body), options)
        sent = files.get("file")
        content = sent.read() if sent else b""
        for part in files.values():
            part.close()
        if sent is None:
            return 400, {"error": "No file to upload and no folder to create"}
        name = re.sub(r"[^A-Za-z0-9._ -]", "", sent.filename or "")
        if ".." in (sent.filename or "") or not name:
            return 400, {"error": "Can not upload file, invalid file name"}
        if not name.endswith((".gcode", ".gco", ".g")):
            return 415, {"error": "Could not upload file, invalid type"}
        try:
            userdata = json.loads(form.get("userdata", "{}"))
        except ValueError:
            return 400, {"error": "userdata contains invalid JSON"}
        path = f"{form['path']}/{name}" if form.get("path") else name
        known = self.files.get(path)
        if self.busy and self.selected == path:
            return 409, {"error": "Trying to overwrite file that is currently being printed"}
        if known and form.get("noOverwrite") == "true":
            return 409, {"error": "File already exists and noOverwrite was set"}
        file = Stored(content=content, userdata=userdata)
        if known and known.content == file.content:
            file.success, file.failure = known.success, known.failure
        self.files[path] = file
        may = self.state == "Operational"
        starts, selects = form.get("print") == "true" and may, form.get("select") == "true" and may
        if starts or selects:
            self.selected = path
        if starts:
            self.begin(path)
        place = {"name": name, "origin": "local", "path": path, "refs": {}}
        effect = {"effectivePrint": starts, "effectiveSelect": starts or selects}
        return 201, {"done": True, "files": {"local": place}, **effect}


def shown(path: str, file: Stored) -> dict[str, Any]:
    """A file as the API shows it: `prints` only after a print has ended."""
    last: dict[str, object] = {"success": file.last_print_s is not None, "date": file.last_end}
    if file.last_print_s is not None:
        last |= {"printTime": file.last_print_s}
    prints = {"success": file.success, "failure": file.failure, "last": last}
    return {
        "name": path.rpartition("/")[2],
        "path": path,
        "origin": "local",
        "type": "machinecode",
        "hash": hashlib.sha1(file.content, usedforsecurity=False).hexdigest(),
        "size": len(file.content),
        **({"userdata": file.userdata} if file.userdata else {}),
        **({"prints": prints} if file.success + file.failure else {}),
    }


def tree(files: dict[str, Stored], folder: str) -> list[dict[str, Any]]:
    """The files below a folder, folders with their children, as a recursive list has them."""
    found: dict[str, dict[str, Any]] = {}
    for path, file in files.items():
        if not path.startswith(folder):
            continue
        name, slash, _ = path.removeprefix(folder).partition("/")
        below = f"{folder}{name}/"
        if not slash:
            found[name] = shown(path, file)
        elif name not in found:
            children = tree(files, below)
            found[name] = {"name": name, "path": below[:-1], "type": "folder", "children": children}
    return list(found.values())


def parsed(body: bytes, kind: str) -> tuple[dict[str, Any], Answer | None]:
    """A JSON command, or how it is refused."""
    if not kind.startswith("application/json"):
        return {}, (415, {"error": "Request Content-Type was not 'application/json'."})
    try:
        return dict(json.loads(body)), None
    except (ValueError, TypeError):
        return {}, (400, {"error": "Malformed JSON body in request"})
