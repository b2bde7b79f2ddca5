"""Which spools a run is made from: one *stretch* of it from each.

The first begins with the permit, another whenever a person says that they put another spool into
its slot. How far the print was then is known by the share of the file that was sent, so at the
end of the run each spool bears its own part, in grams that sum to what the run took exactly.

Where the print stood at a change is not always known at once:

- While it is paused, the agent's next words still tell where it stands.
- While nobody knows what became of it, a change counts from the moment at which somebody sees the
  print again; if it ends unseen, the spool before bore all of it. Whoever changes a spool in the
  dark has most often found a print that is over.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from basis.units import ceil_div
from printers.models import SpoolRow
from router.history import account, noted
from router.models import JobRow, RunRow, StretchRow
from router.states import LIVE, Run

MOST_STRETCHES = 40
"""Of one run; what is changed more often is borne by the last spool."""

WHOLE_PPM = 1_000_000


def begun(session: Session, run: RunRow, *, spool: SpoolRow, now: datetime) -> None:
    """The run may start: what it is made from is what is loaded now."""
    slot = 0 if spool.slot is None else spool.slot
    session.add(StretchRow(run_id=run.id, spool_id=spool.id, slot=slot, from_ppm=0, at=now))


def changed(session: Session, spool: SpoolRow, *, by: UUID, now: datetime) -> None:
    """A person put this spool into its locked printer: a run under way from that slot is made from
    it from here on."""
    under_way = select(RunRow).where(RunRow.printer_id == spool.printer_id, RunRow.state.in_(LIVE))
    run = session.scalar(under_way.execution_options(populate_existing=True))
    if run is None:
        return
    stretches = _of(session, run)
    if not stretches or stretches[-1].slot != spool.slot:
        return
    last = stretches[-1]
    old = session.get_one(SpoolRow, last.spool_id)
    dark = run.state is Run.UNKNOWN
    from_ppm = None if dark else run.progress_ppm
    nothing_since = last.from_ppm == from_ppm or last.from_ppm is None
    if nothing_since or len(stretches) >= MOST_STRETCHES:
        last.spool_id, last.at = spool.id, now
    else:
        session.add(
            StretchRow(run_id=run.id, spool_id=spool.id, slot=last.slot, from_ppm=from_ppm, at=now)
        )
    # Of a print that moves nothing more can be learnt about where it stood.
    run.change_open = run.state in (Run.PAUSED, Run.UNKNOWN)
    if not dark:
        _reserve_the_rest(session, run)
    noted(
        session,
        run,
        "run.spool_changed",
        actor=account(by),
        now=now,
        note=f"{old.material} {old.colour} → {spool.material} {spool.colour},"
        f" {run.progress_ppm / 10_000:.1f} %",
        once=False,
    )
    session.flush()


def seen(session: Session, run: RunRow, *, standing: bool) -> None:
    """The agent of a run with an open change spoke: it knows where the print stands, or that it
    has gone on."""
    stretches = _of(session, run)
    for each in stretches:
        if each.from_ppm is None:
            each.from_ppm = run.progress_ppm
    if standing:
        stretches[-1].from_ppm = run.progress_ppm
    else:
        run.change_open = False


def borne(
    session: Session, run: RunRow, *, spool: SpoolRow, sliced_mg: int, taken_mg: int
) -> list[tuple[SpoolRow, int]]:
    """What each spool bore of `taken_mg`, in the order of their use; at least one, and those that
    bore nothing left out.

    spool     : what bears all of it when nothing else is known (a run from before stretches).
    sliced_mg : what the whole file takes.
    """
    stretches = [each for each in _of(session, run) if each.from_ppm is not None]
    if not stretches:
        return [(spool, taken_mg)]
    shares = shares_mg(
        [each.from_ppm or 0 for each in stretches], sliced_mg=sliced_mg, taken_mg=taken_mg
    )
    found = [
        (session.get_one(SpoolRow, each.spool_id, populate_existing=True), mg)
        for each, mg in zip(stretches, shares, strict=True)
    ]
    return [each for each in found if each[1]] or found[:1]


def shares_mg(from_ppm: Sequence[int], *, sliced_mg: int, taken_mg: int) -> list[int]:
    """`taken_mg` divided where the spool was changed: whole, none below zero, and exact in sum.

    from_ppm : where each stretch begins, of the file; never falling, the first is 0.
    """
    begins = [min(taken_mg, ceil_div(sliced_mg * ppm, WHOLE_PPM)) for ppm in from_ppm]
    return [end - begin for begin, end in pairwise([0, *begins[1:], taken_mg])]


def _reserve_the_rest(session: Session, run: RunRow) -> None:
    """What was made already came off the spool before: only the rest is spoken for."""
    job = session.get_one(JobRow, run.job_id)
    made_mg = ceil_div(job.needed_mg * run.progress_ppm, WHOLE_PPM)
    job.reserved_mg = min(job.reserved_mg, job.needed_mg - made_mg)


def _of(session: Session, run: RunRow) -> list[StretchRow]:
    asked = select(StretchRow).where(StretchRow.run_id == run.id).order_by(StretchRow.id)
    return list(session.scalars(asked))
