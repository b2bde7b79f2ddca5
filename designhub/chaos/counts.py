"""What was promised, counted: from OctoPrint's own logs, from what people wrote down, and from the
open book. Pure, so that each promise can be shown to be countable by breaking it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from designhub.chaos.records import Deed, Record
from printers.farm import PrintEvent
from printers.farm_files import HAND

OURS = "designhub/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A machine began to print."""

    printer: int
    time: float
    job: str
    run: str
    """Both "" for a file that is no run of ours."""
    by_hand: bool
    ended: str
    """How, by the same log: "PrintDone", "PrintFailed", or "" when the server died first."""


def starts(logs: Mapping[int, Sequence[PrintEvent]]) -> list[Start]:
    """Every start of every printer, oldest first."""
    found = []
    for printer, events in logs.items():
        for number, event in enumerate(events):
            if event.event != "PrintStarted":
                continue
            after = next(iter(events[number + 1 :]), None)
            ended = after is not None and after.event != "PrintStarted" and after.path == event.path
            job, run = _run_of(event.path)
            found.append(
                Start(
                    printer=printer,
                    time=event.time,
                    job=job,
                    run=run,
                    by_hand=event.user == HAND,
                    ended=after.event if ended and after is not None else "",
                )
            )
    return sorted(found, key=lambda start: start.time)


def _run_of(path: str) -> tuple[str, str]:
    if not path.startswith(OURS):
        return "", ""
    _, job, name = path.split("/")
    return job, name.removesuffix(".gcode")


def double_starts(found: Iterable[Start], records: Iterable[Record]) -> list[Start]:
    """Starts of a job copy beyond the first for which nobody had said "again" before, and every
    second start of one run. What people start by hand is theirs."""
    words = defaultdict(list)
    for record in records:
        if record.deed is Deed.SAID_AGAIN:
            words[record.job].append((record.time, record.run))
    runs: Counter[str] = Counter()
    jobs: Counter[str] = Counter()
    wrong = []
    for start in found:
        if start.by_hand or not start.job:
            continue
        again = {run for at, run in words[start.job] if at <= start.time}
        if runs[start.run] or jobs[start.job] > len(again):
            wrong.append(start)
        runs[start.run] += 1
        jobs[start.job] += 1
    return wrong


def occupied_starts(found: Iterable[Start], records: Iterable[Record]) -> list[Start]:
    """Starts of ours on a bed where something lay that nobody had taken off."""
    taken = [(r.time, r.printer, None) for r in records if r.deed is Deed.TOOK_OFF]
    lines: list[tuple[float, int | None, Start | None]] = [
        *taken,
        *((start.time, start.printer, start) for start in found),
    ]
    lies: set[int | None] = set()
    wrong = []
    for _, printer, start in sorted(lines, key=lambda line: line[0]):
        if start is None:
            lies.discard(printer)
            continue
        if printer in lies and not start.by_hand:
            wrong.append(start)
        lies.add(printer)
    return wrong


def book_mismatches(
    entries: Iterable[Mapping[str, Any]],
    found: Sequence[Start],
    *,
    ends: Mapping[str, str],
) -> list[str]:
    """Where the book says something else than was printed, in words.

    entries : the book's own export.
    ends    : the state of every job.
    """
    by_key = {str(entry["id"]): entry for entry in entries}
    outcomes: dict[str, str] = {}
    idle: set[str] = set()  # took nothing and made nothing: they need not have moved
    for key, entry in by_key.items():
        last = key.rpartition("/")[2]
        if last.startswith("run:"):
            outcomes[last.removeprefix("run:")] = entry["body"]["outcome"]
            if not _took(entry["body"]):
                idle.add(last.removeprefix("run:"))
    told: dict[str, set[str]] = defaultdict(set)
    for start in found:
        if start.run:
            told[start.run] |= (
                {"printed"} if start.ended == "PrintDone" else {"failed", "cancelled"}
            )
    wrong = [
        f"run {run}: the book says {outcomes.get(run, 'nothing')}, the printer {sorted(may)}"
        for run, may in told.items()
        if outcomes.get(run) not in may
    ]
    wrong += [
        f"run {run}: the book says {outcome}, and nothing was started"
        for run, outcome in outcomes.items()
        if run not in told and run not in idle
    ]
    return wrong + _ends(by_key, ends)


def _took(body: Mapping[str, Any]) -> bool:
    return any(each["action"] in ("consume", "use", "produce") for each in body["events"])


def _ends(entries: Mapping[str, Mapping[str, Any]], ends: Mapping[str, str]) -> list[str]:
    """Jobs whose end the book tells otherwise: a part is paid once, nothing else is."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for key, entry in entries.items():
        *_, job, last = ["", *key.split("/")]
        if job.startswith("job:") and last in ("passed", "ended"):
            kinds[job.removeprefix("job:")].append(last if last == "passed" else str(entry["kind"]))
    wanted = {"done": ["passed", "post"], "cancelled": ["void"]}
    return [
        f"job {job} is {state}: the book has {sorted(kinds[job])}"
        for job, state in ends.items()
        if sorted(kinds[job]) != wanted.get(state, [])
    ]
