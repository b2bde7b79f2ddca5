"""The agent's decisions, over all circumstances."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from printers.evidence import Verdict
from printers.in_time import ARRIVE_S, CONNECT_S
from printers.journal import ENDS, RunRecord, What
from printers.protocol import Word
from printers.steps import MARGIN_S, MOVED, Circumstances, Seen, Step, last_report, next_step
from tests.printers.test_journal import lease

RUN = RunRecord(printer="ender", lease=lease(1))
FETCHED = replace(RUN, seen=frozenset({What.RECV, What.FETCHED}))
INTENT = replace(FETCHED, seen=FETCHED.seen | {What.PERMITTED, What.INTENT})
FREE = Seen(verdict=Verdict.NEVER_STARTED, idle=True)
READY = Circumstances(seen=FREE, stored=True, permit_left_s=30.0)

seconds = st.sampled_from([0.0, 0.5, 4.0, MARGIN_S, 200.0, 1_000.0])
circumstances = st.builds(
    Circumstances,
    seen=st.none()
    | st.builds(
        Seen,
        verdict=st.sampled_from(Verdict),
        idle=st.booleans(),
        foreign=st.booleans(),
        unwatched=st.sampled_from(["", "nobody saw it"]),
    ),
    stored=st.booleans(),
    permit_left_s=st.none() | seconds,
    stale=st.booleans(),
    word=st.sampled_from(Word),
    trouble=st.just("trouble"),
    trouble_s=seconds,
    traceless_s=seconds,
    refused=st.sampled_from(["", "409"]),
)
records = st.builds(
    lambda seen: replace(RUN, seen=seen | {What.RECV}),
    st.frozensets(
        st.sampled_from([What.FETCHED, What.PERMITTED, What.INTENT, What.STARTED, What.STOPPED])
    ),
)


@given(records, circumstances)
def test_it_starts_only_what_surely_has_not_moved(run: RunRecord, now: Circumstances) -> None:
    if next_step(run, now).step is Step.START:
        assert not run.seen & {What.INTENT, What.STARTED}
        assert now.seen is not None
        assert now.seen.idle
        assert not now.seen.unwatched
        assert now.seen.verdict not in MOVED
        assert now.stored
        assert now.permit_left_s is not None
        assert now.permit_left_s > MARGIN_S
        assert not now.stale
        assert now.word is Word.ON


@given(records, circumstances)
def test_what_may_have_moved_is_given_back_only_with_proof(
    run: RunRecord, now: Circumstances
) -> None:
    todo = next_step(run, now)
    if run.seen & {What.INTENT, What.STARTED} and todo.step is Step.END:
        assert todo.end is not What.RELEASED
        assert todo.evidence
        if todo.end is What.NEVER_STARTED:
            assert now.refused or (now.seen and now.seen.verdict is Verdict.NOT_BEGUN)
            assert What.STARTED not in run.seen


@given(records, circumstances, st.sampled_from(sorted(ENDS)))
def test_an_end_is_only_told(run: RunRecord, now: Circumstances, end: What) -> None:
    ended = run.after(end, {"evidence": "seen"})
    assert next_step(ended, now).step is Step.TELL
    assert last_report(ended).evidence == "seen"


def test_the_hub_does_not_hear_where_the_printer_is() -> None:
    why = "the start could not be sent: start: POST http://192.168.7.20/api/files: refused"
    ended = RUN.after(What.NEVER_STARTED, {"evidence": why})
    assert ended.evidence == why  # the owner's own log says it
    assert last_report(ended).evidence == "the start could not be sent: start: POST … refused"


@pytest.mark.parametrize(
    ("run", "now", "step", "end"),
    [
        (RUN, Circumstances(seen=None), Step.FETCH, None),
        (RUN, Circumstances(seen=None, stale=True), Step.END, What.RELEASED),
        (FETCHED, Circumstances(seen=None), Step.WAIT, None),
        (FETCHED, Circumstances(seen=None, trouble_s=120), Step.END, What.NEVER_STARTED),
        (FETCHED, Circumstances(seen=FREE), Step.UPLOAD, None),
        (FETCHED, replace(READY, permit_left_s=None), Step.PERMIT, None),
        (FETCHED, replace(READY, permit_left_s=MARGIN_S), Step.PERMIT, None),
        (FETCHED, READY, Step.START, None),
        (FETCHED, replace(READY, word=Word.STOP), Step.END, What.NEVER_STARTED),
        (FETCHED, replace(READY, seen=replace(FREE, idle=False)), Step.WAIT, None),
        (
            FETCHED,
            replace(READY, seen=replace(FREE, idle=False, foreign=True)),
            Step.END,
            What.NEVER_STARTED,
        ),
        (FETCHED, replace(READY, seen=replace(FREE, verdict=Verdict.RUNNING)), Step.PERMIT, None),
    ],
)
def test_before_the_start(run: RunRecord, now: Circumstances, step: Step, end: What | None) -> None:
    todo = next_step(run, now)
    assert (todo.step, todo.end) == (step, end)


@pytest.mark.parametrize(
    ("verdict", "traceless_s", "refused", "step", "end"),
    [
        (Verdict.DONE, 0, "", Step.END, What.DONE),
        (Verdict.FAILED, 0, "", Step.END, What.FAILED),
        (Verdict.RUNNING, 0, "", Step.WATCH, None),
        (Verdict.READ_AGAIN, 4, "", Step.WAIT, None),
        (Verdict.AMBIGUOUS, 4, "", Step.WAIT, None),
        (Verdict.READ_AGAIN, 5, "", Step.END, What.UNCLEAR),
        (Verdict.AMBIGUOUS, 5, "", Step.END, What.UNCLEAR),
        (Verdict.AMBIGUOUS, 5, "409", Step.END, What.NEVER_STARTED),
        (Verdict.RUNNING, 0, "409", Step.WATCH, None),
        (Verdict.NOT_BEGUN, 0, "", Step.END, What.NEVER_STARTED),
        (Verdict.NOT_BEGUN, 0, "409", Step.END, What.NEVER_STARTED),
        (Verdict.BROKEN_OFF, 0, "", Step.END, What.FAILED),
    ],
)
def test_after_the_intent_evidence_decides(
    verdict: Verdict, traceless_s: float, refused: str, step: Step, end: What | None
) -> None:
    seen = Seen(verdict=verdict, idle=verdict is not Verdict.RUNNING)
    todo = next_step(INTENT, Circumstances(seen=seen, traceless_s=traceless_s, refused=refused))
    assert (todo.step, todo.end) == (step, end)


def test_what_was_seen_printing_is_never_called_not_begun() -> None:
    started = INTENT.after(What.STARTED, {})
    seen = Seen(verdict=Verdict.NOT_BEGUN, idle=True)
    todo = next_step(started, Circumstances(seen=seen, traceless_s=10.0))
    assert (todo.step, todo.end) == (Step.END, What.UNCLEAR)


@pytest.mark.parametrize(("away_s", "step"), [(599.0, Step.WAIT), (600.0, Step.END)])
def test_a_printer_out_of_reach_in_mid_print(away_s: float, step: Step) -> None:
    todo = next_step(INTENT, Circumstances(seen=None, trouble_s=away_s))
    assert todo.step is step
    assert todo.end is (What.UNCLEAR if step is Step.END else None)


def test_a_start_fits_into_what_must_be_left_of_its_permit() -> None:
    assert MARGIN_S >= CONNECT_S + ARRIVE_S
