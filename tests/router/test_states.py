"""The tables of what may follow what: complete, without dead ends, and safe after a permit."""

from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis.errors import NotAllowed
from router.states import (
    HELD,
    JOB_TRANSITIONS,
    LIVE,
    OPEN,
    RUN_TRANSITIONS,
    Event,
    Job,
    JobEvent,
    Run,
    after,
    job_after,
)

State = TypeVar("State", bound=StrEnum)
Happening = TypeVar("Happening", bound=StrEnum)

ENDED_RUNS = {Run.PASSED, Run.FAILED, Run.RELEASED}
ENDED_JOBS = {Job.DONE, Job.CANCELLED, Job.UNROUTABLE}


def reachable(table: Mapping[tuple[State, Happening], State], start: State) -> set[State]:
    found, grown = {start}, True
    while grown:
        more = {to for (state, _), to in table.items() if state in found}
        grown, found = not more <= found, found | more
    return found


def test_every_state_is_reachable() -> None:
    assert reachable(RUN_TRANSITIONS, Run.LEASED) == set(Run)
    assert reachable(JOB_TRANSITIONS, Job.ORDERED) == set(Job)


def test_every_event_happens_somewhere() -> None:
    assert {event for _, event in RUN_TRANSITIONS} == set(Event)
    assert {event for _, event in JOB_TRANSITIONS} == set(JobEvent)


def test_only_ended_states_have_no_exit() -> None:
    assert set(Run) - {state for state, _ in RUN_TRANSITIONS} == ENDED_RUNS
    assert set(Job) - {state for state, _ in JOB_TRANSITIONS} == ENDED_JOBS


@pytest.mark.parametrize("state", set(Run) - ENDED_RUNS)
def test_every_open_run_can_still_end(state: Run) -> None:
    assert reachable(RUN_TRANSITIONS, state) & ENDED_RUNS


@pytest.mark.parametrize("state", set(Job) - ENDED_JOBS)
def test_every_job_can_still_end(state: Job) -> None:
    assert reachable(JOB_TRANSITIONS, state) & ENDED_JOBS


def test_the_groups_of_run_states() -> None:
    """Held runs have a deadline, live ones may move, and the rest of the open ones is printed."""
    assert set(HELD - LIVE) == {Run.LEASED}
    assert set(LIVE - HELD) == {Run.UNKNOWN}
    assert set(OPEN - HELD - LIVE) == {Run.PRINTED}
    assert set(Run) - OPEN == ENDED_RUNS


def test_silence_never_ends_what_may_move() -> None:
    assert {after(run, Event.EXPIRE) for run in HELD & LIVE} == {Run.UNKNOWN}


@given(st.lists(st.sampled_from(Event), max_size=40))
def test_a_permitted_run_is_never_released(history: list[Event]) -> None:
    run, permitted = Run.LEASED, False
    for event in history:
        with suppress(NotAllowed):
            run = after(run, event)
        permitted = permitted or run is Run.PERMITTED
        assert not (permitted and run is Run.RELEASED)


@given(st.lists(st.sampled_from(JobEvent), max_size=40))
def test_a_failed_job_is_made_again_only_by_a_persons_word(history: list[JobEvent]) -> None:
    job = Job.ORDERED
    for event in history:
        before = job
        with suppress(NotAllowed):
            job = job_after(job, event)
        if before is Job.FAILED and job is not Job.FAILED:
            assert event in (JobEvent.RETRY, JobEvent.CANCEL)


def test_a_refusal_says_what_would_be_possible() -> None:
    with pytest.raises(NotAllowed, match=r"leased.*possible: permit, release, expire, cancel"):
        after(Run.LEASED, Event.FINISH)
    with pytest.raises(NotAllowed, match=r"done.*possible: nothing"):
        job_after(Job.DONE, JobEvent.CANCEL)
