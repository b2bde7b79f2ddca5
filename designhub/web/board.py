"""The board of a workshop: each printer as its owner needs it when standing before it.

What is asked of a person comes before what goes on by itself; every card is made of rows that a
fixed number of statements read, whatever the number of printers.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from designhub import access
from designhub.language import _, ngettext
from designhub.web import printer_words, words
from designs import queries as designs
from printers import queries, upkeep
from printers.models import Bed, PrinterRow, SpoolRow, Trial
from printers.offer import Duty
from printers.quiet import Quiet, ends
from printers.upkeep import Task
from router import care
from router.jobs import reserved_mg
from router.queries import Owed, owed_by, permits_out
from router.states import LIVE, Job, Run

TO_JUDGE = frozenset({Run.PRINTED, Run.UNKNOWN})
SHOWN_QUEUE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a printer does, in words; `asks` when a person must do something about it."""

    text: str
    kind: str
    asks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A job on a card."""

    owed: Owed
    design: str
    part: str
    maker: str
    picture: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spool:
    """A loaded spool, and what open jobs have reserved of it."""

    row: SpoolRow
    reserved_mg: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One printer on the board."""

    printer: PrinterRow
    state: State
    current: Work | None
    """What an agent holds, or what moves."""
    judge: tuple[Work, ...]
    """Prints that a person must look at."""
    queue: tuple[Work, ...]
    decide: tuple[Work, ...]
    """Failed, or stopped because they need more than was quoted: the job's page asks."""
    hand_over: tuple[Work, ...]
    spools: tuple[Spool, ...]
    wants: str
    """The material that the first waiting job lacks, or nothing."""
    may_clear: bool
    may_start_until: datetime | None
    """When the permit of a run that a person ended runs out: its agent may not know."""
    may_undo: bool
    tasks: tuple[Task, ...]
    """Upkeep, what is due first."""
    names: Mapping[UUID, str]
    """Of who is named on the page."""
    quiet: Quiet | None
    quiet_until: datetime | None
    """Nothing starts before then."""

    @property
    def due(self) -> list[Task]:
        """Upkeep that is due now."""
        return [each for each in self.tasks if each.due]

    @property
    def asks(self) -> bool:
        """Whether somebody must come."""
        return self.state.asks or bool(self.judge or self.decide or self.due)


def cards(
    session: Session,
    printers: Sequence[PrinterRow],
    *,
    reader_id: UUID,
    now: datetime,
    unseen_s: int,
    also: Collection[UUID] = (),
) -> list[Card]:
    """The cards of some printers, in their order. Eight statements, whatever their number.

    also : other people whose names the page needs.
    """
    tasks = upkeep.tasks_of(session, printers, now=now)
    owed = owed_by(session, [each.id for each in printers])
    permits = permits_out(session, [each.id for each in printers], now=now)
    everything = [each for several in owed.values() for each in several]
    parts = {each.part_id for each in everything}
    titles = designs.titles(session, parts)
    pictured = designs.pictured(session, parts, reader_id=reader_id, makes=parts)
    people = {each.maker_id for each in everything} | {
        task.last.by for several in tasks.values() for task in several
    }
    people |= {each.ejects_by for each in printers if each.ejects_by is not None}
    names = access.names_of(session, people | set(also))
    reserved = reserved_mg(session)

    def work(each: Owed) -> Work:
        design, part = titles[each.part_id]
        picture = f"/parts/{each.part_id}.png" if each.part_id in pictured else None
        maker = names[each.maker_id]
        return Work(owed=each, design=design, part=part, maker=maker, picture=picture)

    return [
        _card(
            printer,
            [work(each) for each in owed[printer.id]],
            spools=tuple(
                Spool(row=spool, reserved_mg=reserved.get(spool.id, 0)) for spool in printer.spools
            ),
            permit_until=permits.get(printer.id),
            tasks=tuple(tasks[printer.id]),
            names=names,
            now=now,
            unseen_s=unseen_s,
        )
        for printer in printers
    ]


def _card(
    printer: PrinterRow,
    works: Sequence[Work],
    *,
    spools: tuple[Spool, ...],
    permit_until: datetime | None,
    tasks: tuple[Task, ...],
    names: Mapping[UUID, str],
    now: datetime,
    unseen_s: int,
) -> Card:
    runs = [(each, each.owed.run) for each in works if each.owed.run is not None]
    judge = tuple(each for each, run in runs if run.state in TO_JUDGE)
    current = next((each for each, run in runs if run.state not in TO_JUDGE), None)
    waiting = tuple(each for each in works if each.owed.job.state in (Job.ORDERED, Job.READY))
    moving = any(run.state in LIVE for _, run in runs)
    since = any(run.leased_at >= printer.bed_changed_at for _, run in runs)
    wants, quiet = _wants(waiting, spools), queries.quiet_of(printer)
    quiet_until = ends(quiet, printer.workshop.time_zone, now)
    return Card(
        printer=printer,
        state=_state(
            printer,
            current=current or (judge[0] if judge else None),
            wants=wants,
            waiting=len(waiting),
            quiet=quiet_until is not None,
            now=now,
            unseen_s=unseen_s,
        ),
        current=current,
        judge=judge,
        queue=waiting,
        decide=tuple(each for each in works if each.owed.job.state in (Job.FAILED, Job.ASKED)),
        hand_over=tuple(each for each in works if each.owed.job.state is Job.PASSED),
        spools=spools,
        wants=wants,
        may_clear=printer.bed is Bed.OCCUPIED and not moving and permit_until is None,
        may_start_until=None if moving else permit_until,
        may_undo=care.may_undo(printer, now=now) and not since,
        tasks=tasks,
        names=names,
        quiet=quiet,
        quiet_until=quiet_until,
    )


def _state(
    printer: PrinterRow,
    *,
    current: Work | None,
    wants: str,
    waiting: int,
    quiet: bool,
    now: datetime,
    unseen_s: int,
) -> State:
    """The first of these that is true: a run, maintenance, an agent never seen, silence, what a
    person must do, then rest."""
    run = current.owed.run if current is not None else None
    if current is not None and run is not None:
        if run.state is Run.PAUSED and run.waits_for:
            owed = current.owed
            waits = printer_words.waits(run.waits_for, material=f"{owed.material} {owed.colour}")
            return State(text=waits, kind="warn", asks=True)
        text, kind = printer_words.RUNS[run.state]
        asks = kind in ("warn", "bad")
        return State(text=str(text), kind=kind, asks=asks)
    if printer.trial is Trial.FAILED:
        return State(text=_("Its settings do not work: see why"), kind="bad", asks=True)
    if printer.duty is Duty.MAINTENANCE:
        return State(text=_("In maintenance: nothing starts"), kind="warn")
    if printer.seen_at is None:
        return State(text=_("Not connected yet"), kind="warn", asks=True)
    if not printer_words.is_seen(printer.seen_at, now=now, unseen_s=unseen_s):
        return State(text=_("Its agent is silent: is the board on?"), kind="bad", asks=True)
    if printer.bed is Bed.OCCUPIED:
        return State(text=_("Look at the bed: is it clear?"), kind="warn", asks=True)
    if printer.trial is Trial.DUE:
        return State(text=_("A cube is being sliced for it, to try its settings"), kind="on")
    if printer.duty is Duty.PAUSED:
        return State(text=_("Paused: it takes nothing new"), kind="warn")
    if printer.duty is Duty.DRAINING and not waiting:
        return State(text=_("Nothing waits for it any more"), kind="good")
    if not printer.spools:
        return State(text=_("Nothing is loaded"), kind="warn", asks=True)
    if wants:
        return State(text=_("A job waits for material"), kind="warn", asks=True)
    if waiting and quiet:
        return State(text=_("Quiet hours: nothing starts now"), kind="warn")
    if waiting:
        return State(
            text=ngettext("%(n)s job is about to start", "%(n)s jobs wait for it", waiting),
            kind="on",
        )
    return State(text=_("Free"), kind="good")


def _wants(waiting: Sequence[Work], spools: Sequence[Spool]) -> str:
    """The material of the first ready job, when no loaded spool has enough of it."""
    first = next((each.owed for each in waiting if each.owed.job.state is Job.READY), None)
    if first is None:
        return ""
    rows = (each.row for each in spools)
    fits = any(
        (row.material, row.colour) == (first.material, first.colour)
        and row.left_mg >= first.mass_mg
        for row in rows
    )
    if fits:
        return ""
    grams = words.grams(first.mass_mg)
    return _(
        "%(grams)s of %(material)s %(colour)s",
        grams=grams,
        material=first.material,
        colour=first.colour,
    )
