"""What an agent does next about one run: pure, from its journal, the printer and the hub.

The order of the rules is the safety of the whole: what may have moved is settled by evidence alone,
and only what surely has not moved may still be given back, or started.
"""

from dataclasses import dataclass
from enum import StrEnum

from printers.addresses import without_addresses
from printers.evidence import Verdict
from printers.journal import RunRecord, What
from printers.protocol import Report, ReportEvent, Word

MARGIN_S = 10.0
"""A permit with less left than this is not used: the whole call that starts fits into it
(`in_time`: a connection of 3 s, and 6 s until the command has arrived)."""

SETTLE_S = 3.0
"""How long a printer that answers may show no trace of a run that was seen printing before it
counts as unclear: OctoPrint writes down the end of a print shortly after the print."""

PROOF_S = 5.0
"""The same for a run whose start was asked for and never seen."""

GIVE_BACK_S = 120.0
"""How long trouble before the start may last before the run goes back to the hub."""

AWAY_S = 600.0
"""How long a printer with a started run may be out of reach before a person is asked to look."""

MOVED = frozenset({Verdict.RUNNING, Verdict.DONE, Verdict.FAILED, Verdict.BROKEN_OFF})


class Step(StrEnum):
    """The next thing to do."""

    FETCH = "fetch"  # get the file, verify it, let the guard read it
    UPLOAD = "upload"  # have it on the printer, and compare the hash there
    PERMIT = "permit"  # ask for the right to start
    START = "start"  # write down the intent, then start
    WATCH = "watch"  # it prints: tell how far it is
    WAIT = "wait"  # look again in a moment
    END = "end"  # write down what became of it
    TELL = "tell"  # the end is written down: the hub must hear it


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the printer says at this moment; there is none while OctoPrint does not answer."""

    verdict: Verdict
    idle: bool
    """Connected and free: a start would be obeyed."""
    foreign: bool = False
    """Somebody else's print is under way."""
    unwatched: str = ""
    """Why nobody can vouch that the bed is still clear; the hub has not heard it yet."""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """All that decides beside the journal."""

    seen: Seen | None
    stored: bool = False
    """The file on the printer was compared with ours since the agent started."""
    permit_left_s: float | None = None
    """Seconds left of a permit asked for since the agent started; None without one."""
    stale: bool = False
    """The hub says that the run is no longer ours."""
    word: Word = Word.ON
    trouble: str = ""
    """What stands in the way now, in words: unreachable, not connected, an upload that fails."""
    trouble_s: float = 0.0
    """For how long it has."""
    traceless_s: float = 0.0
    """How long the printer has answered without a trace of the run."""
    refused: str = ""
    """OctoPrint's own words when it answered the start with a refusal."""
    reason: str = ""
    """Its words for why the print failed, where it gave a hint; they prove nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """The step, and for END what is written down and why."""

    step: Step
    end: What | None = None
    evidence: str = ""


BROKEN_OFF = (
    "OctoPrint ended in the middle of the print: its own journal has the beginning and no end"
)
NOT_BEGUN = "OctoPrint's own journal proves that no line of the file was sent to the printer"


def next_step(run: RunRecord, now: Circumstances) -> Next:
    """Decide. `run.end` unset and `run` open, or the answer is to tell the end."""
    if run.end is not None:
        return Next(step=Step.TELL)
    moved = now.seen is not None and now.seen.verdict in MOVED
    if (
        What.INTENT in run.seen
        or What.STARTED in run.seen
        or (
            # Somebody at the machine started our file: the permit covers it, so the truth is told.
            What.PERMITTED in run.seen and moved
        )
    ):
        return _by_evidence(run, now)
    if now.stale:
        return _back(run, "the hub says that this run is no longer ours")
    if now.word is Word.STOP:
        return _back(run, "stopped by the hub before the start")
    if What.FETCHED not in run.seen:
        return Next(step=Step.FETCH)
    if now.trouble_s >= GIVE_BACK_S:
        return _back(run, f"{now.trouble}, for {now.trouble_s:.0f} s")
    if now.seen is None:
        return Next(step=Step.WAIT)
    if now.seen.foreign:
        return _back(run, "somebody else is printing on it")
    if now.seen.unwatched and not moved:
        return _back(run, f"nobody can vouch for the bed: {now.seen.unwatched}")
    if not now.stored and not moved:
        return Next(step=Step.UPLOAD)
    if moved:  # by hand, without a permit: ask, so that the hub knows that the bed is not clear
        return Next(step=Step.PERMIT)
    if not now.seen.idle:
        return Next(step=Step.WAIT)
    if now.permit_left_s is None or now.permit_left_s <= MARGIN_S:
        return Next(step=Step.PERMIT)
    return Next(step=Step.START)


def _by_evidence(run: RunRecord, now: Circumstances) -> Next:
    """The start may have been sent: the printer's record decides, and nothing starts again."""
    if now.seen is None:
        if now.trouble_s >= AWAY_S:
            return _end(What.UNCLEAR, f"OctoPrint has not answered for {now.trouble_s:.0f} s")
        return Next(step=Step.WAIT)
    match now.seen.verdict:
        case Verdict.DONE:
            return _end(What.DONE, "OctoPrint recorded a success for the file of this run")
        case Verdict.FAILED:
            stopped = What.STOPPED in run.seen
            cause = (
                "cancelled: the hub said stop" if stopped else now.reason or "failed or cancelled"
            )
            return _end(What.FAILED, f"{cause}; OctoPrint recorded a failure for this run's file")
        case Verdict.RUNNING:
            return Next(step=Step.WATCH)
        case Verdict.BROKEN_OFF:
            return _end(What.FAILED, BROKEN_OFF)
        case Verdict.NOT_BEGUN if What.STARTED not in run.seen:
            why = f"OctoPrint refused the start: {now.refused}" if now.refused else NOT_BEGUN
            return _end(What.NEVER_STARTED, why)
    started = What.STARTED in run.seen
    if now.traceless_s < (SETTLE_S if started else PROOF_S):
        return Next(step=Step.WAIT)
    if now.refused and not started:
        return _end(What.NEVER_STARTED, f"OctoPrint refused the start: {now.refused}")
    return _end(
        What.UNCLEAR,
        f"the start was {'seen' if started else 'asked for'}, and OctoPrint"
        f" ({now.seen.text}) neither prints the file nor recorded an end: look at the bed",
    )


def _back(run: RunRecord, why: str) -> Next:
    return _end(given_back(run), f"{why}; the start was never asked for")


def given_back(run: RunRecord) -> What:
    """How a run ends that surely did not move. Once the file was here a permit may have been
    granted whose answer was lost, so only NEVER_STARTED is safe to say."""
    return What.NEVER_STARTED if What.FETCHED in run.seen else What.RELEASED


def _end(what: What, evidence: str) -> Next:
    return Next(step=Step.END, end=what, evidence=evidence)


EVENTS = {
    What.DONE: ReportEvent.FINISHED,
    What.FAILED: ReportEvent.FAILED,
    What.NEVER_STARTED: ReportEvent.NEVER_STARTED,
    What.RELEASED: ReportEvent.RELEASED,
    What.UNCLEAR: ReportEvent.UNCLEAR,
}


def last_report(run: RunRecord) -> Report:
    """What the hub is told of a run whose end is written down."""
    assert run.end is not None, "an open run has no last report"  # noqa: S101 - a promise to mypy
    return Report(
        fence=run.lease.fence,
        event=EVENTS[run.end],
        print_s=run.print_s,
        progress_ppm=run.progress_ppm,
        evidence=without_addresses(run.evidence),  # the maker reads it
    )
