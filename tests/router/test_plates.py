"""Several copies on one plate: quoted, ordered, sliced, judged one by one, settled to the cent."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from basis.blobs import Blobs
from basis.db import Database
from basis.errors import Invalid
from commons import audit
from commons import queries as book
from commons.models import ReservationRow
from commons.settlement import total
from printers import registry, upkeep
from printers.capability import COMMON, Choices
from printers.hours import DAYS
from printers.models import PrinterRow, SpoolRow, WorkshopRow
from printers.offer import Mode
from printers.protocol import ReportEvent
from printers.queries import notes_of
from printers.quiet import said
from printers.slicer import most_on_a_plate
from router import bookkeeping, jobs, lease, queries, slicing
from router.models import JobRow, OrderRow, QuoteRow, RunRow
from router.quote import BED_WAIT_S, Inputs, eta_s, plates
from router.states import Job, Run
from tests.router.worlds import inputs, item
from tests.support import builders as b
from tests.support import solids
from tests.support.builders import NOW, Shop, later

FALLEN: dict[str, Any] = {
    "cause": "came off the bed",
    "job_at_fault": False,
    "printer_at_fault": True,
}


@pytest.fixture
def world(database: Database) -> Shop:
    found = b.shop(database)
    four_on_a_plate(database, found)
    return found


def four_on_a_plate(database: Database, world: Shop, *, most: int = 4) -> None:
    with database.writing() as session:
        printer = session.get_one(PrinterRow, world.printer)
        upkeep.set_plates(session, printer, most, by=world.owner, now=NOW)


def quoted(database: Database, world: Shop, **wish: Any) -> QuoteRow:
    with database.writing() as session:
        asked = b.request(world.part, **wish)
        (quote,) = b.ask(session, asked, maker=world.maker).quotes
        return quote


def made(database: Database, world: Shop, *, copies: int) -> OrderRow:
    (first, *_) = b.ordered(database, world, copies=copies)
    with database.reading() as session:
        return queries.order_by_id(session, session.get_one(JobRow, first).order_id)


def again(session: Session, order: OrderRow) -> list[JobRow]:
    """Its jobs as they are now."""
    session.expire_all()
    return list(queries.order_by_id(session, order.id).jobs)


def printed(session: Session, world: Shop) -> RunRow:
    run = b.take(session, world)
    assert run is not None
    b.permit(session, world, run)
    b.report(session, world, run, ReportEvent.FINISHED)
    return run


def clear(session: Session, world: Shop) -> None:
    jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=NOW)


def shares_of(order: OrderRow, found: list[JobRow]) -> list[int]:
    return [total(lines) for lines in bookkeeping.lines_of_jobs(order.quote, found)]


@given(st.integers(1, 100), st.integers(1, 100))
def test_plates_hold_every_copy_once_and_only_the_last_is_not_full(copies: int, most: int) -> None:
    found = plates(copies, most)
    assert sum(found) == copies
    assert set(found[:-1]) <= {most}
    assert 1 <= found[-1] <= most


def test_a_plate_saves_waiting_and_costs_the_same() -> None:
    alone, together = inputs(items=(item(copies=5),)), inputs(items=(item(copies=5, pieces=4),))
    assert (alone.prints, together.prints) == (5, 2)
    assert eta_s(alone) - eta_s(together) == 3 * BED_WAIT_S
    assert alone.mass_mg == together.mass_mg
    assert Inputs.from_json(together.to_json()) == together
    # One copy a plate goes without saying, so that older quotes keep their names.
    assert [set(each) for each in alone.to_json()["items"]] == [
        {"part", "copies", "mass_mg", "mass_source", "duration_s", "duration_source"}
    ]


def test_a_bed_sets_the_limit_turned_parts_and_large_meshes_too() -> None:
    bed, choices = COMMON["mk3s"], Choices(material="PLA")

    def most(x_mm: int, y_mm: int, *, triangles: int = 12) -> int:
        size_um = (x_mm * 1_000, y_mm * 1_000)
        return most_on_a_plate(bed, choices, size_um=size_um, triangles=triangles)

    assert most(200, 200) == 1
    assert most(100, 100) == 2
    assert most(20, 20) > 40
    assert most(40, 230) == most(230, 40) > 1  # the bed is wider than deep
    assert most(300, 300) == 1  # that it fits at all is for others to say
    assert most(20, 20, triangles=2_000_000) == 2


def test_an_order_of_five_is_two_jobs(database: Database, world: Shop) -> None:
    quote = quoted(database, world, copies=5)
    assert quote.copies == 5
    assert [row.pieces for row in quote.items] == [4]
    order = made(database, world, copies=5)
    assert [(job.number, job.copy, job.pieces) for job in order.jobs] == [(1, 1, 4), (2, 5, 1)]
    each_mg = order.quote.items[0].mass_mg
    assert [job.reserved_mg for job in order.jobs] == [4 * each_mg, each_mg]
    assert sum(shares_of(order, order.jobs)) == order.quote.total_minor
    with database.reading() as session:
        titles = [lease.title(session, session.get_one(JobRow, job.id)) for job in order.jobs]
    assert [title.split(", ")[1].split(" (")[0] for title in titles] == [
        *("copies 1 to 4 of 5", "copy 5 of 5")
    ]


def test_one_copy_is_quoted_as_ever(database: Database, world: Shop) -> None:
    quote = quoted(database, world)
    assert "pieces" not in quote.inputs["items"][0]
    assert [row.pieces for row in quote.items] == [1]


def test_between_quiet_hours_one_at_a_time_may_fit(database: Database, world: Shop) -> None:
    """An hour a day is long enough for one copy, and not for four."""
    with database.writing() as session:
        workshop = session.get_one(WorkshopRow, world.workshop)
        days = dict.fromkeys(DAYS, "0–12, 13–24")
        registry.set_quiet(session, workshop, said(days, must_be_over=True))
        session.flush()
        answer = b.ask(session, b.request(world.part, copies=4), maker=world.maker)
        (row,) = answer.quotes[0].items
        assert row.duration_s < 3_600 < 4 * row.duration_s
        assert row.pieces == 1


def test_a_real_plate_holds_three_and_teaches_the_next_quote(
    database: Database, tmp_path: Path
) -> None:
    blobs = Blobs(tmp_path / "blobs")
    world = b.shop(database, corners=solids.box(8, 8, 2), blobs=blobs)
    four_on_a_plate(database, world, most=3)
    (job_id,) = b.ordered(database, world, ready=False, copies=3)
    slicing.slice_job(job_id, database=database, blobs=blobs, scratch=tmp_path, wall_s=120.0)
    with database.reading() as session:
        job = session.get_one(JobRow, job_id)
        assert (job.state, job.reason) == (Job.READY, "")
        plate_mg, plate_s = job.mass_mg or 0, job.duration_s or 0
        assert job.estimated_mg == 3 * job.item.mass_mg
    quote = quoted(database, world, copies=3)
    (row,) = quote.items
    assert 0 <= 3 * row.mass_mg - plate_mg < 3
    assert 0 <= 3 * row.duration_s - plate_s < 3
    assert "3 on a plate" in quote.inputs["items"][0]["mass_source"]
    assert "estimated" in quoted(database, world, copies=2).inputs["items"][0]["mass_source"]
    (single,) = b.ordered(database, world, ready=False, copies=1)
    slicing.slice_job(single, database=database, blobs=blobs, scratch=tmp_path, wall_s=120.0)
    with database.reading() as session:
        alone = session.get_one(JobRow, single)
        assert alone.gcode_sha256 != job.gcode_sha256
        assert 2 * (alone.mass_mg or 0) < plate_mg < 4 * (alone.mass_mg or 0)


def test_a_whole_plate_passes_or_fails_together(database: Database, world: Shop) -> None:
    order = made(database, world, copies=5)
    with database.writing() as session:
        run = printed(session, world)
        assert jobs.failed(session, job_id=run.job_id, by=world.owner, now=NOW, **FALLEN).id == (
            run.job_id
        )
        jobs.retry(session, job_id=run.job_id, by=world.owner, now=NOW)
        clear(session, world)
        b.print_all(session, world)
        assert [job.state for job in again(session, order)] == [Job.DONE, Job.DONE]
        assert all_is_right(session, order, goods=5)


def all_is_right(session: Session, order: OrderRow, *, goods: int) -> bool:
    """The reservation has ended, the maker has so many, and the book verifies."""
    session.flush()
    (reservation,) = session.query(ReservationRow)
    assert (reservation.state, reservation.jobs) == ("posted", order.quote.copies)
    have = {(row.account, row.unit): row.amount for row in book.balances(session)}
    assert have[f"goods:member:{order.maker_id}", "piece"] == goods
    parts = {row: amount for row, amount in have.items() if row[0].startswith("part:") and amount}
    assert parts == {}
    found = audit.check(session)
    assert found.ok, str(found)
    return True


@pytest.mark.parametrize("unknown", [False, True])
def test_what_is_good_of_a_plate_passes_and_the_others_are_made_again(
    database: Database, world: Shop, unknown: bool
) -> None:
    order = made(database, world, copies=4)
    with database.writing() as session:
        run = b.take(session, world)
        assert run is not None
        b.permit(session, world, run)
        if unknown:
            lease.expire(session, now=later(10_000))
            assert run.state is Run.UNKNOWN
        else:
            b.report(session, world, run, ReportEvent.FINISHED)
        say: dict[str, Any] = {
            "job_id": run.job_id,
            "by": world.owner,
            "now": later(10_001),
            "good": 3,
            **FALLEN,
        }
        others = jobs.failed(session, **say)
        assert jobs.failed(session, **say).id == others.id  # the second click
        first, second = again(session, order)
        assert (first.state, first.good, list(first.copies)) == (Job.DONE, 3, [1, 2, 3])
        assert (second.id, second.state, list(second.copies)) == (others.id, Job.FAILED, [4])
        assert second.reason == FALLEN["cause"]
        assert run.state is Run.PASSED
        printer = session.get_one(PrinterRow, world.printer)
        assert (printer.passed, printer.failed) == (1, 1)
        assert sum(shares_of(order, [first, second])) == order.quote.total_minor
        assert b.take(session, world) is None
        jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=later(10_002))
        jobs.retry(session, job_id=others.id, by=world.owner, now=later(10_003))
        assert jobs.retry(session, job_id=others.id, by=world.owner, now=NOW).state is Job.ORDERED
        assert slicing.due(session) == [others.id]
        slicing.ready(session, others.id, b.slice_of(others), now=later(10_004))
        assert others.reserved_mg == others.item.mass_mg
        left_mg = session.get_one(SpoolRow, world.spool).left_mg
        b.print_all(session, world, now=later(20_000))
        assert session.get_one(SpoolRow, world.spool).left_mg == left_mg - others.item.mass_mg
        assert [job.state for job in again(session, order)] == [Job.DONE, Job.DONE]
        assert all_is_right(session, order, goods=4)


def test_the_others_may_be_given_up(database: Database, world: Shop) -> None:
    order = made(database, world, copies=3)
    with database.writing() as session:
        run = printed(session, world)
        others = jobs.failed(session, job_id=run.job_id, by=world.owner, now=NOW, good=1, **FALLEN)
        jobs.cancel(session, job_id=others.id, by=world.maker, now=NOW)
        assert all_is_right(session, order, goods=1)
        (reservation,) = session.query(ReservationRow)
        assert 0 < reservation.voided < reservation.amount


def test_a_part_that_is_carried_is_owed_until_it_came(database: Database, world: Shop) -> None:
    (job_id,) = b.ordered(database, world, copies=4, modes=frozenset({Mode.PARCEL}))
    with database.writing() as session:
        run = printed(session, world)
        jobs.failed(session, job_id=job_id, by=world.owner, now=NOW, good=2, **FALLEN)
        assert session.get_one(JobRow, job_id).state is Job.PASSED
        done = jobs.received(session, job_id=job_id, by=world.maker, now=NOW)
        assert done.state is Job.DONE
        assert run.state is Run.PASSED
        assert audit.check(session).ok


@pytest.mark.parametrize("good", [-1, 4, 5])
def test_how_many_are_good_must_be_possible(database: Database, world: Shop, good: int) -> None:
    made(database, world, copies=4)
    with database.writing() as session:
        run = printed(session, world)
        with pytest.raises(Invalid, match="0 to 3 of the 4 on the plate"):
            jobs.failed(session, job_id=run.job_id, by=world.owner, now=NOW, good=good, **FALLEN)
        assert run.state is Run.PRINTED


@pytest.mark.parametrize("most", [0, 101, -3])
def test_how_many_a_plate_may_hold(database: Database, world: Shop, most: int) -> None:
    with pytest.raises(Invalid, match="1 to 100"):
        four_on_a_plate(database, world, most=most)
    four_on_a_plate(database, world)  # once more changes nothing
    with database.reading() as session:
        assert [
            note.note for note in notes_of(session, world.printer) if note.what == "plates"
        ] == ["4"]


def test_the_book_names_no_more_than_the_plate(database: Database, world: Shop) -> None:
    """One plate is one run in the book, with what all its copies took."""
    order = made(database, world, copies=4)
    with database.writing() as session:
        b.print_all(session, world)
        entries = book.entries(session, most=100).entries
    runs = [each for each in entries if "outcome" in each.body]
    assert len(runs) == 1
    mass_mg = 4 * order.quote.items[0].mass_mg
    taken = {(leg.account, leg.unit): leg.amount for leg in runs[0].legs}
    assert taken[f"lot:{world.spool}", "mg"] == -mass_mg
    assert taken[f"part:job:{order.jobs[0].id}", "piece"] == 4
