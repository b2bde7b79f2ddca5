"""A hub on a disk of its own that can be filled from outside.

python -m tests.support.full_disk CONTROL DATA COMMAND… : runs the command; while the file CONTROL
is there, every free byte beside DATA is taken.
"""

import subprocess
import sys
import time
from pathlib import Path

from basis import jail

BYTES = 96_000_000


def small_disk(data: Path, control: Path) -> list[str]:
    """What to put in front of a command so that `data` lies on a small disk in memory. Works for
    root and, where user namespaces do, for anybody."""
    assert jail.isolation() is jail.Isolation.BUBBLEWRAP, "a disk to be filled needs bubblewrap"
    data.mkdir()
    return [
        *("bwrap", "--dev-bind", "/", "/", "--size", str(BYTES), "--tmpfs", str(data)),
        *("--die-with-parent", "--"),
        *(sys.executable, "-m", "tests.support.full_disk", str(control), str(data)),
    ]


def fill(filler: Path) -> None:
    """Take what is free, to the last byte."""
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def main() -> int:
    """Run the command; fill the disk and free it as told."""
    control, data = Path(sys.argv[1]), Path(sys.argv[2])
    filler = data / "filler"
    said = control.with_suffix(".done")
    process = subprocess.Popen(sys.argv[3:])
    while process.poll() is None:
        if control.exists() and not said.exists():
            fill(filler)
            said.touch()
        elif said.exists() and not control.exists():
            filler.unlink(missing_ok=True)
            said.unlink()
        time.sleep(0.02)
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
