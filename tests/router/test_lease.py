"""Leases, permits, beats and reports: each verb, each refusal, each repetition, both databases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from basis.db import Database
from basis.errors import Conflict, NotAllowed, NotFound, NotYours
from printers import registry
from printers.models import Bed, PrinterRow
from printers.offer import Duty
from printers.protocol import ReportEvent, StaleFence, Word
from router import endings, jobs, lease, readings, waiting
from router.lease import BedNotClear, PermitOver
from router.models import HappeningRow, JobRow, RunRow
from router.states import Job, Run
from tests.support import builders as b
from tests.support.builders import LEASE_S, NOW, PERMIT_S, Shop, later

UNTIL_PERMITTED = (ReportEvent.RELEASED, ReportEvent.NEVER_STARTED)


@pytest.fixture
def world(database: Database) -> Shop:
    return b.shop(database)


def leased(session: Session, world: Shop) -> RunRow:
    run = b.take(session, world)
    assert run is not None
    return run


def permitted(session: Session, world: Shop) -> RunRow:
    run = leased(session, world)
    assert b.permit(session, world, run) == PERMIT_S
    return run


def bed(session: Session, world: Shop) -> Bed:
    return session.scalars(select(PrinterRow.bed).where(PrinterRow.id == world.printer)).one()


def job_of(session: Session, run: RunRow) -> JobRow:
    return session.get_one(JobRow, run.job_id)


def why_nothing(session: Session, world: Shop, *, seconds: float = 0) -> str:
    run, why = lease.take(
        session,
        printer_id=world.printer,
        agent_id=world.agent,
        now=later(seconds),
        lease_s=LEASE_S,
    )
    assert run is None
    return why


def test_a_part_from_lease_to_printed(database: Database, world: Shop) -> None:
    (job_id,) = b.ordered(database, world)
    with database.writing() as session:
        run = leased(session, world)
        assert (run.job_id, run.fence, run.state) == (job_id, 1, Run.LEASED)
        assert run.lease_until == later(LEASE_S)
        assert job_of(session, run).state is Job.ASSIGNED
        assert bed(session, world) is Bed.CLEAR
    with database.writing() as session:
        assert b.permit(session, world, run, now=later(10)) == PERMIT_S
        assert bed(session, world) is Bed.OCCUPIED
    with database.writing() as session:
        assert b.beat(session, world, run, now=later(20), printing=True) is Word.ON
        b.beat(session, world, run, now=later(30), paused=True, progress_ppm=400_000)
        b.beat(session, world, run, now=later(40), printing=True, seconds_left=77)
        now = session.get_one(RunRow, run.id)
        assert (now.state, now.progress_ppm, now.seconds_left) == (Run.PRINTING, 400_000, 77)
        assert (now.started_at, now.lease_until) == (later(20), later(40 + LEASE_S))
    with database.writing() as session:
        done = b.report(session, world, run, ReportEvent.FINISHED, now=later(99), print_s=70)
        assert (done.state, done.progress_ppm, done.lease_until) == (Run.PRINTED, 1_000_000, None)
        assert job_of(session, run).state is Job.ASSIGNED
        assert bed(session, world) is Bed.OCCUPIED
    with database.reading() as session:
        story = list(session.scalars(select(HappeningRow.what).order_by(HappeningRow.id)))
    assert story == [
        *("job.sliced", "job.lease", "run.permit", "run.start", "run.pause", "run.start"),
        "run.finish",
    ]


def test_a_lost_answer_is_asked_for_again(database: Database, world: Shop) -> None:
    b.ordered(database, world, copies=2)
    with database.writing() as session:
        first = leased(session, world)
        again = b.take(session, world, now=later(60))
        assert again is not None
        assert (again.id, again.lease_until) == (first.id, later(60 + LEASE_S))
        assert b.permit(session, world, first, now=later(70)) == PERMIT_S
        assert b.permit(session, world, first, now=later(170)) == PERMIT_S - 100
        assert session.scalar(select(func.count()).select_from(RunRow)) == 1


def test_why_a_printer_gets_nothing(database: Database, world: Shop) -> None:
    with database.writing() as session:
        assert why_nothing(session, world) == "no job waits for it"
    b.ordered(database, world)
    with database.writing() as session:
        registry.load(
            session,
            printer_id=world.printer,
            material="PETG",
            colour="black",
            left_mg=1_000,
            price_per_kg_minor=1,
            now=NOW,
        )
        assert why_nothing(session, world) == "a job waits for 4.1 g of PLA black: load it"
        b.spool(session, session.get_one(PrinterRow, world.printer), by=world.owner, left_mg=10)
        assert why_nothing(session, world).startswith("a job waits for 4.1 g of PLA black")
        registry.occupied(session, printer_id=world.printer, now=NOW)
        assert why_nothing(session, world).startswith("its bed is not clear")
        b.rest(session, world, Duty.PAUSED)
        assert why_nothing(session, world).startswith("it takes no new work")


def test_only_its_own_agent_gets_a_printers_work(database: Database, world: Shop) -> None:
    b.ordered(database, world)
    with database.writing() as session:
        run = leased(session, world)
        with pytest.raises(NotYours, match="does not speak for"):
            lease.take(
                session, printer_id=world.printer, agent_id=uuid4(), now=NOW, lease_s=LEASE_S
            )
        with pytest.raises(NotFound, match="no printer"):
            lease.take(session, printer_id=uuid4(), agent_id=world.agent, now=NOW, lease_s=1)
        stranger = replace(world, agent=uuid4())
        for say in every_word(session, stranger, run):
            with pytest.raises(NotFound, match="this agent has no run"):
                say()


def every_word(session: Session, world: Shop, run: RunRow) -> list[Callable[[], object]]:
    """Everything an agent can say of a run."""
    return [
        lambda: b.permit(session, world, run),
        lambda: b.beat(session, world, run, printing=True),
        *(lambda what=what: b.report(session, world, run, what) for what in ReportEvent),
    ]


def test_a_message_with_another_fence_changes_nothing(database: Database, world: Shop) -> None:
    b.ordered(database, world)
    with database.writing() as session:
        run = leased(session, world)
    for fence in (0, 2):
        with database.writing() as session:
            old = RunRow(id=run.id, job_id=run.job_id, fence=fence)
            for say in every_word(session, world, old):
                with pytest.raises(StaleFence, match="has fence 1"):
                    say()
            assert not session.dirty
    with database.reading() as session:
        assert session.get_one(RunRow, run.id).state is Run.LEASED


def test_fences_only_grow(database: Database, world: Shop) -> None:
    b.ordered(database, world, copies=3)
    fences = []
    for turn in range(3):
        with database.writing() as session:
            run = b.take(session, world, now=later(turn * 200))
            assert run is not None
            fences.append(run.fence)
    assert fences == [1, 2, 3]


def test_an_old_lease_is_released_and_its_agent_hears_so(database: Database, world: Shop) -> None:
    (job_id,) = b.ordered(database, world)
    with database.writing() as session:
        run = leased(session, world)
        assert lease.expire(session, now=later(LEASE_S)) == 0
        assert not lease.any_late(session, now=later(LEASE_S))
        with pytest.raises(StaleFence, match="ran out"):  # also before the sweep came by
            b.permit(session, world, run, now=later(LEASE_S + 1))
        assert lease.any_late(session, now=later(LEASE_S + 1))
        assert lease.expire(session, now=later(LEASE_S + 1)) == 1
        assert (run.state, jobs.get(session, job_id).state) == (Run.RELEASED, Job.READY)
        for say in (
            lambda: b.permit(session, world, run),
            lambda: b.beat(session, world, run),
        ):
            with pytest.raises(StaleFence, match="ended: it is released"):
                say()
        assert b.report(session, world, run, ReportEvent.NEVER_STARTED).state is Run.RELEASED


def test_silence_after_the_permit_is_unknown_and_blocks(database: Database, world: Shop) -> None:
    (job_id, _) = b.ordered(database, world, copies=2)
    with database.writing() as session:
        run = permitted(session, world)
        assert lease.expire(session, now=later(LEASE_S + 1)) == 1
        assert run.state is Run.UNKNOWN
        assert jobs.get(session, job_id).state is Job.ASSIGNED
        assert "is unknown on it" in why_nothing(session, world, seconds=10_000)


def test_an_unknown_run_is_held_again_when_its_agent_speaks(
    database: Database, world: Shop
) -> None:
    b.ordered(database, world)
    with database.writing() as session:
        run = permitted(session, world)
        b.beat(session, world, run, printing=True)
        lease.expire(session, now=later(500))
        assert run.state is Run.UNKNOWN
    with database.writing() as session:
        assert b.beat(session, world, run, now=later(600)) is Word.ON  # alive, but no evidence
        assert session.get_one(RunRow, run.id).state is Run.UNKNOWN
    with database.writing() as session:
        b.beat(session, world, run, now=later(601), printing=True)
        now = session.get_one(RunRow, run.id)
        assert (now.state, now.lease_until) == (Run.PRINTING, later(601 + LEASE_S))
    with database.writing() as session:
        lease.expire(session, now=later(2_000))
        now = b.report(session, world, run, ReportEvent.PAUSED, now=later(2_001))
        assert now.state is Run.PAUSED
        assert now.lease_until is not None


def test_the_permit_needs_the_right_file_and_a_clear_bed(database: Database, world: Shop) -> None:
    b.ordered(database, world)
    with database.writing() as session:
        run = leased(session, world)
        with pytest.raises(Conflict, match="fetch it again"):
            lease.permit(
                session,
                run_id=run.id,
                agent_id=world.agent,
                fence=run.fence,
                sha256="0" * 64,
                now=NOW,
                permit_s=PERMIT_S,
                lease_s=LEASE_S,
            )
        registry.occupied(session, printer_id=world.printer, now=NOW)
        with pytest.raises(BedNotClear, match="take the part off"):
            b.permit(session, world, run)
        jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=NOW)
        assert b.permit(session, world, run) == PERMIT_S


def test_a_permit_is_good_until_it_runs_out_or_is_used(database: Database, world: Shop) -> None:
    b.ordered(database, world, copies=2)
    with database.writing() as session:
        run = permitted(session, world)
        assert b.permit(session, world, run, now=later(PERMIT_S - 1)) == 1
        with pytest.raises(PermitOver, match="ran out or was used"):
            b.permit(session, world, run, now=later(PERMIT_S))
        b.beat(session, world, run, printing=True)
        with pytest.raises(NotAllowed, match="it has started"):
            b.permit(session, world, run)
        b.report(session, world, run, ReportEvent.FINISHED)
        with pytest.raises(NotAllowed, match="is printed"):
            b.permit(session, world, run)


def test_a_clock_that_is_set_back_makes_no_permit_longer(database: Database, world: Shop) -> None:
    b.ordered(database, world)
    with database.writing() as session:
        run = permitted(session, world)
        assert b.permit(session, world, run, now=later(-7 * 3_600)) == PERMIT_S


def test_a_bed_is_not_cleared_while_a_permit_is_out(database: Database, world: Shop) -> None:
    """A person gave the run up; its agent is away and may still start it."""
    (job_id, _) = b.ordered(database, world, copies=2)
    until = f"until {later(PERMIT_S):%Y-%m-%d %H:%M:%S} UTC"
    with database.writing() as session:
        run = permitted(session, world)
        with pytest.raises(NotAllowed, match=f"is permitted: .* {until}: wait for its end"):
            clear(session, world, seconds=1)
        lease.expire(session, now=later(LEASE_S + 1))
        with pytest.raises(NotAllowed, match=f"is unknown: .* {until}: .* look, then say"):
            clear(session, world, seconds=LEASE_S + 1)
        fail(session, world, job_id)
        with pytest.raises(NotAllowed, match=f"is failed: .* {until}: .* look again then"):
            clear(session, world, seconds=PERMIT_S - 1)
        assert bed(session, world) is Bed.OCCUPIED
        clear(session, world, seconds=PERMIT_S)
        other = b.take(session, world, now=later(PERMIT_S))
        assert other is not None
        assert other.job_id != job_id
        with pytest.raises(StaleFence):
            b.permit(session, world, run, now=later(PERMIT_S + 1))


def test_nothing_is_leased_while_a_permit_is_out(database: Database, world: Shop) -> None:
    """Even if its bed were clear."""
    (job_id, _) = b.ordered(database, world, copies=2)
    with database.writing() as session:
        permitted(session, world)
        lease.expire(session, now=later(LEASE_S + 1))
        fail(session, world, job_id)
        registry.cleared(session, printer_id=world.printer, now=later(200))
        assert "permit has not run out" in why_nothing(session, world, seconds=PERMIT_S - 1)
        assert b.take(session, world, now=later(PERMIT_S)) is not None


@pytest.mark.parametrize("word", ["passed", "failed"])
def test_a_persons_word_leaves_the_permit_out_but_its_agents_does_not(
    database: Database, world: Shop, word: str
) -> None:
    (job_id, _) = b.ordered(database, world, copies=2)
    with database.writing() as session:
        run = permitted(session, world)
        lease.expire(session, now=later(LEASE_S + 1))
        if word == "passed":
            jobs.passed(session, job_id=job_id, by=world.owner, now=later(130))
        else:
            fail(session, world, job_id)
        with pytest.raises(NotAllowed, match="its permit is still out"):
            clear(session, world, seconds=139)
        b.report(session, world, run, ReportEvent.NEVER_STARTED, now=later(140))
        clear(session, world, seconds=141)
        assert b.take(session, world, now=later(141)) is not None


def clear(session: Session, world: Shop, *, seconds: float) -> None:
    jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=later(seconds))


def fail(session: Session, world: Shop, job_id: UUID) -> None:
    jobs.failed(
        session,
        job_id=job_id,
        by=world.owner,
        cause="nothing on the bed",
        job_at_fault=False,
        printer_at_fault=False,
        now=later(LEASE_S + 2),
    )


def test_what_moves_after_a_person_ended_it_is_stopped_and_keeps_the_bed(
    database: Database, world: Shop
) -> None:
    (job_id, _) = b.ordered(database, world, copies=2)
    with database.writing() as session:
        run = permitted(session, world)
        lease.expire(session, now=later(LEASE_S + 1))
        fail(session, world, job_id)
        clear(session, world, seconds=PERMIT_S)
        assert b.beat(session, world, run, now=later(310), printing=True) is Word.STOP
        assert bed(session, world) is Bed.OCCUPIED
        clear(session, world, seconds=320)
        with pytest.raises(StaleFence):  # alive, and nothing moves
            b.beat(session, world, run, now=later(325))
        late = b.report(session, world, run, ReportEvent.FAILED, now=later(330))
        assert late.state is Run.FAILED
        assert bed(session, world) is Bed.OCCUPIED
        # From its last word on, what comes of it is an echo.
        clear(session, world, seconds=340)
        b.report(session, world, run, ReportEvent.FAILED, now=later(350))
        with pytest.raises(StaleFence):
            b.beat(session, world, run, now=later(360), printing=True)
        assert bed(session, world) is Bed.CLEAR
        notes = select(HappeningRow.what).where(HappeningRow.what.like("late.%"))
        assert list(session.scalars(notes)) == ["late.failed"]


@pytest.mark.parametrize("what", [ReportEvent.FINISHED, ReportEvent.FAILED, ReportEvent.UNCLEAR])
def test_a_file_started_by_hand_is_given_back_and_keeps_the_bed(
    database: Database, world: Shop, what: ReportEvent
) -> None:
    (job_id,) = b.ordered(database, world)
    with database.writing() as session:
        run = leased(session, world)
        assert b.beat(session, world, run, printing=True) is Word.STOP
        assert b.report(session, world, run, ReportEvent.STARTED).state is Run.LEASED
        assert bed(session, world) is Bed.OCCUPIED
        assert b.report(session, world, run, what).state is Run.RELEASED
        assert jobs.get(session, job_id).state is Job.READY


@pytest.mark.parametrize("what", UNTIL_PERMITTED)
def test_a_run_given_back_before_its_permit(
    database: Database, world: Shop, what: ReportEvent
) -> None:
    (job_id, other) = b.ordered(database, world, copies=2)
    with database.writing() as session:
        run = leased(session, world)
        for _ in range(2):
            assert b.report(session, world, run, what, now=later(5)).state is Run.RELEASED
        assert jobs.get(session, job_id).state is Job.READY
        assert bed(session, world) is Bed.CLEAR
        following = b.take(session, world, now=later(6))
        assert following is not None
        assert following.job_id in {job_id, other} - {run.job_id}  # it waits its turn again


def test_a_permitted_run_can_only_be_given_back_with_proof(database: Database, world: Shop) -> None:
    (job_id,) = b.ordered(database, world)
    with database.writing() as session:
        run = permitted(session, world)
        with pytest.raises(NotAllowed, match="too late to give it back"):
            b.report(session, world, run, ReportEvent.RELEASED)
        for _ in range(2):
            ended = b.report(session, world, run, ReportEvent.NEVER_STARTED)
            assert (ended.state, ended.never_started) == (Run.FAILED, True)
        assert jobs.get(session, job_id).state is Job.READY
        assert bed(session, world) is Bed.OCCUPIED  # only a person's look clears it
    with database.writing() as session:
        jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=NOW)
        run = permitted(session, world)
        b.beat(session, world, run, printing=True)
        with pytest.raises(NotAllowed, match="was seen printing"):
            b.report(session, world, run, ReportEvent.NEVER_STARTED)


def test_a_failed_run_waits_for_a_person(database: Database, world: Shop) -> None:
    (job_id,) = b.ordered(database, world)
    with database.writing() as session:
        run = permitted(session, world)
        for _ in range(2):
            b.report(session, world, run, ReportEvent.FAILED, progress_ppm=250_000, print_s=60)
        job = jobs.get(session, job_id)
        assert (run.state, job.state, job.reserved_mg) == (Run.FAILED, Job.FAILED, 0)
        assert run.progress_ppm == 250_000
        jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=NOW)
        assert why_nothing(session, world, seconds=9_999) == "no job waits for it"


def test_an_unclear_run_waits_for_a_person_or_for_evidence(database: Database, world: Shop) -> None:
    b.ordered(database, world)
    with database.writing() as session:
        run = permitted(session, world)
        for _ in range(2):
            assert b.report(session, world, run, ReportEvent.UNCLEAR).state is Run.UNKNOWN
        assert run.permit_until is None  # its agent will not start it again
        assert b.report(session, world, run, ReportEvent.FINISHED).state is Run.PRINTED


def test_a_job_given_back_again_and_again_waits_for_a_person(
    database: Database, world: Shop
) -> None:
    (job_id,) = b.ordered(database, world)
    with database.writing() as session:
        for turn in range(endings.MOST_GIVEN_BACK):
            run = b.take(session, world, now=later(turn))
            assert run is not None
            b.report(session, world, run, ReportEvent.RELEASED, now=later(turn))
        job = jobs.get(session, job_id)
        assert job.state is Job.FAILED
        assert job.reason == "given back 5 times; the last time: a test"
        jobs.retry(session, job_id=job_id, by=world.owner, now=NOW)
        assert leased(session, world).job_id == job_id


def test_figures_that_cannot_be_are_kept_within_bounds(database: Database, world: Shop) -> None:
    b.ordered(database, world)
    with database.writing() as session:
        run = permitted(session, world)
        b.beat(session, world, run, printing=True, progress_ppm=1 << 40, seconds_left=1 << 60)
        assert (run.progress_ppm, run.seconds_left) == (1_000_000, lease.MOST_S_LEFT)
        b.beat(session, world, run, printing=True, progress_ppm=-5, seconds_left=-5)
        assert (run.progress_ppm, run.seconds_left) == (1_000_000, 0)
        high, low = (dict.fromkeys(readings.BOUNDS, each) for each in (1 << 40, -(1 << 62)))
        wrong: list[dict[str, Any]] = [high, low, {"layer": 5, "layers": 4}]
        for said in wrong:
            b.beat(session, world, run, printing=True, **said)
            assert not any(getattr(run, name) for name in readings.BOUNDS)
        b.beat(session, world, run, printing=True, nozzle_c=-8, layer=4, layers=4, z_um=800)
        assert (run.nozzle_c, run.layer, run.layers, run.z_um, run.bed_c) == (-8, 4, 4, 800, None)
        b.beat(session, world, run)  # it does not print any more: what was read last stays
        assert run.layer == 4
        b.beat(session, world, run, printing=True)  # as an older agent speaks
        assert not any(getattr(run, name) for name in readings.BOUNDS)
        b.report(session, world, run, ReportEvent.FINISHED, print_s=1 << 62)


@pytest.mark.parametrize("what", ReportEvent)
def test_saying_it_twice_is_saying_it_once(
    database: Database, world: Shop, what: ReportEvent
) -> None:
    """From every state in which it can be said."""
    b.ordered(database, world)
    with database.writing() as session:
        run = leased(session, world) if what is ReportEvent.RELEASED else permitted(session, world)
        b.report(session, world, run, what)
        once = snapshot(session, run)
        b.report(session, world, run, what)
        assert snapshot(session, run) == once


def snapshot(session: Session, run: RunRow) -> list[object]:
    session.flush()
    tables = (RunRow, JobRow, PrinterRow)
    rows = [row for table in tables for row in session.execute(select(table.__table__))]
    count = session.scalar(select(func.count()).select_from(HappeningRow))
    return [*map(tuple, rows), count]


def test_a_lease_can_be_repeated_while_others_wait_for_it(database: Database, world: Shop) -> None:
    """Many threads ask for one printer at once: one run, one fence, the same for all."""
    b.ordered(database, world, copies=2)

    def ask(_: int) -> tuple[UUID, int] | None:
        with database.writing() as session:
            run = b.take(session, world)
            return None if run is None else (run.id, run.fence)

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(ask, range(16)))
    assert len(answers) == 1
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(RunRow)) == 1


def test_two_agents_race_for_one_printer(database: Database, world: Shop) -> None:
    """The old agent and its successor: whoever speaks for the printer gets the run."""
    b.ordered(database, world)
    with database.writing() as session:
        place = session.get_one(PrinterRow, world.printer).workshop
        successor = b.agent(session, place, [world.printer])

    def ask(agent: UUID) -> str:
        with database.writing() as session:
            try:
                run, _ = lease.take(
                    session, printer_id=world.printer, agent_id=agent, now=NOW, lease_s=LEASE_S
                )
            except NotYours:
                return "not yours"
            return "a run" if run is not None else "nothing"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, [world.agent, successor] * 6))
    assert set(answers[0::2]) == {"not yours"}
    assert set(answers[1::2]) == {"a run"}
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(RunRow)) == 1


def test_permit_cancel_and_clear_at_once_end_in_one_order(database: Database, world: Shop) -> None:
    """Whoever is first, the bed is not clear under a run that may move, and nothing deadlocks."""
    for _ in range(4):
        (job_id,) = b.ordered(database, world)
        with database.writing() as session:
            run = leased(session, world)

        def try_permit(run: RunRow = run) -> None:
            with database.writing() as session:
                b.permit(session, world, run)

        def try_cancel(job_id: UUID = job_id) -> None:
            with database.writing() as session:
                jobs.cancel(session, job_id=job_id, by=world.maker, now=NOW)

        def try_clear() -> None:
            with database.writing() as session:
                jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=NOW)

        def sweep() -> None:
            with database.writing() as session:
                lease.expire(session, now=NOW)

        with ThreadPoolExecutor(8) as pool:
            tries: list[Callable[[], None]] = [try_permit, try_cancel, try_clear, sweep] * 2
            failures = [each.exception() for each in [pool.submit(one) for one in tries]]
        assert all(isinstance(each, NotAllowed | None) for each in failures), failures
        with database.writing() as session:
            now = session.get_one(RunRow, run.id)
            assert now.state in (Run.RELEASED, Run.PERMITTED)
            if now.state is Run.PERMITTED:
                assert bed(session, world) is Bed.OCCUPIED
                b.report(session, world, now, ReportEvent.NEVER_STARTED)
            assert jobs.get(session, job_id).state is Job.CANCELLED
            jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=NOW)


def test_the_database_refuses_two_runs_that_may_move(database: Database, world: Shop) -> None:
    b.ordered(database, world, copies=2)
    with database.writing() as session:
        run = permitted(session, world)
        job = session.scalars(select(JobRow).where(JobRow.id != run.job_id)).one()
    with pytest.raises(IntegrityError), database.writing() as session:
        session.add(
            RunRow(
                job_id=job.id,
                printer_id=world.printer,
                agent_id=world.agent,
                fence=2,
                state=Run.UNKNOWN,
                leased_at=NOW,
            )
        )
    with pytest.raises(IntegrityError), database.writing() as session:
        session.execute(update(RunRow).values(lease_until=None))  # a held run has a deadline


def test_idle_agents_are_answered_without_writing(database: Database, world: Shop) -> None:
    def glance(session: Session) -> waiting.Glance:
        return waiting.at_a_glance(session, world.agent)[world.printer]

    with database.reading() as session:
        assert not glance(session).worth
        assert glance(session).reason == "no job waits for it"
        assert waiting.at_a_glance(session, uuid4()) == {}
    b.ordered(database, world)
    with database.writing() as session:
        assert glance(session).worth
        run = leased(session, world)
        assert glance(session).worth  # its answer may have been lost
        assert lease.run_of_agent(session, run_id=run.id, agent_id=world.agent)[0].id == run.id
        b.permit(session, world, run)
        assert not glance(session).worth
        assert glance(session).reason == waiting.NOT_CLEAR
        b.report(session, world, run, ReportEvent.FINISHED)
        b.report(session, world, run, ReportEvent.FINISHED)
        jobs.passed(session, job_id=run.job_id, by=world.owner, now=NOW)
        with pytest.raises(NotFound):
            lease.run_of_agent(session, run_id=run.id, agent_id=world.agent)
