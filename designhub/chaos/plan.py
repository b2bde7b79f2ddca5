"""What is done to the world, decided by a seed before anything begins.

Two lists. *Strikes* wait for a line of the protocol: each is hit once. *Moments* come one after the
other while the storm lasts. When exactly each comes to pass depends on real processes; which, and
in what order, only on the seed.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import cycle

from designhub.chaos.marks import AGENT_MARKS, HUB_MARKS, WORKER_MARKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """Who dies when somebody comes to a line."""

    who: str
    mark: str
    victims: tuple[str, ...]

    def __str__(self) -> str:
        return f"when {self.who} is at {self.mark}: kill {' and '.join(self.victims)}"


class Act(StrEnum):
    """What is done at a moment."""

    KILL = "kill"
    TURN_CLOCK = "turn the clock of"
    FILL_DISK = "fill the disk of"
    PRINT_FOREIGN = "print a foreign file by hand at"
    PRINT_AGAIN = "print our last file again by hand at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that is done without waiting for a line."""

    after_s: float
    act: Act
    who: str
    amount: float = 0.0
    """Hours for a clock, seconds for a disk."""

    def __str__(self) -> str:
        amount = f" ({self.amount:+.1f})" if self.amount else ""
        return f"{self.after_s:4.1f} s later: {self.act} {self.who}{amount}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All of it."""

    seed: str
    printers: int
    jobs: int
    strikes: dict[str, tuple[Strike, ...]] = field(repr=False)
    """By who carries them out, in order: each agent, the hub, the worker."""

    def moments(self) -> Iterator[Moment]:
        """Without end; the storm takes as many as it lasts."""
        chance = random.Random(f"{self.seed}/moments")  # noqa: S311 - a plan, not a secret
        while True:
            act = chance.choices(list(Act), [10, 4, 3, 2, 2])[0]
            printer = chance.randrange(self.printers)
            after_s = round(chance.uniform(4.0, 10.0), 1)
            match act:
                case Act.KILL:
                    kinds = ("hub", "worker", f"agent-{printer}", f"octoprint-{printer}")
                    who, amount = chance.choices(kinds, [1, 1, 3, 3])[0], 0.0
                case Act.TURN_CLOCK:
                    who = chance.choice(("hub", "hub", f"agent-{printer}"))
                    amount = round(chance.choice((-1, 1)) * chance.uniform(0.5, 9.0), 1)
                case Act.FILL_DISK:
                    who = chance.choice(("hub", f"agent-{printer}"))
                    amount = round(chance.uniform(1.0, 5.0), 1)
                case _:
                    who, amount = f"octoprint-{printer}", 0.0
            yield Moment(after_s=after_s, act=act, who=who, amount=amount)

    def told(self, moments: int = 40) -> list[str]:
        """The plan in lines, for people."""
        lines = [f"seed {self.seed}: {self.jobs} jobs on {self.printers} printers"]
        for strikes in self.strikes.values():
            lines += map(str, strikes)
        coming = self.moments()
        lines += [f"moment {number + 1}: {next(coming)}" for number in range(moments)]
        return lines


def make(seed: str, *, printers: int, jobs: int) -> Plan:
    """The plan of a seed. Every line is hit at least once; with 80 jobs and more, at each line of
    the agents the agent, its OctoPrint, the hub, and agent and OctoPrint together die once."""
    chance = random.Random(f"{seed}/strikes")  # noqa: S311 - a plan, not a secret
    agents = [f"agent-{number}" for number in range(printers)]
    strikes: dict[str, list[Strike]] = {name: [] for name in (*agents, "hub", "worker")}
    ways = min(len(WAYS), max(1, jobs // 20))
    # A few jobs do not last for more hubs than those that die at lines of their own.
    possible = WAYS if ways > 1 else WAYS[:-1]
    marks = [(mark, way) for mark in AGENT_MARKS for way in chance.sample(possible, ways)]
    chance.shuffle(marks)
    # A hub is away for all: those at lines of the agents come last, after its own lines.
    marks.sort(key=lambda each: "hub" in each[1])
    for (mark, way), agent in zip(marks, cycle(agents), strict=False):
        octoprint = agent.replace("agent", "octoprint")
        victims = tuple(each.format(agent=agent, octoprint=octoprint) for each in way)
        strikes[agent].append(Strike(who=agent, mark=mark, victims=victims))
    for who, lines in (("hub", HUB_MARKS), ("worker", WORKER_MARKS)):
        for mark in chance.sample(lines, len(lines)):
            strikes[who].append(Strike(who=who, mark=mark, victims=(who,)))
    return Plan(
        seed=seed,
        printers=printers,
        jobs=jobs,
        strikes={who: tuple(each) for who, each in strikes.items()},
    )


WAYS: Sequence[tuple[str, ...]] = (
    ("{agent}",),
    ("{octoprint}",),
    ("{agent}", "{octoprint}"),
    ("hub",),
)
"""Who dies at a line of an agent: one of them, or both as in a power cut."""
