"""How much filament a file pushes, how fast, and how far it pulls it back.

Firmwares differ in what makes E count steps or places, and nobody knows what the print before left
set: until the file says it, every way of reading it is followed, and each must be harmless.
"""

import math
from dataclasses import dataclass, replace

from printers.gcode_flavours import Reading

BURST_MM3 = 40.0
"""How far a purge may run ahead of the hot end's rate: about what melts on the way through it."""

SOLID_PCT = 150
"""Plastic in per cent of the box that the print fills: M221 may raise it that far."""

PURGE_MM3 = 3_000.0
"""What may be pushed out beside the print: some lines at its front."""

MOST_WAYS = 8


class TooMuch(ValueError):
    """Why this move of the filament may not be; the caller knows the line."""


@dataclass(slots=True)
class Way:
    """One way of reading the file so far. Lengths of filament in mm."""

    steps: bool
    """Whether the last of M82 and M83 (and G90, G91, where they count) said steps."""
    e: float = 0.0
    pushed: float = 0.0
    peak: float = 0.0
    """The furthest it ever was: what lies below is only pulled back and pushed again."""
    ahead_mm3: float = 0.0
    """Pushed faster than the hot end melts, and not made up for yet."""


class Flow:
    """The filament of one file. `sole` is the only way left of reading it, mostly."""

    def __init__(
        self,
        readings: tuple[Reading, ...],
        *,
        filament_um: int,
        max_flow_mm3_s: int,
        max_retract_mm: int,
        max_feed_mm_min: int,
    ) -> None:
        self.readings = readings
        self.area_mm2 = math.pi / 4 * (filament_um / 1000) ** 2
        self.limit_mm3_s, self.max_retract_mm = max_flow_mm3_s, max_retract_mm
        self.ways = [Way(False), Way(True)]
        self.axes_step = False
        self.feed_mm_min = float(max_feed_mm_min)  # until the file says one
        self.speed = self.amount = 1.0
        self.sole: Way | None = None
        self.counts_steps = False
        """How `sole` reads E now."""
        self.reach = 0.0
        """mm of way that a mm of filament needs at the present feed."""
        self.set_feed(self.feed_mm_min)
        self.settle()

    def set_feed(self, mm_min: float) -> None:
        """F of any move."""
        self.feed_mm_min = mm_min
        self.reach = self.area_mm2 * self.amount * mm_min / 60 * self.speed / self.limit_mm3_s

    def scale(self, *, speed: float = 0.0, amount: float = 0.0) -> None:
        """M220 and M221. An earlier value may come back by another word: the largest counts."""
        self.speed, self.amount = max(self.speed, speed), max(self.amount, amount)
        self.set_feed(self.feed_mm_min)

    def settle(self) -> None:
        """Drop ways that have become alike: after any word on the mode of E."""
        kept: list[Way] = []
        for way in self.ways:
            same = next((w for w in kept if (w.steps, w.e) == (way.steps, way.e)), None)
            if same is None:
                kept.append(way)
            else:  # the worse of both in every respect
                depth = max(same.peak - same.pushed, way.peak - way.pushed)
                same.peak = max(same.peak, way.peak)
                same.pushed = same.peak - depth
                same.ahead_mm3 = max(same.ahead_mm3, way.ahead_mm3)
        self.ways = kept
        alone = len(kept) == 1 and len(self.steps_of(kept[0])) == 1
        self.sole = kept[0] if alone else None
        self.counts_steps = alone and True in self.steps_of(kept[0])

    def steps_of(self, way: Way) -> set[bool]:
        """Whether E counts steps on this way, by each reading of the firmware."""
        return {
            way.steps or (reading is Reading.EITHER and self.axes_step) for reading in self.readings
        }

    def set_axes(self, *, steps: bool) -> None:
        """G90 and G91."""
        self.axes_step = steps
        if Reading.LAST in self.readings:
            for way in self.ways:
                way.steps = steps
        self.settle()

    def set_own(self, *, steps: bool) -> None:
        """M82 and M83."""
        for way in self.ways:
            way.steps = steps
        self.settle()

    def rename(self, e: float) -> None:
        """G92 E: the place gets another number."""
        for way in self.ways:
            way.e = e
        self.settle()

    @property
    def peak(self) -> float:
        """Net length pushed, at most."""
        return max(way.peak for way in self.ways)

    def move(self, e: float, *, distance_mm: float | None) -> None:
        """Push or pull during a move of the head; 0 where it stands, None where nobody knows.

        Raises TooMuch when the hot end could not follow, or the filament is pulled too far.
        """
        if self.sole is not None:
            self._follow(self.sole, e, steps=self.counts_steps, distance_mm=distance_mm)
            return
        split = [(way, steps) for way in self.ways for steps in sorted(self.steps_of(way))]
        if len(split) > MOST_WAYS:
            raise TooMuch("nobody can tell what E means here: say M82 or M83, then G92 E0")
        moved = []
        for way, steps in split:
            after = replace(way)
            self._follow(after, e, steps=steps, distance_mm=distance_mm)
            moved.append(after)
        self.ways = moved
        self.settle()

    def _follow(self, way: Way, e: float, *, steps: bool, distance_mm: float | None) -> None:
        step = e if steps else e - way.e
        way.e += step
        way.pushed += step
        if way.peak - way.pushed > self.max_retract_mm:
            raise TooMuch(
                f"pulls the filament back by {way.peak - way.pushed:g} mm; at most"
                f" {self.max_retract_mm} mm"
            )
        fresh_mm3 = max(0.0, way.pushed - way.peak) * self.area_mm2 * self.amount
        way.peak = max(way.peak, way.pushed)
        per_s = self.feed_mm_min / 60 * self.speed
        length_mm = 0.0 if distance_mm is None else distance_mm or abs(step)
        way.ahead_mm3 = max(0.0, way.ahead_mm3 + fresh_mm3 - length_mm / per_s * self.limit_mm3_s)
        if way.ahead_mm3 > BURST_MM3:
            raise TooMuch(
                f"pushes plastic faster than this hot end melts, {self.limit_mm3_s} mm³/s, by"
                f" {way.ahead_mm3:.0f} mm³"
            )
