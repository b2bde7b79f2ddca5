"""What PrusaSlicer's *Export config* writes: made by the slicer itself, for tests of our reader."""

import subprocess
from pathlib import Path


def exported(folder: Path, **changes: str) -> str:
    """The whole settings of a plain machine as the slicer saves them, with some lines changed."""
    path = folder / "export.ini"
    told = ["--gcode-flavor", "marlin", "--bed-shape", "0x0,220x0,220x220,0x220"]
    told += ["--nozzle-diameter", "0.4", "--max-print-height", "240", "--temperature", "205"]
    told += ["--bed-temperature", "55", "--perimeter-speed", "45", "--filament-type", "PLA"]
    subprocess.run(
        ["prusa-slicer", *told, "--save", str(path)], check=True, capture_output=True, timeout=60
    )
    lines = [
        line for line in path.read_text().splitlines() if line.partition(" = ")[0] not in changes
    ]
    return "\n".join([*lines, *(f"{name} = {value}" for name, value in changes.items())]) + "\n"
