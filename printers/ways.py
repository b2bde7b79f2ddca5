"""How connections to printers are made, where the ordinary way is not good enough."""

import socket
import struct
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from printers.networks import Networks

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
    """Connections with options of their own, and to some networks alone."""

    def __init__(self, options: list[Option], *, networks: Networks | None = None) -> None:
        """networks : where connections may go; None is anywhere."""
        self._options, self._networks = options, networks
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Called by `requests` once."""
        options = [*HTTPConnection.default_socket_options, *self._options]
        super().init_poolmanager(*args, **kwargs, socket_options=options)
        if self._networks is not None:
            self.poolmanager.pool_classes_by_scheme = _pools(self._networks)


def way_within(networks: Networks | None) -> Way | None:
    """The way for connections that need nothing else; None for the ordinary one."""
    return None if networks is None else Way([], networks=networks)


def _pools(networks: Networks) -> dict[str, type[HTTPConnectionPool]]:
    """Kinds of connections that look where they go."""

    def connect(self: HTTPConnection) -> socket.socket:
        # Our own lookup in place of the library's: what was checked is what is connected to.
        limit_s = self.timeout if isinstance(self.timeout, int | float) else None
        options = [(a, b, c) for a, b, c in self.socket_options or ()]
        try:
            return networks.connect(self.host, self.port, timeout=limit_s, options=options)
        except TimeoutError as exc:
            text = f"Connection to {self.host} timed out. (connect timeout={limit_s})"
            raise ConnectTimeoutError(self, text) from exc
        except OSError as exc:
            raise NewConnectionError(self, f"Failed to establish a connection: {exc}") from exc

    plain = type("PlainWithin", (HTTPConnection,), {"_new_conn": connect})
    secure = type("SecureWithin", (HTTPSConnection,), {"_new_conn": connect})
    return {
        "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }
