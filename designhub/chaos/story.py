"""What happened to a job, told from every side in one line of time: its history in the hub, its
agent's journal and log, OctoPrint's own log of prints, what people did, and what was killed.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from designhub.api import schema
from designhub.chaos.records import Record
from printers.farm import PrintEvent

Line = tuple[float, str, str]


def tell(
    job: schema.Job,
    *,
    printer: int,
    log: list[PrintEvent],
    records: list[Record],
    done: list[dict[str, object]],
    agent_log: Path,
) -> list[str]:
    """The lines of one job's story, oldest first; times by the clock of this machine, except where
    the hub or an agent speaks: theirs are turned."""
    lines: list[Line] = [
        *_by_hub(job),
        *(
            (each.time, "octoprint", f"{each.event} {each.path} by {each.user} (pid {each.pid})")
            for each in log
        ),
        *(
            (each.time, "person", f"{each.deed} {each.job} {each.run} {each.note}")
            for each in records
            if each.printer in (None, printer) or each.job == str(job.id)
        ),
        *((float(str(each["time"])), "world", json.dumps(each)) for each in done),
        *_by_agent(agent_log),
    ]
    began, ended = _span(job, log, records)
    kept = [line for line in lines if began - 3 <= line[0] <= ended + 3 or line[1] == "hub"]
    return [f"{at:.3f}  {who:9}  {what}" for at, who, what in sorted(kept)]


def _span(job: schema.Job, log: list[PrintEvent], records: list[Record]) -> tuple[float, float]:
    """From the first to the last sign of a job, by those whose clocks nobody turned."""
    times = [each.time for each in log if str(job.id) in each.path]
    times += [each.time for each in records if each.job == str(job.id)]
    return min(times, default=0.0), max(times, default=0.0)


def _by_hub(job: schema.Job) -> Iterator[Line]:
    for each in job.history:
        text = f"{each.what}: {each.before} → {each.after} by {each.actor} {each.note}"
        yield _seconds(each.at), "hub", f"{text} (run {each.run})"


def _by_agent(path: Path) -> Iterator[Line]:
    for line in path.read_text("utf-8", "replace").splitlines() if path.is_file() else ():
        with suppress(ValueError, KeyError, TypeError):
            said = json.loads(line)
            yield _seconds(said["at"]), "agent", f"{said['level']}: {said['text']}"


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
