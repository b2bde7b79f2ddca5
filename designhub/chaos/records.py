"""What the experiment itself writes down: what people did, at the moment they did it.

The beds are a model: each PrintStarted of OctoPrint's own log puts plastic on a bed, and only a
line here takes it off. So whether something was started onto a full bed is a fact that no database
of ours has a say in.
"""

import json
import os
import threading
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path


class Deed(StrEnum):
    """What a person did."""

    TOOK_OFF = "took off"  # whatever lay on a bed
    SAID_AGAIN = "said again"  # of a run that failed: its job may be started once more
    PRINTED_BY_HAND = "printed by hand"
    PRESSED = "pressed"  # a button, and what came of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line."""

    time: float
    deed: Deed
    printer: int | None = None
    job: str = ""
    run: str = ""
    note: str = ""


class Records:
    """The lines, each on disk before anything follows from it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()

    def write(
        self,
        deed: Deed,
        *,
        printer: int | None = None,
        job: str = "",
        run: str = "",
        note: str = "",
    ) -> None:
        """Add a line, now."""
        line = Record(time=time.time(), deed=deed, printer=printer, job=job, run=run, note=note)
        with self._guard, self._path.open("ab") as file:
            file.write(json.dumps(asdict(line)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> list[Record]:
        """All lines, oldest first."""
        if not self._path.exists():
            return []
        lines = map(json.loads, self._path.read_text("utf-8").splitlines())
        return [Record(**{**line, "deed": Deed(line["deed"])}) for line in lines]
