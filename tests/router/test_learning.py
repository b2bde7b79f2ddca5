"""A printer's own record of estimates: medians that one bad record does not move."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis.db import Database
from printers.models import PrinterRow
from printers.protocol import ReportEvent
from router import jobs, slicing
from router.learning import HIGH, LOW, MOST_PRINTS, pace_said, ratio
from router.models import JobRow, QuoteRow, RunRow
from tests.support import builders as b
from tests.support.builders import NOW, Shop

SLICED_S = 5_000


@pytest.fixture
def world(database: Database) -> Shop:
    return b.shop(database)


@pytest.mark.parametrize(
    ("pairs", "per_mille"),
    [
        ([], 1_000),
        ([(300, 100)], 1_000),  # one print is no habit
        ([(300, 100)] * 3, 2_000),
        ([(112, 100)] * 9, 1_120),
        ([(112, 100)] * 9 + [(9_999_999, 1)], 1_120),  # a clock that ran away
        ([(112, 100)] * 9 + [(0, 100), (1, 0)], 1_120),
        ([(80, 100)] * 4, 800),
        ([(1, 100)] * 20, LOW),
        ([(900, 100)] * 20, HIGH),
    ],
)
def test_the_ratio_is_a_median_with_three_that_went_as_said(
    pairs: list[tuple[int, int]], per_mille: int
) -> None:
    assert ratio(pairs) == per_mille


@given(
    st.lists(st.tuples(st.integers(1, 10**7), st.integers(1, 10**7)), max_size=60),
    st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)),
)
def test_no_single_record_moves_it_past_its_neighbours(
    pairs: list[tuple[int, int]], bad: tuple[int, int]
) -> None:
    each = sorted([*(took * 1_000 / said for took, said in pairs), 1_000.0, 1_000.0, 1_000.0])
    middle = len(each) // 2
    low, high = each[max(0, middle - 1)], each[min(len(each) - 1, middle + 1)]
    after = ratio([*pairs, bad])
    assert max(LOW, min(HIGH, low)) - 1 <= after <= max(LOW, min(HIGH, high)) + 1


def made(database: Database, world: Shop, *, print_s: int | None) -> RunRow:
    """One order printed to its end; the machine says how long it worked."""
    b.ordered(database, world)
    with database.writing() as session:
        run = b.take(session, world)
        assert run is not None
        session.get_one(JobRow, run.job_id).duration_s = SLICED_S
        b.permit(session, world, run)
        b.report(session, world, run, ReportEvent.FINISHED, print_s=print_s)
        jobs.passed(session, job_id=run.job_id, by=world.owner, now=NOW)
        jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=NOW)
        return run


def record(database: Database, world: Shop) -> tuple[int, int]:
    with database.reading() as session:
        row = session.get_one(PrinterRow, world.printer)
        return row.took_per_mille, row.took_runs


def test_what_prints_took_corrects_the_quotes_that_follow(database: Database, world: Shop) -> None:
    first = made(database, world, print_s=None)  # a machine that says nothing teaches nothing
    assert record(database, world) == (1_000, 0)
    with database.reading() as session:
        assert session.get_one(RunRow, first.id).print_s is None
    for _ in range(5):
        made(database, world, print_s=SLICED_S * 112 // 100)
    per_mille, runs = record(database, world)
    assert runs == 5
    assert per_mille == pytest.approx(1_120, abs=3)
    made(database, world, print_s=SLICED_S * 50)  # left paused over a week-end
    assert record(database, world)[0] == pytest.approx(1_120, abs=3)
    with database.writing() as session:
        quote = b.ask(session, b.request(world.part), maker=world.maker).quotes[0]
    source = str(quote.inputs)
    assert "this printer takes 12 % longer than its slicer thinks, from 6 prints" in source


def test_a_print_that_failed_teaches_nothing(database: Database, world: Shop) -> None:
    b.ordered(database, world)
    with database.writing() as session:
        run = b.take(session, world)
        assert run is not None
        b.permit(session, world, run)
        b.report(session, world, run, ReportEvent.FAILED, print_s=60)
    assert record(database, world) == (1_000, 0)


def test_what_slices_ask_for_corrects_the_mass_of_estimates(
    database: Database, world: Shop
) -> None:
    with database.writing() as session:
        plain = b.ask(session, b.request(world.part), maker=world.maker).quotes[0]
    for number in range(5):
        (job_id,) = b.ordered(database, world, ready=False)
        with database.writing() as session:
            item = session.get_one(QuoteRow, plain.id).items[0]
            row = b.slice_row(item, key=f"slice {number}", mass_mg=item.mass_mg * 11 // 10)
            estimated_mg = item.mass_mg
            slicing.ready(session, job_id, row, now=NOW, estimated_mg=estimated_mg)
    with database.reading() as session:
        printer = session.get_one(PrinterRow, world.printer)
        assert printer.mass_slices == 5
        assert printer.mass_per_mille == pytest.approx(1_100, abs=2)
    with database.writing() as session:
        quote = b.ask(session, b.request(world.part), maker=world.maker).quotes[0]
    assert quote.mass_mg == pytest.approx(plain.mass_mg * 1.1, rel=0.01)
    assert "corrected by 5 slices for this printer" in str(quote.inputs)


def test_a_slice_is_dearer_by_the_time_that_this_printer_takes(
    database: Database, world: Shop
) -> None:
    (job_id,) = b.ordered(database, world, ready=False)
    with database.writing() as session:
        session.get_one(PrinterRow, world.printer).took_per_mille = 2_000
        quote = session.get_one(JobRow, job_id).item
        slicing.ready(session, job_id, b.slice_row(quote, key="slow"), now=NOW)
        assert "dearer" in session.get_one(JobRow, job_id).reason


def test_old_prints_are_forgotten() -> None:
    assert MOST_PRINTS == 50
    assert pace_said(1_000, 9) == ""
    assert pace_said(1_120, 0) == ""
    assert pace_said(900, 1) == "this printer takes 10 % less than its slicer thinks, from 1 print"
