"""The processes of the demo: they begin together and none outlives it."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from basis.errors import NotAllowed, Unavailable
from basis.settings import environment_for_child
from designhub.client import HubApi, HubAway
from designhub.processes import Child, check_port, stop_all, this_program
from printers import farm

HOST = "127.0.0.1"
START_S = 120.0
LOOK_S = 0.1
HUB_SETTINGS = {"DESIGNHUB_BEAT_S": "1", "DESIGNHUB_LEASE_S": "30"}
"""A print of half a minute is to be seen moving, and a demo that was killed soon forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the demo keeps what it keeps, for the next time."""

    folder: Path

    @property
    def hub(self) -> Path:
        """The hub's data folder."""
        return self.folder / "hub"

    @property
    def farm(self) -> Path:
        """The OctoPrint servers."""
        return self.folder / "farm"

    @property
    def agents(self) -> Path:
        """Settings and journals of the agents."""
        return self.folder / "agents"

    @property
    def designs(self) -> Path:
        """Working copies of the sample designs."""
        return self.folder / "designs"

    @property
    def people(self) -> Path:
        """Names, passwords and tokens."""
        return self.folder / "people.json"

    def log(self, name: str) -> Path:
        """What one of the processes says."""
        return self.folder / "logs" / f"{name}.log"


class Stage:
    """What runs, and a way to notice that something of it ended."""

    def __init__(self, places: Places, *, port: int) -> None:
        self.places = places
        self.url = f"http://{HOST}:{port}"
        self._port = port
        self._children: dict[str, Child] = {}

    def start_hub(self) -> None:
        """A hub with its side work, as anybody would start one."""
        options = ("--data", str(self.places.hub), "--host", HOST, "--port", str(self._port))
        self._start("hub", "serve", *options, **HUB_SETTINGS)

    def start_farm(self, count: int, *, octoprint: Path) -> None:
        """OctoPrint servers, which end when their keeper does."""
        options = ("--folder", str(self.places.farm), "--octoprint", str(octoprint), "--wait")
        self._start("farm", "farm", "start", str(count), *options)

    def start_agent(self, name: str, config: Path) -> None:
        """An agent beside one printer."""
        self._start(f"agent-{name}", "agent", "--config", str(config), "--json")

    def hub_answers(self) -> bool:
        """Whether the hub is ready."""
        try:
            return bool(list(HubApi(self.url).lines("/readyz")))
        except HubAway:
            return False

    def printers(self, count: int) -> list[farm.Instance]:
        """The servers of the farm, once all of them are ready; until then none."""
        found = farm.status(self.places.farm)
        ready = all(each.alive and each.state == "Operational" for each in found)
        return [each.instance for each in found] if ready and len(found) == count else []

    def until(self, done: Callable[[], bool], *, what: str, limit_s: float = START_S) -> None:
        """Wait for something, but not past the end of a process it needs."""
        end = time.monotonic() + limit_s
        while not done():
            self.check()
            if time.monotonic() > end:
                raise Unavailable(f"{what}: not after {limit_s:.0f} s; see {self.places.log('*')}")
            time.sleep(LOOK_S)

    def check(self) -> None:
        """Raises Unavailable with its last words when a process ended unasked."""
        for name, child in self._children.items():
            code = child.ended()
            if code is not None:
                said = child.last_words()
                raise Unavailable(f"the demo's {name} ended ({code}): {said}")

    def stop(self) -> None:
        """End everything that was started."""
        stop_all(list(self._children.values()))

    def _start(self, name: str, *arguments: str, **settings: str) -> None:
        log = self.places.log(name)
        log.parent.mkdir(exist_ok=True)
        log.unlink(missing_ok=True)
        environment = environment_for_child(settings)
        self._children[name] = Child(this_program(*arguments), log=log, environment=environment)


@contextmanager
def stage(folder: Path, *, port: int) -> Iterator[Stage]:
    """An empty stage in `folder`; whatever is started on it has ended after the block.

    Raises Unavailable naming the port when it is taken, NotAllowed when a demo runs there already.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise NotAllowed(f"a demo runs in {folder} already: end it with Ctrl-C there") from exc
        check_port(HOST, port)
        whole = Stage(Places(folder=folder), port=port)
        try:
            yield whole
        finally:
            whole.stop()
