"""What a process stands on: its clock and its disk, both of which can be spoilt from outside."""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

FAKETIME = tuple(
    Path(f"/usr/lib/{machine}-linux-gnu/faketime/libfaketimeMT.so.1")
    for machine in ("x86_64", "aarch64", "arm")
)
MOUNT_S = 10.0


class Clock:
    """The wall clock of some processes, by libfaketime (Debian: `faketime`).

    Only the wall clock: no machine's monotonic clock jumps.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.faketime = next((each for each in FAKETIME if each.is_file()), None)
        self.turn(0)

    def turn(self, hours: float) -> None:
        """Show this many hours more than it is, from now on."""
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{hours * 3_600:+.0f}\n")
        draft.replace(self._file)

    @property
    def environment(self) -> dict[str, str]:
        """Variables for a process that lives by this clock; none where the library is missing."""
        if self.faketime is None:
            return {}
        return {
            "LD_PRELOAD": str(self.faketime),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",  # not at every look at the clock
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


class Disk:
    """A small disk in memory, where this process may mount one; otherwise a plain folder."""

    def __init__(self, folder: Path, *, megabytes: int, mounts: bool) -> None:
        self.folder, self.small = folder, False
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if mounts:
            size = f"size={megabytes}m,mode=700"
            argv = ["mount", "-t", "tmpfs", "-o", size, "chaos", str(folder)]
            subprocess.run(argv, check=True, timeout=MOUNT_S)
            self.small = True

    def fill(self) -> None:
        """Take what is free, to the last byte."""
        with (self.folder / "filler").open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                with suppress(OSError):
                    while self.small:
                        file.write(b"\0" * size)

    def free(self) -> None:
        """Give it back."""
        (self.folder / "filler").unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of a small disk, with all that lies on it."""
        if self.small:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False, timeout=MOUNT_S)
            self.small = False


INSIDE = "--inside"
"""Says that this process has a view of the mounts for itself."""


def in_a_view_of_its_own(arguments: Sequence[str]) -> None:
    """Become the same program with its own view of the mounts, where the system lets us: disks
    that are mounted then are gone with the last process of the experiment. Otherwise return."""
    if os.geteuid() != 0:
        return
    probe = ["unshare", "--mount", "mount", "-t", "tmpfs", "probe", "/mnt"]
    try:
        subprocess.run(probe, check=True, timeout=MOUNT_S, capture_output=True)
    except (OSError, subprocess.SubprocessError):
        return
    again = [sys.executable, "-P", "-m", "designhub.cli", *arguments, INSIDE]
    os.execvp("unshare", ["unshare", "--mount", *again])  # noqa: S606 - the same process goes on
