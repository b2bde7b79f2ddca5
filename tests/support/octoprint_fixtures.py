"""Fixtures with OctoPrint: the real one on a farm of virtual printers, and the stand-in."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest
import requests

from printers import farm as farms
from printers.farm import Instance, PrintEvent
from printers.octoprint import OctoPrint
from tests.support.octoprint_stand_in import KEY, StandIn, served

PROGRAM = Path(__file__).parents[2] / ".venv-octoprint" / "bin" / "octoprint"
_numbers = count(1)


@pytest.fixture(scope="session")
def octoprint_program() -> Path:
    """The real OctoPrint, in its own environment. Without it the test fails: it does not skip."""
    if not PROGRAM.is_file():
        pytest.fail(
            f"OctoPrint is not installed in {PROGRAM.parents[1]}: make setup-octoprint", False
        )
    return PROGRAM


@dataclass(frozen=True)
class Farm:
    """The session's real servers. Tests share them: use paths of your own, and `fresh` first."""

    folder: Path
    program: Path
    size: int

    @property
    def instances(self) -> list[Instance]:
        """As they run now; a revived one has a new process."""
        return list(farms.recorded(self.folder).values())

    @property
    def urls(self) -> list[str]:
        return [instance.url for instance in self.instances]

    def start(self) -> list[Instance]:
        """Revive what is dead; nearly free when all run."""
        return farms.start(self.folder, self.size, octoprint=self.program)

    def kill(self, i: int) -> None:
        """SIGKILL server `i`."""
        farms.kill(self.folder, i)

    def prints(self, i: int, path: str, event: str = "PrintStarted") -> int:
        """How often server `i` itself wrote down this event of this path."""
        return sum(line.path == path and line.event == event for line in self.log(i))

    def log(self, i: int) -> list[PrintEvent]:
        return farms.print_log(self.instances[i])

    def fresh(self, i: int) -> Instance:
        """Server `i`, running, connected, idle and unheated, whatever the last test left."""
        instance = self.start()[i]
        client, until = instance.client(), time.monotonic() + 20
        while client.connection() != "Operational":
            assert time.monotonic() < until, f"{instance.url} stays {client.connection()}"
            if client.job().active:
                client.disconnect()  # ends any print, even one whose firmware is silent
            client.connect()
            time.sleep(0.1)
        return instance

    def send(self, i: int, *commands: str) -> None:
        """G-code straight to the printer, or `!!DEBUG:` and a fault of the virtual one."""
        instance = self.instances[i]
        requests.post(
            f"{instance.url}/api/printer/command",
            json={"commands": list(commands)},
            headers={"X-Api-Key": instance.api_key},
            timeout=5,
        ).raise_for_status()


@pytest.fixture(scope="session")
def farm(octoprint_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """Three real OctoPrint servers for the whole run, started when the first test asks."""
    folder = tmp_path_factory.mktemp("farm")
    whole = Farm(folder=folder, program=octoprint_program, size=3)
    whole.start()
    yield whole
    farms.stop(folder)


class Bench(Protocol):
    """One printer under test, real or not: its client, and what may befall it in mid-print."""

    client: OctoPrint
    url: str
    api_key: str

    def firmware_error(self) -> None:
        """The firmware gives up."""

    def firmware_reset(self) -> None:
        """The board restarts."""

    def power_cut(self) -> None:
        """The server dies without a word and is started again."""

    def starts(self, path: str) -> int:
        """How often `path` physically began to print, by the printer's own count."""


class RealBench:
    """A server of the farm."""

    def __init__(self, farm: Farm, i: int) -> None:
        instance = farm.fresh(i)
        self.farm, self.i = farm, i
        self.url, self.api_key, self.client = instance.url, instance.api_key, instance.client()

    def firmware_error(self) -> None:
        self.farm.send(self.i, "!!DEBUG:trigger_fatal_error_marlin")

    def firmware_reset(self) -> None:
        self.farm.send(self.i, "!!DEBUG:reset")

    def power_cut(self) -> None:
        self.farm.kill(self.i)
        self.farm.start()

    def starts(self, path: str) -> int:
        return self.farm.prints(self.i, path)


class StandInBench:
    """The stand-in."""

    def __init__(self, url: str, stand_in: StandIn) -> None:
        self.stand_in, self.url, self.api_key = stand_in, url, KEY
        self.client = OctoPrint(url, api_key=KEY)

    def firmware_error(self) -> None:
        self.stand_in.firmware_error()

    def firmware_reset(self) -> None:
        self.stand_in.firmware_reset()

    def power_cut(self) -> None:
        self.stand_in.power_cut()

    def starts(self, path: str) -> int:
        return self.stand_in.starts.count(path)


@pytest.fixture
def stand_in() -> Iterator[StandInBench]:
    """A stand-in of this test alone."""
    memory = StandIn()
    with served(memory) as url:
        yield StandInBench(url, memory)


@pytest.fixture
def gcode_path() -> str:
    """A path that no other test uses, as runs have it."""
    return f"jobs/{uuid4().hex[:12]}/{next(_numbers)}.gcode"


def dwells(folder: Path, *, seconds: float, step_ms: int = 50) -> Path:
    """A G-code file that prints for `seconds`, in short dwells, so that a cancel is prompt."""
    lines = ["G90", *[f"G4 P{step_ms}"] * round(seconds * 1000 / step_ms)]
    file = folder / f"dwells-{next(_numbers)}.gcode"
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.fixture
def by_hand(farm: Farm, tmp_path: Path) -> Callable[[float], tuple[OctoPrint, str]]:
    """Puts a file of somebody's own, of so many seconds, onto the first server of the farm: with
    what it is printed, and its path."""

    def put(seconds: float) -> tuple[OctoPrint, str]:
        client, path = farm.instances[0].client(), f"local/{tmp_path.name}.gcode"
        client.upload(path, dwells(tmp_path, seconds=seconds), userdata={})
        return client, path

    return put


def eventually(question: Callable[[], bool], *, limit_s: float = 10.0) -> bool:
    """Whether it becomes true in time."""
    until = time.monotonic() + limit_s
    while not question():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
