"""What people do with orders and jobs: each verb, each refusal, each repetition, both databases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from basis.db import Database
from basis.errors import Conflict, HubError, Invalid, NotAllowed, NotFound
from commons import audit
from commons.models import BalanceRow
from printers.models import Bed, PrinterRow, SpoolRow
from printers.offer import Duty, Mode
from printers.protocol import ReportEvent, Word
from router import jobs, lease, slicing
from router.jobs import NotEnoughLeft, QuoteOver
from router.models import HappeningRow, JobRow, OrderRow, QuoteItemRow, QuoteRow, RunRow
from router.states import Job, Run
from tests.support import builders as b
from tests.support.builders import NOW, Shop, later

PARCEL = frozenset({Mode.PARCEL})


@pytest.fixture
def world(database: Database) -> Shop:
    return b.shop(database)


def quoted(session: Session, world: Shop, **wish: Any) -> QuoteRow:
    return b.ask(session, b.request(world.part, **wish), maker=world.maker).quotes[0]


def order(
    session: Session, world: Shop, quote: QuoteRow, *, key: str = "one", maker: UUID | None = None
) -> OrderRow:
    return jobs.order(
        session,
        quote_id=quote.id,
        maker_id=maker or world.maker,
        idempotency_key=key,
        now=later(5),
    )


def printed(session: Session, world: Shop) -> UUID:
    """The next job, with its part on the bed."""
    run = b.take(session, world)
    assert run is not None
    b.permit(session, world, run)
    b.report(session, world, run, ReportEvent.FINISHED, print_s=600)
    return run.job_id


def fail(session: Session, world: Shop, job_id: UUID, *, cause: str = "strings") -> JobRow:
    return jobs.failed(
        session,
        job_id=job_id,
        by=world.owner,
        cause=cause,
        job_at_fault=False,
        printer_at_fault=True,
        now=NOW,
    )


def spool_of(session: Session, world: Shop) -> SpoolRow:
    return session.get_one(SpoolRow, world.spool, populate_existing=True)


def balance(session: Session, account: str, unit: str) -> int:
    asked = select(BalanceRow.amount).where(BalanceRow.account == account, BalanceRow.unit == unit)
    return session.scalar(asked) or 0


def check_book(database: Database) -> None:
    """The whole book verifies, from its export alone."""
    with database.reading() as session:
        found = audit.check(session)
    assert found.ok, str(found)


def test_an_order_makes_a_job_for_each_copy_and_reserves(database: Database, world: Shop) -> None:
    with database.writing() as session:
        quote = quoted(session, world, copies=3)
        made = order(session, world, quote)
        assert [job.copy for job in made.jobs] == [1, 2, 3]
        assert {job.state for job in made.jobs} == {Job.ORDERED}
        assert jobs.reserved_mg(session) == {world.spool: quote.mass_mg}
        assert set(slicing.due(session)) == {job.id for job in made.jobs}
    check_book(database)


def test_the_second_click_orders_nothing(database: Database, world: Shop) -> None:
    with database.writing() as session:
        quote, other = quoted(session, world), quoted(session, world)
        assert order(session, world, quote).id == order(session, world, quote).id
        with pytest.raises(Conflict, match="has ordered another quote already"):
            order(session, world, other)
        assert session.scalar(select(func.count()).select_from(JobRow)) == 1


def test_the_same_click_from_many_threads_orders_once(database: Database, world: Shop) -> None:
    with database.writing() as session:
        quote = quoted(session, world)

    def click(_: int) -> UUID:
        with database.writing() as session:
            return order(session, world, quote).id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(click, range(8)))) == 1


def test_who_may_order_by_a_quote_and_until_when(database: Database, world: Shop) -> None:
    with database.writing() as session:
        quote = quoted(session, world)
        stranger = b.account(session)
        with pytest.raises(NotFound, match="no quote"):
            order(session, world, quote, maker=stranger)
        with pytest.raises(NotFound, match="no quote"):
            order(session, world, QuoteRow(id=uuid4()))
        for key in ("", "x" * 81):
            with pytest.raises(Invalid, match="1 to 80 characters"):
                order(session, world, quote, key=key)
        visitor = b.ask(session, b.request(world.part)).quotes[0]
        assert order(session, world, visitor, maker=stranger).maker_id == stranger
        b.rest(session, world, Duty.PAUSED)
        with pytest.raises(QuoteOver, match="takes no new work"):
            order(session, world, quote)
        b.rest(session, world, Duty.OPEN)
        quote.expires_at = later(4)
        session.flush()
        with pytest.raises(QuoteOver, match="ask again"):
            order(session, world, quote)
        quote.expires_at = later(5)
        session.flush()
        assert order(session, world, quote).quote_id == quote.id


def test_two_orders_cannot_both_have_the_last_grams(database: Database) -> None:
    """I8: enough on the spool for one of two orders that are placed in the same moment."""
    world = b.shop(database, left_mg=6_000)
    with database.writing() as session:
        quotes = [quoted(session, world) for _ in range(6)]
    assert 3_000 < quotes[0].mass_mg < 6_000

    def place(quote: QuoteRow) -> str:
        with database.writing() as session:
            try:
                order(session, world, quote, key=str(quote.id))
            except NotEnoughLeft as exc:
                return str(exc)
            return "ordered"

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(place, quotes))
    assert answers.count("ordered") == 1
    assert all("g are free there" in each for each in answers if each != "ordered")
    with database.reading() as session:
        assert jobs.reserved_mg(session)[world.spool] <= spool_of(session, world).left_mg


def test_a_reservation_follows_the_spool_that_takes_the_place(
    database: Database, world: Shop
) -> None:
    b.ordered(database, world)
    with database.writing() as session:
        (reserved_mg,) = jobs.reserved_mg(session).values()
        printer = session.get_one(PrinterRow, world.printer)
        fresh = b.spool(session, printer, by=world.owner, left_mg=500_000)
        assert jobs.reserved_mg(session) == {fresh.id: reserved_mg}
        assert jobs.reserved_mg(session, [fresh.id]) == {fresh.id: reserved_mg}
        assert jobs.reserved_mg(session, [world.spool]) == {}
        printed(session, world)
        assert session.get_one(SpoolRow, fresh.id).left_mg == 500_000 - reserved_mg
        assert spool_of(session, world).left_mg == 1_000_000
        b.spool(session, printer, by=world.owner, colour="red")
        assert jobs.reserved_mg(session) == {}


def test_a_collected_part_is_done_when_it_passed(database: Database, world: Shop) -> None:
    (job_id,) = b.ordered(database, world)
    with database.writing() as session:
        assert printed(session, world) == job_id
        job = jobs.passed(session, job_id=job_id, by=world.owner, now=later(9))
        assert (job.state, job.ended_at) == (Job.DONE, later(9))
        for say in (jobs.passed, jobs.received):  # once more changes nothing
            assert say(session, job_id=job_id, by=world.owner, now=later(10)).ended_at == later(9)
        assert session.get_one(PrinterRow, world.printer).passed == 1
    check_book(database)


def test_a_parcel_is_done_when_it_was_received(database: Database, world: Shop) -> None:
    (job_id,) = b.ordered(database, world, modes=PARCEL)
    with database.writing() as session:
        with pytest.raises(NotAllowed, match="ready"):
            jobs.received(session, job_id=job_id, by=world.maker, now=NOW)
        printed(session, world)
        assert jobs.passed(session, job_id=job_id, by=world.owner, now=NOW).state is Job.PASSED
        assert jobs.received(session, job_id=job_id, by=world.maker, now=NOW).state is Job.DONE
    check_book(database)


def test_the_whole_price_is_paid_once_and_the_filament_weighed_out(
    database: Database, world: Shop
) -> None:
    b.ordered(database, world, copies=3)
    with database.writing() as session:
        total = session.scalars(select(QuoteRow.total_minor)).first()
        b.print_all(session, world)
        assert {job.state for job in session.scalars(select(JobRow))} == {Job.DONE}
        workshop = balance(session, f"workshop:{world.workshop}", "EUR-cent")
        design = balance(session, f"design:{world.part.design_id}", "EUR-cent")
        assert workshop + design == total
        assert balance(session, f"member:{world.maker}", "EUR-cent") == -(total or 0)
        assert design > 0
        used_mg = 1_000_000 - spool_of(session, world).left_mg
        assert balance(session, f"lot:{world.spool}", "mg") == 1_000_000 - used_mg
        assert used_mg == sum(job.mass_mg or 0 for job in session.scalars(select(JobRow)))
        assert jobs.reserved_mg(session) == {}
    check_book(database)


def test_a_part_a_person_rejects_is_scrap_and_can_be_made_again(
    database: Database, world: Shop
) -> None:
    (job_id,) = b.ordered(database, world)
    with database.writing() as session:
        printed(session, world)
        with pytest.raises(Invalid, match="say what was wrong"):
            fail(session, world, job_id, cause="  ")
        for _ in range(2):
            job = fail(session, world, job_id)
            assert (job.state, job.reason, job.reserved_mg) == (Job.FAILED, "strings", 0)
        run = session.scalars(select(RunRow)).one()
        assert (run.job_at_fault, run.printer_at_fault, run.cause) == (False, True, "strings")
        assert session.get_one(PrinterRow, world.printer).failed == 1
        for _ in range(2):
            job = jobs.retry(session, job_id=job_id, by=world.owner, now=NOW)
            assert (job.state, job.reserved_mg) == (Job.READY, job.mass_mg)
        jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=NOW)
        assert printed(session, world) == job_id
        assert jobs.passed(session, job_id=job_id, by=world.owner, now=NOW).state is Job.DONE
        scrap_mg = balance(session, f"scrap:workshop:{world.workshop}", "mg")
        assert scrap_mg == job.mass_mg
    check_book(database)


def test_a_print_that_breaks_off_takes_the_share_that_was_sent(
    database: Database, world: Shop
) -> None:
    (job_id,) = b.ordered(database, world)
    with database.writing() as session:
        run = b.take(session, world)
        assert run is not None
        b.permit(session, world, run)
        b.beat(session, world, run, printing=True, progress_ppm=250_000)
        b.report(session, world, run, ReportEvent.FAILED)
        job = jobs.get(session, job_id)
        share_mg = -(-(job.mass_mg or 0) // 4)
        assert spool_of(session, world).left_mg == 1_000_000 - share_mg
        assert balance(session, f"scrap:workshop:{world.workshop}", "mg") == share_mg
        with pytest.raises(NotEnoughLeft, match="load a fuller spool"):
            spool_of(session, world).left_mg = 100
            jobs.retry(session, job_id=job_id, by=world.owner, now=NOW)
    check_book(database)


@pytest.mark.parametrize("verdict", ["passed", "failed"])
def test_a_person_ends_what_nobody_knows(database: Database, world: Shop, verdict: str) -> None:
    (job_id,) = b.ordered(database, world)
    with database.writing() as session:
        run = b.take(session, world)
        assert run is not None
        b.permit(session, world, run)
        with pytest.raises(NotAllowed, match="is permitted: wait for its end"):
            jobs.passed(session, job_id=job_id, by=world.owner, now=NOW)
        lease.expire(session, now=later(1_000))
        with pytest.raises(NotAllowed, match="look, then say job passed or job failed"):
            jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=NOW)
        if verdict == "passed":
            assert jobs.passed(session, job_id=job_id, by=world.owner, now=NOW).state is Job.DONE
        else:
            assert fail(session, world, job_id).state is Job.FAILED
        jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=later(1_000))
    check_book(database)


def test_a_spool_that_held_more_than_thought_is_corrected(database: Database, world: Shop) -> None:
    (job_id,) = b.ordered(database, world)
    with database.writing() as session:
        run = b.take(session, world)
        assert run is not None
        b.permit(session, world, run)
        spool_of(session, world).left_mg = 1_000
        b.report(session, world, run, ReportEvent.FINISHED)
        assert spool_of(session, world).left_mg == 0
        assert jobs.passed(session, job_id=job_id, by=world.owner, now=NOW).state is Job.DONE
    check_book(database)


def cancel(session: Session, world: Shop, job_id: UUID) -> JobRow:
    return jobs.cancel(session, job_id=job_id, by=world.maker, now=NOW)


@pytest.mark.parametrize("ready", [True, False])
def test_a_job_that_waits_is_cancelled_at_once(
    database: Database, world: Shop, ready: bool
) -> None:
    (job_id,) = b.ordered(database, world, ready=ready)
    with database.writing() as session:
        for _ in range(2):
            assert cancel(session, world, job_id).state is Job.CANCELLED
        assert jobs.reserved_mg(session) == {}
        assert b.take(session, world) is None
    check_book(database)


def test_a_leased_job_is_cancelled_at_once_and_its_agent_hears_so(
    database: Database, world: Shop
) -> None:
    (job_id,) = b.ordered(database, world)
    with database.writing() as session:
        run = b.take(session, world)
        assert run is not None
        assert cancel(session, world, job_id).state is Job.CANCELLED
        assert run.state is Run.RELEASED
        with pytest.raises(NotAllowed):
            b.permit(session, world, run)
    check_book(database)


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (ReportEvent.FAILED, Job.CANCELLED),
        (ReportEvent.NEVER_STARTED, Job.CANCELLED),
        (ReportEvent.FINISHED, Job.ASSIGNED),  # a part made is a part made
    ],
)
def test_cancelling_after_the_permit_waits_for_evidence(
    database: Database, world: Shop, end: ReportEvent, state: Job
) -> None:
    (job_id,) = b.ordered(database, world)
    with database.writing() as session:
        run = b.take(session, world)
        assert run is not None
        b.permit(session, world, run)
        for _ in range(2):
            assert cancel(session, world, job_id).state is Job.ASSIGNED
        with pytest.raises(NotAllowed, match="was cancelled: do not start it"):
            b.permit(session, world, run)
        assert b.beat(session, world, run) is Word.STOP
        b.report(session, world, run, end)
        assert jobs.get(session, job_id).state is state
        bed = session.scalars(select(PrinterRow.bed)).one()
        assert bed is Bed.OCCUPIED  # I12
        if state is Job.ASSIGNED:
            with pytest.raises(NotAllowed, match="look at it, then say passed or failed"):
                cancel(session, world, job_id)
            assert fail(session, world, job_id).state is Job.CANCELLED
    check_book(database)


def test_what_is_made_or_ended_cannot_be_cancelled(database: Database, world: Shop) -> None:
    (job_id,) = b.ordered(database, world, modes=PARCEL)
    with database.writing() as session:
        printed(session, world)
        jobs.passed(session, job_id=job_id, by=world.owner, now=NOW)
        with pytest.raises(NotAllowed, match="passed, so no cancel"):
            cancel(session, world, job_id)


def test_the_bed_is_cleared_by_a_person_once_nothing_may_move(
    database: Database, world: Shop
) -> None:
    b.ordered(database, world)
    with database.writing() as session:
        run = b.take(session, world)
        assert run is not None

        def clear() -> Bed:
            jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=NOW)
            return session.scalars(select(PrinterRow.bed)).one()

        assert clear() is Bed.CLEAR
        b.permit(session, world, run)
        for printing, paused in ((False, False), (True, False), (False, True)):
            b.beat(session, world, run, printing=printing, paused=paused)
            with pytest.raises(NotAllowed, match="wait for its end, or cancel it"):
                clear()
        b.report(session, world, run, ReportEvent.FINISHED)
        assert clear() is Bed.CLEAR  # it is judged on the bench
        assert jobs.passed(session, job_id=run.job_id, by=world.owner, now=NOW).state is Job.DONE
        with pytest.raises(NotFound, match="no printer"):
            jobs.clear_bed(session, printer_id=uuid4(), by=world.owner, now=NOW)


def test_a_dearer_job_waits_until_somebody_agrees(database: Database, world: Shop) -> None:
    (job_id,) = b.ordered(database, world, ready=False)
    with database.writing() as session:
        item = session.scalars(select(QuoteItemRow)).one()
        made = b.slice_row(item, key="a", duration_s=item.duration_s * 2)
        slicing.ready(session, job_id, made, now=NOW)
        job = jobs.get(session, job_id)
        assert job.state is Job.ASKED
        assert "% dearer. Agree to make it at the quoted price, or cancel" in job.reason
        assert b.take(session, world) is None
        for _ in range(2):
            job = jobs.agree(session, job_id=job_id, by=world.owner, now=NOW)
            assert (job.state, job.reason) == (Job.READY, "")
        assert printed(session, world) == job_id


@pytest.mark.parametrize(("more_pct", "state"), [(20, Job.READY), (21, Job.ASKED)])
def test_a_fifth_more_is_the_limit(
    database: Database, world: Shop, more_pct: int, state: Job
) -> None:
    """Of material and machine time together; here of machine time alone, in round figures."""
    (job_id,) = b.ordered(database, world, ready=False)
    with database.writing() as session:
        item = session.scalars(select(QuoteItemRow)).one()
        item.mass_mg, item.duration_s = 0, 180_000  # 100.00 at 2.00 an hour
        session.flush()
        made = b.slice_row(item, key="a", duration_s=1_800 * (100 + more_pct))
        slicing.ready(session, job_id, made, now=NOW)
        assert jobs.get(session, job_id).state is state


def test_a_slice_needs_what_the_spool_has_not_left(database: Database) -> None:
    """I8: the slice is heavier than was reserved, and the rest of the spool is spoken for."""
    world = b.shop(database, left_mg=8_300)
    first, second = b.ordered(database, world, copies=2, ready=False)
    with database.writing() as session:
        item = session.scalars(select(QuoteItemRow)).one()
        heavier = b.slice_row(item, key="a", mass_mg=item.mass_mg + 300)
        slicing.ready(session, first, heavier, now=NOW)
        slicing.ready(session, second, b.slice_row(item, key="b"), now=NOW)
        job = jobs.get(session, first)
        assert job.state is Job.ASKED
        assert "0.3 g more than was reserved" in job.reason
        assert jobs.reserved_mg(session)[world.spool] <= 8_300
        with pytest.raises(NotEnoughLeft), session.begin_nested():
            jobs.agree(session, job_id=first, by=world.owner, now=NOW)
        b.spool(session, session.get_one(PrinterRow, world.printer), by=world.owner)
        assert jobs.agree(session, job_id=first, by=world.owner, now=NOW).state is Job.READY


def test_an_unknown_job_is_named(database: Database, world: Shop) -> None:
    with database.writing() as session:
        for verb in (jobs.passed, jobs.retry, jobs.agree, jobs.received, jobs.cancel):
            with pytest.raises(NotFound, match="there is no job"):
                verb(session, job_id=uuid4(), by=world.owner, now=NOW)


def test_every_change_of_state_stands_in_the_history(database: Database, world: Shop) -> None:
    """I14: the lines of a job follow on each other without a gap, each with who said so."""
    b.ordered(database, world, copies=2)
    with database.writing() as session:
        b.print_all(session, world)
        for job in session.scalars(select(JobRow)):
            lines = list(
                session.scalars(
                    select(HappeningRow)
                    .where(HappeningRow.job_id == job.id)
                    .order_by(HappeningRow.id)
                )
            )
            of_job = [line for line in lines if line.what.startswith("job.")]
            of_run = [line for line in lines if line.what.startswith("run.")]
            for chain, last in ((of_job, job.state), (of_run, Run.PASSED)):
                assert all(one.after == then.before for one, then in pairwise(chain))
                assert chain[-1].after == last
            actors = {line.actor for line in lines}
            assert actors == {"hub", f"agent:{world.agent}", f"account:{world.owner}"}


def test_verbs_race_without_a_deadlock_and_leave_a_right_book(
    database: Database, world: Shop
) -> None:
    """Many people press many buttons at once; whoever is too late is told so."""
    made = b.ordered(database, world, copies=4)

    def said(verb: Callable[[Session], object]) -> str:
        try:
            with database.writing() as session:
                verb(session)
        except HubError as exc:
            return type(exc).__name__
        return "done"

    def work(session: Session) -> None:
        run = b.take(session, world)
        if run is not None and run.state is Run.LEASED:
            b.permit(session, world, run)
            b.report(session, world, run, ReportEvent.FINISHED)

    def clear(session: Session) -> None:
        jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=NOW)

    verbs: list[Callable[[Session], object]] = [*[work] * 6, *[clear] * 6]
    for job_id in made:
        verbs += [
            partial(cancel, world=world, job_id=job_id),
            partial(jobs.passed, job_id=job_id, by=world.owner, now=NOW),
            partial(fail, world=world, job_id=job_id),
        ]
    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(said, verbs * 2))
    assert answers <= {"done", "NotAllowed"}
    with database.reading() as session:
        passed = session.scalar(
            select(func.count()).select_from(JobRow).where(JobRow.state == Job.DONE)
        )
        assert session.get_one(PrinterRow, world.printer).passed == passed
    check_book(database)


@pytest.mark.parametrize("good", [True, False])
def test_what_nobody_saw_end_took_no_longer_than_its_slice(
    database: Database, world: Shop, good: bool
) -> None:
    b.ordered(database, world)
    with database.writing() as session:
        run = b.take(session, world)
        assert run is not None
        b.permit(session, world, run)
        b.beat(session, world, run, printing=True)
        b.report(session, world, run, ReportEvent.UNCLEAR)
        job = session.get_one(JobRow, run.job_id)
        found = later(3 * 86_400)
        if good:
            jobs.passed(session, job_id=job.id, by=world.owner, now=found)
        else:
            jobs.failed(
                session,
                job_id=job.id,
                by=world.owner,
                cause="half a part",
                job_at_fault=False,
                printer_at_fault=True,
                now=found,
            )
        session.expire_all()
        assert session.get_one(PrinterRow, world.printer).printed_s == job.duration_s


@pytest.mark.parametrize("printed_ppm", [None, 0, 500_000])
def test_a_person_says_how_much_lies_there_of_a_print_that_nobody_saw(
    database: Database, world: Shop, printed_ppm: int | None
) -> None:
    """Without their word the book says what was last heard: of a start that nobody saw, nothing."""
    [job_id] = b.ordered(database, world)
    with database.writing() as session:
        run = b.take(session, world)
        assert run is not None
        b.permit(session, world, run)
        lease.expire(session, now=later(3_600))
        assert run.state is Run.UNKNOWN and run.started_at is None
        job = session.get_one(JobRow, job_id)
        job.duration_s = 600
        said: dict[str, Any] = {"job_id": job_id, "by": world.owner, "cause": "it came off"}
        said |= {"job_at_fault": False, "printer_at_fault": False, "now": later(9_000)}
        for wrong in (-1, 1_000_001):
            with pytest.raises(Invalid, match="0 to 1000000"):
                jobs.failed(session, printed_ppm=wrong, **said)
        jobs.failed(session, printed_ppm=printed_ppm, **said)
        half_mg = -(-(job.mass_mg or 0) // 2)
        taken_mg, worked_s = (half_mg, 300) if printed_ppm else (0, 0)
        assert spool_of(session, world).left_mg == 1_000_000 - taken_mg
        assert balance(session, f"scrap:workshop:{world.workshop}", "mg") == taken_mg
        assert balance(session, f"printer:{world.printer}", "s") == -worked_s
    check_book(database)


def test_of_a_print_that_the_machine_saw_end_nobody_says_how_much(
    database: Database, world: Shop
) -> None:
    b.ordered(database, world)
    with database.writing() as session:
        job_id = printed(session, world)
        with pytest.raises(Invalid, match="leave it out"):
            jobs.failed(
                session,
                job_id=job_id,
                by=world.owner,
                cause="strings",
                job_at_fault=False,
                printer_at_fault=False,
                printed_ppm=0,
                now=NOW,
            )
