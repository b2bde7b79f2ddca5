"""Prints that somebody starts at the machine itself, past the hub and its agent.

Whoever does that stays until the hub's page says that the bed is taken: what happens at a printer
while no agent watches, only that person can know. Should the machine die before, they take off what
lies there.
"""

import random
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

from designhub.chaos.people import LOOK_S, Person
from designhub.chaos.records import Deed, Records
from printers.farm import PrintEvent
from printers.octoprint import PrinterError

FOREIGN_S = (9, 14)
"""Seconds that such a print takes."""

STAY_S = 90.0
AGENT_LOOKS_S = 3.0
PAUSE_TRIES, PAUSE_AGAIN_S = 10, 0.1
_numbers = count(1)


def print_foreign(
    person: Person, records: Records, chance: random.Random, *, watched: Callable[[], bool]
) -> str:
    """Take off what lies there and print a file that no hub knows; what came of it."""
    path = f"by-hand/{next(_numbers)}.gcode"
    dwells = ["G4 P100"] * (10 * chance.randint(*FOREIGN_S))
    screen = person.screen()
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".gcode") as file:
            file.write("\n".join(["G90", *dwells, ""]))
            file.flush()
            screen.upload(path, Path(file.name), userdata={})
    except PrinterError as exc:
        return str(exc)
    return _start(person, records, path, watched)


def print_again(
    person: Person, records: Records, log: list[PrintEvent], *, watched: Callable[[], bool]
) -> str:
    """Take off what lies there and print once more what was printed last."""
    ours = [event.path for event in log if event.path.startswith("designhub/")]
    return _start(person, records, ours[-1], watched) if ours else "nothing was printed yet"


def _start(person: Person, records: Records, path: str, watched: Callable[[], bool]) -> str:
    with person.hands:
        if not person.still():
            return "it is busy"
        person.take_off()
        records.write(Deed.PRINTED_BY_HAND, printer=person.number, note=path)
        try:
            person.screen().start(path)
        except PrinterError as exc:
            return str(exc)
        _pause(person, path)
        try:
            return f"{path}: {_stay(person, watched)}"
        finally:
            with suppress(PrinterError):
                person.screen().resume(path)


def _pause(person: Person, path: str) -> None:
    """Hold it where it is: a print by hand takes longer than these seconds."""
    for _ in range(PAUSE_TRIES):
        with suppress(PrinterError):  # just beginning, or over already
            person.screen().pause(path)
            return
        time.sleep(PAUSE_AGAIN_S)


def _stay(person: Person, watched: Callable[[], bool]) -> str:
    """Until the agent has seen it and the hub knows; what came of it.

    watched : whether the printer's agent runs.
    """
    began = since = time.monotonic()
    while time.monotonic() - began < STAY_S:
        time.sleep(LOOK_S)
        if not watched():
            since = time.monotonic()
        elif person.bed_is_taken() and time.monotonic() - since > AGENT_LOOKS_S:
            return "the hub knows"
        if time.monotonic() - began > AGENT_LOOKS_S and person.still():
            person.take_off()
            return "over before anybody knew, and taken off"
    return "the hub never knew"
