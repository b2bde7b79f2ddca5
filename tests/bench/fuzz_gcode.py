"""Let atheris look for a file that the guard passes and the liberal reader complains about.

    make fuzz                     # a minute, from a print and what is forbidden
    make fuzz SECONDS=3600

It ends with the file and the complaint when it finds one. Not part of the tests: coverage-guided
search has no fixed length, and the package is for x86-64 alone.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["printers"]):
    from printers.gcode_flavours import FLAVOURS
    from tests.printers.test_gcode import END
    from tests.printers.test_gcode_fuzz import BODY, HEADS, JUNK, NAMES, look

ORDER = tuple(sorted(FLAVOURS))


def one(data: bytes) -> None:
    """The first byte chooses the firmware, the rest is the file."""
    if len(data) > 1:
        look(data[1:], ORDER[data[0] % len(ORDER)])


def seeds(folder: Path) -> None:
    """Prints that pass, and the same with a forbidden line or junk in them."""
    number = 0
    for head in HEADS:
        for text in ["", *NAMES, *JUNK]:
            lines = [head, BODY[0], text.encode() + b"\n", *BODY[1:], END]
            for flavour in range(len(ORDER)):
                (folder / str(number)).write_bytes(bytes([flavour]) + b"".join(lines))
                number += 1


def main() -> None:
    """Arguments are libFuzzer's, e.g. -max_total_time=60."""
    with tempfile.TemporaryDirectory() as name:
        seeds(Path(name))
        atheris.Setup([sys.argv[0], "-max_len=1200", *sys.argv[1:], name], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
