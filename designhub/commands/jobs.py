"""`designhub job`: watch it, and say what became of it."""

import time
from uuid import UUID

import click
from rich.live import Live
from rich.text import Text

from designhub.api import schema
from designhub.client import HubApi
from designhub.commands.common import errors, hub_options, json_option, put, put_json, put_table
from designhub.commands.orders import place
from designhub.web import words

MOVING = frozenset({"ordered", "ready", "leased", "permitted", "printing", "paused"})
"""States that go on by themselves, or by the hand at the printer; all others wait for a word."""

LOOK_S = 1.0

HINTS = {
    "printed": "look at it, then: designhub job passed {id}, or designhub job failed {id}",
    "unknown": "look at the printer, then: designhub job passed {id}, or designhub job failed {id}",
    "failed": "again: designhub job retry {id}; or designhub job cancel {id}",
    "asked": "designhub job agree {id}, or designhub job cancel {id}",
    "passed": "handed over? designhub job received {id}",
}
"""What a person may do next, by the state of a job or its run."""


@click.group()
def job() -> None:
    """Jobs: see how they go, and say what became of them."""


@job.command()
@click.argument("job_id", metavar="JOB", type=click.UUID)
@click.option(
    "--watch",
    is_flag=True,
    help="Stay and show its progress until somebody must act, or it is over.",
)
@hub_options
@json_option
def show(api: HubApi, job_id: UUID, watch: bool, as_json: bool) -> None:
    """A job: its state, runs and history.

    \b
    designhub job show 1f6c2b1e-… --watch
    """
    found = get(api, job_id)
    if watch:
        with Live(console=errors, refresh_per_second=4) as live:
            while _state(found) in MOVING:
                live.update(Text(line(found)))
                time.sleep(LOOK_S)
                found = get(api, job_id)
            live.update(Text(line(found)))
    _put(found, as_json)


def get(api: HubApi, job_id: UUID) -> schema.Job:
    """A job as it stands now."""
    return api.ask(schema.Job, "GET", f"/jobs/{job_id}")


def _state(found: schema.Job) -> str:
    """The state of a job, or of its open run."""
    return found.runs[-1].state if found.runs and found.state == "assigned" else found.state


def line(found: schema.Job) -> str:
    """How a job goes, in one line."""
    run = found.runs[-1] if found.runs else None
    if found.state != "assigned" or run is None:
        return f"{found.state}" + (f": {found.reason}" if found.reason else "")
    left = f", {words.duration(run.seconds_left)} left" if run.seconds_left is not None else ""
    done = f" {words.per_cent(run.progress_ppm)}{left}" if run.state == "printing" else ""
    done += "".join(f", {each}" for each in words.readings(run))
    return f"{run.state}{done} at {place(found.where)}"


def _verb(name: str, about: str, example: str) -> None:
    """A command that says one thing of a job and shows it afterwards."""

    @job.command(name, help=f"{about}\n\n\b\ndesignhub job {name} {example}")
    @click.argument("job_id", metavar="JOB", type=click.UUID)
    @hub_options
    @json_option
    def say(api: HubApi, job_id: UUID, as_json: bool) -> None:
        _put(api.ask(schema.Job, "POST", f"/jobs/{job_id}/{name}"), as_json)


_ID = "1f6c2b1e-…"
_verb("passed", "You looked: the part is good. What is fetched is done with this.", _ID)
_verb("retry", "Allow one more try of a failed job on its printer.", _ID)
_verb("cancel", "End a job; a print that began is stopped first.", _ID)
_verb("received", "The maker has the part: the job is settled and done.", _ID)
_verb("agree", "Make it at the quoted price although it needs more than was quoted.", _ID)


@job.command()
@click.argument("job_id", metavar="JOB", type=click.UUID)
@click.option("--because", required=True, help="What was wrong, in a few words.")
@click.option("--job-at-fault", is_flag=True, help="The part or its settings are to blame.")
@click.option("--printer-not-at-fault", is_flag=True, help="The printer is not to blame.")
@click.option("--again", is_flag=True, help="Allow one more try at once.")
@click.option(
    "--printed",
    type=click.IntRange(0, 100),
    metavar="PERCENT",
    help="Of a print that nobody saw end: about so much of it lies there.",
)
@click.option("--good", default=0, help="So many of the copies on the plate are good all the same.")
@hub_options
@json_option
def failed(
    api: HubApi,
    job_id: UUID,
    because: str,
    job_at_fault: bool,
    printer_not_at_fault: bool,
    again: bool,
    printed: int | None,
    good: int,
    as_json: bool,
) -> None:
    """You looked: the part is not good, or did not come about.

    \b
    designhub job failed 1f6c2b1e-… --because "came off the bed" --again
    designhub job failed 1f6c2b1e-… --because "one came off the bed" --good 3 --again
    """
    asked = schema.FailedAsk(
        cause=because,
        job_at_fault=job_at_fault,
        printer_at_fault=not printer_not_at_fault,
        again=again,
        good=good,
        printed_ppm=None if printed is None else printed * 10_000,
    )
    _put(api.ask(schema.Job, "POST", f"/jobs/{job_id}/failed", asked), as_json)


def _which(found: schema.Job) -> str:
    """The copies that a job makes."""
    number = found.pieces if found.good is None else found.good
    if number == 1:
        return f"copy {found.copy}"
    return f"copies {found.copy} to {found.copy + number - 1}"


def _put(found: schema.Job, as_json: bool) -> None:
    if as_json:
        put_json(found)
        return
    put(f"{found.design}: {found.part} ({found.commit[:10]}), {_which(found)} of {found.copies}")
    put(f"{line(found)}")
    put(
        f"{place(found.where)}, {words.distance(found.distance_m)} by {found.mode};"
        f" {words.grams(found.mass_mg)}, {words.duration(found.duration_s)},"
        f" {words.money(found.total_minor, found.currency)} for the order"
    )
    rows = [(each.at, each.what, each.actor, each.note) for each in found.history]
    put_table(("when", "what", "who", "note"), rows, none="")
    if hint := HINTS.get(_state(found)):
        put("Next: " + hint.format(id=found.id))
