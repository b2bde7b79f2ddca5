"""What an agent needs of one printer, whichever way it reaches it.

`printers.octoprint.OctoPrint` reaches it over HTTP, the plugin's `Inside` within OctoPrint itself.
Every method raises a `printers.octoprint_http.PrinterError` that says whether anything happened.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from printers.evidence import File, Job, Machine, Own


class Port(Protocol):
    """One printer, for one thread. Success replies are hints; the job's path is the proof."""

    def job(self) -> Job:
        """What is selected and how far it is; answered in every state of the printer."""

    def printer(self) -> Machine:
        """Flags and temperatures. PrinterBusy when no printer is connected."""

    def file(self, path: str) -> File | None:
        """The stored file, or None when there surely is none of this path."""

    def own_record(self, path: str) -> Own:
        """What a journal of prints kept inside OctoPrint says of `path`; `SILENT` where none is."""

    def upload(
        self, path: str, file: Path, *, userdata: Mapping[str, Any], no_overwrite: bool = True
    ) -> None:
        """Store the content of `file` as `path`, without selecting or starting it.

        AlreadyThere when the path is taken: compare the hash.
        """

    def start(self, path: str, *, left_s: Callable[[], float]) -> None:
        """Select and print the stored file `path`. Never repeat this on PrinterSilent.

        left_s : for how long it still may, asked at the last moment: PrinterUnreachable, and
                 nothing was started, when that is over.
        """

    def cancel(self, path: str) -> None:
        """Stop the print of `path`; PrinterBusy, and nothing is stopped, when another is there."""

    def delete(self, path: str) -> None:
        """Remove a stored file with its print record; harmless when it is gone."""

    def connect(self) -> None:
        """Open the line to the printer as it was set up; harmless when it is open."""

    def newest_print(self, *, besides: str) -> float:
        """When the newest recorded print of any stored file ended, by the printer's own clock, and
        0.0 without any. besides: the beginning of paths that do not count."""

    def warmest_c(self, *, within_s: float) -> float | None:
        """The warmest that any nozzle was in the last `within_s`; None when nothing reaches so far
        back, or has a gap."""
