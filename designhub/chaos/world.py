"""The processes of the experiment. Who kills them is another's affair: here they are started, and
started again a while after they ended, as systemd would."""

import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from basis.errors import Unavailable
from basis.settings import environment_for_child
from designhub.chaos.marks import Desk
from designhub.chaos.proxy import Relay, Weather
from designhub.chaos.surroundings import Clock, Disk
from designhub.client import HubApi, HubAway
from designhub.processes import Child, check_port, stop_all
from printers import farm
from printers.farm import Instance

HOST = "127.0.0.1"
START_S = 120.0
LOOK_S = 0.1
DOWN_S = (0.3, 2.5)
"""How long something stays dead unless the plan says otherwise."""

HUB_DISK_MB, AGENT_DISK_MB = 160, 4
HUB_SETTINGS = {
    "BEAT_S": "1",
    "LEASE_S": "20",
    "PERMIT_S": "30",
    "POLL_S": "1",
    "QUOTE_S": "604800",
    "UNSEEN_S": "86400",
    "SIGN_IN_TRIES": "1000",
    "LOG_LEVEL": "info",
}
"""Minutes become seconds; quotes and printers outlast clocks that are turned by hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where everything is kept."""

    folder: Path

    @property
    def hub(self) -> Path:
        """The hub's data: a small disk, where that is possible."""
        return self.folder / "hub"

    @property
    def farm(self) -> Path:
        """The OctoPrint servers."""
        return self.folder / "farm"

    def agent(self, number: int) -> Path:
        """What an agent keeps: its journal and files, on a small disk of its own."""
        return self.folder / f"agent-{number}"

    def log(self, name: str) -> Path:
        """What a process says."""
        return self.folder / "logs" / f"{name}.log"


class Process(Protocol):
    """Something that runs and may be started again."""

    pid: int

    def ended(self) -> int | None:
        """Its exit code, None while it runs."""


class Server:
    """An OctoPrint server of the farm as a process that is kept running."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.pid = instance, instance.pid

    def ended(self) -> int | None:
        """Whether its process is gone."""
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return None if farm.alive(self.instance) else -9


@dataclass(slots=True)
class _Kept:
    start: Callable[[], Process]
    process: Process
    back_at: float | None = None


class World:
    """Everything that runs, and the network between.

    What speaks for a printer is one agent each; a plugin inside OctoPrint would take the place of
    `add_agent` and have no relay to its printer.
    """

    def __init__(self, places: Places, *, seed: str, octoprint: Path, mounts: bool) -> None:
        self.places, self.octoprint = places, octoprint
        places.log("x").parent.mkdir(parents=True, exist_ok=True)
        self.desk = Desk(places.folder)
        self.weather = Weather()
        self.clocks = {"hub": Clock(places.folder / "hub.clock")}
        self.disks = {"hub": Disk(places.hub, megabytes=HUB_DISK_MB, mounts=mounts)}
        self.mounts = mounts
        self.relays: list[Relay] = []
        self.servers: list[Instance] = []
        self.ended_by_themselves: Counter[str] = Counter()
        self.url = f"http://{HOST}:{check_port(HOST, 0)}"
        self._seed = seed
        self._down = random.Random(f"{seed}/down")  # noqa: S311 - a plan, not a secret
        self._next_down_s: dict[str, float] = {}
        self._kept: dict[str, _Kept] = {}
        self._new: dict[str, Callable[[], Process]] = {}
        self._stop = threading.Event()
        # One thread starts them all: the kernel ends a child with the thread that made it.
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()

    # What runs.

    def add_hub(self) -> None:
        """The hub, and its side work as a process of its own that can be killed alone."""
        settings = {f"DESIGNHUB_{name}": text for name, text in HUB_SETTINGS.items()}
        port = self.url.rpartition(":")[2]
        data = ("--data", str(self.places.hub))
        self._add("hub", ("serve", *data, "--port", port, "--no-worker"), "hub", settings)
        self.until(self.hub_answers, what="the hub does not answer")
        self._add("worker", ("worker", *data), "hub", settings)

    def add_farm(self, count: int) -> None:
        """The OctoPrint servers."""
        self.servers = farm.start(self.places.farm, count, octoprint=self.octoprint)
        for number, instance in enumerate(self.servers):
            self._hand_over(f"octoprint-{number}", self._server(instance), Server(instance))

    def add_agent(self, number: int, config: Path) -> None:
        """The agent beside one printer, by its settings file."""
        name = f"agent-{number}"
        self.clocks[name] = Clock(self.places.folder / f"{name}.clock")
        self.disks[name] = Disk(
            self.places.agent(number), megabytes=AGENT_DISK_MB, mounts=self.mounts
        )
        self._add(name, ("agent", str(config)), name, {})

    def relay(self, to: str, *, name: str, replays: bool) -> str:
        """A way to an address that has weather; the address to use instead."""
        chance = random.Random(f"{self._seed}/{name}")  # noqa: S311 - a plan, not a secret
        self.relays.append(Relay(to, self.weather, chance=chance, replays=replays))
        return self.relays[-1].url

    # How it stands.

    def hub_answers(self) -> bool:
        """Whether the hub is ready."""
        try:
            return bool(list(HubApi(self.url).lines("/readyz")))
        except HubAway:
            return False

    def runs(self, name: str) -> bool:
        """Whether a process runs at this moment."""
        kept = self._kept.get(name)
        return kept is not None and kept.back_at is None and kept.process.ended() is None

    def until(self, met: Callable[[], bool], *, what: str, limit_s: float = START_S) -> None:
        """Wait for something. Raises Unavailable when it does not come about."""
        end = time.monotonic() + limit_s
        while not met():
            if time.monotonic() > end:
                raise Unavailable(f"{what}: not after {limit_s:.0f} s")
            time.sleep(LOOK_S)

    def kill(self, name: str, *, at: str, down_s: float | None = None) -> bool:
        """End a process at once; its keeper starts it again after `down_s`."""
        if down_s is not None:
            self._next_down_s[name] = down_s
        return self.desk.kill(name, at=at)

    def stop(self) -> None:
        """End everything."""
        self._stop.set()
        self._keeper.join()
        for relay in self.relays:
            relay.shutdown()
            relay.server_close()
        farm.stop(self.places.farm)
        for disk in self.disks.values():
            disk.close()

    # The keeper.

    def _add(
        self, name: str, arguments: tuple[str, ...], clock: str, settings: Mapping[str, str]
    ) -> None:
        rigged = [sys.executable, "-P", "-m", "designhub.chaos.rigged"]
        argv = [*rigged, str(self.places.folder), name, *arguments]
        environment = environment_for_child(settings) | self.clocks[clock].environment
        log = self.places.log(name)
        self._new[name] = lambda: Child(argv, log=log, environment=environment)
        self.until(lambda: name in self._kept, what=f"{name} is not started")

    def _hand_over(self, name: str, start: Callable[[], Process], running: Process) -> None:
        self.desk.runs_as(name, running.pid)
        self._kept[name] = _Kept(start, running)

    def _server(self, instance: Instance) -> Callable[[], Process]:
        def start() -> Process:
            return Server(
                farm.launch(
                    Path(instance.basedir),
                    octoprint=self.octoprint,
                    port=instance.port,
                    api_key=instance.api_key,
                )
            )

        return start

    def _keep(self) -> None:
        while not self._stop.wait(LOOK_S / 2):
            for name in list(self._new):
                start = self._new.pop(name)
                self._hand_over(name, start, start())
            for name, kept in list(self._kept.items()):
                self._look_after(name, kept)
        stop_all([k.process for k in self._kept.values() if isinstance(k.process, Child)])

    def _look_after(self, name: str, kept: _Kept) -> None:
        now = time.monotonic()
        if kept.back_at is None:
            code = kept.process.ended()
            if code is None:
                return
            if isinstance(kept.process, Child):
                kept.process.stop(grace_s=0)  # with all that it started
                if code != -9:
                    self.ended_by_themselves[name] += 1
                    self.desk.say(ended=name, code=code)
            kept.back_at = now + self._next_down_s.pop(name, self._down.uniform(*DOWN_S))
        elif now >= kept.back_at:
            kept.process, kept.back_at = kept.start(), None
            self.desk.runs_as(name, kept.process.pid)
