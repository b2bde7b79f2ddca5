"""How many of the machines in PrusaSlicer's bundles can be added here, and sliced for.

    python -m tests.bench.bench_profiles [--every N] [--vendor NAME]

Prints one line of a table for each vendor: machines, those whose profile is understood, those
whose own start and end code pass the guard, and those for which a cube of 20 mm comes out, each
with the suggested print profile and filament. Only every tenth, unless told otherwise.
"""

import argparse
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from basis.errors import HubError
from printers.bundles import Bundle, bundles
from printers.presets import built
from printers.trial import tried

FOLDER = Path("/usr/share/PrusaSlicer/profiles")
HEADINGS = ("machines", "understood", "own start code", "own end code", "cube sliced")


def looked_at(bundle: Bundle, printer: str, scratch: Path) -> tuple[Counter[str], str]:
    """What is true of one machine, and what is wrong with it in words."""
    seen = Counter(machines=1)
    try:
        made = built(bundle, printer=printer)
    except HubError as exc:
        return seen, str(exc)
    seen["understood"] = 1
    refused = {each.name for each in made.left_out}
    seen["own start code"] = int("start_gcode" not in refused)
    seen["own end code"] = int("end_gcode" not in refused)
    done = tried(made.profile, scratch=scratch, wall_s=120.0)
    seen["cube sliced"] = int(not done.fault)
    return seen, done.fault


def say(line: str) -> None:
    """A line of the table, at once."""
    print(line, flush=True)  # noqa: T201


def main() -> None:
    """Look at all of them and print the table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--every", type=int, default=10)
    asked.add_argument("--vendor", default="")
    given = asked.parse_args()
    whole: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    say("| vendor | " + " | ".join(HEADINGS) + " |\n|---|" + "---:|" * len(HEADINGS))
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(2) as pool:
        for vendor, bundle in bundles(FOLDER).items():
            if given.vendor not in ("", vendor):
                continue
            names = [
                name
                for name in bundle.names("printer")
                if bundle.preset("printer", name).values.get("printer_technology", "FFF") == "FFF"
            ][:: given.every]
            looks = [pool.submit(looked_at, bundle, name, Path(scratch)) for name in names]
            found = [each.result() for each in looks]
            sums = sum((seen for seen, _ in found), Counter[str]())
            faults.update(f"{vendor}: {fault[:120]}" for _, fault in found if fault)
            whole += sums
            say(
                f"| {vendor} | " + " | ".join(str(sums[each]) for each in HEADINGS) + " |",
            )
    say("| **all** | " + " | ".join(f"**{whole[each]}**" for each in HEADINGS) + " |\n")
    for fault, count in faults.most_common():
        say(f"{count} × {fault}")


if __name__ == "__main__":
    main()
