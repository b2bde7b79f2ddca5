"""A printer's camera: a tiny server that gives a picture, or misbehaves as cameras do."""

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image, ImageDraw


def picture(size: tuple[int, int] = (640, 480)) -> bytes:
    """A bed with something on it, as JPEG."""
    drawn = Image.new("RGB", size, (60, 64, 70))
    pen = ImageDraw.Draw(drawn)
    width, height = size
    corners = ((0.15, 0.85), (0.3, 0.35), (0.7, 0.35), (0.85, 0.85))
    pen.polygon([(width * x, height * y) for x, y in corners], fill=(96, 100, 108))
    pen.rectangle((width * 0.42, height * 0.45, width * 0.58, height * 0.62), fill=(230, 120, 40))
    content = io.BytesIO()
    drawn.save(content, format="JPEG")
    return content.getvalue()


@dataclass
class Camera:
    """What it gives: a picture, "page" (HTML), "stream" (no end), "slow", "moved" or "gone"."""

    url: str = ""
    gives: list[str] = field(default_factory=lambda: ["picture"])
    """One after the other; the last again and again."""
    asked: int = 0
    content: bytes = field(default_factory=picture)

    def next(self) -> str:
        self.asked += 1
        return self.gives[min(self.asked, len(self.gives)) - 1]


class _Handler(BaseHTTPRequestHandler):
    camera: Camera

    def do_GET(self) -> None:
        match self.camera.next():
            case "picture":
                self._send(200, "image/jpeg", self.camera.content)
            case "page":
                self._send(200, "text/html", b"<html>sign in</html>")
            case "moved":
                self.send_response(302)
                self.send_header("Location", "http://127.0.0.1:1/")
                self.end_headers()
            case "stream":
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=x")
                self.end_headers()
                for _ in range(200):
                    self.wfile.write(b"--x\r\n\r\n" + self.camera.content)
                    time.sleep(0.05)
            case "slow":
                time.sleep(3)
            case _:
                self._send(404, "text/plain", b"no camera")

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever asked has hung up: that is their right."""


@contextmanager
def camera_served() -> Iterator[Camera]:
    """A camera on a port of its own, on this machine."""
    camera = Camera()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"camera": camera}))
    camera.url = f"http://127.0.0.1:{server.server_port}/?action=snapshot"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield camera
    finally:
        server.shutdown()
        server.server_close()
