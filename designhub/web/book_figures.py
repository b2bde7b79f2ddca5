"""What the book comes to: sums over all of it, kept in the process, and plots of what it took.

Entries never change, so what was summed stays right: only those that came since are read, whatever
the size of the book. A book that is suddenly shorter (restored in place) is summed anew.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from weakref import WeakKeyDictionary

from sqlalchemy.orm import Session

from basis.db import Database
from commons import queries
from commons.queries import Standing, Totals
from designhub.language import _, ngettext
from designhub.web import plot, words
from designhub.web.plot import Plot, Series

PERIODS = {"day": 30, "week": 26, "month": 12}
"""How many days, weeks, months a plot shows."""

Days = Mapping[tuple[str, str], int]
"""(day, what flowed) → how much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What the entries up to number `seq` come to."""

    seq: int = 0
    head: str = ""
    days: Days = field(default_factory=dict)
    totals: Totals | None = None
    standing: tuple[Standing, ...] = ()

    @property
    def owed(self) -> list[tuple[str, int]]:
        """What is owed for parts that passed, per unit."""
        return [(each.unit, each.amount) for each in self.standing if each.kind == "owed"]

    @property
    def first_day(self) -> date | None:
        """The first day on which anything flowed."""
        return min((date.fromisoformat(day) for day, _what in self.days), default=None)


_kept: WeakKeyDictionary[Database, Sums] = WeakKeyDictionary()


def sums(database: Database, session: Session) -> Sums:
    """The sums over the whole book as it is now. Two readers at once do the same work twice, and
    both get it right: what is kept is replaced as a whole."""
    head, known = queries.head(session), _kept.get(database, Sums())
    if (known.seq, known.head) == (head.seq, head.hash):
        return known
    if known.seq >= head.seq:
        known = Sums()
    days = dict(known.days)
    for flow in queries.flows(session, after=known.seq, upto=head.seq):
        side = flow.day, flow.what
        days[side] = days.get(side, 0) + flow.amount
    made = Sums(
        seq=head.seq,
        head=head.hash,
        days=days,
        totals=queries.totals(session),
        standing=tuple(queries.standing(session)),
    )
    _kept[database] = made
    return made


def period_of(wanted: str, first: date | None, today: date) -> str:
    """The period that was asked for, else the shortest that shows the whole book."""
    if wanted in PERIODS:
        return wanted
    age = 0 if first is None else (today - first).days
    return "day" if age < PERIODS["day"] else "week" if age < 7 * PERIODS["week"] else "month"


def plots(days: Days, *, period: str, today: date) -> list[Plot]:
    """Material, energy and carriage over the last days, weeks or months, in the reader's words."""
    starts = _starts(period, today)
    slots = [words.month(each) if period == "month" else words.day(each) for each in starts]

    def of(what: str) -> tuple[int, ...]:
        found = {day: amount for (day, which), amount in days.items() if which == what}
        return _per_slot(found, starts)

    def made(title: str, series: Sequence[Series], say: Callable[[int], str]) -> Plot:
        said = _said(series[0], slots, say)
        return plot.bars(title=title, said=said, slots=slots, series=series, say=say)

    return [
        made(
            _("Filament"),
            (Series(_("used"), of("filament")), Series(_("became waste"), of("waste"))),
            words.grams,
        ),
        made(_("Energy"), (Series(_("used"), of("energy")),), words.energy),
        made(
            _("Carriage"),
            (Series(_("carried"), of("carriage")),),
            lambda figure: words.amount(figure, "kg.m"),
        ),
    ]


def _said(series: Series, slots: Sequence[str], say: Callable[[int], str]) -> str:
    most = max(series.values)
    if not most:
        return _("Nothing in this time.")
    total = ngettext(
        "%(total)s in one period.",
        "%(total)s in %(n)s periods.",
        len(slots),
        total=say(sum(series.values)),
    )
    when = slots[series.values.index(most)]
    peak = _("The most was %(most)s: %(slot)s.", most=say(most), slot=when)
    return f"{total} {peak}"


def _starts(period: str, today: date) -> list[date]:
    """The first day of each slot, the last slot holding today."""
    number = PERIODS[period]
    if period == "month":
        months = today.year * 12 + today.month - 1
        first = months - number + 1
        return [date(each // 12, each % 12 + 1, 1) for each in range(first, months + 1)]
    length = 7 if period == "week" else 1
    last = today - timedelta(days=today.weekday() if period == "week" else 0)
    return [last - timedelta(days=length * back) for back in range(number - 1, -1, -1)]


def _per_slot(found: Mapping[str, int], starts: Sequence[date]) -> tuple[int, ...]:
    """What flowed from each start to the next. A correction may undo more than a slot holds: there
    is no bar below nothing."""
    values = [0] * len(starts)
    slot = 0
    for day, amount in sorted(found.items()):
        at = date.fromisoformat(day)
        if at < starts[0]:
            continue
        while slot + 1 < len(starts) and starts[slot + 1] <= at:
            slot += 1
        values[slot] += amount
    return tuple(max(0, value) for value in values)
