"""What OctoPrint says about a file and its job, and what that proves about one run.

Pure: no network, no clock. A reply to "start" proves nothing, the state "Operational" means done,
cancelled or reset alike, and 100 % only means that all bytes were sent. What proves is the path of
the current job and the print record of a path that is used once and never again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MOST = 2.0**53  # beyond it, and for "not a number", a figure is taken as missing
CLOSED = ("offline", "closed", "error", "opening", "connecting", "detecting", "unknown", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file stored by OctoPrint, with the record of the prints that ended."""

    path: str
    sha1: str  # of the content, lower-case hex; "" while OctoPrint has not worked it out
    size_bytes: int | None = None
    successes: int = 0
    failures: int = 0  # failed and cancelled alike: OctoPrint stores no reason
    userdata: Mapping[str, Any] = field(default_factory=dict)  # what we sent along with the file
    last_print_s: float | None = None  # None after a failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the printer has selected and how far it is; every figure may be missing."""

    state: str  # OctoPrint's English words: "Operational", "Printing", "Offline after error: …"
    path: str | None = None  # the selected file in local storage
    progress_percent: float | None = None  # bytes sent of the file, 0 to 100; 100 is not "done"
    filepos: int | None = None  # bytes sent; standing still is the first sign of a mute printer
    print_time_s: int | None = None
    print_time_left_s: int | None = None  # missing in the first seconds of a print
    error: str | None = None  # only after an error

    @property
    def idle(self) -> bool:
        """Connected, and nothing is being printed."""
        return self.state.lower().startswith("operational")

    @property
    def closed(self) -> bool:
        """No usable printer: not connected, connecting, in error, or in a state without a name."""
        return self.state.strip().lower().startswith(CLOSED) or not self.state.strip()

    @property
    def active(self) -> bool:
        """A print is under way: printing, pausing, paused, cancelling, … (the list is open)."""
        return not self.idle and not self.closed


class Own(StrEnum):
    """What a journal of prints inside OctoPrint says of a file; it is on disk before any line of
    the file goes to the printer."""

    SILENT = "silent"  # nobody keeps one, or not since the file came
    NOT_BEGUN = "not begun"  # no line of it was ever sent
    BEGUN = "begun"  # under way, or its end is just being written
    BROKEN_OFF = "broken off"  # OctoPrint itself ended in the middle of it
    NEARLY = "nearly"  # the same, when nearly all had been sent: it may be whole
    DONE = "done"
    FAILED = "failed"


class Verdict(StrEnum):
    """What is known of one run: (path, was the start written down before it was sent?)."""

    NEVER_UPLOADED = "never uploaded"  # safe to send the file
    NEVER_STARTED = "never started"  # the file is there; safe to start it
    RUNNING = "running"  # adopt it: watch, never start
    DONE = "done"  # the printer recorded a success
    FAILED = "failed"  # recorded as failed or cancelled; only a seen event knows which
    READ_AGAIN = "read again"  # selected but idle: the record may be under way; ask in a second
    NOT_BEGUN = "not begun"  # the start was asked for, and surely no line of the file was sent
    BROKEN_OFF = "broken off"  # OctoPrint ended in the middle of it; a failure that is proved
    AMBIGUOUS = "ambiguous"  # may have been half printed: a person looks, nothing starts by itself


OWN: Mapping[Own, Verdict] = {
    Own.DONE: Verdict.DONE,
    Own.FAILED: Verdict.FAILED,
    Own.BROKEN_OFF: Verdict.BROKEN_OFF,
}
"""What OctoPrint's own journal proves, where the record of the file is missing."""


def evidence(
    file: File | None, job: Job, path: str, start_recorded: bool, own: Own = Own.SILENT
) -> Verdict:
    """Decide what happened to the run whose file is `path`, after whatever crash.

    Read `job` before `file`: a print that ends between the two readings is then seen as ended.

    file           : None only when OctoPrint itself said that it has no such file.
    start_recorded : whether the intent to start was stored durably before the start was sent.
    own            : what a journal inside OctoPrint says; read it last.

    A file that is gone although its start was recorded was deleted, and its print record with it:
    that is AMBIGUOUS, not NEVER_UPLOADED.
    """
    ours = job.path == path
    if file is not None and file.successes > 0:
        return Verdict.DONE
    if file is not None and file.failures > 0:
        return Verdict.FAILED
    if ours and job.active:
        return Verdict.RUNNING
    if own in OWN:
        return OWN[own]
    if own is Own.NOT_BEGUN and start_recorded:
        return Verdict.NOT_BEGUN
    if ours and file is not None:
        return Verdict.READ_AGAIN
    if start_recorded:
        return Verdict.AMBIGUOUS
    return Verdict.NEVER_STARTED if file is not None else Verdict.NEVER_UPLOADED


def settled(verdict: Verdict, start_recorded: bool) -> Verdict:
    """The verdict once waiting has not helped: what stays READ_AGAIN was selected and no more."""
    if verdict is not Verdict.READ_AGAIN:
        return verdict
    return Verdict.AMBIGUOUS if start_recorded else Verdict.NEVER_STARTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Temperature:
    """One heater in °C; None where the printer does not say."""

    actual_c: float | None
    target_c: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The connected printer: the flags that are set, and its heaters ("tool0", "bed", …)."""

    state: str
    flags: frozenset[str]
    temperatures: Mapping[str, Temperature]

    @property
    def ready(self) -> bool:
        """Could start a print. Says nothing about the bed: only a person or a sensor can."""
        working = {"printing", "pausing", "paused", "resuming", "finishing", "cancelling"}
        broken = {"error", "closedOrError"}
        return {"ready", "operational"} <= self.flags and not self.flags & (working | broken)


def file_from(data: Mapping[str, Any]) -> File:
    """A file out of the answer to GET /api/files/local/<path>. Raises ValueError without a path."""
    prints = _mapping(data.get("prints"))
    path, sha1 = data.get("path"), data.get("hash")
    if not isinstance(path, str) or data.get("type") == "folder":
        raise ValueError("no file in the answer")
    return File(
        path=path,
        sha1=sha1.lower() if isinstance(sha1, str) else "",
        size_bytes=_whole(data.get("size")),
        successes=_whole(prints.get("success")) or 0,
        failures=_whole(prints.get("failure")) or 0,
        userdata=_mapping(data.get("userdata")),
        last_print_s=_number(_mapping(prints.get("last")).get("printTime")),
    )


def job_from(data: Mapping[str, Any]) -> Job:
    """A job out of the answer to GET /api/job. Raises ValueError when it has no state."""
    state, error = data.get("state"), data.get("error")
    if not isinstance(state, str):
        raise ValueError("no state in the answer")
    file = _mapping(_mapping(data.get("job")).get("file"))
    path, progress = file.get("path"), _mapping(data.get("progress"))
    percent = _number(progress.get("completion"))
    # An empty file reads as -100 %.
    sane = percent is not None and 0 <= percent <= 100
    # The same path on the printer's own SD card is another file.
    local = isinstance(path, str) and file.get("origin", "local") == "local"
    return Job(
        state=state,
        path=path if local else None,
        progress_percent=percent if sane else None,
        filepos=_whole(progress.get("filepos")),
        print_time_s=_whole(progress.get("printTime")),
        print_time_left_s=_whole(progress.get("printTimeLeft")),
        error=error if isinstance(error, str) and error else None,
    )


def machine_from(data: Mapping[str, Any]) -> Machine:
    """The printer out of the answer to GET /api/printer. Raises ValueError without flags."""
    state = _mapping(data.get("state"))
    flags = state.get("flags")
    if not isinstance(flags, Mapping):
        raise ValueError("no flags in the answer")
    heaters = {
        str(name): Temperature(
            actual_c=_number(reading.get("actual")), target_c=_number(reading.get("target"))
        )
        for name, reading in _mapping(data.get("temperature")).items()
        if isinstance(reading, Mapping) and "actual" in reading
    }
    return Machine(
        state=str(state.get("text", "")),
        flags=frozenset(str(name) for name, is_set in flags.items() if is_set is True),
        temperatures=heaters,
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < MOST else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)
