"""Speak to one OctoPrint server. Success replies are hints; the job's path is the proof.

PrinterError
├── PrinterUnreachable   nothing was sent: nothing happened, try again later
├── PrinterBooting       it answers, but not as OctoPrint yet: nothing happened, try again later
├── PrinterSilent        sent but unanswered: it may have happened, look before repeating
├── PrinterBusy          it has a job, or no printer attached: ask for its state
├── PrinterRefused       it will say the same again (bad key, bad name): a person must look
└── AlreadyThere         the path is taken: compare the hash, a different content is an alarm

API: https://docs.octoprint.org/en/main/api/index.html
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from basis.errors import Invalid
from printers.evidence import (
    File,
    Job,
    Machine,
    Own,
    Temperature,
    Verdict,
    evidence,
    file_from,
    job_from,
    machine_from,
    settled,
)
from printers.in_time import ARRIVE_S, CONNECT_S, Timed, unlimited
from printers.networks import Networks
from printers.octoprint_http import (
    MEANING,
    AlreadyThere,
    Broken,
    Form,
    Link,
    Missing,
    PrinterBooting,
    PrinterBusy,
    PrinterError,
    PrinterRefused,
    PrinterSilent,
    PrinterUnreachable,
)
from printers.traces import newest_print_from, warmest_from
from printers.ways import Way, abrupt, way_within

__all__ = [
    "MEANING",
    "AlreadyThere",
    "File",
    "Job",
    "Machine",
    "OctoPrint",
    "Own",
    "PrinterBooting",
    "PrinterBusy",
    "PrinterError",
    "PrinterRefused",
    "PrinterSilent",
    "PrinterUnreachable",
    "Temperature",
    "Verdict",
    "evidence",
    "settled",
    "sha1_of",
]

# OctoPrint rewrites other characters without saying so, and the path is our only proof.
SAFE_PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class OctoPrint:
    """One OctoPrint server, with one key. Not for two threads at a time.

    connect_s : limit of the connection, and of any stall while sending.
    read_s    : limit of an answer, from the request's last byte to the answer's last byte.
    upload_s  : limit of a whole upload, and of OctoPrint's silence while it stores the file.
    networks  : where connections may go; None is anywhere.

    Every method raises a PrinterError.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str,
        connect_s: float = 3.0,
        read_s: float = 30.0,
        upload_s: float = 900.0,
        networks: Networks | None = None,
    ) -> None:
        self._link = Link(
            base_url,
            api_key=api_key,
            connect_s=connect_s,
            read_s=read_s,
            adapter=way_within(networks),
        )
        self._starts = Link(
            base_url,
            api_key=api_key,
            connect_s=min(connect_s, CONNECT_S),
            read_s=min(read_s, ARRIVE_S),
            adapter=Way(abrupt(ARRIVE_S), networks=networks),
        )
        self.base_url = self._link.base_url
        # A small board pauses to write its SD card, and again when it moves the file into place.
        self._upload_limits_s = (max(connect_s, 30.0), upload_s)

    def version(self) -> str:
        """The version of OctoPrint, for example "1.11.8"."""
        return self._link.read("version", "/api/version", lambda data: str(data["server"]))

    def connection(self) -> str:
        """State of the line to the printer: "Operational", "Printing", "Closed", …"""
        return self._link.read(
            "connection", "/api/connection", lambda data: str(data["current"]["state"])
        )

    def connect(self) -> None:
        """Open the line to the printer as it was set up; harmless when it is open.

        OctoPrint never reconnects by itself. Do it once after an error, then look at the state.
        """
        self._link.post("connect", "/api/connection", {"command": "connect"})

    def disconnect(self) -> None:
        """Close the line to the printer. This kills a running print, whoever started it."""
        self._link.post("disconnect", "/api/connection", {"command": "disconnect"})

    def job(self) -> Job:
        """What is selected and how far it is; answered in every state of the printer."""
        return self._link.read("job", "/api/job", job_from)

    def printer(self) -> Machine:
        """Flags and temperatures. PrinterBusy when no printer is connected."""
        return self._link.read("printer", "/api/printer", machine_from)

    def file(self, path: str) -> File | None:
        """The stored file, or None when OctoPrint itself says that it has none of this path."""
        where = file_url(path)
        try:
            return self._link.read("file", where, file_from)
        except (Missing, Broken):
            if self._gone(path):
                return None
        return self._link.read("file", where, file_from)

    def newest_print(self, *, besides: str) -> float:
        """When the newest recorded print of any stored file ended, by OctoPrint's clock; 0.0
        without any. besides: the beginning of paths that do not count."""
        return self._link.read(
            "files",
            "/api/files/local?recursive=true",
            lambda data: newest_print_from(data, besides=besides),
        )

    def warmest_c(self, *, within_s: float) -> float | None:
        """The warmest that any nozzle was in the last `within_s`; None when OctoPrint's record does
        not reach so far back (it keeps half an hour), or has a gap."""
        return self._link.read(
            "temperatures",
            "/api/printer?history=true&limit=100000",
            lambda data: warmest_from(data, within_s=within_s),
        )

    def _gone(self, path: str) -> bool:
        """Whether there is no file or folder `path`, told apart from a server that is booting.

        Both say 404, so it counts only after an answer that OctoPrint alone can give. And 1.11
        says 500 for a file whose folder does not exist: then the folder is asked for.
        """
        self.version()
        try:
            self._link.call("file", "GET", file_url(path))
        except Missing:
            return True
        except Broken:
            folder = path.rpartition("/")[0]
            if folder and self._gone(folder):
                return True
            raise
        return False

    def upload(
        self, path: str, file: Path, *, userdata: Mapping[str, Any], no_overwrite: bool = True
    ) -> None:
        """Store the content of `file` as `path`, without selecting or starting it.

        The file is read while it is sent, 64 KiB at a time. `userdata` must fit JSON; it comes
        back with `file` and survives restarts.

        Raises AlreadyThere when the path is taken (never sent again: compare the hash),
        PrinterRefused when OctoPrint stored it under another path, PrinterSilent when it may be
        there: then ask for the file.
        """
        folder, _, name = checked_path(path).rpartition("/")
        fields = {
            **({"path": folder} if folder else {}),
            "noOverwrite": "true" if no_overwrite else "false",
            "userdata": json.dumps(dict(userdata), allow_nan=False),
        }
        with file.open("rb") as source:
            until_s = time.monotonic() + self._upload_limits_s[1]
            form = Form(fields, name=name, source=source, until_s=until_s)
            answer = self._link.call(
                "upload" if no_overwrite else "overwrite",
                "POST",
                "/api/files/local",
                data=form,
                headers={"Content-Type": form.content_type},
                limits_s=self._upload_limits_s,
            )
        stored = self._link.understood(
            "upload", answer, lambda data: str(data["files"]["local"]["path"]), acted=True
        )
        if stored != path:
            raise PrinterRefused(
                f"{self.base_url}: {path} was stored as {stored}: delete that file"
            )

    def own_record(self, path: str) -> Own:
        """From outside nobody sees a journal that is kept inside OctoPrint."""
        return Own.SILENT

    def start(self, path: str, *, left_s: Callable[[], float] = unlimited) -> None:
        """Select and print the stored file `path`. Never repeat this on PrinterSilent.

        A return is a hint: wait for the proof with `started`.

        left_s : how long the right to start still lasts, asked once the connection stands. With
                 less than `in_time.ARRIVE_S` nothing is sent, and PrinterUnreachable says so.
        """
        command = Timed({"command": "select", "print": True}, left_s=left_s)
        self._starts.call(
            "start",
            "POST",
            file_url(path),
            data=command,
            headers={"Content-Type": "application/json"},
        )

    def started(self, path: str, *, limit_s: float = 5.0) -> bool:
        """Whether `path` is seen printing, or has ended, within `limit_s`: the proof of a start.

        False means not seen: the run is "not taken" when somebody else's job is there, and needs
        `look` otherwise.
        """
        until = time.monotonic() + limit_s
        while True:
            seen = self._evidence(path, start_recorded=True)
            if seen in (Verdict.RUNNING, Verdict.DONE, Verdict.FAILED):
                return True
            if time.monotonic() >= until:
                return False
            time.sleep(0.1)

    def look(self, path: str, *, start_recorded: bool, again_s: float = 1.0) -> Verdict:
        """What is known of the run of `path`, after any crash; see `evidence`. Changes nothing.

        A reading that may be a moment too early is repeated once, after `again_s`, so the answer
        is never READ_AGAIN.
        """
        first = self._evidence(path, start_recorded)
        if first not in (Verdict.READ_AGAIN, Verdict.AMBIGUOUS):
            return first
        time.sleep(again_s)
        return settled(self._evidence(path, start_recorded), start_recorded)

    def cancel(self, path: str) -> None:
        """Stop the print of `path`; PrinterBusy, and nothing is stopped, when another is there."""
        self._ours(path)
        self._link.post("cancel", "/api/job", {"command": "cancel"})

    def pause(self, path: str) -> None:
        """Pause the print of `path`; harmless when it is paused. PrinterBusy as for `cancel`."""
        self._ours(path)
        # Without an action OctoPrint toggles.
        self._link.post("pause", "/api/job", {"command": "pause", "action": "pause"})

    def resume(self, path: str) -> None:
        """Go on with the paused print of `path`. PrinterBusy as for `cancel`."""
        self._ours(path)
        self._link.post("resume", "/api/job", {"command": "pause", "action": "resume"})

    def delete(self, path: str) -> None:
        """Remove a stored file with its print record; harmless when it is gone.

        PrinterBusy while it is being printed. Never send another file to the same path.
        """
        try:
            self._link.call("delete", "DELETE", file_url(path))
        except Missing:
            if self.file(path) is not None:
                raise

    def _ours(self, path: str) -> None:
        """Refuse to touch a print that we did not start: other people use the printer too."""
        there = self.job().path
        if there != path:
            raise PrinterBusy(f"{self.base_url}: the job is {there}, not {path}; nothing was done")

    def _evidence(self, path: str, start_recorded: bool) -> Verdict:
        job = self.job()  # before the file, so that a print ending now is seen as ended
        return evidence(self.file(path), job, path, start_recorded)


def checked_path(path: str) -> str:
    """A path that OctoPrint stores as it is; Invalid for one that it would rewrite."""
    if not SAFE_PATH.fullmatch(path) or len(path) > 200:
        raise Invalid(f"{path[:200]!r}: letters, digits, . _ - and / only, like jobs/7/1.gcode")
    return path


def file_url(path: str) -> str:
    """Where the API keeps the file `path`."""
    return f"/api/files/local/{quote(path)}"


def sha1_of(file: Path) -> str:
    """SHA-1 of a file's content, as OctoPrint shows it: a comparison, not a protection."""
    with file.open("rb") as source:
        return hashlib.file_digest(source, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest()
