"""Duty, quiet hours and upkeep: what they keep from starting, and what they say."""

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from basis.db import Database
from basis.errors import Invalid, NotAllowed
from printers import queries, registry, upkeep
from printers.hours import DAYS
from printers.models import Bed, PrinterNoteRow, PrinterRow, WorkshopRow
from printers.offer import Duty
from printers.protocol import ReportEvent
from printers.quiet import said
from router import jobs, lease
from router.lease import NotNow
from router.matching import Axis, Fixer
from router.models import JobRow, RunRow
from router.quote import Inputs, eta_s
from router.states import Job, Run
from tests.support import builders as b
from tests.support import solids
from tests.support.builders import LEASE_S, NOW, Shop, later

HOUR = 3_600


@pytest.fixture()
def world(database: Database) -> Shop:
    return b.shop(database)


def machine(session: Session, world: Shop) -> PrinterRow:
    return queries.printer(session, world.printer)


def keep_quiet(session: Session, world: Shop, span: str, *, must_be_over: bool = False) -> None:
    days = dict.fromkeys(DAYS, span)
    row = session.get_one(WorkshopRow, world.workshop)
    registry.set_quiet(session, row, said(days, must_be_over=must_be_over))


def why_nothing(session: Session, world: Shop, *, now: datetime = NOW) -> str:
    run, why = lease.take(
        session, printer_id=world.printer, agent_id=world.agent, now=now, lease_s=LEASE_S
    )
    assert run is None
    return why


@pytest.mark.parametrize(
    ("duty", "starts", "words"),
    [
        (Duty.OPEN, True, ""),
        (Duty.DRAINING, True, "draining"),
        (Duty.PAUSED, False, "paused"),
        (Duty.MAINTENANCE, False, "maintenance"),
    ],
)
def test_what_each_duty_lets_a_printer_do(
    database: Database, world: Shop, duty: Duty, starts: bool, words: str
) -> None:
    b.ordered(database, world)
    with database.writing() as session:
        quote = b.ask(session, b.request(world.part), maker=world.maker).quotes[0]
        b.rest(session, world, duty)
        answer = b.ask(session, b.request(world.part))
        if duty is Duty.OPEN:
            assert answer.quotes
        else:
            (miss,) = answer.near_misses
            (reason,) = miss.reasons
            assert (reason.axis, reason.available) == (Axis.ACCEPTING, words)
            assert reason.who_can_fix is Fixer.WORKSHOP
            with pytest.raises(jobs.QuoteOver):
                jobs.order(
                    session, quote_id=quote.id, maker_id=world.maker, idempotency_key="k", now=NOW
                )
        if starts:
            assert b.take(session, world) is not None
        else:
            assert words in why_nothing(session, world)


@pytest.mark.parametrize("duty", [Duty.PAUSED, Duty.MAINTENANCE])
def test_what_was_leased_does_not_start_any_more(
    database: Database, world: Shop, duty: Duty
) -> None:
    """Somebody may have their hands in the machine: the permit is the last moment to say no."""
    (job_id,) = b.ordered(database, world)
    with database.writing() as session:
        run = b.take(session, world)
        assert run is not None
        b.rest(session, world, duty)
        with pytest.raises(NotNow, match=words_of(duty)):
            b.permit(session, world, run)
        assert machine(session, world).bed is Bed.CLEAR
        b.report(session, world, run, ReportEvent.NEVER_STARTED)
        assert run.state is Run.RELEASED
        assert session.get_one(JobRow, job_id).state is Job.READY
        b.rest(session, world, Duty.OPEN)
        again = b.take(session, world)
        assert again is not None and b.permit(session, world, again)


def words_of(duty: Duty) -> str:
    return {Duty.PAUSED: "paused", Duty.MAINTENANCE: "maintenance"}[duty]


def test_a_print_under_way_is_not_stopped(database: Database, world: Shop) -> None:
    b.ordered(database, world)
    with database.writing() as session:
        run = b.take(session, world)
        assert run is not None
        b.permit(session, world, run)
        keep_quiet(session, world, "0–12, 12–23")
        b.rest(session, world, Duty.MAINTENANCE)
        assert b.beat(session, world, run, printing=True).value == "on"
        b.report(session, world, run, ReportEvent.FINISHED)
        assert run.state is Run.PRINTED


def test_each_change_stands_in_the_printer_s_record(database: Database, world: Shop) -> None:
    with database.writing() as session:
        b.rest(session, world, Duty.DRAINING)
        upkeep.set_duty(
            session,
            printer_id=world.printer,
            duty=Duty.MAINTENANCE,
            because=" belts ",
            by=world.owner,
            now=later(1),
        )
        assert machine(session, world).paused_because == "belts"
        b.rest(session, world, Duty.OPEN)
        row = machine(session, world)
        assert (row.duty, row.accepting, row.paused_because) == (Duty.OPEN, True, "")
        lines = session.scalars(select(PrinterNoteRow).order_by(PrinterNoteRow.id))
        found = [(line.what, line.note, line.by) for line in lines]
        owner = world.owner
        assert found == [
            ("draining", "", owner),
            ("maintenance", "belts", owner),
            ("opened", "", owner),
        ]
        with pytest.raises(Invalid, match="at most 500"):
            upkeep.set_duty(
                session,
                printer_id=world.printer,
                duty=Duty.PAUSED,
                because="x" * 501,
                by=owner,
                now=NOW,
            )


# Quiet hours. `NOW` is 13:00 in Oslo.


def test_nothing_starts_in_quiet_hours(database: Database, world: Shop) -> None:
    (job_id,) = b.ordered(database, world)
    with database.writing() as session:
        run = b.take(session, world)
        assert run is not None
        keep_quiet(session, world, "12:30–14")
        with pytest.raises(NotNow, match=r"nothing starts before Sun 14:00 \(Europe/Oslo\)"):
            b.permit(session, world, run)
        b.report(session, world, run, ReportEvent.NEVER_STARTED)
        assert "quiet hours: nothing starts before Sun 14:00" in why_nothing(session, world)
        assert session.get_one(JobRow, job_id).state is Job.READY
        again = b.take(session, world, now=later(HOUR))
        assert again is not None
        b.permit(session, world, again, now=later(HOUR))


def test_a_printer_s_own_quiet_hours_win(database: Database, world: Shop) -> None:
    b.ordered(database, world)
    with database.writing() as session:
        keep_quiet(session, world, "12:30–14")
        row, none = machine(session, world), said({"mon": "1–2"}, must_be_over=False)
        upkeep.set_quiet(session, row, none, by=world.owner, now=NOW)
        assert b.take(session, world) is not None
        upkeep.set_quiet(session, row, None, by=world.owner, now=NOW)
        assert queries.quiet_of(row) == said(dict.fromkeys(DAYS, "12:30–14"), must_be_over=False)
        lines = session.scalars(select(PrinterNoteRow.note).order_by(PrinterNoteRow.id))
        assert list(lines) == ["mon 01:00–02:00", ""]


def test_what_would_run_into_them_lets_shorter_prints_pass(database: Database, world: Shop) -> None:
    (long_id,) = b.ordered(database, world)
    (short_id,) = b.ordered(database, world, now=later(1))
    with database.writing() as session:
        session.get_one(JobRow, long_id).duration_s = 2 * HOUR
        session.get_one(JobRow, short_id).duration_s = HOUR
        keep_quiet(session, world, "14:30–7", must_be_over=True)
        run = b.take(session, world, now=later(1_740))
        assert run is not None and run.job_id == short_id
        # It took its time to fetch: now it would run into them.
        with pytest.raises(NotNow, match="it starts at Mon 07:00"):
            b.permit(session, world, run, now=later(1_801))
        b.report(session, world, run, ReportEvent.NEVER_STARTED, now=later(1_801))
        why = why_nothing(session, world, now=later(1_801))
        assert "it would take 2.0 h and run into quiet hours: it starts at Mon 07:00" in why
        morning = NOW + timedelta(hours=18)
        first = b.take(session, world, now=morning)
        assert first is not None and first.job_id == long_id
        b.report(session, world, first, ReportEvent.RELEASED, now=morning)
        session.get_one(JobRow, long_id).duration_s = 20 * HOUR
        session.get_one(JobRow, short_id).duration_s = 20 * HOUR
        assert "whenever it starts" in why_nothing(session, world, now=morning)


def test_a_quote_counts_them_into_the_time_and_is_recomputed(
    database: Database, world: Shop
) -> None:
    with database.writing() as session:
        plain = b.ask(session, b.request(world.part)).quotes[0]
        assert "quiet_s" not in plain.inputs
        keep_quiet(session, world, "12:30–16")
        quiet = b.ask(session, b.request(world.part)).quotes[0]
        inputs = Inputs.from_json(quiet.inputs)
        assert inputs.quiet_s == 3 * HOUR
        assert eta_s(inputs) == eta_s(Inputs.from_json(plain.inputs)) + 3 * HOUR
        assert inputs.sha256() == quiet.inputs_sha256 != plain.inputs_sha256
        assert quiet.cost > plain.cost and quiet.total_minor == plain.total_minor


def test_a_print_that_never_fits_between_them_is_refused_with_words(
    database: Database, world: Shop
) -> None:
    with database.writing() as session:
        keep_quiet(session, world, "14–12:55", must_be_over=True)
        (row,) = b.ask(session, b.request(world.part)).quotes  # an hour is enough for a cube
        row_s = row.duration_s
        assert row_s < HOUR
        keep_quiet(session, world, "13:01–12:01", must_be_over=True)
        part = b.part(session, world.owner, corners=solids.box(100, 100, 100))
        (miss,) = b.ask(session, b.request(part)).near_misses
        (reason,) = miss.reasons
        assert (reason.axis, reason.who_can_fix) == (Axis.QUIET, Fixer.WORKSHOP)


# Upkeep.


def test_upkeep_is_due_by_hours_or_by_day(database: Database, world: Shop) -> None:
    def done(task: str, **again: int | date | None) -> None:
        upkeep.maintained(
            session,
            machine(session, world),
            task=task,
            by=world.owner,
            now=NOW,
            **again,  # type: ignore[arg-type]
        )

    def due(now: datetime) -> list[str]:
        row = machine(session, world)
        return [
            each.last.task for each in upkeep.tasks_of(session, [row], now=now)[row.id] if each.due
        ]

    with database.writing() as session:
        done("nozzle", again_hours=2)
        done(" rods   oiled ", again_on=date(2026, 3, 3))
        done("dusted")
        assert due(NOW) == []
        upkeep.worked(session, printer_id=world.printer, seconds=2 * HOUR - 1)
        session.expire_all()
        assert due(NOW) == []
        # Midnight comes earlier in Oslo than in UTC.
        assert due(datetime.fromisoformat("2026-03-02T22:59:59+00:00")) == []
        assert due(datetime.fromisoformat("2026-03-02T23:00:00+00:00")) == ["rods oiled"]
        upkeep.worked(session, printer_id=world.printer, seconds=1)
        session.expire_all()
        assert due(NOW) == ["nozzle"]
        done("nozzle", again_hours=2)
        assert due(NOW) == []
        assert [line.task for line in upkeep.log_of(session, world.printer)] == [
            *("nozzle", "dusted", "rods oiled", "nozzle")
        ]
        for wrong in ({"again_hours": 0}, {"again_on": date(2026, 3, 1)}):
            with pytest.raises(Invalid, match="due again"):
                done("nozzle", **wrong)
        with pytest.raises(Invalid, match="what was done"):
            done("  ")


def test_what_a_printer_printed_is_counted_failures_too(database: Database, world: Shop) -> None:
    b.ordered(database, world, copies=2)
    with database.writing() as session:
        for event, print_s in ((ReportEvent.FINISHED, 600), (ReportEvent.FAILED, 50)):
            run = b.take(session, world)
            assert run is not None
            b.permit(session, world, run)
            b.beat(session, world, run, printing=True)
            b.report(session, world, run, event, print_s=print_s)
            b.report(session, world, run, event, print_s=print_s)  # twice says it once
            if event is ReportEvent.FINISHED:
                jobs.passed(session, job_id=run.job_id, by=world.owner, now=NOW)
            jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=NOW)
        session.expire_all()
        assert machine(session, world).printed_s == 650
        assert session.scalars(select(RunRow)).all()


def test_a_bed_is_cleared_in_any_duty(database: Database, world: Shop) -> None:
    with database.writing() as session:
        for duty in Duty:
            b.rest(session, world, duty)
            registry.occupied(session, printer_id=world.printer, now=NOW)
            jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=NOW)
            session.expire_all()
            assert machine(session, world).bed is Bed.CLEAR


def test_nobody_clears_a_bed_under_a_print_by_maintenance(database: Database, world: Shop) -> None:
    b.ordered(database, world)
    with database.writing() as session:
        run = b.take(session, world)
        assert run is not None
        b.permit(session, world, run)
        b.rest(session, world, Duty.MAINTENANCE)
        with pytest.raises(NotAllowed):
            jobs.clear_bed(session, printer_id=world.printer, by=world.owner, now=NOW)
