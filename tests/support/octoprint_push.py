"""The push socket of the stand-in: sockjs over plain HTTP, as OctoPrint 1.11 speaks it."""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

PRELUDE = "h" * 2048
HEARTBEAT_S = 25.0
CONNECTED = {"connected": {"version": "1.11.8", "permissions": [{"key": "STATUS"}] * 200}}


@dataclass
class Session:
    """One listener: what it may hear, and what waits for it."""

    frames: "queue.Queue[str]" = field(default_factory=queue.Queue)
    opened: bool = False
    known: bool = False
    """Whether it said who it is; before that only the greeting comes."""
    events: frozenset[str] | None = None
    """What it subscribed to; None before it did: everything."""


class Socket:
    """All listeners of one server. Every method may be called from any thread."""

    def __init__(self, *, session: Callable[[], str], tick: Callable[[], None]) -> None:
        """session : the word that an `auth` message must end with.
        tick    : lets the printer go on, for nobody else may be asking."""
        self._session, self._tick = session, tick
        self._sessions: dict[str, Session] = {}
        self._guard = threading.Lock()
        self.hang_up = threading.Event()
        self.limit_bytes = 128 * 1024

    @property
    def listening(self) -> int:
        """How many listeners said who they are."""
        return sum(each.known for each in self._sessions.values())

    def event(self, kind: str, payload: dict[str, Any]) -> None:
        """Tell everybody who asked for it."""
        with self._guard:
            for each in self._sessions.values():
                if each.known and (each.events is None or kind in each.events):
                    self._put(each, {"event": {"type": kind, "payload": payload}})

    def raw(self, frame: str) -> None:
        """Send something that no OctoPrint would."""
        with self._guard:
            for each in self._sessions.values():
                each.frames.put(frame)

    def streamed(self, name: str, closing: threading.Event) -> Iterator[bytes]:
        """What one never-ending answer brings; it ends after `limit_bytes`."""
        with self._guard:
            session = self._sessions.setdefault(name, Session())
        sent, beat = 0, time.monotonic()
        yield f"{PRELUDE}\n".encode()
        if not session.opened:
            session.opened = True
            yield b"o\n"
            self._put(session, CONNECTED)
        while not closing.is_set() and not self.hang_up.is_set() and sent < self.limit_bytes:
            self._tick()
            try:
                frame = session.frames.get(timeout=0.02)
            except queue.Empty:
                if time.monotonic() - beat < HEARTBEAT_S:
                    continue
                frame = "h"
            beat, sent = time.monotonic(), sent + len(frame)
            yield f"{frame}\n".encode()

    def take(self, name: str, body: bytes) -> int:
        """What a listener says; the status it gets."""
        with self._guard:
            session = self._sessions.get(name)
            if session is None:
                return 404
            try:
                said = [json.loads(each) for each in json.loads(body)]
            except (ValueError, TypeError):
                return 500
            for message in said:
                if "auth" in message:
                    session.known = message["auth"].partition(":")[2] == self._session()
                    if not session.known:
                        self._put(session, {"reauthRequired": {"reason": "stale"}})
                elif "subscribe" in message:
                    session.events = frozenset(message["subscribe"]["events"])
            return 204

    def forget(self) -> None:
        """The server was restarted: nobody is known."""
        with self._guard:
            self._sessions.clear()

    def _put(self, session: Session, message: dict[str, Any]) -> None:
        session.frames.put("a" + json.dumps([message], separators=(",", ":")))
