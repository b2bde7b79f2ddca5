"""Networks that connections may go to, and no other address, whatever a name leads to.

A name is looked up when the connection is made, every address it has is checked, and the checked
address itself is connected to: nobody can answer differently in between, and a name that leads
elsewhere tomorrow is refused tomorrow.
"""

import ipaddress
import socket
from dataclasses import dataclass
from typing import Any

from printers.octoprint_http import PrinterRefused, PrinterUnreachable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Target = tuple[int, tuple[Any, ...]]
"""What `socket` connects to: family and address."""


class OutsideNetworks(PrinterRefused):
    """The address is in none of the networks that were named: nothing was connected to."""

    code = "outside_networks"


@dataclass(frozen=True, slots=True)
class Networks:
    """Networks by their address and length, such as 192.168.7.0/24."""

    each: tuple[Network, ...]

    @classmethod
    def parse(cls, text: str) -> "Networks":
        """Out of text with commas or spaces between. Raises ValueError naming the one at fault."""
        words = text.replace(",", " ").split()
        return cls(tuple(ipaddress.ip_network(word) for word in words))

    def __bool__(self) -> bool:
        return bool(self.each)

    def __str__(self) -> str:
        return ", ".join(map(str, self.each)) or "no network"

    def hold(self, address: str) -> bool:
        """Whether an address, as numbers, is in one of them."""
        found = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found.version == each.version and found in each for each in self.each)

    def targets(self, host: str, port: int) -> list[Target]:
        """Where a connection to `host` may go. Raises OutsideNetworks when any of its addresses is
        outside, PrinterUnreachable for a name that has none."""
        try:
            found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as exc:
            raise PrinterUnreachable(f"{host}: this name leads nowhere: {exc}") from exc
        targets = [(int(family), address) for family, _, _, _, address in found]
        for _, address in targets:
            if not self.hold(str(address[0])):
                raise OutsideNetworks(
                    f"{host} leads to an address ({address[0]}) in none of the networks that this"
                    f" hub may connect to: {self}"
                )
        return targets

    def connect(
        self,
        host: str,
        port: int,
        *,
        timeout: float | None,
        options: list[tuple[int, int, int | bytes]],
    ) -> socket.socket:
        """A connection to one of them. Raises OSError as `socket` does, and as `targets`."""
        failed: OSError | None = None
        for family, address in self.targets(host, port):
            line = socket.socket(family, socket.SOCK_STREAM)
            try:
                for option in options:
                    line.setsockopt(*option)
                line.settimeout(timeout)
                line.connect(address)
            except OSError as exc:
                line.close()
                failed = exc
            else:
                return line
        raise failed or OSError("no address")
