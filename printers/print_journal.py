"""The plugin's own journal of prints: what OctoPrint began and ended, on disk before it goes on.

OctoPrint writes a print down only when it has ended; one that is killed in mid-print leaves
nothing. Here stand five facts of each of our files, each forced to disk when it becomes true:

- ``stored``  before the file reaches OctoPrint: from now on its beginning cannot be missed;
- ``begun``   before the first line of the file goes to the printer;
- ``nearly``  when `NEARLY_PERCENT` of it were sent: what breaks off from here on may be whole;
- ``done``, ``failed``  at the end.

So of a file that is ``stored`` and no more no line was ever sent, and one that has ``begun`` under
an OctoPrint that lives no more, and has neither ``nearly`` nor an end, broke off for certain.

Room for the next lines is set aside before a file is taken, so that a disk that fills up later
cannot keep us from writing ``begun``.
"""

import json
import os
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from printers.evidence import Own
from printers.journal import JournalFull, hold, sync_folder

NEARLY_PERCENT = 98
"""From here on the printer's own buffer may hold the rest of the print."""

ROOM_BYTES = 64 * 1024
"""Set aside behind the last line: enough for hundreds of lines."""

KEPT = 500
"""Files that are remembered; of an older one it then says nothing, and a person is asked."""


class Fact(StrEnum):
    """What became true of a file."""

    STORED = "stored"
    BEGUN = "begun"
    NEARLY = "nearly"
    DONE = "done"
    FAILED = "failed"


OPEN = frozenset({Fact.BEGUN, Fact.NEARLY})


class PrintJournal:
    """The journal in the file `path`; any thread of one process.

    life : names this run of OctoPrint; what another one had under way is not under way any more.

    Raises JournalFull when it cannot be opened or written, Conflict when another process has it:
    what that one wrote after our reading would be lost.
    """

    def __init__(self, path: Path, *, life: str) -> None:
        self.path, self.life = path, life
        self._guard = threading.Lock()
        self._known: dict[str, tuple[Fact, str]] = {}
        self._unsaid: set[str] = set()
        self._file = -1
        self._end = self._size = 0
        self._lock = hold(path.with_suffix(".lock"))
        try:
            self._open()
        except OSError as exc:
            self.close()
            raise JournalFull(f"{path}: {exc.strerror}: free some space") from exc

    def close(self) -> None:
        """Let the file go; harmless to repeat."""
        with self._guard:
            for descriptor in (self._file, self._lock):
                if descriptor >= 0:
                    os.close(descriptor)
            self._file = self._lock = -1

    def stored(self, path: str) -> None:
        """A file that was never there before is about to be stored as `path`."""
        with self._guard:
            if path not in self._known:
                self._set_aside(ROOM_BYTES)
                self._write(path, Fact.STORED)

    def happened(self, path: str, fact: Fact) -> None:
        """Write down what just became true of a file that was stored by us; again is harmless.

        Raises JournalFull; then nothing is claimed of this file while this process lives.
        """
        with self._guard:
            if path not in self._known or path in self._unsaid:
                return
            before, life = self._known[path]
            again = before is fact and life == self.life
            late = fact is Fact.NEARLY and before is not Fact.BEGUN
            if again or late:
                return
            try:
                self._write(path, fact)
            except JournalFull:
                self._unsaid.add(path)
                raise

    def begun_before(self, path: object) -> bool:
        """Whether a beginning of it is written down already, whatever came of it."""
        with self._guard:
            known = self._known.get(path) if isinstance(path, str) else None
            return known is not None and known[0] is not Fact.STORED

    def own_record(self, path: str) -> Own:
        """What is proved of the prints of a file."""
        with self._guard:
            if path not in self._known or path in self._unsaid:
                return Own.SILENT
            fact, life = self._known[path]
        if fact in OPEN:
            if life == self.life:
                return Own.BEGUN
            return Own.BROKEN_OFF if fact is Fact.BEGUN else Own.NEARLY
        return {Fact.STORED: Own.NOT_BEGUN, Fact.DONE: Own.DONE, Fact.FAILED: Own.FAILED}[fact]

    def _open(self) -> None:
        """Read what there is, and put a short new file in its place, in one step."""
        content = self.path.read_bytes() if self.path.exists() else b""
        for path, fact, life in _read(content):
            self._known.pop(path, None)
            self._known[path] = (fact, life)
        for path in list(self._known)[:-KEPT]:
            del self._known[path]
        lines = b"".join(_line(path, *known) for path, known in self._known.items())
        draft = self.path.with_suffix(".new")
        self._file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.pwrite(self._file, lines, 0)
        self._end = self._size = len(lines)
        self._set_aside(ROOM_BYTES)
        draft.replace(self.path)
        sync_folder(self.path.parent)

    def _set_aside(self, room_bytes: int) -> None:
        """Have so much room behind the last line, whatever fills the disk afterwards."""
        if self._file < 0:
            raise JournalFull(f"{self.path} is closed")
        wanted = self._end + room_bytes
        if wanted > self._size:
            try:
                os.posix_fallocate(self._file, self._size, wanted - self._size)
                os.fsync(self._file)
            except OSError as exc:
                raise JournalFull(f"{self.path}: {exc.strerror}: free some space") from exc
            self._size = wanted

    def _write(self, path: str, fact: Fact) -> None:
        if self._file < 0:
            raise JournalFull(f"{self.path} is closed")
        line = _line(path, fact, self.life)
        try:
            if os.pwrite(self._file, line, self._end) != len(line):
                raise OSError(0, "written only in part")
            os.fsync(self._file)
        except OSError as exc:
            with suppress(OSError):  # what is left of it must not look like a line
                os.pwrite(self._file, b"\0" * len(line), self._end)
            raise JournalFull(f"{self.path}: {exc.strerror}: free some space") from exc
        self._end += len(line)
        self._size = max(self._size, self._end)
        self._known.pop(path, None)
        self._known[path] = (fact, self.life)


def _line(path: str, fact: Fact, life: str) -> bytes:
    body = json.dumps({"path": path, "fact": fact.value, "life": life})
    return f"{zlib.crc32(body.encode()):08x} {body}\n".encode()


def _read(content: bytes) -> Iterator[tuple[str, Fact, str]]:
    """Every whole line. What follows the first that is not was never on disk in full, so nothing
    that waited for it has happened."""
    for raw in content.split(b"\n")[:-1]:
        crc, _, body = raw.partition(b" ")
        if crc != b"%08x" % zlib.crc32(body):
            return
        told = json.loads(body)
        yield told["path"], Fact(told["fact"]), told["life"]
