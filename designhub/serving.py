"""The server process: granian carrying the hub's application."""

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
    # Reading the names of all cities takes a while: not in somebody's first quote.
    threading.Thread(target=find_place, args=("London",), daemon=True).start()
    return app
