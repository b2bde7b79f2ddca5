"""Jobs, runs, printers and reasons in words for people. Pure."""

import math
from collections.abc import Mapping
from datetime import datetime

from designhub.web import words
from router.matching import Axis, Fixer, Reason
from router.quote import Preset
from router.states import LIVE, Job, Run

JOBS: Mapping[Job, str] = {
    Job.ORDERED: "Ordered: its G-code is being made.",
    Job.ASKED: "Stopped: making it needs much more than was quoted.",
    Job.READY: "Ready: it waits for its printer.",
    Job.ASSIGNED: "With its printer.",
    Job.FAILED: "Failed: the workshop decides whether to try again.",
    Job.PASSED: "Made and found good: it waits to be handed over.",
    Job.DONE: "Done: the maker has it.",
    Job.CANCELLED: "Cancelled.",
    Job.UNROUTABLE: "It cannot be made on this printer: order it elsewhere.",
}

RUNS: Mapping[Run, str] = {
    Run.LEASED: "The agent beside the printer prepares it.",
    Run.PERMITTED: "The agent may start it now.",
    Run.PRINTING: "Printing.",
    Run.PAUSED: "Paused: the printer waits for somebody.",
    Run.UNKNOWN: "Nobody knows: its agent fell silent when it may have begun. A person must look.",
    Run.PRINTED: "Printed: a person must look at it.",
    Run.PASSED: "A person looked: it is good.",
    Run.FAILED: "Failed.",
    Run.RELEASED: "Given back before anything moved.",
}

HAPPENINGS: Mapping[str, str] = {
    "job.sliced": "The G-code is ready",
    "job.costs_more": "The slice needs much more than was quoted",
    "job.agree": "Agreed to make it at the quoted price",
    "job.refuse": "It cannot be sliced for this printer",
    "job.lease": "Given to the printer's agent",
    "job.released": "Back to the queue",
    "job.run_failed": "The try failed",
    "job.retry": "One more try",
    "job.pass": "Found good",
    "job.receive": "Handed over",
    "job.cancel": "Cancelled",
    "run.permit": "Allowed to start",
    "run.start": "The print began",
    "run.pause": "The print paused",
    "run.finish": "The print finished",
    "run.fail": "The print failed",
    "run.pass": "A person looked at the print and took it",
    "run.expire": "The agent fell silent",
    "run.cancel": "Taken back before it started",
    "run.release": "The agent gave it back before it started",
    "run.stop_asked": "Asked the printer to stop",
    "run.moves_unbidden": "The printer moves without leave",
}

PRESETS: Mapping[Preset, str] = {
    Preset.BALANCED: "balanced",
    Preset.GREENEST: "least CO₂e",
    Preset.SOONEST: "soonest",
    Preset.CHEAPEST: "cheapest",
}

MODES: Mapping[str, str] = {
    "foot": "fetched on foot",
    "bicycle": "fetched by bicycle",
    "car": "fetched by car",
    "parcel": "sent as a parcel",
}

MOVING = frozenset({Job.ORDERED, Job.READY})
"""Jobs that go on by themselves; with a run, `moves` decides."""


def job_state(job: Job, run: Run | None) -> str:
    """A job's state in a sentence: what its open run does, where it has one."""
    if job is Job.ASSIGNED and run is not None:
        return RUNS[run]
    return JOBS[job]


def moves(job: Job, run: Run | None) -> bool:
    """Whether a page of this job will soon be out of date, and nobody has to type on it."""
    if job is Job.ASSIGNED:
        return run in (LIVE | {Run.LEASED}) - {Run.UNKNOWN}
    return job in MOVING


def happening(what: str, before: str, after: str) -> str:
    """One line of a job's history, without who and when."""
    return HAPPENINGS.get(what, f"{what}: {before} to {after}")


AXES: Mapping[str, str] = {
    "process": "it works by {available}, the part needs {needed}",
    "width": "its bed is {available} mm, the part needs {needed} mm",
    "height": "it prints {available} mm high, the part is {needed} mm",
    "material": "{available} is loaded, not {needed}",
    "colour": "the colour is {available}, not {needed}",
    "material_left": "{available} g are left on its spool, {needed} g are needed",
    "nozzle": "it has {available} µm, too narrow for {needed} µm",
    "nozzle_temperature": "its nozzle reaches {available} °C, {needed} °C are needed",
    "bed_temperature": "its bed reaches {available} °C, {needed} °C are needed",
    "enclosure": "it has no closed chamber",
    "accepting": "it is paused",
    "seen": "its agent does not answer: {available}",
    "distance": "it is {available} km away, {needed} km were asked for",
    "carriage": "no way there that was asked for: {needed}; it offers {available}",
    "price": "it would cost {available}, {needed} were asked for",
    "deadline": "it would be ready {available}, {needed} was asked for",
    "currency": "it is paid in {available}, not {needed}",
}

FIXERS: Mapping[Fixer, str] = {
    Fixer.WORKSHOP: "the workshop can change that",
    Fixer.MAKER: "you can change that",
    Fixer.DESIGNER: "only another design could change that",
    Fixer.NOBODY: "another printer is needed",
}


def reason(why: Reason, *, currency: str) -> str:
    """Why a printer cannot, and who could change it."""
    needed, available = why.needed, why.available
    if why.axis is Axis.PRICE:
        limit = needed.removeprefix("at most ")
        needed = f"at most {_money(limit, currency)}"
        available = _money(available, currency)
    said = AXES[why.axis.value].format(needed=needed or "any", available=available or "nothing")
    return f"{said} ({FIXERS[why.who_can_fix]})"


def term(name: str, value: int, unit: str, *, currency: str) -> str:
    """The figure behind one term of a rank."""
    if unit == "minor":
        return words.money(value, currency)
    if unit == "h":
        return words.count(value, "hour") + " idle"
    if name == "risk":
        return f"{100 * math.exp(-value / 1_000_000):.0f}{words.NO_BREAK}% succeed"
    if unit == "mg":
        return words.grams(value) + " CO₂e"
    return words.amount(value, unit) if unit == "s" else f"{value:,} {unit}"


def points(cost: int) -> str:
    """A cost of the ranking in whole units; it ranks and is never charged."""
    return f"{cost / 1_000_000:,.1f}".replace("-", "−")


def seen(at: datetime | None, *, now: datetime, unseen_s: int) -> str:
    """What is known of the agent beside a printer."""
    if at is None:
        return "no agent has spoken yet"
    if (now - at).total_seconds() > unseen_s:
        return f"silent since {words.moment(at)}"
    return f"spoke {words.ago(at, now)}"


def _money(text: str, currency: str) -> str:
    return words.money(int(text), currency) if text.isdigit() else text
