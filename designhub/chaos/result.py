"""What came of a storm: the figures, a table for people, and the story of what broke a promise."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from uuid import UUID

from designhub.api import schema
from designhub.chaos import counts, story
from designhub.chaos.marks import ALL_MARKS
from designhub.chaos.monkey import Monkey
from designhub.chaos.people import FINAL
from designhub.chaos.plan import Plan
from designhub.chaos.records import Deed, Record
from designhub.chaos.world import World
from printers import farm


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The figures. The first five must be 0."""

    double_starts: int
    forgotten: int
    occupied_starts: int
    book_mismatches: int
    marks_missed: int
    seed: str
    jobs: int
    printers: int
    kills: int
    starts: int
    unknown: int
    unknown_causes: dict[str, int]
    ends: dict[str, int]
    by_hand: int
    again: int
    killed: dict[str, int]
    ended_by_themselves: dict[str, int]
    """Programs that gave up, as on a full disk, and were started again."""
    network: dict[str, int]
    moments: dict[str, int]
    marks: dict[str, int]
    seconds: dict[str, float]
    possible: dict[str, str]
    """What this machine did not allow, in words."""
    problems: tuple[str, ...] = field(default=())
    """Each broken promise in words."""
    broken: tuple[str, ...] = field(default=(), repr=False)
    """Stories of the jobs that broke one."""

    @property
    def ok(self) -> bool:
        """Whether every promise was kept."""
        return not self.problems

    def to_json(self) -> dict[str, object]:
        """For programs; stories are in the folder."""
        return {k: v for k, v in asdict(self).items() if k != "broken"} | {"ok": self.ok}


def count(
    plan: Plan,
    world: World,
    monkey: Monkey,
    *,
    jobs: list[schema.Job],
    judged: Mapping[UUID, str],
    records: list[Record],
    book: tuple[list[bytes], str],
    seconds: Mapping[str, float],
) -> Result:
    """Count everything, and tell the stories of what is not as promised."""
    logs = {number: farm.print_log(each) for number, each in enumerate(world.servers)}
    starts = counts.starts(logs)
    double = counts.double_starts(starts, records)
    occupied = counts.occupied_starts(starts, records)
    forgotten = [job for job in jobs if job.state not in FINAL]
    entries = list(map(json.loads, book[0]))
    ends = {str(job.id): job.state for job in jobs if job.state in FINAL}
    mismatches = counts.book_mismatches(entries, starts, ends=ends)
    mismatches += [book[1]] if book[1] else []
    problems = [
        *(f"started twice: job {each.job} run {each.run}" for each in double),
        *(f"started on a full bed: job {each.job} run {each.run}" for each in occupied),
        *(f"not ended: job {job.id} is {job.state}: {job.reason}" for job in forgotten),
        *mismatches,
        *(f"nobody died at {mark}" for mark in monkey.missing),
    ]
    kills = Counter(
        str(each["killed"]).partition("-")[0] for each in world.desk.said() if "killed" in each
    )
    return Result(
        double_starts=len(double),
        forgotten=len(forgotten),
        occupied_starts=len(occupied),
        book_mismatches=len(mismatches),
        marks_missed=len(monkey.missing),
        seed=plan.seed,
        jobs=len(jobs),
        printers=plan.printers,
        kills=sum(kills.values()),
        starts=sum(not each.by_hand for each in starts),
        unknown=len(judged),
        unknown_causes=dict(Counter(_cause(why) for why in judged.values())),
        ends=dict(Counter(job.state for job in jobs)),
        by_hand=sum(each.by_hand for each in starts),
        again=sum(each.deed is Deed.SAID_AGAIN for each in records),
        killed=dict(kills),
        ended_by_themselves=dict(world.ended_by_themselves),
        network=dict(world.weather.seen),
        moments=dict(monkey.done),
        marks={mark: monkey.hit[mark] for mark in ALL_MARKS},
        seconds={what: round(each, 1) for what, each in seconds.items()},
        possible=_possible(world),
        problems=tuple(problems),
        broken=tuple(_stories(world, jobs, problems, logs, records)),
    )


def _cause(why: str) -> str:
    """The kind of reason for which nobody knew, without figures and names."""
    return "".join(letter for letter in why if not letter.isdigit())[:90] or "no reason given"


def _possible(world: World) -> dict[str, str]:
    clock = world.clocks["hub"].faketime
    disk = world.disks["hub"].small
    return {
        "clocks": "turned" if clock else "not turned: libfaketime is missing (Debian: faketime)",
        "disks": "filled" if disk else "not filled: only root may mount a small disk here",
    }


def _stories(
    world: World,
    jobs: list[schema.Job],
    problems: list[str],
    logs: Mapping[int, list[farm.PrintEvent]],
    records: list[Record],
) -> list[str]:
    said = " ".join(problems)
    stories = []
    for job in jobs:
        if str(job.id) not in said and not any(str(run.id) in said for run in job.runs):
            continue
        number = int(job.where.printer_name.rpartition("-")[2])
        lines = story.tell(
            job,
            printer=number,
            log=logs[number],
            records=records,
            done=world.desk.said(),
            agent_log=world.places.log(f"agent-{number}"),
        )
        stories.append("\n".join([f"job {job.id} ({job.state}), printer {number}", *lines]))
    return stories
