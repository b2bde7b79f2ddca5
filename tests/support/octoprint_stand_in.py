"""A stand-in for OctoPrint 1.11 that fails on command.

Only for faults that a real server cannot be asked for: a lost reply, a cut connection, a garbled
answer. Everything else is tested on the real one; `tests/printers/test_octoprint.py` runs on both.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from tests.support.octoprint_memory import Answer, Memory
from tests.support.octoprint_push import Socket

KEY = "stand-in-key"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with the next request that begins like `on` ("POST /api/job")."""

    on: str
    acts: bool = True  # whether the request has its effect before anything goes wrong
    reply: Literal["normal", "lost", "garbage", "torn", "dripping", "endless"] = "normal"
    delay_s: float = 0.0  # before the reply, whatever it is


@dataclass
class StandIn(Memory):
    """The memory with the faults that are still to come."""

    faults: list[Fault] = field(default_factory=list)
    booting: bool = False
    asked: list[str] = field(default_factory=list)  # "METHOD /path" of every request, in order
    closing: threading.Event = field(default_factory=threading.Event)
    socket: Socket = field(init=False)

    def __post_init__(self) -> None:
        self.socket = Socket(session=lambda: self.session, tick=self.tick)
        self.hear = self.socket.event


class Handler(BaseHTTPRequestHandler):
    """HTTP around the stand-in, with its faults."""

    stand_in: StandIn
    protocol_version = "HTTP/1.1"
    timeout = 30

    def serve(self) -> None:
        self.close_connection = True
        path = unquote(urlsplit(self.path).path)
        body = self.whole_body()
        if body is None:
            return
        self.stand_in.asked.append(f"{self.command} {path}")
        if self.stand_in.booting:
            self.as_if_booting()
            return
        if path.startswith("/sockjs/"):
            self.push(path, body)
            return
        fault = self.next_fault(path)
        status, said = 0, None
        if fault.acts:
            status, said = self.judged(path, body)
        self.stand_in.closing.wait(fault.delay_s)
        with suppress(OSError):  # who gave up waiting is what these tests are about
            self.reply(fault, status, said)

    do_GET = do_POST = do_DELETE = serve

    def whole_body(self) -> bytes | None:
        """All that the headers promised; None when it never came, and then nothing happens."""
        promised = int(self.headers.get("Content-Length") or 0)
        try:
            body = self.rfile.read(promised)
        except OSError:
            return None
        return body if len(body) == promised else None

    def next_fault(self, path: str) -> Fault:
        """The first fault that waits for a request like this one; each happens once."""
        with self.stand_in.lock:
            for fault in self.stand_in.faults:
                if f"{self.command} {path}".startswith(fault.on):
                    self.stand_in.faults.remove(fault)
                    return fault
        return Fault(on="")

    def judged(self, path: str, body: bytes) -> Answer:
        asks_api = path.startswith("/api/")  # pages and plugins ask for no key
        if asks_api and self.headers.get("X-Api-Key") != KEY:
            if self.command == "GET":
                return 403, {"error": "You don't have the permission to access the resource."}
            return 400, {"error": "CSRF validation failed"}
        kind = self.headers.get("Content-Type") or ""
        return self.stand_in.answer(self.command, path, body, kind, urlsplit(self.path).query)

    def push(self, path: str, body: bytes) -> None:
        """sockjs over plain HTTP."""
        _, _, _, session, what = path.split("/")
        if what == "xhr_send":
            self.send_response(self.stand_in.socket.take(session, body))
            self.send_header("Content-Type", "text/plain; charset=UTF-8")
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/javascript; charset=UTF-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with suppress(OSError):
            for piece in self.stand_in.socket.streamed(session, self.stand_in.closing):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")

    def as_if_booting(self) -> None:
        if self.command == "GET":
            self.wfile.write(b"Not found")  # without a status line
        else:
            self.send_error(501, f"Unsupported method ('{self.command}')")

    def reply(self, fault: Fault, status: int, said: dict[str, Any] | None) -> None:
        content = json.dumps(said).encode() if said is not None else b""
        if fault.reply == "lost" or (fault.reply == "normal" and not fault.acts):
            return
        if fault.reply == "garbage":
            self.wfile.write(b"\x00\x15 not HTTP at all\r\n\r\n")
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        if fault.reply == "normal":
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        elif fault.reply == "torn":
            self.send_header("Content-Length", str(len(content) + 1))
            self.end_headers()
            self.wfile.write(content[:-1])
        else:
            self.end_headers()
            self.too_much(dripping=fault.reply == "dripping")

    def too_much(self, *, dripping: bool) -> None:
        """A body without an end: a byte at a time, or as fast as it goes."""
        piece = b" " if dripping else b" " * 100_000
        try:
            while not self.stand_in.closing.wait(0.01 if dripping else 0.0):
                self.wfile.write(piece)
        except OSError:
            return

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output quiet."""


@contextmanager
def served(stand_in: StandIn) -> Iterator[str]:
    """The stand-in on a free port of this machine; yields its address."""
    handler = type("BoundHandler", (Handler,), {"stand_in": stand_in})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            stand_in.closing.set()
            server.shutdown()
            thread.join()
