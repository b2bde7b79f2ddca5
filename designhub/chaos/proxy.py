"""The network between an agent and what it speaks to: it cuts, delays, repeats.

A relay of whole requests, because where a connection is cut matters only by what had arrived
before. What the weather does to a request is decided by the seed and the number of the request.
"""

import http.client
import random
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

UPSTREAM_S = 30.0
MOST_BODY_BYTES = 64 << 20
KEPT_REQUESTS = 40
LONG_S = (0.5, 4.0)


class Fate(StrEnum):
    """What becomes of one request."""

    FINE = "fine"
    CUT_BEFORE = "cut before the request"
    CUT_BETWEEN = "cut after the request, before the answer"
    CUT_WITHIN = "cut within the answer"
    LATE = "delayed"
    ANSWERED_TWICE = "answered twice"
    SENT_TWICE = "sent twice"
    SENT_AGAIN = "an old request sent again before it"


ROUGH: Mapping[Fate, int] = {
    Fate.FINE: 880,
    Fate.CUT_BEFORE: 25,
    Fate.CUT_BETWEEN: 25,
    Fate.CUT_WITHIN: 15,
    Fate.LATE: 20,
    Fate.ANSWERED_TWICE: 10,
    Fate.SENT_TWICE: 15,
    Fate.SENT_AGAIN: 10,
}
"""Of a thousand requests in the storm."""


@dataclass(slots=True)
class Weather:
    """What the network does at present, and how often it did it."""

    rough: bool = False
    seen: Counter[str] = field(default_factory=Counter)

    def fate(self, chance: random.Random, *, replays: bool) -> Fate:
        """What becomes of the next request."""
        fate = chance.choices(list(ROUGH), list(ROUGH.values()))[0]
        if not self.rough or (fate is Fate.SENT_AGAIN and not replays):
            return Fate.FINE
        if fate is not Fate.FINE:
            self.seen[fate.value] += 1
        return fate


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Relay(ThreadingHTTPServer):
    """One way from an agent to one address.

    replays : old requests are sent again, long after they were answered. Nothing between an agent
              and its own OctoPrint does that; a start that came hours later would start again,
              and only the printer itself could know.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, to: str, weather: Weather, *, chance: random.Random, replays: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        address = urlsplit(to)
        self.to = (address.hostname or "127.0.0.1", address.port or 80)
        self.weather, self.chance, self.replays = weather, chance, replays
        self.kept: deque[Asked] = deque(maxlen=KEPT_REQUESTS)
        self.guard = threading.Lock()
        threading.Thread(target=self.serve_forever, name=f"relay to {to}", daemon=True).start()

    @property
    def url(self) -> str:
        """Where the agent finds it."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def decide(self, asked: Asked) -> tuple[Fate, Asked | None, float]:
        """What becomes of a request, an old one to send again, and for how long it is late."""
        with self.guard:
            fate = self.weather.fate(self.chance, replays=self.replays)
            old = self.chance.choice(self.kept) if self.kept else None
            late_s = self.chance.uniform(*LONG_S)
            if asked.method == "POST":
                self.kept.append(asked)
        return fate, old, late_s

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that breaks is what this is for."""


class _Handler(BaseHTTPRequestHandler):
    """One connection of an agent; its requests one after the other."""

    protocol_version = "HTTP/1.1"
    server: Relay
    timeout = 60.0

    def _relay(self) -> None:
        size = min(int(self.headers.get("Content-Length") or 0), MOST_BODY_BYTES)
        asked = Asked(self.command, self.path, dict(self.headers.items()), self.rfile.read(size))
        fate, old, late_s = self.server.decide(asked)
        if fate is Fate.CUT_BEFORE:
            return self._cut()
        if fate is Fate.LATE:
            time.sleep(late_s)
        try:
            if fate is Fate.SENT_AGAIN and old is not None:
                with suppress(OSError, http.client.HTTPException):
                    self._ask(old)
            answer = self._ask(asked)
            if fate is Fate.SENT_TWICE:
                answer = self._ask(asked)
        except (OSError, http.client.HTTPException):
            return self._cut()  # what is behind us is away: so are we
        if fate is Fate.CUT_BETWEEN:
            return self._cut()
        with suppress(OSError):
            if fate is Fate.CUT_WITHIN:
                self.wfile.write(answer[: max(1, len(answer) * 2 // 3)])
                return self._cut()
            self.wfile.write(answer)
            if fate is Fate.ANSWERED_TWICE:
                self.wfile.write(answer)
        return None

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = _relay

    def _ask(self, asked: Asked) -> bytes:
        """The whole answer, as it goes over the line."""
        line = http.client.HTTPConnection(*self.server.to, timeout=UPSTREAM_S)
        try:
            headers = {name: text for name, text in asked.headers.items() if name != "Connection"}
            line.request(asked.method, asked.path, body=asked.body or None, headers=headers)
            answer = line.getresponse()
            body = answer.read()
        finally:
            line.close()
        hop = ("transfer-encoding", "connection", "content-length", "keep-alive")
        kept = [(name, text) for name, text in answer.getheaders() if name.lower() not in hop]
        if self.close_connection:  # as the agent wished; unsaid, it would use the line again
            kept.append(("Connection", "close"))
        if answer.status not in (204, 304):
            kept.append(("Content-Length", str(len(body))))
        head = [f"HTTP/1.1 {answer.status} {answer.reason}", *(f"{n}: {t}" for n, t in kept)]
        return ("\r\n".join(head) + "\r\n\r\n").encode("latin-1") + body

    def _cut(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads this."""
