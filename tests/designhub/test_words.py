"""Quantities, states and entries in words."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

from basis.errors import Invalid
from commons import facts
from commons.facts import Fact
from commons.store import Entry
from designhub.web import book_words, job_words, moments, printer_words, quote_words, words
from router.bookkeeping import blame
from router.history import ENDED_JOBS
from router.matching import Axis, Fixer, Reason
from router.models import RunRow
from router.quote import Preset
from router.states import JOB_TRANSITIONS, OPEN, RUN_TRANSITIONS, Job, Run

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
JOB, ORDER, RUN = "5e6f7a8b9c0d1e2f3a4b", "1a2b3c4d5e6f7a8b9c0d", "9f8e7d6c5b4a39281706"


def said(text: str) -> str:
    """Text with plain spaces: where a line may not break is the page's concern."""
    return text.replace(words.NO_BREAK, " ")


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1234, "EUR", "12.34 EUR"),
        (5, "EUR", "0.05 EUR"),
        (0, "NOK", "0.00 NOK"),
        (-250, "EUR", "−2.50 EUR"),
        (123_456_789, "USD", "1,234,567.89 USD"),
        (500, "JPY", "500 JPY"),
        (12_345, "KWD", "12.345 KWD"),
        (5_400, "HOUR", "1 h 30 min"),
    ],
)
def test_money_has_the_digits_of_its_currency(amount: int, currency: str, text: str) -> None:
    assert said(words.money(amount, currency)) == text


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [("24.90", "EUR", 2490), ("24,9", "EUR", 2490), (" 24 ", "EUR", 2400), ("500", "JPY", 500)],
)
def test_money_is_read_as_people_write_it(text: str, currency: str, amount: int) -> None:
    assert words.minor(text, currency, name="price") == amount


@pytest.mark.parametrize(
    "text", ["", "-1", "1e5", "1.234", "٣", "nan", "1 000", "9" * 20, "1.2.3", "0x10", "1e999999"]
)
def test_what_is_no_amount_is_refused_by_name(text: str) -> None:
    with pytest.raises(Invalid, match="price per kg"):
        words.minor(text, "EUR", name="price per kg")


def test_money_read_is_money_said() -> None:
    for currency in ("EUR", "JPY", "KWD"):
        for amount in (0, 1, 10, 999, 1000, 123_456):
            figure = said(words.money(amount, currency)).split()[0].replace(",", "")
            assert words.minor(figure, currency, name="x") == amount


@pytest.mark.parametrize(
    ("mg", "text"),
    [(0, "0 mg"), (850, "850 mg"), (1_000, "1 g"), (12_440, "12.4 g"), (1_250_000, "1.25 kg")],
)
def test_grams(mg: int, text: str) -> None:
    assert said(words.grams(mg)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_569, "59 min"),
        (3_570, "1 h 00 min"),
        (11_100, "3 h 05 min"),
        (48 * 3_600, "2 d 0 h"),
    ],
)
def test_durations(seconds: int, text: str) -> None:
    assert said(words.duration(seconds)) == text


@pytest.mark.parametrize(
    ("metres", "text"),
    [(0, "0 m"), (999, "999 m"), (3_440, "3.4 km"), (99_999, "100 km"), (1_240_000, "1,240 km")],
)
def test_distances(metres: int, text: str) -> None:
    assert said(words.distance(metres)) == text


def test_sizes() -> None:
    assert said(words.size(86_000, 53_200, 17_005)) == "86 × 53.2 × 17 mm"
    assert said(words.volume(270.4)) == "270 mm³"
    assert said(words.volume(12_400)) == "12.4 cm³"
    assert said(words.area(2_400)) == "24.0 cm²"
    assert said(words.count(1, "body", "bodies")) == "1 body"
    assert said(words.count(1_234, "triangle")) == "1,234 triangles"
    assert said(words.energy(12_400)) == "12.4 Wh"
    assert said(words.share(1_000)) == "10 %"
    assert said(words.share(250)) == "2.5 %"
    assert said(words.per_cent(999_999)) == "99 %"


def test_moments() -> None:
    assert words.moment(None) == "never"
    assert words.moment(NOW) == "2026-03-01 12:00 UTC"
    assert words.ago(NOW, NOW) == "just now"
    assert said(words.ago(NOW, NOW + timedelta(minutes=5))) == "5 min ago"
    assert moments.when(None) == "never"
    shown = '<time datetime="2026-03-01T12:00:00+00:00">2026-03-01 12:00 UTC</time>'
    assert moments.when(NOW) == shown
    assert moments.told("<%(at)s>", at=NOW) == f"&lt;{shown}&gt;"


@pytest.mark.parametrize(
    ("amount", "unit", "text"),
    [
        (1_500, "mg", "1.5 g"),
        (60, "s", "1 min"),
        (500, "mWh", "500 mWh"),
        (1, "piece", "1 piece"),
        (-2_500, "kg.m", "−2.5 kg·km"),
        (250, "EUR-cent", "2.50 EUR"),
        (250, "JPY-minor", "250 JPY"),
    ],
)
def test_amounts_of_the_book(amount: int, unit: str, text: str) -> None:
    assert said(words.amount(amount, unit)) == text


def test_every_state_happening_and_reason_has_words() -> None:
    assert set(job_words.JOBS) == set(Job)
    assert set(job_words.RUNS) == set(Run)
    assert set(quote_words.PRESETS) == set(Preset)
    assert set(quote_words.FIXERS) == set(Fixer)
    assert {axis.value for axis in Axis} <= set(quote_words.AXES)
    events = {f"job.{event}" for _, event in JOB_TRANSITIONS}
    events |= {f"run.{event}" for _, event in RUN_TRANSITIONS}
    assert events <= set(job_words.HAPPENINGS)
    blamed = {
        blame(RunRow(job_at_fault=job, printer_at_fault=printer))
        for job, printer in product((False, True), repeat=2)
    }
    assert blamed | {"cancelled"} == set(book_words.REASONS)


def test_a_happening_without_words_is_shown_as_it_is() -> None:
    assert job_words.happening("run.new_thing", "a", "b") == "run.new_thing: a to b"


def test_a_page_moves_only_while_nobody_has_to_type_on_it() -> None:
    for job in ENDED_JOBS | {Job.ASKED, Job.FAILED, Job.PASSED}:
        assert not job_words.moves(job, None)
    moving = {run for run in OPEN if job_words.moves(Job.ASSIGNED, run)}
    assert moving == {Run.LEASED, Run.PERMITTED, Run.PRINTING, Run.PAUSED}


def test_reasons_say_who_can_change_them() -> None:
    def why(axis: Axis, needed: str, available: str, unit: str, who: Fixer) -> str:
        made = Reason(axis=axis, needed=needed, available=available, unit=unit, who_can_fix=who)
        return said(quote_words.reason(made, currency="EUR"))

    assert why(Axis.MATERIAL, "PETG", "PLA", "", Fixer.WORKSHOP) == (
        "PLA is loaded, not PETG (the workshop can change that)"
    )
    assert why(Axis.HEIGHT, "300", "210", "mm", Fixer.DESIGNER).startswith("it prints 210 mm high")
    assert "12.00 EUR" in why(Axis.PRICE, "at most 500", "1200", "minor units", Fixer.MAKER)
    assert "5.00 EUR" in why(Axis.PRICE, "at most 500", "1200", "minor units", Fixer.MAKER)


def test_terms_of_a_rank() -> None:
    def term(name: str, value: int, unit: str) -> str:
        return said(quote_words.term(name, value, unit, currency="EUR"))

    assert term("risk", 105_361, "millionths of -ln P") == "90 % succeed"
    assert term("price", 378, "minor") == "3.78 EUR"
    assert term("co2e", 2_700, "mg") == "2.7 g CO₂e"
    assert term("lateness", 2_340, "s") == "39 min"
    assert term("fairness", 1, "h") == "1 hour idle"
    assert quote_words.points(-12_000_000) == "−12.0"


def written(fact: Fact) -> str:
    """A fact as the page of the book says it."""
    made = Entry(
        seq=1,
        key=fact.key,
        kind=fact.kind,
        at=NOW,
        recorded=NOW,
        by=fact.by,
        body=fact.body,
        prev="",
        hash="",
    )
    return said(book_words.entry(made))


def test_entries_of_the_book_are_sentences() -> None:
    run_key = f"printer:p1/job:{JOB}/run:{RUN}"
    shares = [("workshop:w1", 343, "all"), ("design:d1", 35, "contribution")]
    ordered = facts.order_reserved(
        order_id=ORDER,
        maker_id="m1",
        workshop_id="w1",
        lines=[("material", 378)],
        currency="EUR",
        jobs=2,
        at=NOW,
    )
    assert written(ordered) == "member:m1 ordered 2 copies: 3.78 EUR are set aside"
    ran = facts.run_ended(
        run_key=run_key,
        printer_id="p1",
        workshop_id="w1",
        agent_id="a1",
        design="d1",
        commit="c" * 40,
        part="box",
        lots=[("l1", 12_400)],
        outcome="printed",
        filament_source="sliced",
        energy_mwh=85_000,
        energy_source="estimated",
        machine_s=3_600,
        good_mg=12_000,
        at=NOW,
    )
    assert written(ran) == (
        "printer:p1 printed a part: it took 12.4 g of filament, 85 Wh and 1 h 00 min"
    )
    changed = replace(ran, body={**ran.body, "events": [*ran.body["events"][:1] * 2]})
    assert written(changed).endswith("; from 2 spools, one after the other")
    passed = facts.part_passed(
        job_id=JOB,
        order_id=ORDER,
        run_key=run_key,
        maker_id="m1",
        workshop_id="w1",
        design_id="d1",
        shares=shares,
        currency="EUR",
        by="m2",
        at=NOW,
    )
    assert written(passed) == "The part of job:5e6f7a8b is good: its price is owed"
    received = facts.part_received(
        job_id=JOB,
        order_id=ORDER,
        maker_id="m1",
        workshop_id="w1",
        shares=shares,
        currency="EUR",
        mass_mg=12_000,
        distance_m=1_000,
        by="m1",
        at=NOW,
    )
    assert written(received) == "member:m1 has the part: 3.78 EUR were paid"
    voided = facts.job_voided(
        job_id=JOB,
        order_id=ORDER,
        amount_minor=378,
        currency="EUR",
        reason="cancelled",
        by="m1",
        at=NOW,
    )
    assert written(voided) == (
        "job:5e6f7a8b ended without payment, 3.78 EUR are free again: cancelled"
    )


def test_smaller_entries_too() -> None:
    run_key = f"printer:p1/job:{JOB}/run:{RUN}"
    assert (
        written(
            facts.rejected(
                run_key=run_key, workshop_id="w", good_mg=1, reason="bent", by="m", at=NOW
            )
        )
        == "A part of job:5e6f7a8b was rejected and is scrap: bent"
    )
    assert (
        written(facts.lot_added(lot_id="l", workshop_id="w", mass_mg=1_000_000, by="m", at=NOW))
        == "workshop:w loaded a spool: 1 kg"
    )
    less = facts.lot_weighed(
        lot_id="l", workshop_id="w", weighing_id="x", difference_mg=-500, by="m", at=NOW
    )
    assert written(less) == "A spool was weighed: 500 mg less than written"
    assert (
        written(
            facts.work_logged(log_id="x", member_id="m", design="d", seconds=3_600, by="m", at=NOW)
        )
        == "member:m gave 1 h 00 min to design:d"
    )
    assert (
        written(facts.version_published(design="d", commit="c" * 40, by="m", licence="MIT", at=NOW))
        == "A version of design:d was published"
    )
    added = facts.lot_added(lot_id="l", workshop_id="w", mass_mg=1_000, by="m", at=NOW)
    fix = facts.corrected(
        key="fix:1",
        corrects=added.key,
        events=facts.negated(added.body),
        reason="wrong spool",
        by="m",
        at=NOW,
    )
    assert written(fix) == "Correction of an earlier entry: wrong spool"
    assert book_words.short(run_key) == "printer:p1/job:5e6f7a8b/run:9f8e7d6c"


def test_what_is_read_off_a_machine() -> None:
    """Only while it prints, and only what is known; a heater that is off has no aim."""
    run = RunRow(state=Run.PRINTING, layer=12, layers=140, z_um=2_450)
    run.nozzle_c, run.nozzle_target_c, run.bed_c, run.bed_target_c = 213, 215, 24, 0
    read = ["layer 12 of 140", "2.45 mm high", "nozzle 213 of 215 °C", "bed 24 °C"]
    assert [each.replace(words.NO_BREAK, " ") for each in words.readings(run)] == read
    for state in set(Run) - {Run.PRINTING, Run.PAUSED}:
        run.state = state
        assert words.readings(run) == []
    assert words.readings(RunRow(state=Run.PAUSED)) == []


def noted_of_printers() -> Iterator[str]:
    """What is written into printers' records, by every call that says it in plain text."""
    house = Path(__file__).parents[2]
    for package in ("printers", "router", "designhub"):
        for path in (house / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("noted"):
                    for each in node.keywords:
                        if each.arg == "what" and isinstance(each.value, ast.Constant):
                            yield str(each.value.value)


def test_each_line_of_a_printer_s_record_has_words() -> None:
    found = set(noted_of_printers())
    assert {"bed.clear", "attached.asked", "agent.revoked"} <= found
    assert not found - printer_words.NOTES.keys()
