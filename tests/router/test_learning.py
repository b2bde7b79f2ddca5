"""A printer's own record of estimates: medians that one bad record does not move."""

from dataclasses import Field, fields
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from basis.db import Database
from printers.capability import COMMON, Profile
from printers.models import PrinterNoteRow, PrinterRow, Trial
from printers.protocol import ReportEvent
from printers.queries import offers as offers_of
from router import care, jobs, slicing
from router.figures import records
from router.learning import BESIDE, HIGH, LOW, MOST_PRINTS, begin_anew, pace_said, ratio
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


def made(database: Database, world: Shop, *, print_s: int | None, now: datetime = NOW) -> RunRow:
    """One order printed to its end; the machine says how long it worked."""
    b.ordered(database, world, now=now)
    with database.writing() as session:
        run = b.take(session, world, now=now)
        assert run is not None
        session.get_one(JobRow, run.job_id).duration_s = SLICED_S
        b.permit(session, world, run, now=now)
        b.report(session, world, run, ReportEvent.FINISHED, now=now, print_s=print_s)
        jobs.passed(session, job_id=run.job_id, by=world.owner, now=now)
        jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=now)
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


def changed(database: Database, world: Shop, *, at: datetime, **values: Any) -> None:
    """Its workshop says what the machine is, and the cube for it could be sliced."""
    with database.writing() as session:
        row = session.get_one(PrinterRow, world.printer)
        profile = Profile.from_json({**row.profile, **values})
        care.change(
            session, printer_id=row.id, name=row.name, profile=profile, by=world.owner, now=at
        )
        row.trial = Trial.PASSED


def record_of(database: Database, world: Shop) -> int:
    """How many jobs the record for estimates is made of."""
    with database.reading() as session:
        offers = offers_of(session, [world.printer], reserved_mg={})
        found = records(session, offers).get(world.printer)
    return found.jobs if found else 0


def test_another_machine_begins_its_record_anew(database: Database, world: Shop) -> None:
    for _ in range(4):
        made(database, world, print_s=SLICED_S * 115 // 100)
    assert (record(database, world)[1], record_of(database, world)) == (4, 4)
    slow = record(database, world)[0]
    assert slow == 1_150
    changed(database, world, at=b.later(60), rated_power_w=77, max_nozzle_c=290, enclosure=True)
    assert record(database, world) == (slow, 4) and record_of(database, world) == 4
    changed(database, world, at=b.later(120), print_mm_s=120)
    with database.reading() as session:
        row = session.get_one(PrinterRow, world.printer)
        assert (row.mass_per_mille, row.mass_slices) == (1_000, 0)
        notes = session.scalars(select(PrinterNoteRow.note).order_by(PrinterNoteRow.id)).all()
    assert record(database, world) == (1_000, 0) and record_of(database, world) == 0
    assert [note for note in notes if "anew" in note] == notes[-1:]
    for number in range(5):
        made(database, world, print_s=SLICED_S, now=b.later(200 + number))
    assert record(database, world) == (1_000, 5) and record_of(database, world) == 5


@pytest.mark.parametrize("field", fields(Profile), ids=lambda field: str(field.name))
def test_every_field_of_a_profile_says_whether_it_makes_another_machine(
    field: Field[Any], database: Database, world: Shop
) -> None:
    others: dict[str, Any] = {
        "name": "Another",
        "process": "FFF",
        "filament_um": 2_850,
        "gcode_flavor": "reprapfirmware",
        "start_gcode": "G28\nG90\nM83\n",
        "end_gcode": "M104 S0\n",
        "enclosure": True,
        "tuning": {"settings": {"perimeter_speed": "50"}, "filaments": {}},
    }
    before = COMMON["ender3"]
    value = others.get(field.name)
    value = getattr(before, field.name) + 1 if value is None else value
    after = Profile.from_json({**before.as_json(), field.name: value})
    with database.writing() as session:
        row = session.get_one(PrinterRow, world.printer)
        row.took_per_mille, row.took_runs = 1_500, 9
        session.flush()
        anew = begin_anew(session, row, before=before, after=after, now=NOW)
        session.refresh(row)
        assert anew is (after != before and field.name not in BESIDE)
        assert (row.took_per_mille, row.learns_since) == ((1_000, NOW) if anew else (1_500, None))


def test_old_prints_are_forgotten() -> None:
    assert MOST_PRINTS == 50
    assert pace_said(1_000, 9) == ""
    assert pace_said(1_120, 0) == ""
    assert pace_said(900, 1) == "this printer takes 10 % less than its slicer thinks, from 1 print"
