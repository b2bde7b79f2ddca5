"""When a bed counts as occupied, and that one press clears it again afterwards."""

from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session

from basis.db import Database
from basis.errors import NotAllowed
from printers import queries
from printers.models import Bed, WorkshopRow
from printers.protocol import ReportEvent
from router import jobs, lease
from router.models import RunRow
from router.states import Run
from tests.support import builders as b
from tests.support.builders import NOW, PERMIT_S, Shop, later

AFTER = later(PERMIT_S + 1_000)


@pytest.fixture()
def world(database: Database) -> Shop:
    return b.shop(database)


def bed(session: Session, world: Shop) -> Bed:
    session.expire_all()
    return queries.printer(session, world.printer).bed


def clear(session: Session, world: Shop) -> None:
    jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=AFTER)


def test_a_new_printer_s_bed_is_occupied_until_a_person_looked(
    database: Database, world: Shop
) -> None:
    with database.writing() as session:
        place = session.get_one(WorkshopRow, world.workshop)
        row = b.printer(session, place, clear=False)
        states = [row.bed]
        jobs.clear_bed(session, printer_id=row.id, by=world.owner, now=NOW)
        session.refresh(row)
        states.append(row.bed)
        assert states == [Bed.OCCUPIED, Bed.CLEAR]


def finished(session: Session, world: Shop, run: RunRow) -> None:
    b.report(session, world, run, ReportEvent.FINISHED)


def failed(session: Session, world: Shop, run: RunRow) -> None:
    b.report(session, world, run, ReportEvent.FAILED)


def aborted_before_it_began(session: Session, world: Shop, run: RunRow) -> None:
    b.report(session, world, run, ReportEvent.NEVER_STARTED)


def cancelled(session: Session, world: Shop, run: RunRow) -> None:
    jobs.cancel(session, job_id=run.job_id, by=world.maker, now=NOW)
    assert bed(session, world) is Bed.OCCUPIED  # told to stop, and not proved yet
    b.report(session, world, run, ReportEvent.FAILED)


def unclear_after_a_restart(session: Session, world: Shop, run: RunRow) -> None:
    """As an agent reports it when OctoPrint, the board or the power went away in mid-print."""
    b.report(session, world, run, ReportEvent.UNCLEAR)
    with pytest.raises(NotAllowed, match="look, then say"):
        clear(session, world)
    _give_up(session, world, run)


def silent(session: Session, world: Shop, run: RunRow) -> None:
    lease.expire(session, now=AFTER)
    assert run.state is Run.UNKNOWN
    with pytest.raises(NotAllowed, match="look, then say"):
        clear(session, world)
    _give_up(session, world, run)


def silent_and_found_again(session: Session, world: Shop, run: RunRow) -> None:
    lease.expire(session, now=AFTER)
    _give_up(session, world, run)
    clear(session, world)
    b.beat(session, world, run, now=AFTER, printing=True)  # it moves after all


def _give_up(session: Session, world: Shop, run: RunRow) -> None:
    jobs.failed(
        session,
        job_id=run.job_id,
        by=world.owner,
        cause="half a part",
        job_at_fault=False,
        printer_at_fault=False,
        now=AFTER,
    )


@pytest.mark.parametrize(
    "happens",
    [
        finished,
        failed,
        aborted_before_it_began,
        cancelled,
        unclear_after_a_restart,
        silent,
        silent_and_found_again,
    ],
)
def test_after_a_permit_it_is_occupied_whatever_became_of_the_run(
    database: Database, world: Shop, happens: Callable[[Session, Shop, RunRow], None]
) -> None:
    b.ordered(database, world)
    with database.writing() as session:
        run = b.take(session, world)
        assert run is not None
        b.permit(session, world, run)
        assert bed(session, world) is Bed.OCCUPIED
        happens(session, world, run)
        assert bed(session, world) is Bed.OCCUPIED
        clear(session, world)
        assert bed(session, world) is Bed.CLEAR
