"""The lines of the protocol at which a process can be made to die, and how it is told to.

An order is a file that is named after the process and the line; it holds the names of the victims,
so that an agent at a line of its own may also end the hub or the OctoPrint beside it. The product
knows nothing of this: an agent tells its lines to whoever asks (`printers.tending.MARKS`), and the
lines of the hub are the commits of its database.
"""

import json
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from printers.tending import MARKS

AGENT_MARKS = tuple(f"agent.{mark}" for mark in MARKS)
HUB_CALLS = {
    "agents_api.ask": "lease",
    "agents_api.permit": "permit",
    "agents_api.beat": "beat",
    "agents_api.report": "report",
    "jobs_api.passed": "passed",
    "workshops_api.clear_bed": "clear",
}
"""Which calls of the hub's API have marks, and what these are called."""

HUB_MARKS = tuple(f"hub.{call}.{when}" for call in HUB_CALLS.values() for when in ("open", "done"))
"""`open`: everything is written, nothing committed. `done`: committed, and nobody was answered."""

WORKER_MARKS = ("worker.task.open", "worker.task.done")
ALL_MARKS = (*AGENT_MARKS, *HUB_MARKS, *WORKER_MARKS)


class Desk:
    """Where orders lie, who has which process number, and what was killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._orders, self._pids = folder / "orders", folder / "pids"
        self._kills = folder / "kills.jsonl"
        for each in (self._orders, self._pids):
            each.mkdir(parents=True, exist_ok=True)
        # The clocks of those who write here are turned; this one nobody turns.
        epoch = folder / "epoch"
        if not epoch.exists():
            epoch.write_text(repr(time.time() - time.monotonic()))
        self._epoch = float(epoch.read_text())

    def order(self, who: str, mark: str, victims: Iterable[str]) -> None:
        """When `who` next comes to `mark`, the victims die."""
        draft = self._orders / f".{who}@{mark}"
        draft.write_text(json.dumps(list(victims)))
        draft.replace(self._order(who, mark))

    def waiting(self, who: str, mark: str) -> bool:
        """Whether an order has not been carried out yet."""
        return self._order(who, mark).exists()

    def withdraw(self, who: str, mark: str) -> bool:
        """Take an order back; False when it was carried out in this moment."""
        try:
            self._order(who, mark).unlink()
        except FileNotFoundError:
            return False
        return True

    def at(self, who: str, mark: str) -> None:
        """`who` has come to `mark`. Returns, unless an order says otherwise."""
        order = self._order(who, mark)
        mine = order.with_name(f".{order.name}.{os.getpid()}")
        try:
            order.rename(mine)  # of several threads at this line, one carries it out
        except FileNotFoundError:
            return
        victims = json.loads(mine.read_text())
        mine.unlink()
        for name in sorted(victims, key=lambda name: name == who):
            self.kill(name, at=mark)

    def runs_as(self, name: str, pid: int) -> None:
        """Note the process number of what was just started."""
        (self._pids / name).write_text(str(pid))

    def kill(self, name: str, *, at: str) -> bool:
        """End a process with all that it started, at once; False when it does not run."""
        with suppress(OSError, ValueError):
            pid = int((self._pids / name).read_text())
            # The number may be somebody else's by now; all of ours name the folder.
            if os.fsencode(str(self.folder)) in Path(f"/proc/{pid}/cmdline").read_bytes():
                self.say(killed=name, at=at)
                os.killpg(pid, signal.SIGKILL)
                return True
        return False

    def say(self, **what: object) -> None:
        """Write down what is done to the world. Whole even when the writer dies next."""
        line = {"time": self._epoch + time.monotonic(), **what}
        with self._kills.open("ab", buffering=0) as file:
            file.write(json.dumps(line).encode() + b"\n")

    def said(self) -> list[dict[str, object]]:
        """All that was done to the world, oldest first."""
        if not self._kills.exists():
            return []
        return [json.loads(line) for line in self._kills.read_text().splitlines()]

    def _order(self, who: str, mark: str) -> Path:
        return self._orders / f"{who}@{mark}"
