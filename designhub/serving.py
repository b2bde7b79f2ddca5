"""The server process: granian carrying the hub's application."""

import signal
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

from basis.settings import Settings
from designhub import logs
from designhub.app import create_app
from designhub.hub import Hub
from router.globe import find_place

END_S = 10
"""How long a request may go on after the server was told to end."""


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. Raises SystemExit with 1 when the server broke down."""
    server = Granian(
        "designhub",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=settings.server_processes,
        blocking_threads=settings.server_threads,
        workers_kill_timeout=END_S,
        respawn_failed_workers=True,
        log_level=LogLevels.warning,
    )
    server.serve(target_loader=partial(_load, settings), wrap_loader=False)


def _load(settings: Settings) -> Callable[..., Any]:
    """The application, made in each server process."""
    logs.set_up(level=settings.log_level, as_json=settings.log_json)
    app = create_app(settings)
    _end_streams_when_told(app.extensions["designhub"])
    # Reading the names of all cities takes a while: not in somebody's first quote.
    threading.Thread(target=find_place, args=("London",), daemon=True).start()
    return app


def _end_streams_when_told(hub: Hub) -> None:
    """Let open pages go as soon as the server is told to end: they would keep it until it is
    killed. The server takes the signals for itself, so a byte of each wakes a thread of ours."""
    told, wakes = socket.socketpair()
    wakes.setblocking(False)
    signal.set_wakeup_fd(wakes.detach(), warn_on_full_buffer=False)

    def wait() -> None:
        while told.recv(1) not in (bytes([signal.SIGINT]), bytes([signal.SIGTERM])):
            pass
        hub.live.close()

    threading.Thread(target=wait, name="end of streams", daemon=True).start()
