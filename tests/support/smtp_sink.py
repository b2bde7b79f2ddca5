"""A mail server that keeps what it is sent, or answers as a test tells it to."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Sink:
    """What arrived, and what the server says to a recipient."""

    port: int = 0
    to_recipient: str = "250 ok"
    mails: list[str] = field(default_factory=list)


@contextmanager
def smtp_sink() -> Iterator[Sink]:
    """A server on a free port, until the block ends."""
    sink = Sink()

    class Talk(socketserver.StreamRequestHandler):
        def say(self, text: str) -> None:
            self.wfile.write(text.encode() + b"\r\n")

        def handle(self) -> None:
            self.say("220 sink")
            while line := self.rfile.readline():
                word = line[:4].upper()
                if word == b"DATA":
                    self.say("354 go on")
                    lines = iter(self.rfile.readline, b".\r\n")
                    sink.mails.append(b"".join(lines).decode())
                    self.say("250 kept")
                elif word == b"RCPT":
                    self.say(sink.to_recipient)
                else:
                    self.say("221 bye" if word == b"QUIT" else "250 ok")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk) as server:
        sink.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield sink
        finally:
            server.shutdown()
            thread.join()
