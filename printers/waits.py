"""What a paused print waits for, as far as OctoPrint's hints tell.

OctoPrint names the person who paused in it, and no one when the printer itself asked (its filament
sensor, its display). It tells of a filament change that it sent (M600, M701, M702). Nothing here
decides anything: it is words for whoever comes to help.
"""

from collections.abc import Callable

from printers.protocol import WaitsFor
from printers.push import Hint

NEAR_S = 60.0
"""A filament change so shortly before a pause is why it paused."""


class Waits:
    """Hears the hints of one printer. clock : seconds that never jump."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changed_at: float | None = None
        self._paused: tuple[str, WaitsFor] | None = None

    def hear(self, hint: Hint) -> None:
        """One more hint."""
        if hint.kind == "FilamentChange":
            self._changed_at = self._clock()
            if self._paused is not None:
                self._paused = (self._paused[0], WaitsFor.FILAMENT)
        elif hint.kind == "PrintPaused" and hint.path:
            near = self._changed_at is not None and self._clock() - self._changed_at < NEAR_S
            by = WaitsFor.PERSON if hint.by_person else WaitsFor.PRINTER
            self._paused = (hint.path, WaitsFor.FILAMENT if near else by)
        elif hint.kind in ("PrintResumed", "PrintStarted"):
            self._paused = self._changed_at = None

    def of(self, path: str) -> str:
        """What the paused print of `path` waits for; "" when nothing was said of it."""
        paused = self._paused
        return paused[1].value if paused is not None and paused[0] == path else ""
