"""What an agent reads off a machine while it prints, beside how far it is: heat, layer, height.

For people who watch; nothing is decided by it. The layer is worked out from our own file and the
bytes of it that were sent, so it is where OctoPrint is, a moment ahead of the nozzle.
"""

import re
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

from printers.evidence import Machine

BLOCK_BYTES = 256 * 1024
MOST_LAYERS = 20_000
"""A file with more is taken as one whose marks mean something else."""

MARK = re.compile(rb"\n;LAYER_CHANGE\r?\n;Z:([0-9]{1,4}(?:\.[0-9]{1,6})?)(?=[\r\n])")
MARK_BYTES = 64
"""More than the longest mark."""

WARMEST_C = 1_000
COLDEST_C = -100


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Whole °C, whole µm; None where it is not known. The fields of `protocol.Beat`."""

    nozzle_c: int | None = None
    nozzle_target_c: int | None = None
    bed_c: int | None = None
    bed_target_c: int | None = None
    layer: int | None = None
    layers: int | None = None
    z_um: int | None = None


@dataclass(frozen=True, slots=True)
class Layers:
    """Where each layer of a file begins, in bytes, and how high it is."""

    starts: "array[int]"
    heights_um: "array[int]"

    def at(self, sent_bytes: int) -> tuple[int, int] | None:
        """The layer, from 1, in which so much of the file was sent, and its height in µm; None
        before the first."""
        layer = bisect_right(self.starts, sent_bytes)
        return (layer, self.heights_um[layer - 1]) if layer else None


def layers_of(file: Path) -> Layers:
    """The layers that PrusaSlicer marked in a file; none without marks, or with too many. A block
    at a time, for a small board has little memory. Raises OSError."""
    found = Layers(array("Q"), array("L"))
    with file.open("rb") as source:
        tail, offset, next_start = b"", 0, 0
        while block := source.read(BLOCK_BYTES):
            text = tail + block
            for mark in MARK.finditer(text):
                if offset + mark.start() < next_start:
                    continue  # seen in the block before
                found.starts.append(offset + mark.start())
                found.heights_um.append(round(float(mark[1]) * 1_000))
                next_start = found.starts[-1] + 1
            if len(found.starts) > MOST_LAYERS:
                return Layers(array("Q"), array("L"))
            tail = text[-MARK_BYTES:]
            offset += len(text) - len(tail)
    return found


def readings(machine: Machine | None, layers: Layers | None, sent_bytes: int | None) -> Readings:
    """All of it, as far as it is known."""
    heaters = {} if machine is None else machine.temperatures
    nozzle, bed = heaters.get("tool0"), heaters.get("bed")
    at = None if layers is None or sent_bytes is None else layers.at(sent_bytes)
    return Readings(
        nozzle_c=None if nozzle is None else _whole_c(nozzle.actual_c),
        nozzle_target_c=None if nozzle is None else _whole_c(nozzle.target_c),
        bed_c=None if bed is None else _whole_c(bed.actual_c),
        bed_target_c=None if bed is None else _whole_c(bed.target_c),
        layer=None if at is None else at[0],
        layers=None if at is None or layers is None else len(layers.starts),
        z_um=None if at is None else at[1],
    )


def _whole_c(measured_c: float | None) -> int | None:
    sane = measured_c is not None and COLDEST_C <= measured_c <= WARMEST_C
    return round(measured_c) if measured_c is not None and sane else None
