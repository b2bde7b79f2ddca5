"""What we show agrees with the entries; a random workload agrees with a model of its own."""

from collections import Counter, defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from basis.db import Base, Database
from commons import audit, queries, settlement
from commons.book import Fact, Overdrawn, record, rejected
from tests.commons.worlds import (
    LINES,
    NOW,
    a_story,
    exported,
    ordered,
    passed,
    printed,
    received,
    say,
    voided,
)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE book_balance SET amount = amount + 1 WHERE account = 'workshop:1'", "workshop:1"),
        ("DELETE FROM book_balance WHERE account = 'scrap:workshop:1'", "scrap:workshop:1"),
        ("UPDATE book_reservation SET voided = voided - 1", "reservation of order:1"),
        ("DELETE FROM book_mention WHERE name = 'job:2'", "job:2"),
        ("UPDATE book_head SET seq = 3", "head"),
    ],
)
def test_a_projection_that_drifts_is_found_and_rebuilt(
    database: Database, statement: str, told: str
) -> None:
    say(database, *a_story())
    with database.writing() as session:
        session.execute(text(statement))
    with database.reading() as session:
        report = audit.check(session)
    assert report.verdict.ok
    assert len(report.differences) == 1
    assert told in report.differences[0]
    with database.writing() as session:
        audit.rebuild(session)
    with database.reading() as session:
        report = audit.check(session)
    assert report.ok, str(report)


def test_legs_that_are_not_those_of_the_events_are_found(database: Database) -> None:
    say(database, *a_story())
    with database.writing() as session:
        for account, amount in (("member:1", 5), ("member:2", -5)):  # balanced, but not said
            session.execute(
                text("INSERT INTO book_leg VALUES (4, :account, 's', :amount)"),
                {"account": account, "amount": amount},
            )
    with database.reading() as session:
        report = audit.check(session)
    assert report.differences == ("the stored legs of entry 4 are not those of its events",)


def test_an_entry_changed_behind_the_triggers_is_found(database: Database) -> None:
    say(database, *a_story())
    with database.writing() as session:
        sqlite = database.engine.dialect.name == "sqlite"
        session.execute(
            text(
                "DROP TRIGGER book_entry_no_update"
                if sqlite
                else "DROP TRIGGER book_entry_no_change ON book_entry"
            )
        )
        session.execute(text("UPDATE book_entry SET \"by\" = 'member:8' WHERE seq = 5"))
    with database.reading() as session:
        report = audit.check(session)
    assert (report.verdict.ok, report.verdict.seq) == (False, 5)


def test_the_export_continues_where_one_left_off(database: Database) -> None:
    say(database, *a_story())
    whole = exported(database)
    with database.reading() as session:
        assert list(audit.export(session, after=3)) == whole[3:]
        assert audit.head(session).seq == len(whole)


def test_pages_statements_and_stories(database: Database) -> None:
    say(database, *a_story(), ordered(2))
    with database.reading() as session:
        first = queries.entries(session, most=3)
        rest = queries.entries(session, before=first.before, most=50)
        assert [one.seq for one in first.entries + rest.entries] == list(range(8, 0, -1))
        assert rest.before is None
        assert [one.seq for one in queries.entries(session, kind="post").entries] == [6]
        lot = queries.statement(session, "lot:pla-7")
        assert [(line.seq, line.amount) for line in lot] == [(4, -530_000), (3, -90_000)]
        assert [line.seq for line in queries.statement(session, "lot:pla-7", most=1)] == [4]
        assert [line.seq for line in queries.statement(session, "lot:pla-7", before=4)] == [3]
        story = queries.order_story(session, "order:1")
        assert [one.seq for one in story] == [2, 3, 4, 5, 6, 7]
        assert queries.story(session, ["order:2"])[0].body["reserve"]["amount"] == "771"
        found = queries.entry(session, "order:1/job:1/ended")
        assert found is not None
        assert found == queries.entry(session, 6)
        assert queries.entry(session, "nothing") is None
        assert {row.account for row in queries.balances(session, prefix="scrap:")} == {
            "scrap:workshop:1"
        }
        # An underscore in a prefix is a letter, not a wildcard.
        assert queries.balances(session, prefix="scrap_") == []
        totals = queries.totals(session)
        assert (totals.entries, totals.reserved, totals.off) == (8, {"EUR-cent": 771}, {})


# A workshop of its own ---------------------------------------------------------------------------

STEPS = ["order", "print", "fail", "reject", "pass", "receive", "void", "refuse"]


class Model:
    """The same workshop in plain dictionaries, with none of our code for legs or balances."""

    def __init__(self) -> None:
        self.have: Counter[tuple[str, str]] = Counter()
        self.state: dict[tuple[int, int], str] = {}  # (order, copy) → where its job stands
        self.runs: Counter[tuple[int, int]] = Counter()

    def money(self, job: tuple[int, int]) -> tuple[int, int]:
        """(workshop, design) in cents: 700 and 71 halved, the odd cent to the first copy."""
        return (350, 36) if job[1] == 0 else (350, 35)

    def step(self, what: str, order: int, copy: int) -> tuple[Fact, bool] | None:
        """The fact to record and whether the book must take it; None when it makes no sense."""
        job = (order, copy)
        name = f"{order}-{copy}"
        state = self.state.get(job)
        have, (labour, design) = self.have, self.money(job)
        if what == "order":
            if (order, 0) in self.state:
                return None
            self.state |= {(order, 0): "open", (order, 1): "open"}
            return ordered(order), True
        if state is None:
            return None
        if what in ("print", "fail"):
            if state == "printed":
                return None
            self.runs[job] += 1
            run = self.runs[job]
            have["lot:pla-7", "mg"] -= 530_000
            have["printer:3", "s"] -= 3_600
            have["world:used", "s"] += 3_600
            have["energy:workshop:1", "mWh"] -= 120_000
            have["world:used", "mWh"] += 120_000
            if what == "fail":
                have["scrap:workshop:1", "mg"] += 530_000
                return printed(name, run=run, outcome="failed", good_mg=0), True
            have["scrap:workshop:1", "mg"] += 78_000
            have[f"part:job:{name}", "mg"] += 452_000
            have[f"part:job:{name}", "piece"] += 1
            have["world:made", "piece"] -= 1
            if state == "open":
                self.state[job] = "printed"
            return printed(name, run=run), True
        key = f"printer:3/job:{name}/run:{self.runs[job]}"
        if what == "reject":
            if state != "printed":
                return None
            self.state[job] = "open"
            have[f"part:job:{name}", "mg"] -= 452_000
            have[f"part:job:{name}", "piece"] -= 1
            have["world:used", "piece"] += 1
            have["scrap:workshop:1", "mg"] += 452_000
            return rejected(
                run_key=key, workshop_id=1, good_mg=452_000, reason="no", by="w", at=NOW
            ), True
        if what == "pass":
            if state in ("passed", "done"):
                return None
            if state == "void":
                return passed(name, order, copy=copy, run_key=key), False
            if state == "open":
                return None
            self.state[job] = "passed"
            have[f"escrow:order:{order}", "EUR-cent"] -= labour + design
            have["owed:workshop:1", "EUR-cent"] += labour
            have["owed:design:88", "EUR-cent"] += design
            return passed(name, order, copy=copy, run_key=key), True
        if what == "receive":
            if state in ("done", "void"):
                return None
            fact = received(name, order, copy=copy)
            if state != "passed":
                return fact, False
            self.state[job] = "done"
            have[f"escrow:order:{order}", "EUR-cent"] += labour + design
            have["owed:workshop:1", "EUR-cent"] -= labour
            have["owed:design:88", "EUR-cent"] -= design
            have["workshop:1", "EUR-cent"] += labour
            have["design:88", "EUR-cent"] += design
            have["member:9", "EUR-cent"] -= labour + design
            have["carriage:member:9", "kg.m"] += 5_580
            have["carriage:workshop:1", "kg.m"] -= 5_580
            for unit, amount in (("mg", 452_000), ("piece", 1)):
                have[f"part:job:{name}", unit] -= amount
                have["goods:member:9", unit] += amount
            return fact, True
        if state in ("done", "void"):
            return None
        if what == "void":
            fact = voided(name, order, copy=copy)
            if state == "passed":
                return fact, False
            self.state[job] = "void"
            return fact, True
        lines = settlement.per_job(LINES, weights=[1, 1])[copy]
        undo = settlement.shares(lines, workshop_id=1, design_id=88)
        fact = voided(name, order, copy=copy, passed_shares=undo)
        if state != "passed":
            return fact, False
        self.state[job] = "void"
        have[f"escrow:order:{order}", "EUR-cent"] += labour + design
        have["owed:workshop:1", "EUR-cent"] -= labour
        have["owed:design:88", "EUR-cent"] -= design
        return fact, True


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(STEPS), st.integers(1, 2), st.integers(0, 1)), max_size=40)
)
def test_a_random_workshop_agrees_with_a_model_of_its_own(
    steps: list[tuple[str, int, int]],
) -> None:
    model, told = Model(), 0
    with TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'hub.sqlite'}")
        Base.metadata.create_all(database.engine)
        for what, order, copy in steps:
            asked = model.step(what, order, copy)
            if asked is None:
                continue
            fact, right = asked
            with database.writing() as session:
                if right:
                    record(session, fact, now=NOW)
                    assert record(session, fact, now=NOW).key == fact.key  # said twice
                    told += 1
                else:
                    with pytest.raises(Overdrawn):
                        record(session, fact, now=NOW)
        with database.reading() as session:
            report = audit.check(session)
            kept = {(row.account, row.unit): row.amount for row in queries.balances(session)}
            sums: defaultdict[str, int] = defaultdict(int)
            for (_, unit), amount in kept.items():
                sums[unit] += amount
            assert not any(sums.values())
            if told:
                assert report.ok, str(report)
                assert report.verdict.entries == told + 1
        database.close()
    assert kept == {side: amount for side, amount in model.have.items() if amount}
