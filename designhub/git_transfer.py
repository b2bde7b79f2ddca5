"""One run of git as a CGI program, streaming both ways.

Nothing of a pack is ever held: a thread carries the request's body into git while git's answer
leaves in pieces. When the client goes away, or nothing moves for too long, git is told to stop, and
killed if it does not.
"""

import logging
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from threading import Lock, Thread
from typing import IO, cast

from basis.errors import Unavailable

log = logging.getLogger(__name__)

PIECE_BYTES = 1 << 16
"""The server hands over a piece of the body only when it is full, so a larger one would make a slow
client look like one that is gone."""
HEAD_BYTES = 1 << 14
"""Most that the headers of git's answer may take."""
HELD_BYTES = 1 << 20
"""Most of git's answer that is held back while a request's body still comes in."""
SAID_BYTES = 4_000
"""Kept of what git says on its standard error, for the log."""
STALL_S = 120.0
"""A transfer in which nothing moved for this long is over. git itself speaks every 5 s."""
WATCH_S = 1.0
LAST_WORDS_S = 5.0
"""How long git may take to remove what it began, before it is killed."""


class Transfer:
    """A running git; iterate over it for the body of its answer, and close it in any case."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        body: IO[bytes] | None,
        length: int | None,
        timeout_s: float,
        most_unread_bytes: int,
        ended: Callable[[], None],
    ) -> None:
        """Start `command` with exactly `environment`.

        body : the request's, read to its end, or up to `length` bytes where that is known.
        most_unread_bytes : how much of the body is still taken off a client after git has stopped
            reading; only a client that could send everything reads why it was refused.
        ended : called once, after git has ended and before the answer does.
        """
        self._ended, self._body, self._length = ended, body, length
        self._most_unread_bytes = most_unread_bytes
        self._until = time.monotonic() + timeout_s
        self._moved = time.monotonic()
        self._said = b""
        self._rest = b""
        self._closing = Lock()
        self._closed = False
        self._at_end = False  # git has closed its answer, so it is about to end by itself
        try:
            self._child = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL if body is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as exc:
            ended()
            raise Unavailable(f"git could not be started: {exc}") from exc
        self._out = cast(IO[bytes], self._child.stdout)
        self._err = cast(IO[bytes], self._child.stderr)
        self._ear = selectors.DefaultSelector()
        self._ear.register(self._out, selectors.EVENT_READ)
        self._ear.register(self._err, selectors.EVENT_READ)
        _watch.add(self)
        self._feeder = Thread(target=self._feed, daemon=True) if body is not None else None
        if self._feeder is not None:
            self._feeder.start()

    def head(self) -> tuple[int, list[tuple[str, str]]]:
        """Status and headers of git's answer. Raises Unavailable, and closes, when it gave none."""
        try:
            return self._head()
        except BaseException:
            self.close()
            raise

    def _head(self) -> tuple[int, list[tuple[str, str]]]:
        head, end = b"", -1
        while end < 0 and len(head) < HEAD_BYTES:
            piece = self._read()
            if not piece:
                raise Unavailable("git gave no answer; the hub's log says why")
            head += piece
            end = head.find(b"\r\n\r\n")
        if end < 0:
            raise Unavailable("git gave an answer that cannot be understood")
        self._rest = head[end + 4 :]
        self._wait_for_the_body()
        lines = head[:end].decode("latin-1").split("\r\n")
        headers = [(name, value.strip()) for name, _, value in (s.partition(":") for s in lines)]
        status = next((value for name, value in headers if name.lower() == "status"), "200")
        return int(status.split()[0]), [h for h in headers if h[0].lower() != "status"]

    def __iter__(self) -> Iterator[bytes]:
        if self._rest:
            yield self._rest
        while piece := self._read():
            yield piece
        while self._feeder is not None and self._feeder.is_alive() and not self._is_over():
            self._feeder.join(1.0)
        self.close()

    def close(self) -> None:
        """End git if it still runs, and tell `ended`; may be called again."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        _watch.remove(self)
        self._end_child()
        self._ear.close()
        for pipe in (self._out, self._err):
            pipe.close()
        if self._child.returncode:
            said = self._said.decode(errors="replace").strip()
            log.warning("git ended with %s: %s", self._child.returncode, said)
        self._ended()

    def _wait_for_the_body(self) -> None:
        """Hold the answer back until the body has been read: nginx takes the first line of an
        answer as leave to send nothing more of a request. git says little before that."""
        while self._feeder is not None and self._feeder.is_alive() and not self._is_over():
            if len(self._rest) > HELD_BYTES:
                return
            piece = b"" if self._at_end else self._read()
            self._rest += piece
            if not piece:  # git has ended; what it did not want is still taken off the client
                self._feeder.join(WATCH_S)

    def _read(self) -> bytes:
        """The next piece of git's answer; empty at its end, or when the transfer is over."""
        while True:
            ready = [key.fileobj for key, _ in self._ear.select(timeout=5.0)]
            if self._err in ready:
                said = os.read(self._err.fileno(), PIECE_BYTES)
                self._said = (self._said + said)[-SAID_BYTES:]
                if not said:
                    self._ear.unregister(self._err)
            if self._out in ready:
                self._moved = time.monotonic()
                piece = os.read(self._out.fileno(), PIECE_BYTES)
                self._at_end = not piece
                return piece
            if self._is_over():
                log.warning("a git transfer was ended: nothing moved, or its time was up")
                return b""

    def _is_over(self) -> bool:
        moment = time.monotonic()
        return moment > self._until or moment > self._moved + STALL_S

    def _feed(self) -> None:
        """Carry the body into git; runs in a thread of its own."""
        body, stdin = cast(IO[bytes], self._body), cast(IO[bytes], self._child.stdin)
        left = self._length
        unread = 0
        try:
            while (left is None or left > 0) and unread <= self._most_unread_bytes:
                piece = body.read(PIECE_BYTES if left is None else min(left, PIECE_BYTES))
                if not piece:
                    break
                self._moved = time.monotonic()
                left = None if left is None else left - len(piece)
                try:
                    _write(stdin, piece)
                except OSError:  # git has stopped reading, for it has said no
                    unread += len(piece)
        except Exception as exc:  # whatever a server raises when its client has gone
            log.info("the body of a git request ended early: %s", exc)
        finally:
            with suppress(OSError):
                stdin.close()

    def stop_if_late(self) -> None:
        """End git when the time is up, even while nobody iterates."""
        with self._closing:
            if not self._closed and time.monotonic() > self._until:
                self._tell_to_stop()  # not closed, so the process id is still our own

    def _tell_to_stop(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGTERM)

    def _end_child(self) -> None:
        """Wait for git; unless it is ending by itself, make it.

        SIGTERM comes first because git may then remove what it began. It is not reaped before its
        whole group was killed: until then its id cannot be anybody else's.
        """
        if not self._at_end or not self._silent_within(LAST_WORDS_S):
            self._tell_to_stop()
            self._silent_within(LAST_WORDS_S)
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()

    def _silent_within(self, seconds: float) -> bool:
        """Whether all of git's processes ended in time: a pipe ends with the last that holds it.

        Waiting for the first process alone is not enough, for others may still be tidying up.
        """
        until = time.monotonic() + seconds
        while self._ear.get_map() and (left := until - time.monotonic()) > 0:
            for key, _ in self._ear.select(timeout=left):
                said = os.read(key.fd, PIECE_BYTES)
                if key.fileobj is self._err:
                    self._said = (self._said + said)[-SAID_BYTES:]
                if not said:
                    self._ear.unregister(key.fileobj)
        return not self._ear.get_map()


class _Watch:
    """Ends transfers whose time is up although their client does not read.

    One thread for all: to start one for each costs more than the rest of a small request.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: set[Transfer] = set()
        self._thread: Thread | None = None

    def add(self, transfer: Transfer) -> None:
        with self._lock:
            self._running.add(transfer)
            if self._thread is None:
                self._thread = Thread(target=self._look, daemon=True)
                self._thread.start()

    def remove(self, transfer: Transfer) -> None:
        with self._lock:
            self._running.discard(transfer)

    def _look(self) -> None:
        while True:
            time.sleep(WATCH_S)
            with self._lock:
                running = list(self._running)
            for transfer in running:
                transfer.stop_if_late()


_watch = _Watch()


def _write(pipe: IO[bytes], piece: bytes) -> None:
    """All of a piece: an unbuffered pipe may take less at once."""
    rest = memoryview(piece)
    while rest:
        rest = rest[pipe.write(rest) :]
