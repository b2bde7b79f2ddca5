"""A printer reached from within its own OctoPrint: the plugin's `printers.port.Port`.

OctoPrint's objects have no types of their own; nothing of them leaves this module unchecked. Each
answer is what the REST API would give, so that both ways are judged by the same rules.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from basis.errors import HubError
from printers.evidence import File, Job, Machine, Own, file_from, job_from, machine_from
from printers.in_time import ARRIVE_S, unlimited
from printers.journal import JournalFull, sync_folder
from printers.octoprint import (
    AlreadyThere,
    PrinterBooting,
    PrinterBusy,
    PrinterRefused,
    PrinterSilent,
    PrinterUnreachable,
    checked_path,
    sha1_of,
)
from printers.print_journal import PrintJournal
from printers.traces import newest_print_from, warmest_from

LOCAL = "local"


class Inside:
    """The printer of this OctoPrint.

    printer, files : OctoPrint's `_printer` and `_file_manager`, as plugins get them.
    prints         : the plugin's journal, which the hooks of `entry` write.
    """

    def __init__(self, printer: Any, files: Any, *, prints: PrintJournal) -> None:
        self._printer, self._files, self._prints = printer, files, prints

    def job(self) -> Job:
        """What is selected and how far it is."""
        with _told("job"):
            now = self._printer.get_current_data()
            state = now["state"]
            return job_from(
                {
                    "job": now["job"],
                    "progress": now["progress"],
                    "state": state["text"],
                    "error": state.get("error"),
                }
            )

    def printer(self) -> Machine:
        """Flags and temperatures. PrinterBusy when no printer is connected."""
        with _told("printer"):
            if not self._printer.is_operational():
                raise PrinterBusy("the printer is not connected")
            state = self._printer.get_current_data()["state"]
            heaters = self._printer.get_current_temperatures()
            return machine_from({"state": state, "temperature": heaters})

    def file(self, path: str) -> File | None:
        """The stored file, or None when there is none of this path."""
        with _told("file"):
            if not self._files.file_exists(LOCAL, path):
                return None
            known = self._files.get_metadata(LOCAL, path) or {}
            on_disk = Path(self._files.path_on_disk(LOCAL, path))
            # OctoPrint works it out when it stores a file; one that it was killed over has none.
            sha1 = known.get("hash") or sha1_of(on_disk)
            told = {"path": path, "hash": sha1, "size": on_disk.stat().st_size}
            return file_from(
                told | {"userdata": known.get("userdata"), "prints": _prints(known.get("history"))}
            )

    def own_record(self, path: str) -> Own:
        """What the plugin's own journal proves of it."""
        return self._prints.own_record(path)

    def newest_print(self, *, besides: str) -> float:
        """When the newest recorded print of any stored file ended; 0.0 without any."""
        with _told("files"):
            stored = self._files.list_files(locations=LOCAL, recursive=True)
            return newest_print_from({"files": _entries(stored[LOCAL])}, besides=besides)

    def warmest_c(self, *, within_s: float) -> float | None:
        """The warmest that any nozzle was in the last `within_s`, where that is known."""
        with _told("temperatures"):
            history = list(self._printer.get_temperature_history())
            return warmest_from({"temperature": {"history": history}}, within_s=within_s)

    def upload(
        self, path: str, file: Path, *, userdata: Mapping[str, Any], no_overwrite: bool = True
    ) -> None:
        """Store the content of `file` as `path`, without selecting or starting it."""
        with _told("upload", acted=True):
            there = bool(self._files.file_exists(LOCAL, checked_path(path)))
            if there and no_overwrite:
                raise AlreadyThere(f"{path} is stored already")
            if there and self._busy(path):
                raise PrinterBusy(f"{path} is being printed")
            if not there:
                self._remember(path)
            stored = self._files.add_file(
                LOCAL, path, Copied(file), allow_overwrite=not no_overwrite
            )
            if stored != path:
                raise PrinterRefused(f"{path} was stored as {stored}: delete that file")
            self._files.set_additional_metadata(LOCAL, path, "userdata", dict(userdata))

    def start(self, path: str, *, left_s: Callable[[], float] = unlimited) -> None:
        """Select and print the stored file `path`; when this returns it has begun or never will."""
        with _told("start", acted=True):
            if not self._files.file_exists(LOCAL, path):
                raise PrinterRefused(f"there is no file {path}")
            if not self._printer.is_ready():
                state = self._printer.get_state_string()
                raise PrinterBusy(f"the printer is not ready: {state}")
            on_disk = self._files.path_on_disk(LOCAL, path)
            tags = {"source:plugin", "plugin:designhub"}
            if (left := left_s()) < ARRIVE_S:
                raise PrinterUnreachable(f"not sent: only {max(0.0, left):.1f} s were left")
            self._printer.select_file(on_disk, False, printAfterSelect=True, tags=tags)

    def cancel(self, path: str) -> None:
        """Stop the print of `path`; PrinterBusy, and nothing is stopped, when another is there."""
        with _told("cancel", acted=True):
            job = self.job()
            if job.path != path or not job.active:
                raise PrinterBusy(f"the job is {job.path}, not {path}; nothing was done")
            self._printer.cancel_print(tags={"source:plugin", "plugin:designhub"})

    def delete(self, path: str) -> None:
        """Remove a stored file with its print record; harmless when it is gone."""
        with _told("delete", acted=True):
            if self._busy(path):
                raise PrinterBusy(f"{path} is being printed")
            if self.job().path == path:
                self._printer.unselect_file()
            if self._files.file_exists(LOCAL, path):
                self._files.remove_file(LOCAL, path)

    def connect(self) -> None:
        """Open the line to the printer as it was set up; harmless when it is open."""
        with _told("connect", acted=True):
            self._printer.connect()

    def _busy(self, path: str) -> bool:
        job = self.job()
        return job.active and job.path == path

    def _remember(self, path: str) -> None:
        """From now on the beginning of a print of `path` cannot be missed."""
        try:
            self._prints.stored(path)
        except JournalFull as exc:
            raise PrinterRefused(f"the journal of prints: {exc}") from exc


class Copied:
    """A file in the form in which OctoPrint takes one to be stored."""

    def __init__(self, source: Path) -> None:
        self._source = source
        self.filename = source.name

    def save(self, path: str, permissions: int | None = None) -> None:
        """Have a copy at `path`, whole and on disk, or none at all."""
        whole = Path(path)
        draft = whole.with_name(f".{whole.name}.part")
        shutil.copyfile(self._source, draft)
        with draft.open("rb") as copy:
            os.fsync(copy.fileno())
        if permissions is not None:
            draft.chmod(permissions)
        draft.replace(whole)
        sync_folder(whole.parent)

    def stream(self) -> Any:
        """Its bytes, for those of OctoPrint's plugins that look at what is stored."""
        return self._source.open("rb")


def _prints(history: object) -> dict[str, Any]:
    """The record of prints as the REST API tells it."""
    told = history if isinstance(history, list) else []
    ended = [each for each in told if isinstance(each, dict)]
    prints: dict[str, Any] = {
        "success": sum(each.get("success") is True for each in ended),
        "failure": sum(each.get("success") is False for each in ended),
    }
    if ended:
        last = max(ended, key=lambda each: float(each.get("timestamp") or 0))
        prints["last"] = {"printTime": last.get("printTime")}
    return prints


def _entries(stored: object) -> list[dict[str, Any]]:
    """Files and folders as the REST API lists them."""
    found = []
    for entry in (stored if isinstance(stored, dict) else {}).values():
        children = entry.get("children")
        if children is not None:
            found.append({"path": entry.get("path"), "children": _entries(children)})
            continue
        ended = [each for each in entry.get("history") or () if isinstance(each, dict)]
        dates = [float(each.get("timestamp") or 0) for each in ended]
        last = {"prints": {"last": {"date": max(dates)}}} if dates else {}
        found.append({"path": entry.get("path"), **last})
    return found


@contextmanager
def _told(what: str, *, acted: bool = False) -> Iterator[None]:
    """Turn what OctoPrint's own code raises into what it means for the caller."""
    try:
        yield
    except HubError:
        raise
    except OSError as exc:
        # A full disk: what was begun is not there, and a person must make room.
        raise PrinterRefused(f"{what}: {exc}") from exc
    except Exception as exc:
        code = getattr(exc, "code", "")
        if code == "already_exists":
            raise AlreadyThere(f"{what}: {exc}") from exc
        kind = PrinterSilent if acted else PrinterBooting
        raise kind(f"{what}: {type(exc).__name__}: {exc}") from exc
