"""Carries the plan out: lays the orders for each line of the protocol, and does what a moment says.

Each list of strikes has a thread; a strike waits until its line is reached, and the next one until
everything that was hit runs again.
"""

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from itertools import islice

from designhub.chaos import by_hand
from designhub.chaos.people import Person
from designhub.chaos.plan import Act, Moment, Plan, Strike
from designhub.chaos.records import Records
from designhub.chaos.world import World
from printers import farm

WAIT_S = 30.0
"""How long a line may not be reached before another strike has its turn."""

PAUSE_S = (0.3, 2.0)
"""Between two strikes of one list."""

REST_S = 2.0
"""What a hub gets before it dies again, and at least as long as it was away: one that is dead
all the time shows nothing, and how long it takes to come back is the machine's affair."""

LOOK_S = 0.05


class Monkey:
    """One storm."""

    def __init__(
        self,
        plan: Plan,
        world: World,
        *,
        persons: Mapping[str, Person],
        records: Records,
        say: Callable[[str], None],
    ) -> None:
        """persons : who stands at each printer, by the name of its OctoPrint."""
        self._plan, self._world, self._persons = plan, world, persons
        self._records, self._say = records, say
        self.hit: Counter[str] = Counter()
        """How often somebody died at each line."""
        self.done: Counter[str] = Counter()
        """What was done at moments."""
        self.problems: list[str] = []
        self._over = threading.Event()
        self._hub_may_die = threading.Lock()
        self._threads = [
            threading.Thread(target=self._strike_all, args=each, daemon=True)
            for each in plan.strikes.items()
        ]
        self._threads.append(threading.Thread(target=self._moments, daemon=True))

    def start(self) -> None:
        """Let it begin."""
        self._world.weather.rough = True
        for thread in self._threads:
            thread.start()

    @property
    def missing(self) -> list[str]:
        """Lines that nobody has died at."""
        wanted = {strike.mark for each in self._plan.strikes.values() for strike in each}
        return sorted(wanted - set(self.hit))

    @property
    def busy(self) -> bool:
        """Whether there are strikes left."""
        return any(thread.is_alive() for thread in self._threads[:-1])

    def stop(self) -> None:
        """Let the world be as it should: no weather, clocks right, disks empty."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._world.weather.rough = False
        for clock in self._world.clocks.values():
            clock.turn(0)
        for disk in self._world.disks.values():
            disk.free()

    # Strikes.

    def _strike_all(self, who: str, strikes: tuple[Strike, ...]) -> None:
        chance = random.Random(f"{self._plan.seed}/pauses of {who}")  # noqa: S311
        waiting = deque(strikes)
        while waiting and not self._over.is_set():
            strike = waiting.popleft()
            if "hub" in strike.victims:
                with self._hub_may_die:
                    hit = self._struck(strike)
            else:
                hit = self._struck(strike)
            if not hit:
                waiting.append(strike)
            self._over.wait(chance.uniform(*PAUSE_S))

    def _struck(self, strike: Strike) -> bool:
        desk = self._world.desk
        desk.order(strike.who, strike.mark, strike.victims)
        until = time.monotonic() + WAIT_S
        while desk.waiting(strike.who, strike.mark):
            late = time.monotonic() > until or self._over.wait(LOOK_S)
            if late and desk.withdraw(strike.who, strike.mark):
                return False
        self._say(str(strike).removeprefix("when "))
        self.hit[strike.mark] += 1
        self._until_up(strike.victims)
        return True

    def _until_up(self, names: tuple[str, ...]) -> None:
        began = time.monotonic()
        time.sleep(0.3)  # until its keeper has seen it
        until = began + WAIT_S
        while not self._all_up(names) and time.monotonic() < until:
            if self._over.wait(LOOK_S):
                return
        if "hub" in names:
            self._over.wait(max(REST_S, time.monotonic() - began))

    def _all_up(self, names: tuple[str, ...]) -> bool:
        running = all(map(self._world.runs, names))
        return running and ("hub" not in names or self._world.hub_answers())

    # Moments.

    def _moments(self) -> None:
        chance = random.Random(f"{self._plan.seed}/by hand")  # noqa: S311
        for moment in islice(self._plan.moments(), 100_000):
            if self._over.wait(moment.after_s):
                return
            said = self._do(moment, chance)
            self.done[moment.act.value] += said is not None
            if said is not None:
                self._say(f"{moment.act} {moment.who} {said}".strip())

    def _do(self, moment: Moment, chance: random.Random) -> str | None:
        """None when it could not be done."""
        world, who = self._world, moment.who
        match moment.act:
            case Act.KILL:
                return "" if self._killed(who) else None
            case Act.TURN_CLOCK:
                clock = world.clocks[who]
                clock.turn(moment.amount)
                world.desk.say(clock=who, hours=moment.amount)
                return f"by {moment.amount:+.1f} h" if clock.faketime is not None else None
            case Act.FILL_DISK:
                return self._fill(moment)
            case Act.PRINT_FOREIGN:
                return by_hand.print_foreign(
                    self._persons[who], self._records, chance, watched=self._watched(who)
                )
            case Act.PRINT_AGAIN:
                number = int(who.rpartition("-")[2])
                log = farm.print_log(world.servers[number])
                return by_hand.print_again(
                    self._persons[who], self._records, log, watched=self._watched(who)
                )

    def _watched(self, octoprint: str) -> Callable[[], bool]:
        return lambda: self._world.runs(octoprint.replace("octoprint", "agent"))

    def _killed(self, who: str) -> bool:
        if who == "hub" and not self._hub_may_die.acquire(blocking=False):
            return False  # it has had enough for now
        try:
            killed = self._world.kill(who, at="a moment")
            if killed:
                self._until_up((who,))
            return killed
        finally:
            if who == "hub":
                self._hub_may_die.release()

    def _fill(self, moment: Moment) -> str | None:
        disk = self._world.disks[moment.who]
        if not disk.small:
            return None
        self._world.desk.say(full=moment.who, seconds=moment.amount)
        disk.fill()
        self._over.wait(moment.amount)
        disk.free()
        return f"for {moment.amount:.1f} s"
