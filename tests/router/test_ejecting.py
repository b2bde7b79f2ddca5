"""A bed that clears itself: by a declared printer after a proved success, and never otherwise."""

from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from basis.db import Database
from printers import queries, registry
from printers.capability import COMMON
from printers.models import Bed, PrinterNoteRow
from printers.protocol import ReportEvent, WaitsFor
from router import care, ejecting, jobs, lease
from router.models import HappeningRow, RunRow
from router.states import Run
from tests.support import builders as b
from tests.support.builders import NOW, Shop, later


@pytest.fixture()
def world(database: Database) -> Shop:
    return b.shop(database)


def bed(session: Session, world: Shop) -> Bed:
    session.expire_all()
    return queries.printer(session, world.printer).bed


def started(session: Session, world: Shop) -> RunRow:
    run = b.take(session, world)
    assert run is not None
    b.permit(session, world, run)
    b.beat(session, world, run, printing=True)
    return run


def declared(session: Session, world: Shop) -> None:
    ejecting.declare(session, printer_id=world.printer, by=world.owner, now=NOW)
    session.flush()


def test_a_finished_run_clears_the_bed_and_a_person_still_judges(
    database: Database, world: Shop
) -> None:
    b.ordered(database, world, copies=2)
    with database.writing() as session:
        declared(session, world)
        run = started(session, world)
        assert bed(session, world) is Bed.OCCUPIED
        b.report(session, world, run, ReportEvent.FINISHED)
        assert bed(session, world) is Bed.CLEAR
        assert run.state is Run.PRINTED
        lines = session.scalars(select(PrinterNoteRow).order_by(PrinterNoteRow.id))
        assert [(line.what, line.by) for line in lines] == [
            ("ejects", world.owner),
            ("bed.ejected", world.owner),
        ]
        happened = session.scalars(select(HappeningRow.what).where(HappeningRow.run_id == run.id))
        assert "run.ejected" in list(happened)
        # The next one starts, while nobody has looked at the first part yet.
        second = started(session, world)
        jobs.passed(session, job_id=run.job_id, by=world.owner, now=NOW)
        # The first one's end comes again, late: it is not this bed's any more.
        b.report(session, world, run, ReportEvent.FINISHED)
        assert bed(session, world) is Bed.OCCUPIED
        b.report(session, world, second, ReportEvent.FINISHED)
        assert bed(session, world) is Bed.CLEAR


def fails(session: Session, world: Shop, run: RunRow) -> None:
    b.report(session, world, run, ReportEvent.FAILED)


def is_cancelled(session: Session, world: Shop, run: RunRow) -> None:
    jobs.cancel(session, job_id=run.job_id, by=world.maker, now=NOW)
    b.report(session, world, run, ReportEvent.FAILED)


def is_unclear(session: Session, world: Shop, run: RunRow) -> None:
    b.report(session, world, run, ReportEvent.UNCLEAR)


def was_silent_and_finished(session: Session, world: Shop, run: RunRow) -> None:
    lease.expire(session, now=later(1_000))
    assert run.state is Run.UNKNOWN
    b.report(session, world, run, ReportEvent.FINISHED, now=later(1_001))


def somebody_printed_meanwhile(session: Session, world: Shop, run: RunRow) -> None:
    registry.occupied(session, printer_id=world.printer, now=later(5))
    b.report(session, world, run, ReportEvent.FINISHED, now=later(6))


def a_person_says_that_it_finished(session: Session, world: Shop, run: RunRow) -> None:
    lease.expire(session, now=later(1_000))
    jobs.passed(session, job_id=run.job_id, by=world.owner, now=later(1_001))


def was_declared_after_the_start(session: Session, world: Shop, run: RunRow) -> None:
    ejecting.withdraw(session, printer_id=world.printer, by=world.owner, now=later(1))
    ejecting.declare(session, printer_id=world.printer, by=world.owner, now=later(2))
    b.report(session, world, run, ReportEvent.FINISHED, now=later(3))


def was_withdrawn(session: Session, world: Shop, run: RunRow) -> None:
    ejecting.withdraw(session, printer_id=world.printer, by=world.owner, now=later(1))
    b.report(session, world, run, ReportEvent.FINISHED, now=later(3))


@pytest.mark.parametrize(
    "happens",
    [
        fails,
        is_cancelled,
        is_unclear,
        was_silent_and_finished,
        somebody_printed_meanwhile,
        a_person_says_that_it_finished,
        was_declared_after_the_start,
        was_withdrawn,
    ],
)
def test_after_everything_else_a_person_looks(
    database: Database, world: Shop, happens: Callable[[Session, Shop, RunRow], None]
) -> None:
    b.ordered(database, world)
    with database.writing() as session:
        declared(session, world)
        run = started(session, world)
        happens(session, world, run)
        assert bed(session, world) is Bed.OCCUPIED


def test_another_end_code_takes_the_declaration_back(database: Database, world: Shop) -> None:
    with database.writing() as session:
        declared(session, world)
        row = queries.printer(session, world.printer)
        care.change(
            session,
            printer_id=row.id,
            name=row.name,
            profile=COMMON["mk3s"],
            by=world.owner,
            now=later(1),
        )
        assert row.ejects_since is None and row.ejects_by is None


def test_what_a_paused_run_waits_for_is_noted_once_and_forgotten_when_it_goes_on(
    database: Database, world: Shop
) -> None:
    b.ordered(database, world)
    with database.writing() as session:
        run = started(session, world)
        b.beat(session, world, run, paused=True)
        assert (run.state, run.waits_for) == (Run.PAUSED, "")
        for _ in range(2):
            b.beat(session, world, run, paused=True, waits_for=WaitsFor.FILAMENT.value)
            assert run.waits_for == "filament"
        b.beat(session, world, run, paused=True, waits_for="a word of next year")
        assert run.waits_for == ""
        b.beat(session, world, run, paused=True, waits_for="person")
        b.beat(session, world, run, printing=True, waits_for="person")
        assert (run.state, run.waits_for) == (Run.PRINTING, "")
        what = session.scalars(select(HappeningRow.what).where(HappeningRow.run_id == run.id))
        assert [each for each in what if each.startswith("run.waits")] == ["run.waits_filament"]
