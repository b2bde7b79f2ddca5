"""A spool that is changed during a run: what each of them bears, whatever people and agents say
when; both databases, and the book verified."""

from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from basis.db import Database
from commons import audit
from commons.models import BalanceRow
from printers import registry
from printers.models import SpoolRow
from printers.protocol import ReportEvent
from router import care, jobs, lease
from router.models import HappeningRow, JobRow, RunRow, StretchRow
from router.states import Job, Run
from router.stretches import MOST_STRETCHES, WHOLE_PPM, shares_mg
from tests.support import builders as b
from tests.support.builders import NOW, Shop, later

WHOLE_MG = 4_059
"""What the cube of these tests takes."""
LOADED_MG = 1_000_000


@pytest.fixture
def world(database: Database) -> Shop:
    made = b.shop(database)
    b.ordered(database, made)
    return made


@given(
    sliced_mg=st.integers(0, 10**9),
    changes_ppm=st.lists(st.integers(0, WHOLE_PPM), max_size=8),
    taken=st.floats(0, 1),
)
def test_shares_are_whole_never_below_zero_and_exact(
    sliced_mg: int, changes_ppm: list[int], taken: float
) -> None:
    """Also where a person says in the end that less was taken than was sent."""
    taken_mg = int(sliced_mg * taken)
    shares = shares_mg([0, *sorted(changes_ppm)], sliced_mg=sliced_mg, taken_mg=taken_mg)
    assert sum(shares) == taken_mg
    assert len(shares) == len(changes_ppm) + 1 and min(shares) >= 0


def load(session: Session, world: Shop, **changes: object) -> UUID:
    """Somebody puts a spool in."""
    said: dict[str, object] = {
        "material": "PLA",
        "colour": "black",
        "left_mg": LOADED_MG,
        "slot": 0,
    }
    said |= {"price_per_kg_minor": 2_500, "by": world.owner, "now": later(60)}
    return care.load(session, printer_id=world.printer, **said | changes).id  # type: ignore[arg-type]


def started(session: Session, world: Shop) -> RunRow:
    run = b.take(session, world)
    assert run is not None
    b.permit(session, world, run)
    b.beat(session, world, run, printing=True)
    return run


def paused(session: Session, world: Shop, run: RunRow, ppm: int) -> None:
    b.beat(session, world, run, paused=True, progress_ppm=ppm)


def printing(session: Session, world: Shop, run: RunRow, ppm: int) -> None:
    b.beat(session, world, run, printing=True, progress_ppm=ppm)


def silent(session: Session, run: RunRow) -> None:
    lease.expire(session, now=later(3_600))
    assert run.state is Run.UNKNOWN


def check(database: Database, took_mg: dict[UUID, int]) -> None:
    """Spools, book and the verifier agree on what each spool gave."""
    with database.reading() as session:
        for spool, mg in took_mg.items():
            assert session.get_one(SpoolRow, spool).left_mg == LOADED_MG - mg
            account = BalanceRow.account == f"lot:{spool}"
            assert session.scalar(select(BalanceRow.amount).where(account)) == LOADED_MG - mg
        found = audit.check(session)
        assert found.ok, str(found)
        assert all(not job.reserved_mg for job in session.scalars(select(JobRow)))


def whole_mg(session: Session, run: RunRow) -> int:
    mass = session.get_one(JobRow, run.job_id).mass_mg
    assert mass == WHOLE_MG
    return mass


def test_each_spool_bears_its_part_of_a_good_print(database: Database, world: Shop) -> None:
    with database.writing() as session:
        run = started(session, world)
        assert whole_mg(session, run)
        paused(session, world, run, 250_000)
        second = load(session, world)
        assert jobs.reserved_mg(session) == {second: 3_044}
        printing(session, world, run, 300_000)
        paused(session, world, run, 750_000)
        third = load(session, world, colour="white")
        assert jobs.reserved_mg(session)[world.spool] == 1_014  # for black ones, as it was quoted
        printing(session, world, run, 800_000)
        b.report(session, world, run, ReportEvent.FINISHED, print_s=600)
        jobs.passed(session, job_id=run.job_id, by=world.owner, now=NOW)
        lines = select(HappeningRow.note).where(HappeningRow.what == "run.spool_changed")
        assert list(session.scalars(lines)) == [
            "PLA black → PLA black, 25.0 %",
            "PLA black → PLA white, 75.0 %",
        ]
    check(database, {world.spool: 1_015, second: 2_030, third: 1_014})


def test_what_was_changed_before_the_permit_bears_all(database: Database, world: Shop) -> None:
    """Also when a wrong spool was said first, before anything moved."""
    with database.writing() as session:
        run = b.take(session, world)
        assert run is not None
        second = load(session, world)
        b.permit(session, world, run)
        third, fourth = load(session, world), load(session, world)
        b.beat(session, world, run, printing=True)
        b.report(session, world, run, ReportEvent.FINISHED)
        assert len(list(session.scalars(select(StretchRow)))) == 1
    check(database, {world.spool: 0, second: 0, third: 0, fourth: WHOLE_MG})


def test_a_change_after_the_end_bears_nothing(database: Database, world: Shop) -> None:
    with database.writing() as session:
        run = started(session, world)
        b.report(session, world, run, ReportEvent.FINISHED)
        second = load(session, world)
        jobs.failed(
            session,
            job_id=run.job_id,
            by=world.owner,
            cause="strings",
            job_at_fault=False,
            printer_at_fault=True,
            now=NOW,
        )
    check(database, {world.spool: WHOLE_MG, second: 0})


def test_a_failed_print_and_its_retry(database: Database, world: Shop) -> None:
    with database.writing() as session:
        run = started(session, world)
        paused(session, world, run, 500_000)
        second = load(session, world)
        b.report(session, world, run, ReportEvent.FAILED, progress_ppm=600_000)
        job = jobs.retry(session, job_id=run.job_id, by=world.owner, now=NOW)
        assert job.state is Job.READY
        assert jobs.reserved_mg(session) == {second: WHOLE_MG}
        jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=NOW)
        again = started(session, world)
        b.report(session, world, again, ReportEvent.FINISHED)
    check(database, {world.spool: 2_030, second: 406 + WHOLE_MG})


def test_words_that_come_late_still_tell_where_it_stood(database: Database, world: Shop) -> None:
    """While it stands paused; once it goes on, the rest is the new spool's."""
    with database.writing() as session:
        run = started(session, world)
        paused(session, world, run, 250_000)
        second = load(session, world)
        paused(session, world, run, 500_000)
        paused(session, world, run, 400_000)  # older still
        printing(session, world, run, 510_000)
        paused(session, world, run, 900_000)
        b.report(session, world, run, ReportEvent.FAILED)
    check(database, {world.spool: 2_030, second: 3_654 - 2_030})


@pytest.mark.parametrize("comes_back", ["paused", "printing", "reported", "finished", "found"])
def test_a_change_while_nobody_knows(database: Database, world: Shop, comes_back: str) -> None:
    """It counts from the moment the print is seen again; unseen, the spool before bore it all."""
    with database.writing() as session:
        run = started(session, world)
        printing(session, world, run, 250_000)
        silent(session, run)
        second = load(session, world)
        third = load(session, world)
        if comes_back == "paused":
            paused(session, world, run, 500_000)
        elif comes_back == "printing":
            printing(session, world, run, 500_000)
        elif comes_back == "reported":
            b.report(session, world, run, ReportEvent.STARTED, progress_ppm=500_000)
        if comes_back == "found":
            jobs.passed(session, job_id=run.job_id, by=world.owner, now=NOW)
        else:
            b.report(session, world, run, ReportEvent.FINISHED)
    unseen = comes_back in ("finished", "found")
    first_mg = WHOLE_MG if unseen else 2_030
    check(database, {world.spool: first_mg, second: 0, third: WHOLE_MG - first_mg})


def test_silence_after_a_change_is_no_doubt_about_it(database: Database, world: Shop) -> None:
    """The print stood when the second spool came; the third comes to a print that is over."""
    with database.writing() as session:
        run = started(session, world)
        paused(session, world, run, 250_000)
        second = load(session, world)
        silent(session, run)
        third = load(session, world)
        jobs.passed(session, job_id=run.job_id, by=world.owner, now=NOW)
    check(database, {world.spool: 1_015, second: 3_044, third: 0})


def test_a_spool_that_is_taken_out_first_or_goes_elsewhere(database: Database, world: Shop) -> None:
    """What is put into another slot has nothing to do with the print."""
    with database.writing() as session:
        run = started(session, world)
        paused(session, world, run, 500_000)
        registry.unload(session, printer_id=world.printer, slot=0)
        other = load(session, world, slot=1)
        second = load(session, world)
        b.report(session, world, run, ReportEvent.FINISHED)
    check(database, {world.spool: 2_030, other: 0, second: 2_029})


def test_a_spool_that_gave_more_than_was_thought_is_weighed_by_it(
    database: Database, world: Shop
) -> None:
    with database.writing() as session:
        session.get_one(SpoolRow, world.spool).left_mg = WHOLE_MG
        run = started(session, world)
        paused(session, world, run, 500_000)
        second = load(session, world, left_mg=1_000)
        b.report(session, world, run, ReportEvent.FINISHED)
        assert session.get_one(SpoolRow, second, populate_existing=True).left_mg == 0
        balance = select(BalanceRow.amount).where(BalanceRow.account == f"lot:{second}")
        assert not session.scalar(balance)
    check(database, {})


def test_changes_without_end_are_borne_by_the_last(database: Database, world: Shop) -> None:
    with database.writing() as session:
        run = started(session, world)
        spools = [world.spool]
        for turn in range(1, MOST_STRETCHES + 5):
            printing(session, world, run, turn * 1_000)
            spools.append(load(session, world))
        b.report(session, world, run, ReportEvent.FINISHED)
        rows = list(session.scalars(select(StretchRow).order_by(StretchRow.id)))
        assert len(rows) == MOST_STRETCHES
        assert all((one.from_ppm or 0) < (then.from_ppm or 0) for one, then in pairwise(rows))
        assert rows[-1].spool_id == spools[-1]
        left = {each: session.get_one(SpoolRow, each, populate_existing=True) for each in spools}
        assert sum(LOADED_MG - each.left_mg for each in left.values()) == WHOLE_MG
    check(database, {})
