"""What must always hold between hub, agents, machines and people, whatever fails between them.

Hypothesis plays a world (`tests.support.printer_world`) in which messages are lost, repeated, late
and out of order, hub and agents die at any line, power fails in mid-print, disks are full, the
hub's clock is turned by hours, and people press every button at any time. The machines count what
they print. Longer, and new each time:

    python -m tests.router.test_invariants 2000
"""

import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from basis.db import Base, Database
from basis.errors import HubError
from commons import audit, book, store
from commons.models import BalanceRow, ReservationRow
from printers import registry, upkeep
from printers.journal import What
from printers.models import Bed, PrinterRow, SpoolRow
from printers.offer import Duty, Mode
from printers.protocol import Beat, Report, ReportEvent, StaleFence
from router import care, ejecting, endings, jobs, lease, slicing, states
from router.models import HappeningRow, JobRow, OrderRow, QuoteRow, RunRow, StretchRow
from router.states import LIVE, OPEN, Event, Job, Run
from tests.support import builders as b
from tests.support.printer_world import Agent, CrashAt, Fate, World

ANSWERS = {Job.FAILED: "cancel", Job.PASSED: "received"}
SPOOL_MG = 22_000
"""Enough for five of the cubes that are ordered here."""

QUIET = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

STAGES = (What.INTENT, What.STARTED, What.PERMITTED, What.DONE, What.RECV)
BUTTONS = ("passed", "failed", "retry", "cancel", "received", "good_in_part")

OFTEN = {
    "work": 10,
    "shaky_step": 6,
    "beat": 3,
    "agent_dies": 2,
    "message_comes_again": 2,
    "message_comes_late": 2,
    "somebody_speaks_with_an_old_fence": 1,
    "a_print_ends": 4,
    "octoprint_dies": 1,
    "the_workshop_goes_dark": 2,
    "octoprint_goes_away_or_comes_back": 1,
    "time_passes": 5,
    "the_hubs_clock_is_turned": 1,
    "order": 1,
    "somebody_clears_the_bed": 4,
    "somebody_presses_a_button": 6,
    "somebody_changes_the_spool": 2,
}
"""What can happen, and how often."""


class Chance(NamedTuple):
    """What happens next, with all that may matter for it."""

    what: str
    which: int
    """The printer; mostly the first, so that stories get far there."""
    fate: Fate
    crash_at: CrashAt
    number: int


CHANCES = st.builds(
    Chance,
    what=st.sampled_from([what for what, times in OFTEN.items() for _ in range(times)]),
    which=st.sampled_from([0, 0, 0, 0, 1]),
    fate=st.sampled_from(Fate),
    crash_at=st.sampled_from(CrashAt),
    number=st.integers(0, 1_000),
)


@cache
def in_memory() -> Database:
    """One database for all stories: a new engine would compile each statement anew."""
    return Database("sqlite://")


@cache
def beginning() -> tuple[bytes, UUID, UUID, dict[UUID, UUID]]:
    """A database with a workshop of two printers, each with an agent and a spool, and quotes for
    both: its bytes, the maker, the owner, and the agent of each printer. The first puts two copies
    on one plate."""
    database = Database("sqlite://")
    Base.metadata.create_all(database.engine)
    with database.writing() as session:
        book.open_book(session, hub="hub:test", now=b.NOW)
        maker, owner = b.account(session), b.account(session)
        place = b.workshop(session, owner)
        agents = {}
        for _ in range(2):
            machine = b.printer(session, place)
            b.spool(session, machine, by=owner, left_mg=SPOOL_MG)
            agents[machine.id] = b.agent(session, place, [machine.id])
        upkeep.set_plates(
            session, session.get_one(PrinterRow, next(iter(agents))), 2, by=owner, now=b.NOW
        )
        thing = b.part(session, owner)
        for copies in (1, 2):
            both = frozenset({Mode.FOOT, Mode.PARCEL})
            wish = b.request(thing, copies=copies, modes=both)
            for quote in b.ask(session, wish).quotes:
                quote.expires_at = b.NOW + timedelta(days=3_650)
                plate = quote.items[0].pieces > 1 and quote.inputs["mode"] == Mode.FOOT
                if copies == 1 or plate:  # one to fetch and one to send, at each printer; one plate
                    early = timedelta(seconds=quote.total_minor)  # in one order, whatever their ids
                    order_by(session, quote, maker=maker, now=b.NOW - early)
    connection = database.engine.raw_connection()
    content: bytes = connection.driver_connection.serialize()  # type: ignore[union-attr]
    connection.close()
    database.close()
    return content, maker, owner, agents


def order_by(session: Session, quote: QuoteRow, *, maker: UUID, now: datetime) -> None:
    """Order, and slice as quoted."""
    made = jobs.order(
        session,
        quote_id=quote.id,
        maker_id=maker,
        idempotency_key=f"{quote.id} at {now.timestamp()}",
        now=now,
    )
    for job in made.jobs:
        slicing.ready(session, job.id, b.slice_of(job), now=now)


class Workshop(RuleBasedStateMachine):
    """Two printers, everything that can happen to them, and what must hold all the while."""

    @initialize()
    def begin(self) -> None:
        """The same database each time, in memory."""
        content, self.maker, self.owner, agents = beginning()
        self.database = in_memory()
        connection = self.database.engine.raw_connection()
        connection.driver_connection.deserialize(content)  # type: ignore[union-attr]
        connection.close()
        self.world = World(self.database, agents)
        self.world.check_repetition = self.check_repetition
        self.printers = list(agents)
        self.authorised: Counter[UUID] = Counter()
        self.clock_was_turned = False
        self.ordered_copies = 6  # in `beginning`

    def agent(self, which: int) -> Agent:
        return self.world.agents[self.printers[which]]

    def hub(self, verb: Callable[[Session], Any]) -> Any:
        """One transaction; what the hub refuses, it refuses."""
        with suppress(HubError), self.database.writing() as session:
            return verb(session)
        return None

    def pass_time(self, seconds: float) -> None:
        self.world.now += timedelta(seconds=seconds)

    @rule(chance=CHANCES)
    def something_happens(self, chance: Chance) -> None:
        """One rule for all: of many, Hypothesis would leave most out of each story."""
        self.pass_time(1)
        getattr(self, chance.what)(chance)

    # What the agents do.

    def work(self, chance: Chance) -> None:
        """Nothing fails until a stage of a run is reached."""
        agent, until = self.agent(chance.which), STAGES[chance.number % len(STAGES)]
        for _ in range(10):
            self.pass_time(1)
            self.world.step(agent, Fate.OK)
            run = agent.open_run
            if run is None or until in run.seen:
                return

    def shaky_step(self, chance: Chance) -> None:
        self.world.step(self.agent(chance.which), chance.fate, chance.crash_at)

    def beat(self, chance: Chance) -> None:
        self.world.beat(self.agent(chance.which), chance.fate)

    def agent_dies(self, chance: Chance) -> None:
        self.agent(chance.which).crash()

    def message_comes_again(self, chance: Chance) -> None:
        if self.world.sent:
            self.world.deliver(self.world.sent[chance.number % len(self.world.sent)])

    def message_comes_late(self, chance: Chance) -> None:
        if self.world.delayed:
            self.world.deliver(self.world.delayed.pop(chance.number % len(self.world.delayed)))

    def somebody_speaks_with_an_old_fence(self, chance: Chance) -> None:
        """I4: a message with an old fence changes nothing."""
        agent = self.agent(chance.which)
        run = agent.open_run
        if run is None:
            return
        old, before = run.lease.fence - 1, self.snapshot()
        event = list(ReportEvent)[chance.number % len(ReportEvent)]
        with pytest.raises(StaleFence), self.database.writing() as session:
            said = Report(fence=old, event=event)
            lease.report(
                session, run_id=run.lease.run, agent_id=agent.id, said=said, now=self.world.hub_now
            )
        with pytest.raises(StaleFence):
            self.world.hub(self.world.renewal(agent, run.lease.run, Beat(fence=old, printing=True)))
        assert self.snapshot() == before

    # What the machines and the clock do.

    def a_print_ends(self, chance: Chance) -> None:
        self.agent(chance.which).machine.end(good=chance.number % 2 == 0)

    def octoprint_dies(self, chance: Chance) -> None:
        self.agent(chance.which).machine.power_cycle()

    def the_workshop_goes_dark(self, chance: Chance) -> None:
        """A power cut takes machine and agent together, and what was not forced to disk."""
        self.agent(chance.which).machine.power_cycle()
        self.agent(chance.which).lose_power((chance.number + 1) % 4)

    def the_hubs_clock_is_turned(self, chance: Chance) -> None:
        """By hours, forwards or back; or it is set right."""
        hours = (-9, -1, 0, 2, 7)[chance.number % 5]
        self.world.hub_is_wrong_by = timedelta(hours=hours)
        self.clock_was_turned = True
        self.hub(lambda session: lease.expire(session, now=self.world.hub_now))

    def octoprint_goes_away_or_comes_back(self, chance: Chance) -> None:
        machine = self.agent(chance.which).machine
        machine.reachable = not machine.reachable

    def time_passes(self, chance: Chance) -> None:
        """With the agents speaking, or in silence."""
        seconds = (6, 130, 310, 700)[chance.number % 4]
        for _ in range(5):
            self.pass_time(seconds / 5)
            if chance.fate is Fate.OK:
                for agent in self.world.agents.values():
                    self.world.beat(agent, Fate.OK)
        self.hub(lambda session: lease.expire(session, now=self.world.hub_now))

    # What people do.

    def order(self, chance: Chance) -> None:
        def verb(session: Session) -> int:
            asked = select(QuoteRow).order_by(QuoteRow.copies, QuoteRow.total_minor)
            quotes = list(
                session.scalars(asked.where(QuoteRow.printer_id == self.printers[chance.which]))
            )
            quote = quotes[chance.number % len(quotes)]
            order_by(session, quote, maker=self.maker, now=self.world.hub_now)
            return quote.copies

        self.ordered_copies += self.hub(verb) or 0

    def somebody_clears_the_bed(self, chance: Chance) -> None:
        """By hand, so not while the machine moves; then they say so."""
        machine, printer = self.agent(chance.which).machine, self.printers[chance.which]
        if machine.current is None:
            machine.on_bed.clear()
            self.hub(
                lambda session: jobs.clear_bed(
                    session, printer_id=printer, by=self.owner, now=self.world.hub_now
                )
            )

    def somebody_changes_the_spool(self, chance: Chance) -> None:
        """At any time, whatever the printer does."""
        self.hub(
            lambda session: care.load(
                session,
                printer_id=self.printers[chance.which],
                material="PLA",
                colour="black",
                left_mg=SPOOL_MG,
                price_per_kg_minor=2_500,
                slot=0,
                by=self.owner,
                now=self.world.hub_now,
            )
        )

    def somebody_presses_a_button(self, chance: Chance) -> None:
        """On any job, those under way first, whether it makes sense or not."""
        with self.database.reading() as session:
            asked = select(JobRow).order_by(JobRow.tries.desc(), JobRow.created_at, JobRow.copy)
            found = list(session.scalars(asked.limit(3)))
        word = BUTTONS[chance.number % len(BUTTONS)]
        self.press(found[chance.number // len(BUTTONS) % len(found)], word)

    def press(self, job: JobRow, word: str) -> None:
        said: dict[str, Any] = {"job_id": job.id, "by": self.owner, "now": self.world.hub_now}
        if word in ("failed", "good_in_part"):
            said |= {"cause": "no", "job_at_fault": False, "printer_at_fault": True}
        if word == "good_in_part":  # of a single copy it is refused
            word, said["good"] = "failed", 1
        done = self.hub(lambda session: getattr(jobs, word)(session, **said))
        if word != "retry" or done is None:
            return
        if (
            job.gcode_sha256 is None
        ):  # what was not good of a plate is sliced now, for the first time
            self.hub(
                lambda session: slicing.ready(
                    session,
                    job.id,
                    b.slice_of(session.get_one(JobRow, job.id)),
                    now=self.world.hub_now,
                )
            )
        elif job.state is Job.FAILED:
            self.authorised[job.id] += 1

    # What must always hold.

    @invariant()
    def no_part_is_printed_twice_unless_somebody_said_again(self) -> None:
        """I1: at most one physical start for each run, and for each job and word of a person."""
        starts = [each for agent in self.world.agents.values() for each in agent.machine.starts]
        by_run = Counter(each.run for each in starts)
        assert all(count == 1 for count in by_run.values())
        for job, count in Counter(each.job for each in starts).items():
            assert count <= 1 + self.authorised[job]

    @invariant()
    def nothing_is_started_on_a_bed_that_is_not_empty(self) -> None:
        """I3, counted by the machines."""
        for agent in self.world.agents.values():
            assert all(start.bed_was_empty for start in agent.machine.starts)

    @invariant()
    def rows_are_as_they_must_be(self) -> None:
        """I1, I2, I3, I4, I7, I8, I11 and I12, as far as rows can tell."""
        with self.database.reading() as session:
            runs = list(session.execute(select(RunRow.__table__).order_by(RunRow.fence)))
            found = {job.id: job for job in session.execute(select(JobRow.__table__))}
            printers = {row.id: row for row in session.execute(select(PrinterRow.__table__))}
            spools = list(session.execute(select(SpoolRow.id, SpoolRow.left_mg)))
            reserved = jobs.reserved_mg(session)
        live = [run for run in runs if run.state in LIVE]
        assert len({run.printer_id for run in live}) == len(live)
        assert len({run.job_id for run in live}) == len(live)
        for run in live:
            assert printers[run.printer_id].bed is Bed.OCCUPIED  # I12
        for run in runs:
            # By a clock that was turned, a permit that is over may look as if it were not.
            out = run.permit_until is not None and run.permit_until > self.world.now
            if out and not self.clock_was_turned:
                assert printers[run.printer_id].bed is Bed.OCCUPIED  # I3: it may still be used
        opened = Counter(run.job_id for run in runs if run.state in OPEN)
        for job in found.values():
            assert opened[job.id] == (job.state is Job.ASSIGNED)
        started = {start.run for a in self.world.agents.values() for start in a.machine.starts}
        for run in runs:
            assert run.printer_id == found[run.job_id].printer_id  # I11
            assert run.permitted_at is not None or run.id not in started
        for printer_id, printer in printers.items():
            fences = [run.fence for run in runs if run.printer_id == printer_id]
            assert fences == list(range(1, printer.fence + 1))  # I4
        made = [job.pieces if job.good is None else job.good for job in found.values()]
        assert sum(made) == self.ordered_copies  # I7
        for spool_id, left_mg in spools:
            assert 0 <= reserved.get(spool_id, 0) <= left_mg  # I8

    def check_repetition(self, again: Callable[[], None]) -> None:
        """I5: the same message once more leaves everything as it is."""
        before = self.snapshot()
        again()
        assert self.snapshot() == before

    def snapshot(self) -> list[Any]:
        tables = (RunRow, JobRow, PrinterRow, SpoolRow, StretchRow)
        with self.database.reading() as session:
            rows = [row for table in tables for row in session.execute(select(table.__table__))]
            entries = store.head_of(session.connection()).seq
            return [*map(tuple, rows), entries]

    # The end: everything arrives, and people answer.

    def teardown(self) -> None:
        """I10: then every run ends, and every job that was begun. I6, I9 and I14 are read then."""
        if not hasattr(self, "world"):
            return
        self.let_everything_end()
        self.no_part_is_printed_twice_unless_somebody_said_again()
        self.nothing_is_started_on_a_bed_that_is_not_empty()
        self.rows_are_as_they_must_be()
        self.check_histories()
        self.check_money()

    def let_everything_end(self) -> None:
        """Nothing new is begun, and what was begun ends."""
        with self.database.writing() as session:
            for printer in self.printers:
                upkeep.set_duty(
                    session,
                    printer_id=printer,
                    duty=Duty.PAUSED,
                    by=self.owner,
                    now=self.world.now,
                )
        for turn in range(60):
            self.pass_time(400 if turn % 10 == 9 else 6)
            for agent in self.world.agents.values():
                agent.machine.reachable = True
                for _ in range(8):
                    self.world.step(agent, Fate.OK)
                    if agent.open_run is None:
                        break
                agent.machine.end(good=True)
            self.hub(lambda session: lease.expire(session, now=self.world.hub_now))
            waiting = self.begun_jobs()
            if not waiting and not any(each.open_run for each in self.world.agents.values()):
                return
            for job in waiting:
                self.press(job, ANSWERS.get(job.state, "passed"))
        raise AssertionError(f"not ended: {[job.state for job in waiting]}")

    def begun_jobs(self) -> list[JobRow]:
        with self.database.reading() as session:
            asked = select(JobRow).where(JobRow.state.in_({Job.ASSIGNED, *ANSWERS}))
            return list(session.scalars(asked))

    def check_histories(self) -> None:
        """I6 and I14."""
        with self.database.reading() as session:
            lines = list(session.scalars(select(HappeningRow).order_by(HappeningRow.id)))
            states_now = {run.id: run.state.value for run in session.scalars(select(RunRow))}
            jobs_now = {job.id: job.state.value for job in session.scalars(select(JobRow))}
        for line in lines:
            if line.before == Run.UNKNOWN and line.after != Run.UNKNOWN:
                assert line.actor != "hub", "UNKNOWN ended without evidence"
        for run, state in states_now.items():
            chain = [line for line in lines if line.run_id == run and line.what[:4] == "run."]
            assert all(one.after == then.before for one, then in pairwise(chain))
            assert (chain[-1].after if chain else Run.LEASED) == state
        for job, state in jobs_now.items():
            chain = [line for line in lines if line.job_id == job and line.what[:4] == "job."]
            assert all(one.after == then.before for one, then in pairwise(chain))
            assert chain[-1].after == state

    def check_money(self) -> None:
        """I9: each part that was received is paid once, nothing else is, and the book is right, of
        each spool too, however often it was changed."""
        with self.database.reading() as session:
            found = audit.check(session)
            assert found.ok, str(found)
            lots = dict(session.execute(select(BalanceRow.account, BalanceRow.amount)).all())
            for spool_id, left_mg in session.execute(select(SpoolRow.id, SpoolRow.left_mg)):
                assert lots.get(f"lot:{spool_id}", 0) == left_mg
            for job in session.scalars(select(JobRow)):
                passed = select(func.count()).where(
                    RunRow.job_id == job.id, RunRow.state == Run.PASSED
                )
                assert session.scalar(passed) == (job.state is Job.DONE)
            for order in session.scalars(select(OrderRow)):
                quote = session.get_one(QuoteRow, order.quote_id)
                done = [job for job in order.jobs if job.state is Job.DONE]
                if sum(len(job.copies) for job in done) == quote.copies:
                    assert paid_for(session, order) == quote.total_minor
                if not done:
                    assert paid_for(session, order) == 0


FIRST = Chance("work", 0, Fate.LOST, CrashAt.NOWHERE, STAGES.index(What.INTENT))


class Eventful(Workshop):
    """The same world, where what is rare otherwise happens at once: for finding mistakes soon."""

    @rule()
    def starts_and_goes_dark(self) -> None:
        self.work(FIRST)
        self.the_workshop_goes_dark(FIRST)

    @rule()
    def starts_and_is_silent(self) -> None:
        self.work(FIRST)
        self.time_passes(FIRST._replace(number=1))

    @rule()
    def an_old_word_about_it_comes(self) -> None:
        self.work(FIRST._replace(number=STAGES.index(What.PERMITTED)))
        self.somebody_speaks_with_an_old_fence(FIRST)

    @rule()
    def a_person_gives_up_what_may_still_start(self) -> None:
        self.work(FIRST._replace(number=STAGES.index(What.PERMITTED)))
        self.time_passes(FIRST._replace(number=1))
        self.somebody_presses_a_button(FIRST._replace(number=BUTTONS.index("failed")))
        self.somebody_clears_the_bed(FIRST)

    @rule()
    def the_print_ends_and_is_taken_off(self) -> None:
        self.a_print_ends(FIRST)
        self.work(FIRST._replace(number=STAGES.index(What.DONE)))
        self.somebody_clears_the_bed(FIRST)


class Ejecting(Eventful):
    """Both printers eject what is finished, as their workshop declared."""

    @initialize()
    def begin(self) -> None:
        super().begin()
        for printer, agent in self.world.agents.items():
            agent.machine.ejects = True
            with self.database.writing() as session:
                ejecting.declare(session, printer_id=printer, by=self.owner, now=b.NOW)


def paid_for(session: Session, order: OrderRow) -> int:
    """What the book says was paid of an order."""
    row = session.scalar(
        select(ReservationRow.posted).where(ReservationRow.key == f"order:{order.id}")
    )
    return row or 0


def play(machine: type[Workshop], how: settings = QUIET) -> None:
    run_state_machine_as_test(machine, settings=how)


@pytest.mark.parametrize("machine", [Workshop, Eventful, Ejecting])
def test_everything_holds_whatever_fails(machine: type[Workshop]) -> None:
    play(machine)


def must_break(machine: type[Workshop] = Eventful, *, examples: int = 100) -> None:
    """The world finds the mistake within so many stories."""
    how = settings(
        QUIET, max_examples=examples, phases=[Phase.generate], report_multiple_bugs=False
    )
    with pytest.raises((AssertionError, HubError, pytest.fail.Exception)):
        play(machine, how)


def test_it_is_found_when_fences_are_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def own(session: Session, *, run_id: UUID, agent_id: UUID, fence: int) -> RunRow:
        return session.scalars(select(RunRow).where(RunRow.id == run_id)).one()

    monkeypatch.setattr(lease, "_own", own)
    must_break()


def test_it_is_found_when_a_permit_leaves_the_bed_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "occupied", lambda *_, **__: None)
    must_break()


def test_it_is_found_when_cancelling_clears_the_bed(monkeypatch: pytest.MonkeyPatch) -> None:
    cancel = jobs.cancel

    def and_clear(session: Session, *, job_id: UUID, by: UUID, now: datetime) -> JobRow:
        job = cancel(session, job_id=job_id, by=by, now=now)
        registry.cleared(session, printer_id=job.printer_id, now=now)
        return job

    monkeypatch.setattr(jobs, "cancel", and_clear)
    must_break()


def test_it_is_found_when_silence_after_the_permit_frees_the_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    careless = {**states.RUN_TRANSITIONS, (Run.PERMITTED, Event.EXPIRE): Run.RELEASED}
    monkeypatch.setattr(states, "RUN_TRANSITIONS", careless)
    must_break()


def test_it_is_found_when_agents_forget_their_intent() -> None:
    class Forgetful(Eventful):
        @initialize()
        def begin(self) -> None:
            super().begin()
            for agent in self.world.agents.values():
                agent.keeps_intent = False

    must_break(Forgetful)


def test_it_is_found_when_the_journal_is_not_forced_to_disk() -> None:
    class Hasty(Eventful):
        @initialize()
        def begin(self) -> None:
            super().begin()
            for agent in self.world.agents.values():
                agent.fsyncs = False

    must_break(Hasty)


def test_it_is_found_when_what_was_bad_of_a_plate_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forgotten(
        session: Session,
        job: JobRow,
        run: RunRow,
        *,
        good: int,
        by: UUID,
        cause: str,
        now: datetime,
    ) -> JobRow:
        job.good = good
        return jobs.passed(session, job_id=job.id, by=by, now=now)

    monkeypatch.setattr(jobs, "_good_in_part", forgotten)
    must_break()


def test_it_is_found_when_a_bed_is_cleared_under_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def clear(session: Session, *, printer_id: UUID, by: UUID, now: datetime) -> None:
        registry.cleared(session, printer_id=printer_id, now=now)

    monkeypatch.setattr(jobs, "clear_bed", clear)
    must_break()


def test_it_is_found_when_a_bed_is_cleared_under_a_permit(monkeypatch: pytest.MonkeyPatch) -> None:
    def clear(session: Session, *, printer_id: UUID, by: UUID, now: datetime) -> None:
        live = select(RunRow).where(RunRow.printer_id == printer_id, RunRow.state.in_(LIVE))
        if session.scalar(live) is None:
            registry.cleared(session, printer_id=printer_id, now=now)

    monkeypatch.setattr(jobs, "clear_bed", clear)
    must_break()


def test_it_is_found_when_an_ejector_is_believed_after_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failed = endings.failed

    def believed(session: Session, run: RunRow, **said: Any) -> None:
        failed(session, run, **said)
        registry.cleared(session, printer_id=run.printer_id, now=said["now"])

    monkeypatch.setattr(endings, "failed", believed)
    must_break(Ejecting)


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    play(Workshop, settings(QUIET, max_examples=count, stateful_step_count=60, derandomize=False))
