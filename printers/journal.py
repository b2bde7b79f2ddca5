"""The agent's memory beside the printers: one line a fact, on disk before anything follows from it.

One JSON object a line, numbered and with a checksum, each forced to disk before the call returns:

    RECV → FETCHED → PERMITTED → INTENT → STARTED → DONE | FAILED | … → REPORTED → CLEANED

A line that a crash cut short was never acted upon, so it is cut off. Any other damage is an alarm:
a forgotten INTENT is a part printed twice, so the agent stops and a person looks.
"""

import fcntl
import json
import os
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from basis.errors import Conflict, HubError, Invalid, NotAllowed, Unavailable
from printers.protocol import Lease

VERSION = 1
COMPACT_BYTES = 1_000_000
MOST_EVIDENCE = 2_000
"""Characters of evidence kept in one line."""


class JournalDamaged(HubError):
    """A line before the last cannot be read: a person must look before anything prints."""

    code = "journal_damaged"


class JournalFull(Unavailable):
    """A line could not be forced to disk, so nothing that depends on it may happen."""

    code = "journal_full"


class FenceSeen(NotAllowed):
    """A lease with a fence that is not above all earlier ones: it has no effect."""

    code = "fence_seen"


class What(StrEnum):
    """One fact about a run."""

    RECV = "recv"  # the lease is ours, with its fence
    FETCHED = "fetched"  # the file is here, its hash is right and the guard passed it
    PERMITTED = "permitted"  # the hub said that it may start
    INTENT = "intent"  # from the next moment on the start may have been sent
    STARTED = "started"  # the printer's own job was our file
    STOPPED = "stopped"  # the hub said stop, and the cancel was sent
    DONE = "done"  # the printer recorded a success
    FAILED = "failed"  # the printer recorded a failure
    NEVER_STARTED = "never_started"  # permitted, and proven not to have started
    UNCLEAR = "unclear"  # it may have moved, and nothing is left that proves or denies it
    RELEASED = "released"  # given back before a permit
    REPORTED = "reported"  # the hub has the end, or will never take it
    CLEANED = "cleaned"  # the files of this run are gone


ENDS = frozenset({What.DONE, What.FAILED, What.NEVER_STARTED, What.UNCLEAR, What.RELEASED})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What the journal says of one run."""

    printer: str
    """The printer's name in the agent's configuration: known before the hub answers."""
    lease: Lease
    seen: frozenset[What] = frozenset({What.RECV})
    end: What | None = None
    evidence: str = ""
    print_s: int | None = None
    progress_ppm: int | None = None
    reported: bool = False

    @property
    def open(self) -> bool:
        """The agent still owes the hub or the printer something."""
        return not self.reported

    @property
    def watched(self) -> bool:
        """The hub was told that nobody knows; should it move after all, the hub must hear of it."""
        return self.reported and self.end is What.UNCLEAR

    def after(self, what: What, note: Mapping[str, Any]) -> "RunRecord":
        """The record once `what` is known too."""
        now = replace(self, seen=self.seen | {what})
        if what in ENDS:
            return replace(
                now,
                end=what,
                evidence=str(note.get("evidence", "")),
                print_s=note.get("print_s"),
                progress_ppm=note.get("progress_ppm"),
                reported=False,
            )
        if what is What.STARTED:  # it moves after all, whatever was thought before
            return replace(now, end=None, evidence="", reported=False)
        return replace(now, reported=True) if what is What.REPORTED else now


@dataclass(slots=True)
class _Memory:
    """Everything the lines say, and the lines themselves of runs that are not cleaned yet."""

    fences: dict[str, int] = field(default_factory=dict)  # by printer id
    runs: dict[UUID, RunRecord] = field(default_factory=dict)
    lines: dict[UUID, list[dict[str, Any]]] = field(default_factory=dict)

    def take(self, line: dict[str, Any]) -> None:
        """Learn one line. Raises KeyError, ValueError, TypeError or Invalid for nonsense."""
        run, what = UUID(line["run"]), What(line["what"])
        if what is What.RECV:
            lease = Lease.from_json(line["lease"])
            key = str(lease.printer)
            self.fences[key] = max(self.fences.get(key, 0), lease.fence)
            self.runs[run] = RunRecord(printer=str(line["printer"]), lease=lease)
            self.lines[run] = []
        elif what is What.CLEANED:
            self.runs.pop(run)
            self.lines.pop(run)
            return
        else:
            self.runs[run] = self.runs[run].after(what, line)
        self.lines[run].append(line)


class Journal:
    """The journal of one agent folder. One process at a time; any thread of it."""

    def __init__(self, folder: Path, *, compact_bytes: int = COMPACT_BYTES) -> None:
        """Open or begin the journal in `folder`, and hold the folder for this process alone.

        Raises Conflict when another agent uses the folder, JournalDamaged, or JournalFull.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = folder / "journal.jsonl"
        self._guard = threading.RLock()
        self._compact_bytes = compact_bytes
        self._memory = _Memory()
        self._lock = hold(folder / "agent.lock")
        self._file = -1
        self._size = self._lines = self._compacted = 0
        self._owed: list[dict[str, Any]] = []
        self._settled = True  # whether the folder is known to point at this file, on disk
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the folder go; harmless to repeat."""
        with self._guard:
            for descriptor in (self._file, self._lock):
                if descriptor >= 0:
                    os.close(descriptor)
            self._file = self._lock = -1

    def highest_fence(self, printer: UUID) -> int:
        """The greatest fence ever received for a printer, 0 before the first."""
        with self._guard:
            return self._memory.fences.get(str(printer), 0)

    def runs(self, printer: str) -> list[RunRecord]:
        """The runs of a printer (by its name here) that are not cleaned yet, oldest first."""
        with self._guard:
            return [each for each in self._memory.runs.values() if each.printer == printer]

    def open_runs(self) -> list[RunRecord]:
        """The runs of all printers of which something is still owed."""
        with self._guard:
            return [each for each in self._memory.runs.values() if each.open]

    def run(self, run: UUID) -> RunRecord | None:
        """What is known of a run; None when it never came here, or was cleaned away."""
        with self._guard:
            return self._memory.runs.get(run)

    def receive(self, printer: str, lease: Lease) -> RunRecord:
        """Take a lease. Raises FenceSeen unless its fence is the highest yet, and JournalFull."""
        with self._guard:
            highest = self.highest_fence(lease.printer)
            if lease.fence <= highest or lease.run in self._memory.runs:
                raise FenceSeen(
                    f"run {lease.run} for {printer} has fence {lease.fence}, and {highest} was seen"
                    " before: it is not taken"
                )
            note = {"printer": printer, "lease": lease.to_json()}
            self._append({"run": str(lease.run), "what": What.RECV.value, **note})
            return self._memory.runs[lease.run]

    def write(self, run: UUID, what: What, **note: Any) -> RunRecord:
        """Force one fact to disk. The record after it.

        Raises JournalFull when it could not be made durable: then it is not known either.
        """
        with self._guard:
            self._append(self._line(run, what, note))
            return self._memory.runs[run]

    def note(self, run: UUID, what: What, **note: Any) -> RunRecord:
        """Like `write`, for what the printer or the hub can prove again: on a full disk it is known
        to this process, and goes to disk before the next line that does."""
        with self._guard:
            line = self._line(run, what, note)
            known = self._memory.runs[run]
            try:
                self._append(line)
            except JournalFull:
                self._owed.append(line)
                self._memory.take(line)
            return self._memory.runs.get(run, known)

    def settled(self) -> bool:
        """Whether all that is known is on disk, after trying once more."""
        with self._guard:
            if self._owed:
                with suppress(JournalFull):
                    self._append(None)
            return not self._owed and self._file >= 0

    def _line(self, run: UUID, what: What, note: dict[str, Any]) -> dict[str, Any]:
        if run not in self._memory.runs:
            raise NotAllowed(f"the journal knows no run {run}")
        if "evidence" in note:
            note["evidence"] = str(note["evidence"])[:MOST_EVIDENCE]
        return {"run": str(run), "what": what.value, **note}

    def _append(self, line: dict[str, Any] | None) -> None:
        """Everything owed, then `line`, durably and in one piece."""
        if self._file < 0:
            raise JournalFull(f"{self.path} is closed")
        if self._size > max(self._compact_bytes, 2 * self._compacted):
            # Only room is at stake: whatever fails, one of the two files is whole and in use.
            with suppress(OSError):
                self._rewrite()
        new = [*self._owed, line] if line is not None else self._owed
        content = b"".join(_packed(self._lines + n, each) for n, each in enumerate(new))
        try:
            self._settle()
            # What a failed write left behind would damage the line after it.
            os.ftruncate(self._file, self._size)
            _write_all(self._file, content)
            os.fsync(self._file)
        except OSError as exc:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
                os.fsync(self._file)
            raise JournalFull(f"{self.path}: {exc.strerror}: free some space") from exc
        self._size += len(content)
        self._lines += len(new)
        self._owed = []
        if line is not None:
            self._memory.take(line)

    def _load(self) -> None:
        self._draft.unlink(missing_ok=True)
        if not self.path.exists():
            try:
                self._rewrite()
            except OSError as exc:
                raise JournalFull(f"{self.path}: {exc.strerror}: free some space") from exc
            return
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if not whole:
            raise self._damaged(1, "not even its first line is whole")
        for number, line in enumerate(_unpacked(whole, self._damaged)):
            try:
                if number == 0:
                    self._memory.fences = {str(k): int(v) for k, v in line["fences"].items()}
                    if line["version"] != VERSION:
                        raise ValueError(f"version {line['version']}, this agent reads {VERSION}")
                else:
                    self._memory.take(line)
            except (KeyError, ValueError, TypeError, AttributeError, Invalid) as exc:
                raise self._damaged(number + 1, f"{type(exc).__name__}: {exc}") from exc
            self._lines = number + 1
        self._use(len(whole))
        if len(whole) < len(content):
            os.ftruncate(self._file, len(whole))
            os.fsync(self._file)

    def _rewrite(self) -> None:
        """Replace the file in one step by the highest fences and the runs that still matter."""
        head = {"version": VERSION, "fences": self._memory.fences}
        kept = [line for lines in self._memory.lines.values() for line in lines]
        content = b"".join(_packed(n, line) for n, line in enumerate([head, *kept]))
        draft = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_all(draft, content)
            os.fsync(draft)
        finally:
            os.close(draft)
        self._draft.replace(self.path)
        # From here on the new file is the journal, whatever else fails.
        self._settled, self._owed = False, []
        self._lines = 1 + len(kept)
        self._use(len(content))
        self._settle()

    def _settle(self) -> None:
        """After a power cut the folder must not lead back to the file before."""
        if not self._settled:
            sync_folder(self.path.parent)
            self._settled = True

    def _use(self, size: int) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._size = self._compacted = size

    @property
    def _draft(self) -> Path:
        return self.path.with_suffix(".new")

    def _damaged(self, number: int, why: str) -> JournalDamaged:
        return JournalDamaged(
            f"{self.path}, line {number}: {why}. Nothing is started until a person has looked at"
            " every printer of this agent; then move the file away, and settle its runs in the hub"
        )


def _packed(number: int, line: Mapping[str, Any]) -> bytes:
    """A line as it stands in the file: its number first, the checksum of all of it last."""
    body = json.dumps({"n": number, **line}, separators=(",", ":"))[:-1]
    return f'{body},"crc":"{zlib.crc32(body.encode()):08x}"}}\n'.encode()


def _unpacked(content: bytes, damaged: Any) -> Iterator[dict[str, Any]]:
    """Every line, checked. `damaged(number, why)` makes the error for one that is not right."""
    for number, raw in enumerate(content.split(b"\n")[:-1]):
        body, mark, rest = raw.rpartition(b',"crc":"')
        if not mark or rest != b'%08x"}' % zlib.crc32(body):
            raise damaged(number + 1, "its checksum is wrong")
        line = json.loads(body + b"}")
        if line.pop("n") != number:
            raise damaged(number + 1, "a line before it is missing")
        yield line


def sync_folder(folder: Path) -> None:
    """Force to disk which files a folder holds."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def hold(lock: Path) -> int:
    """Hold a folder until this process ends, however it ends."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(descriptor)
        raise Conflict(
            f"another agent uses the folder {lock.parent}; stop it, or give this one another folder"
        ) from exc
    return descriptor
