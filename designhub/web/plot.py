"""Bars over time, laid out on the server: where each bar, line and word stands. Pure.

Two series at most, side by side in each slot; the second is drawn hollow, so that nobody needs the
colours to tell them apart. The template draws it as SVG with a table of the same figures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 360, 190
"""Of the picture, in its own units: about a phone's width, so that its words stay legible."""

LEFT, RIGHT, TOP, BOTTOM = 64, 356, 10, 160
"""Where the bars stand."""

MOST_SERIES = 2
MOST_STEPS = 4
MOST_LABELS = 4


@dataclass(frozen=True, slots=True)
class Series:
    """One thing over time: whole numbers from 0 up, one for each slot."""

    label: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One value as a rectangle; `which` series it belongs to."""

    x: int
    y: int
    width: int
    height: int
    which: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A word at an axis."""

    at: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Everything that is drawn, and the figures themselves for the table."""

    title: str
    said: str
    """The same in a sentence, for people who do not see it."""
    series: tuple[Series, ...]
    slots: tuple[str, ...]
    bars: tuple[Bar, ...]
    lines: tuple[Mark, ...]
    below: tuple[Mark, ...]
    say: Callable[[int], str]


def bars(
    *,
    title: str,
    said: str,
    slots: Sequence[str],
    series: Sequence[Series],
    say: Callable[[int], str],
) -> Plot:
    """Lay out `series` over the `slots` of time, the oldest first.

    say : a value in words of the reader's language, such as `words.grams`.
    """
    if not slots or not 1 <= len(series) <= MOST_SERIES:
        raise ValueError(f"{len(series)} series over {len(slots)} slots cannot be drawn")
    if any(len(each.values) != len(slots) or min(each.values) < 0 for each in series):
        raise ValueError("a series has one value from 0 up for each slot")
    step = step_of(max(max(each.values) for each in series))
    top = step * max(1, -(-max(max(each.values) for each in series) // step))
    return Plot(
        title=title,
        said=said,
        series=tuple(series),
        slots=tuple(slots),
        bars=tuple(_bars(series, len(slots), top)),
        lines=tuple(Mark(_y(value, top), say(value)) for value in range(0, top + 1, step)),
        below=tuple(_below(slots)),
        say=say,
    )


def step_of(most: int) -> int:
    """The distance of the lines: 1, 2 or 5 times a power of ten, for at most four steps."""
    power = 1
    while True:
        for figure in (1, 2, 5):
            if most <= figure * power * MOST_STEPS:
                return figure * power
        power *= 10


def _bars(series: Sequence[Series], slots: int, top: int) -> list[Bar]:
    found = []
    for slot in range(slots):
        start, end = _x(slot, slots), _x(slot + 1, slots)
        width = max(1, (end - start - max(1, (end - start) // 5)) // len(series))
        for which, each in enumerate(series):
            value = each.values[slot]
            if value:
                y = min(_y(value, top), BOTTOM - 1)  # whatever was there can be seen
                found.append(Bar(start + which * width, y, width, BOTTOM - y, which))
    return found


def _below(slots: Sequence[str]) -> list[Mark]:
    """Some of the slots' names, the last one always: what is now is what one looks for."""
    every = -(-len(slots) // MOST_LABELS)
    shown = range(len(slots) - 1, -1, -every)
    middle = [(_x(slot, len(slots)) + _x(slot + 1, len(slots))) // 2 for slot in shown]
    inside = [min(at, WIDTH - 25) for at in middle]  # half a name's width
    return [Mark(at, slots[slot]) for at, slot in zip(inside, shown, strict=True)][::-1]


def _x(slot: int, slots: int) -> int:
    return LEFT + (RIGHT - LEFT) * slot // slots


def _y(value: int, top: int) -> int:
    return BOTTOM - (BOTTOM - TOP) * value // top
