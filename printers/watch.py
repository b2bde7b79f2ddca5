"""Whether an agent can vouch that nothing was printed on a printer since it last looked at it.

A bed that a person called clear stays clear as long as somebody watches it. Whenever the agent
cannot vouch for the time between (its first start, a power cycle of its board, a printer that was
off or out of sight), it says so, and the hub takes the bed. A clean restart of the agent, or a
network that was away for a moment, is no reason.
"""

import json
import math
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from printers.evidence import Job
from printers.octoprint_http import PrinterSilent
from printers.port import Port

UNSEEN_S = 90.0
"""A printer that nobody saw for longer may have printed: heating up alone takes about as long."""

GLANCE_S = 10.0
"""After a shorter look away than this, OctoPrint's records are not read again."""

SAVE_S = 30.0
"""How often the moment of the last look goes to disk: an SD card does not like to be written."""

COLD_C = 60.0
"""A nozzle that was never warmer has printed nothing."""

TRIES = 3
"""How often records that do not arrive are asked for before that counts as not knowing."""

OURS = "designhub/"
"""Where the files of our runs lie: of their prints the journal tells."""

NEVER_WATCHED = "this agent has not watched it before"
BOARD_RESTARTED = "the board of this agent was restarted meanwhile"
PRINTED = "something was printed on it while nobody watched"
PRINTING = "it prints what is no run of ours"


def this_boot() -> str:
    """A name for the time since this board was started; "" where there is none."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Memory:
    """What stays over a restart of the agent."""

    boot: str
    at_s: float
    """When the printer was last seen connected, by a clock that counts from the boot."""
    newest: float | None
    """When the newest print of others ended, by OctoPrint's clock; None before it was read."""
    owed: str = ""
    """Why the hub must take the bed, until it has heard it."""

    def to_json(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, data: Any) -> "_Memory":
        """Raises KeyError, TypeError or ValueError for anything else."""
        boot, owed = data["boot"], data["owed"]
        if not isinstance(boot, str) or not isinstance(owed, str):
            raise TypeError("not what was written")
        newest = None if data["newest"] is None else float(data["newest"])
        return cls(boot=boot, at_s=float(data["at_s"]), newest=newest, owed=owed)


class Watch:
    """Watches one printer for the station that owns it.

    file     : where the memory is kept; it needs no fsync, for after a power cut nothing is vouched
               for anyway.
    clock    : seconds that never jump, the same ones after a restart of the agent.
    say      : events for the log, as (level, text).
    """

    def __init__(
        self,
        file: Path,
        octoprint: Port,
        *,
        clock: Callable[[], float],
        say: Callable[[str, str], None],
        boot: str,
    ) -> None:
        self._file, self._octoprint = file, octoprint
        self._clock, self._say, self._boot = clock, say, boot
        self._guard = threading.RLock()  # the thread that asks says what was told
        self._saved: _Memory | None = None
        self._said = ""
        self._fresh = True  # the records were not read yet
        self._tries = 0
        self.count = 0
        """How often there was something to tell; it only grows."""
        self._memory = self._begun()

    @property
    def owed(self) -> str:
        """Why the bed must be taken, in words; "" when there is no reason the hub has not heard."""
        return self._memory.owed

    def told(self, count: int) -> None:
        """The hub has heard everything up to this `count`, and took the bed: whoever clears it from
        now on has looked at it, so only what happens from now on matters."""
        with self._guard:
            if self._memory.owed and count == self.count:
                # Not saved at once: to say it twice is harmless.
                self._memory = replace(self._memory, owed="", at_s=self._clock())

    def doubt(self) -> None:
        """Something says that it printed: read the records again at the next look."""
        self._fresh = True

    def look(self, job: Job) -> None:
        """Take note of a free printer. Raises PrinterError when its records cannot be read yet."""
        if job.closed:
            return  # the time that nobody can vouch for goes on
        if job.active:
            self._owe(PRINTING)
        else:
            self._said = ""
        away_s = self._away_s()
        if self._fresh or away_s > GLANCE_S:
            self._compare(away_s)
        self.touch()

    def touch(self) -> None:
        """The printer was seen. While a run of ours is under way its bed is taken already, so this
        is all there is to note."""
        now = self._clock()
        with self._guard:
            self._memory = replace(self._memory, at_s=now)
            if self._saved is None or now - self._saved.at_s >= SAVE_S:
                self.save()

    def save(self) -> None:
        """Write the memory down; whatever fails, the older one vouches for less."""
        new = self._file.with_suffix(".new")
        with self._guard, suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            new.write_text(json.dumps(self._memory.to_json()), "utf-8")
            new.replace(self._file)
            self._saved = self._memory

    def _begun(self) -> _Memory:
        """What the agent before this one left, if it is of this boot."""
        memory = _Memory(boot=self._boot, at_s=-math.inf, newest=None)
        why = NEVER_WATCHED
        with suppress(OSError, ValueError, KeyError, TypeError):
            known = _Memory.from_json(json.loads(self._file.read_text("utf-8")))
            if self._boot and known.boot == self._boot and known.at_s <= self._clock():
                memory, why = known, known.owed  # perhaps it ended before the hub heard it
            else:
                memory, why = replace(memory, newest=known.newest), BOARD_RESTARTED
        if why:
            self.count += 1
            self._say("warning", f"its bed counts as occupied: {why}")
        return replace(memory, owed=why)

    def _owe(self, why: str) -> None:
        if why != self._said:  # once for a whole print of somebody else's
            self._said = why
            self._say("warning", f"its bed counts as occupied: {why}")
        with self._guard:
            self.count += 1
            self._memory = replace(self._memory, owed=why)
            if self._saved is None or self._saved.owed != why:
                self.save()

    def _away_s(self) -> float:
        return self._clock() - self._memory.at_s

    def _compare(self, away_s: float) -> None:
        """Read what OctoPrint recorded meanwhile."""
        known = UNSEEN_S < away_s < math.inf  # without an end it is owed already
        before, warmest_c = self._memory.newest, None
        try:
            newest = self._octoprint.newest_print(besides=OURS)
            if known:
                warmest_c = self._octoprint.warmest_c(within_s=away_s)
        except PrinterSilent:
            self._tries += 1
            if self._tries < TRIES:
                raise
            self._owe("OctoPrint does not tell its records of prints")
            newest = before or 0.0
        self._tries, self._fresh = 0, False
        with self._guard:
            self._memory = replace(self._memory, newest=newest)
        if before is not None and newest > before:
            self._owe(PRINTED)
        elif known and warmest_c is None:
            self._owe(f"nobody saw it for {away_s / 60:.0f} min")
        elif known and warmest_c is not None and warmest_c > COLD_C:
            self._owe(f"its nozzle was {warmest_c:.0f} °C warm while nobody watched")
