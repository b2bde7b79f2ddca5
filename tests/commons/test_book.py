"""What goes into the book, what is refused, and that many writers make one chain."""

import hashlib
import json
import threading
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from basis.db import Database
from basis.errors import Invalid
from commons import audit, queries, settlement
from commons.book import (
    Contradiction,
    Fact,
    Leg,
    Overdrawn,
    Unbalanced,
    corrected,
    design_forked,
    lot_added,
    lot_weighed,
    negated,
    open_book,
    record,
    rejected,
    version_published,
    work_logged,
)
from commons.facts import event
from commons.verify import legs_of, remainder, verify
from tests.commons.worlds import (
    COMMIT,
    NOW,
    a_story,
    exported,
    ordered,
    passed,
    printed,
    received,
    say,
    shares,
    voided,
)


def balances(database: Database) -> dict[tuple[str, str], int]:
    with database.reading() as session:
        return {(row.account, row.unit): row.amount for row in queries.balances(session)}


def test_a_run_becomes_one_entry_whose_legs_are_exact(database: Database) -> None:
    with database.writing() as session:
        entry = record(session, printed(77), now=NOW)
    assert entry.seq == 2  # after the genesis policy
    assert [leg for leg in entry.legs if leg.unit in ("mg", "piece")] == [
        Leg("lot:pla-7", "mg", -530_000),
        Leg("part:job:77", "mg", 452_000),
        Leg("part:job:77", "piece", 1),
        Leg("scrap:workshop:1", "mg", 78_000),
        Leg("world:made", "piece", -1),
    ]
    assert Leg("printer:3", "s", -3_600) in entry.legs
    assert Leg("energy:workshop:1", "mWh", -120_000) in entry.legs


def test_mass_that_does_not_add_up_is_refused(database: Database) -> None:
    fact = printed(77)
    body: dict[str, Any] = json.loads(json.dumps(fact.body))
    made = next(one for one in body["events"] if "massQuantity" in one)
    made["massQuantity"]["hasNumericalValue"] = "451000"
    with pytest.raises(Unbalanced, match="mg"), database.writing() as session:
        record(session, replace(fact, body=body), now=NOW)
    assert exported(database) == []


def test_the_story_of_an_order_in_money(database: Database) -> None:
    say(database, *a_story())
    have = balances(database)
    cents = {account: n for (account, unit), n in have.items() if unit == "EUR-cent"}
    assert cents == {"member:9": -386, "workshop:1": 350, "design:88": 36}
    assert have["goods:member:9", "piece"] == 1
    assert have["goods:member:9", "mg"] == 452_000
    assert have["scrap:workshop:1", "mg"] == 90_000 + 78_000
    assert have["carriage:member:9", "kg.m"] == 5_580  # 0.452 kg × 12,345 m, rounded up
    with database.reading() as session:
        reservation = queries.reservation(session, "order:1")
        assert reservation is not None
        assert (reservation.state, reservation.posted, reservation.voided) == ("posted", 386, 385)
        assert queries.available(session, "member:9", "EUR-cent") == -386
        assert queries.totals(session).off == {}


def test_between_passing_and_receiving_the_price_is_owed_not_paid(database: Database) -> None:
    say(database, ordered(), printed(1), passed(1))
    have = balances(database)
    assert have["owed:workshop:1", "EUR-cent"] == 350
    assert have["owed:design:88", "EUR-cent"] == 36
    assert have["escrow:order:1", "EUR-cent"] == -386
    assert ("member:9", "EUR-cent") not in have
    with database.reading() as session:
        assert queries.available(session, "member:9", "EUR-cent") == -771


def test_copies_of_a_plate_end_together_and_those_that_failed_by_another_job(
    database: Database,
) -> None:
    """Four copies on one plate: one is bad, and a second job makes it again."""
    three = tuple(
        settlement.Share(which, sum(shares(n, jobs=4)[at].amount_minor for n in range(3)), why)
        for at, (which, _amount, why) in enumerate(shares(0, jobs=4))
    )
    say(
        database,
        ordered(jobs=4),
        printed(1, pieces=4),
        rejected(
            run_key="printer:3/job:1/run:1",
            workshop_id=1,
            good_mg=113_000,
            reason="rejected",
            by="member:w",
            at=NOW,
            pieces=1,
        ),
        passed(1, shares=three, pieces=3),
        received(1, shares=three, pieces=3, mass_mg=339_000),
    )
    with database.reading() as session:
        reservation = queries.reservation(session, "order:1")
        assert reservation is not None
        assert (reservation.state, reservation.ended) == ("open", 3)
    with pytest.raises(Overdrawn, match="ends 2, but 1 of those reserved"):
        say(database, voided(2, copy=1, pieces=2))
    last = shares(3, jobs=4)
    say(database, printed(2), passed(2, shares=last), received(2, shares=last))
    have = balances(database)
    assert have["goods:member:9", "piece"] == 4
    assert have["goods:member:9", "mg"] == 339_000 + 452_000
    assert have["scrap:workshop:1", "mg"] == 2 * 78_000 + 113_000
    assert have.get(("part:job:1", "mg"), 0) == have.get(("part:job:1", "piece"), 0) == 0
    assert have["member:9", "EUR-cent"] == -771
    with database.reading() as session:
        reservation = queries.reservation(session, "order:1")
        assert reservation is not None
        assert (reservation.state, reservation.posted, reservation.ended) == ("posted", 771, 4)
    assert verify(iter(exported(database))).ok


def test_saying_it_twice_is_saying_it_once(database: Database) -> None:
    with database.writing() as session:
        first = record(session, printed(77), now=NOW)
    before = exported(database)
    with database.writing() as session:
        again = record(session, printed(77), now=NOW.replace(year=2027))
    assert again == first
    assert exported(database) == before


def test_the_same_key_with_another_body_is_a_contradiction(database: Database) -> None:
    say(database, printed(77))
    before = exported(database)
    with pytest.raises(Contradiction, match="entry 2"), database.writing() as session:
        record(session, printed(77, machine_s=3_601), now=NOW)
    assert exported(database) == before


def test_nothing_is_kept_when_the_transaction_fails(database: Database) -> None:
    with pytest.raises(RuntimeError), database.writing() as session:
        record(session, printed(77), now=NOW)
        raise RuntimeError("after recording")
    assert exported(database) == []
    assert balances(database) == {}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE book_entry SET recorded = at WHERE seq = 2",
        "DELETE FROM book_entry WHERE seq = 2",
        "UPDATE book_leg SET amount = amount + 1 WHERE entry = 2",
        "DELETE FROM book_leg WHERE entry = 2",
        "INSERT INTO book_leg (entry, account, unit, amount) VALUES (2, 'member:1', 's', 0)",
    ],
)
def test_the_database_itself_refuses_changes(database: Database, statement: str) -> None:
    say(database, printed(77))
    with pytest.raises(DBAPIError), database.writing() as session:
        session.execute(text(statement))


def test_a_row_cannot_be_replaced_either(database: Database) -> None:
    """INSERT OR REPLACE would slip past SQLite's trigger on DELETE, TRUNCATE past PostgreSQL's."""
    say(database, printed(77))
    sqlite = database.engine.dialect.name == "sqlite"
    statements = (
        (
            "INSERT OR REPLACE INTO book_entry "
            "SELECT seq, key, kind, at, at, \"by\", '{}', prev, hash FROM book_entry",
            "INSERT OR REPLACE INTO book_leg SELECT entry, account, unit, 1 FROM book_leg",
        )
        if sqlite
        else ("TRUNCATE book_leg", "TRUNCATE book_entry CASCADE")
    )
    for statement in statements:
        with pytest.raises(DBAPIError, match="only ever added to"), database.writing() as session:
            session.execute(text(statement))


def test_postgresql_refuses_unbalanced_legs_at_the_commit(database: Database) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no deferred triggers; there the audit finds it")
    say(database, printed(77))
    with pytest.raises(DBAPIError, match="sum to zero"), database.writing() as session:
        session.execute(text("INSERT INTO book_leg VALUES (2, 'member:1', 's', 5)"))


def test_many_writers_make_one_chain_without_gaps(database: Database) -> None:
    """Eight threads, each with runs of its own and all with the same ten facts besides."""
    failures: list[BaseException] = []

    def write(thread: int) -> None:
        try:
            for n in range(10):
                for fact in (printed(f"t{thread}-{n}"), printed(f"shared-{n}")):
                    with database.writing() as session:
                        record(session, fact, now=NOW)
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.reading() as session:
        report = audit.check(session)
    assert report.ok, str(report)
    assert report.verdict.entries == 1 + 8 * 10 + 10
    # The chain, worked out here without our own functions.
    before = "0" * 64
    for seq, line in enumerate(exported(database), start=1):
        entry = json.loads(line)
        digest = entry.pop("hash")
        plain = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert (entry["seq"], entry["prev"]) == (str(seq), before)
        assert hashlib.sha256(plain.encode()).hexdigest() == digest
        before = digest


def test_one_key_from_many_threads_is_one_entry(database: Database) -> None:
    """Half say it ended one way, half the other: one wins, its sayers all get the same entry."""
    seen: list[tuple[int, int]] = []
    refused: list[int] = []
    start = threading.Barrier(8)

    def write(thread: int) -> None:
        seconds = 3_600 + thread % 2
        start.wait()
        try:
            with database.writing() as session:
                entry = record(session, printed(77, machine_s=seconds), now=NOW)
                seen.append((seconds, entry.seq))
        except Contradiction:
            refused.append(seconds)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == len(refused) == 4
    assert len(set(seen)) == 1
    assert len(exported(database)) == 2


def test_a_job_ends_once(database: Database) -> None:
    say(database, *a_story()[:5])
    for again in (voided(1, copy=0), received(1, shares=shares(1))):
        with pytest.raises(Contradiction), database.writing() as session:
            record(session, again, now=NOW)
    say(database, received(1))  # the same again is no error
    say(database, voided(2))
    with pytest.raises(Overdrawn), database.writing() as session:
        record(session, voided(3, amount_minor=0), now=NOW)


@pytest.mark.parametrize(
    ("said", "then"),
    [
        ([ordered(), printed(1)], received(1)),  # nothing has passed
        ([ordered(), printed(1), passed(1)], voided(1, copy=0)),  # leaves it owed
        ([ordered(), voided(1)], passed(1)),  # the job has ended
        ([printed(1)], passed(1)),  # no reservation
        ([ordered()], voided(1, amount_minor=772)),  # more than reserved
        ([ordered(jobs=1), printed(1), passed(1)], received(1, copy=1)),  # not what is owed
        ([ordered(), printed(1), passed(1)], received(1, mass_mg=452_001)),  # heavier than made
        ([], rejected(
            run_key="printer:3/job:1/run:1", workshop_id=1, good_mg=1, reason="warped",
            by="member:w", at=NOW,
        )),  # never made
    ],
)  # fmt: skip
def test_nothing_is_taken_that_is_not_there(
    database: Database, said: list[Fact], then: Fact
) -> None:
    say(database, *said)
    before = exported(database)
    with pytest.raises(Overdrawn), database.writing() as session:
        record(session, then, now=NOW)
    assert exported(database) == before


def test_a_refused_part_frees_what_was_owed(database: Database) -> None:
    say(database, ordered(), printed(1), passed(1), voided(1, copy=0, passed_shares=shares()))
    have = balances(database)
    assert not [side for side in have if side[1] == "EUR-cent"]
    with database.reading() as session:
        assert queries.available(session, "member:9", "EUR-cent") == -385


def test_a_gift_is_recorded_like_any_order(database: Database) -> None:
    say(
        database,
        ordered(lines=[], jobs=1),
        printed(1),
        passed(1, shares=()),
        received(1, shares=(), distance_m=0),
    )
    assert balances(database)["goods:member:9", "piece"] == 1
    with database.reading() as session:
        assert audit.check(session).ok


def test_a_rejected_part_becomes_scrap(database: Database) -> None:
    say(
        database,
        printed(1),
        rejected(
            run_key="printer:3/job:1/run:1",
            workshop_id=1,
            good_mg=452_000,
            reason="warped",
            by="member:w",
            at=NOW,
        ),
    )
    have = balances(database)
    assert have["scrap:workshop:1", "mg"] == 530_000
    assert not [side for side in have if side[0].startswith("part:")]


@pytest.mark.parametrize(
    ("changes", "scrap", "unexplained"),
    [
        ({"scrap_mg": 70_000}, 70_000, 8_000),
        ({"scrap_mg": 80_000}, 80_000, -2_000),
        ({"lots": [(7, 450_000)]}, 0, -2_000),  # the part weighs more than the printer took
        ({"lots": [(7, 0)]}, 0, -452_000),
        ({"outcome": "cancelled", "good_mg": 0, "lots": [(7, 0)], "machine_s": 0}, 0, 0),
    ],
)
def test_what_does_not_come_out_stays_in_sight(
    database: Database, changes: dict[str, Any], scrap: int, unexplained: int
) -> None:
    say(database, printed(1, **changes))
    have = balances(database)
    assert have.get(("scrap:workshop:1", "mg"), 0) == scrap
    assert have.get(("unexplained:printer:3", "mg"), 0) == unexplained


@given(
    lots=st.lists(st.integers(0, 10**9), min_size=1, max_size=6),
    good_mg=st.integers(0, 10**9),
    scrap_mg=st.none() | st.integers(0, 10**9),
)
def test_each_of_several_spools_bears_what_it_gave(
    lots: list[int], good_mg: int, scrap_mg: int | None
) -> None:
    """In one entry, whatever the figures: the verifier alone takes it, and mass is kept."""
    named = [(f"spool{number}", mg) for number, mg in enumerate(lots)]
    fact = printed(1, lots=named, good_mg=good_mg, scrap_mg=scrap_mg)
    legs = legs_of(fact.body)
    assert remainder(legs) == {}
    for lot, mg in named:
        assert legs.get((f"lot:{lot}", "mg"), 0) == -mg
    came = {
        account: mg for (account, unit), mg in legs.items() if unit == "mg" and "lot" not in account
    }
    assert sum(came.values()) == sum(lots)


def test_a_spool_comes_and_is_weighed(database: Database) -> None:
    say(
        database,
        lot_added(lot_id="pla-7", workshop_id=1, mass_mg=1_000_000, by="member:w", at=NOW),
        printed(1),
        lot_weighed(
            lot_id="pla-7", workshop_id=1, weighing_id=1, difference_mg=-5_000, by="w", at=NOW
        ),
    )
    assert balances(database)["lot:pla-7", "mg"] == 465_000


def test_credit_for_designs_moves_no_money(database: Database) -> None:
    say(
        database,
        version_published(
            design=88, commit=COMMIT, by="member:4", licence="CERN-OHL-S-2.0", at=NOW,
            cites=[(7, "ab" * 20)],
        ),
        design_forked(design=88, commit=COMMIT, fork=89, by="member:5", at=NOW),
        work_logged(log_id=1, member_id=4, design=88, seconds=25_200, by="member:4", at=NOW),
    )  # fmt: skip
    have = balances(database)
    assert have["work:design:88", "s"] == 25_200
    assert have["work:member:4", "s"] == -25_200
    assert have[f"design:89@{COMMIT}", "piece"] == 1
    assert not [side for side in have if side[1] == "EUR-cent"]


def test_money_beside_a_copy_or_by_another_way_than_transfer_is_refused(
    database: Database,
) -> None:
    pay = event("transfer", 5, "EUR-cent", of="member:1", to="member:2")
    cases = (
        [event("copy", 1, "piece", of="design:1", to="design:2"), pay],
        [event("cite", 1, "piece", of="design:1"), pay],
        [event("cite", 5, "EUR-cent", of="design:1")],
        [event("produce", 5, "EUR-cent", of="member:1")],
    )
    for events in cases:
        fact = Fact(key="try:1", kind="event", at=NOW, by="hub", body={"events": events})
        with pytest.raises(Invalid, match="money moves"), database.writing() as session:
            record(session, fact, now=NOW)


def test_hours_balance_to_the_second(database: Database) -> None:
    """−7200/+7200 s is an entry; anything that loses a second would have to be built by hand."""
    give = event("transfer", 7_200, "s", of="member:1", to="member:2")
    say(database, Fact(key="hours:1", kind="event", at=NOW, by="member:1", body={"events": [give]}))
    assert balances(database) == {("member:1", "s"): -7_200, ("member:2", "s"): 7_200}


def test_a_correction_restores_the_sum_and_the_original_stays(database: Database) -> None:
    """Consume 3, corrected by −3, then 5: 5 are consumed and all three entries remain."""

    def took(key: str, grams: int) -> Fact:
        events = [event("consume", grams, "piece", of="lot:screws")]
        return Fact(key=key, kind="event", at=NOW, by="hub", body={"events": events})

    first = took("use:1", 3)
    undo = corrected(
        key="use:1/corrected", corrects="use:1", events=negated(first.body), reason="miscounted",
        by="member:w", at=NOW,
    )  # fmt: skip
    say(database, first, undo, took("use:2", 5))
    assert balances(database) == {("lot:screws", "piece"): -5, ("world:used", "piece"): 5}
    with database.reading() as session:
        report = audit.check(session)
    assert report.ok, str(report)
    assert report.verdict.entries == 4


def test_a_correction_must_fit_what_it_corrects(database: Database) -> None:
    say(database, *a_story()[:4])
    one = event("consume", -3, "mg", of="lot:other")
    pair = [one, event("produce", -3, "mg", of="scrap:workshop:1")]
    for target, events, why in (
        ("printer:9/job:9/run:9", pair, "not in the book"),
        ("printer:3/job:1/run:1", pair, "holds no consume"),
        ("order:1/job:1/passed", negated(passed(1).body), "post or void"),
    ):
        fact = corrected(key="fix:1", corrects=target, events=events, reason="x", by="hub", at=NOW)
        with pytest.raises(Invalid, match=why), database.writing() as session:
            record(session, fact, now=NOW)


def test_below_zero_only_in_a_correction(database: Database) -> None:
    events = [event("transfer", -5, "s", of="member:1", to="member:2")]
    fact = Fact(key="try:1", kind="event", at=NOW, by="hub", body={"events": events})
    with pytest.raises(Invalid, match="outside a correction"), database.writing() as session:
        record(session, fact, now=NOW)


def test_open_book_names_the_hub_once(database: Database) -> None:
    with database.writing() as session:
        first = open_book(session, hub="hub:oslo", now=NOW)
    with database.writing() as session:
        assert open_book(session, hub="hub:bergen", now=NOW) == first
    assert (first.seq, first.kind, first.prev) == (1, "policy", "0" * 64)
    assert first.body["policy"]["hub"] == "hub:oslo"


@pytest.mark.parametrize("person", ["Ana Lopez", "ana@example.org", "member:Ana Lopez", ""])
def test_names_of_people_do_not_fit_where_ids_belong(person: str) -> None:
    with pytest.raises(Invalid):
        ordered(maker_id=person) if person else printed(1, agent_id=":")
    with pytest.raises(Invalid):
        passed(1, by=person or " ")


def test_any_path_git_can_hold_can_be_recorded(database: Database) -> None:
    """Half a character, a letter in two pieces, quotes, line separators: the run still counts."""
    say(database, printed(1, part='e\u0301t\udce9 "a"\u2028\n' + "x" * 500))
    with database.reading() as session:
        assert audit.check(session).ok
