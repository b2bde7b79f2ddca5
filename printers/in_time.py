"""A command that reaches the printer while it may, or never.

A start that arrives after its permit ended is the one fault that nobody could repair: the hub may
have given the bed to somebody else by then. So the right to send is asked for again once the
connection stands, whatever the name server and the connection took, and bytes that the printer's
machine has not acknowledged in time are thrown away instead of being sent again and again by the
kernel after this program gave up.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from printers.octoprint_http import PrinterUnreachable

CONNECT_S = 3.0
"""The most that the connection for such a command may take."""

ARRIVE_S = 6.0
"""Within it the command has arrived and is answered, or counts as unanswered; with less time left
it is not sent."""


def unlimited() -> float:
    """The time that is left where nothing ends."""
    return float("inf")


class Timed:
    """The body of a command, which leaves only while `left_s` says that it still may arrive.

    The server cannot act before the last byte of the length that the headers promise.
    """

    def __init__(self, command: Mapping[str, Any], *, left_s: Callable[[], float]) -> None:
        self._content = json.dumps(dict(command)).encode()
        self._left_s = left_s

    def __len__(self) -> int:
        return len(self._content)

    def __iter__(self) -> Iterator[bytes]:
        left_s = self._left_s()
        if left_s < ARRIVE_S:
            raise PrinterUnreachable(
                f"not sent: {max(0.0, left_s):.1f} s were left when the connection stood, and it"
                f" may take {ARRIVE_S:.0f} s to arrive"
            )
        yield self._content
