"""What an agent read off a machine in mid-print: kept for the pages, within bounds. What was read
last stays when the print ends, for people who wonder how far it came."""

from collections.abc import Mapping

from printers.protocol import Beat
from router.models import RunRow

BOUNDS: Mapping[str, tuple[int, int]] = {
    "nozzle_c": (-100, 1_000),
    "nozzle_target_c": (0, 1_000),
    "bed_c": (-100, 500),
    "bed_target_c": (0, 500),
    "layer": (1, 100_000),
    "layers": (1, 100_000),
    "z_um": (0, 10_000_000),
}
"""What a machine can read; anything else is a fault, or a lie, and counts as not known."""


def noted(run: RunRow, beat: Beat) -> None:
    """Keep what the last beat of a moving print said; what it did not say is not known any more."""
    for name, (low, high) in BOUNDS.items():
        said = getattr(beat, name)
        setattr(run, name, said if said is not None and low <= said <= high else None)
    if run.layer is None or run.layers is None or run.layer > run.layers:
        run.layer = run.layers = None
