"""Files and whole versions on their way to people: a git process for each, so many at a time."""

import subprocess
from collections.abc import Iterator, Sequence
from threading import BoundedSemaphore, Lock, Timer
from typing import IO, cast

from basis.errors import NotFound, TooMany
from designs import objects
from designs.store import PIECE_BYTES, Store

MOST_AT_ONCE = 8
"""Downloads of this process; each holds a thread of the server and a git process."""
LONGEST_S = 900.0
AGAIN_S = 5

_places = BoundedSemaphore(MOST_AT_ONCE)


class Sent:
    """What git says, in pieces. Close it, at the end or early: only then its place is free."""

    def __init__(self, store: Store, design_id: int, command: Sequence[str]) -> None:
        if not _places.acquire(blocking=False):
            raise TooMany("many downloads are under way; try again in a moment", again_s=AGAIN_S)
        self._ended, self._lock, self._seen = False, Lock(), b""
        try:
            self._git = subprocess.Popen(
                ["git", "--git-dir", str(store.path(design_id)), *command],
                env=store.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except BaseException:
            _places.release()
            raise
        self._out = cast(IO[bytes], self._git.stdout)
        self._clock = Timer(LONGEST_S, self._git.kill)
        self._clock.daemon = True
        self._clock.start()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def beginning(self) -> bytes:
        """The first piece, which comes again as the first: for who must know what it is."""
        self._seen = self._seen or self._read()
        return self._seen

    def _read(self) -> bytes:
        return b"" if self._ended else self._out.read(PIECE_BYTES)

    def __next__(self) -> bytes:
        piece, self._seen = self._seen or self._read(), b""
        if not piece:
            self.close()
            raise StopIteration
        return piece

    def close(self) -> None:
        """End git and let the next one begin; may be called again."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        self._clock.cancel()
        self._git.kill()
        self._out.close()
        self._git.wait()
        _places.release()


def file(store: Store, design_id: int, blob: str) -> Sent:
    """A file as it is. Raises TooMany. That it is there was seen before: `Store.at`."""
    return Sent(store, design_id, ["cat-file", "blob", objects.checked_id(blob)])


def archive(store: Store, design_id: int, commit: str, *, folder: str) -> Sent:
    """A version as a zip, everything in `folder`. Raises NotFound, TooMany."""
    if not store.exists(design_id):
        raise NotFound("this design has no repository")
    command = ["archive", "--format=zip", "-1", f"--prefix={folder}/", "--end-of-options"]
    return Sent(store, design_id, [*command, objects.checked_id(commit)])
