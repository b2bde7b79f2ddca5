"""How fast the guard reads G-code, as a ratio to a loop that only reads lines.

A bumpy ball is sliced by PrusaSlicer as a hub does it; the file is then read from memory, both
ways in turn.

    python -m tests.bench.bench_gcode [FILE.gcode]
"""

import json
import statistics
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path

from printers.capability import COMMON, Choices
from printers.gcode import measure
from printers.slicer import slice_plate
from tests.bench.bench_mesh import ball
from tests.support import solids

PAIRS = 7


def sliced() -> bytes:
    """The G-code of a ball of 8 cm."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "job"
        folder.mkdir()
        stl = Path(name) / "ball.stl"
        stl.write_bytes(solids.stl(ball(20_000)))
        choices = Choices(material="PLA", supports=True, brim_mm=3)
        made = slice_plate(stl, profile=COMMON["virtual"], choices=choices, folder=folder)
        return made.gcode.read_bytes()


def bare(data: bytes) -> int:
    """The least that reading line by line costs."""
    count = 0
    stream = BytesIO(data)
    while line := stream.readline(20_001):
        count += len(line)
    return count


def main() -> None:
    """Print one JSON object."""
    data = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else sliced()
    guard = COMMON["virtual"].guard()
    times: dict[str, list[float]] = {"bare": [], "guard": []}
    for _ in range(PAIRS):
        begun = time.perf_counter()
        bare(data)
        middle = time.perf_counter()
        measured = measure(BytesIO(data), guard)
        times["bare"].append(middle - begun)
        times["guard"].append(time.perf_counter() - middle)
    size_mb = len(data) / 1e6
    best = {name: min(each) for name, each in times.items()}
    pairs = zip(times["guard"], times["bare"], strict=True)
    print(  # noqa: T201
        json.dumps(
            {
                "mb": round(size_mb, 2),
                "lines": measured.lines,
                "guard_mb_s": round(size_mb / best["guard"], 1),
                "bare_mb_s": round(size_mb / best["bare"], 1),
                "guard_us_per_line": round(best["guard"] / measured.lines * 1e6, 2),
                "guard_over_bare": round(statistics.median(g / b for g, b in pairs), 1),
            }
        )
    )


if __name__ == "__main__":
    main()
