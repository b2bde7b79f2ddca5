"""The counts of the chaos experiment see each promise that is broken, and nothing else."""

import json
from typing import Any

import pytest

from designhub.chaos import counts, plan
from designhub.chaos.marks import AGENT_MARKS, ALL_MARKS
from designhub.chaos.records import Deed, Record
from printers.farm import PrintEvent
from printers.farm_files import HAND

JOB, RUN, NEXT = "job-1", "run-1", "run-2"


def printed(at: float, run: str = RUN, *, user: str = "farm", end: str = "PrintDone") -> list[Any]:
    path = f"designhub/{JOB}/{run}.gcode"
    lines = [PrintEvent(event="PrintStarted", path=path, time=at, user=user)]
    return [*lines, PrintEvent(event=end, path=path, time=at + 1)] if end else lines


def again(at: float, run: str = RUN) -> Record:
    return Record(time=at, deed=Deed.SAID_AGAIN, job=JOB, run=run)


def took_off(at: float, printer: int = 0) -> Record:
    return Record(time=at, deed=Deed.TOOK_OFF, printer=printer)


def doubles(events: list[Any], *records: Record) -> list[str]:
    return [start.run for start in counts.double_starts(counts.starts({0: events}), records)]


def test_a_second_start_needs_a_word_before_it() -> None:
    both = [*printed(1), *printed(5, NEXT)]
    assert doubles(printed(1)) == []
    assert doubles(both) == [NEXT]
    assert doubles(both, again(3)) == []
    assert doubles(both, again(6)) == [NEXT]


def test_one_word_is_good_for_one_more_start() -> None:
    three = [*printed(1), *printed(5, NEXT), *printed(9, "run-3")]
    assert doubles(three, again(3), again(4)) == ["run-3"]
    assert doubles(three, again(3), again(7, NEXT)) == []


def test_a_run_starts_once_whatever_anybody_says() -> None:
    assert doubles([*printed(1), *printed(5)], again(3)) == [RUN]


def test_what_a_person_starts_by_hand_is_theirs() -> None:
    assert doubles([*printed(1), *printed(5, user=HAND)]) == []


def test_a_start_on_a_bed_that_nobody_emptied_is_seen() -> None:
    both = counts.starts({0: [*printed(1), *printed(5, NEXT)], 1: printed(5, "elsewhere")})
    assert [each.run for each in counts.occupied_starts(both, [])] == [NEXT]
    assert [each.run for each in counts.occupied_starts(both, [took_off(3, 1)])] == [NEXT]
    assert counts.occupied_starts(both, [took_off(3)]) == []
    assert [each.run for each in counts.occupied_starts(both, [took_off(6)])] == [NEXT]


def test_a_print_by_hand_fills_the_bed_too() -> None:
    found = counts.starts({0: [*printed(1, user=HAND), *printed(5, NEXT)]})
    assert [each.run for each in counts.occupied_starts(found, [])] == [NEXT]


def entry(key: str, kind: str = "event", **body: Any) -> dict[str, Any]:
    return {"id": key, "kind": kind, "body": {"events": [{"action": "consume"}], **body}}


BOOK = [
    entry(f"printer:p/job:{JOB}/run:{RUN}", outcome="printed"),
    entry(f"order:o/job:{JOB}/passed"),
    entry(f"order:o/job:{JOB}/ended", "post"),
]


def wrong(book: list[dict[str, Any]], events: list[Any], state: str = "done") -> list[str]:
    return counts.book_mismatches(book, counts.starts({0: events}), ends={JOB: state})


def test_a_book_that_says_what_was_printed_is_right() -> None:
    assert wrong(BOOK, printed(1)) == []


@pytest.mark.parametrize(
    ("book", "events", "state"),
    [
        (BOOK[1:], printed(1), "done"),  # a print that the book does not know
        (BOOK, [], "done"),  # a print that never was
        (BOOK, printed(1, end="PrintFailed"), "done"),
        (BOOK, printed(1, end=""), "done"),
        (BOOK[:2], printed(1), "done"),  # never paid
        (BOOK, printed(1), "cancelled"),
        ([*BOOK, entry(f"order:o/job:{JOB}/passed")], printed(1), "cancelled"),
    ],
)
def test_a_book_that_says_something_else_is_not(
    book: list[dict[str, Any]], events: list[Any], state: str
) -> None:
    assert wrong(book, events, state) != []


def test_a_run_that_took_nothing_need_not_have_moved() -> None:
    nothing = entry(f"printer:p/job:{JOB}/run:{RUN}", outcome="failed", events=[{"action": "cite"}])
    void = entry(f"order:o/job:{JOB}/ended", "void")
    assert wrong([nothing, void], [], "cancelled") == []


def test_a_seed_decides_the_plan_and_hits_every_line() -> None:
    one, same, other = (plan.make(seed, printers=3, jobs=40) for seed in ("1", "1", "2"))
    assert one.told() == same.told()
    assert one.told() != other.told()
    for made in (one, plan.make("3", printers=1, jobs=1)):
        hit = [strike.mark for strikes in made.strikes.values() for strike in strikes]
        assert set(hit) == set(ALL_MARKS)
    assert len(json.dumps(one.told())) > 1_000
    assert sum(mark in AGENT_MARKS for mark in hit) == len(AGENT_MARKS)
