"""Prints that somebody starts at the machine itself, past the hub and its agent."""

import random
import tempfile
from itertools import count
from pathlib import Path

from designhub.chaos.people import Person
from designhub.chaos.records import Deed, Records
from printers.farm import PrintEvent
from printers.octoprint import PrinterError

FOREIGN_S = (9, 14)
"""Longer than a lease, as a print by hand takes longer than two minutes."""

_numbers = count(1)


def print_foreign(person: Person, records: Records, chance: random.Random) -> str:
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
    return _start(person, records, path)


def print_again(person: Person, records: Records, log: list[PrintEvent]) -> str:
    """Take off what lies there and print once more what was printed last."""
    ours = [event.path for event in log if event.path.startswith("designhub/")]
    return _start(person, records, ours[-1]) if ours else "nothing was printed yet"


def _start(person: Person, records: Records, path: str) -> str:
    with person.hands:
        if not person.still():
            return "it is busy"
        person.take_off()
        records.write(Deed.PRINTED_BY_HAND, printer=person.number, note=path)
        try:
            person.screen().start(path)
        except PrinterError as exc:
            return str(exc)
    return f"started {path}"
