"""How connections to printers are made, where the ordinary way is not good enough."""

import socket
import struct
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection

Option = tuple[int, int, int | bytes]


def abrupt(limit_s: float) -> list[Option]:
    """Options of a connection that leaves nothing under way when it is closed."""
    # Closing throws away what was not acknowledged, also when this program is killed.
    options: list[Option] = [(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))]
    if (limit := getattr(socket, "TCP_USER_TIMEOUT", None)) is not None:
        # The same while this program is stopped or too busy to close anything.
        options.append((socket.IPPROTO_TCP, limit, round(limit_s * 1000)))
    return options


def watched() -> list[Option]:
    """Options of a connection on which nothing may come for long, and whose end must be noticed."""
    options: list[Option] = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if (option := getattr(socket, name, None)) is not None:
            options.append((socket.IPPROTO_TCP, option, value))
    return options


class Way(HTTPAdapter):
    """Connections with options of their own."""

    def __init__(self, options: list[Option]) -> None:
        self._options = options
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Called by `requests` once."""
        options = [*HTTPConnection.default_socket_options, *self._options]
        super().init_poolmanager(*args, **kwargs, socket_options=options)
