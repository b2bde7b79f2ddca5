"""Agents for tests: in a thread, or in a process that dies or runs out of disk at a chosen line.

python -m tests.support.agent_process '{"hub": …, "folder": …, "printers": …, "at": …, "do": …}'
"""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from printers.agent import Agent, AgentConfig, Happening, awake_s, digest_of
from printers.protocol import ReportEvent
from printers.watch import this_boot
from tests.support.hub_stand_in import TOKEN, RunRow


def config(
    hub: str,
    folder: Path,
    printers: Mapping[str, tuple[str, str]],
    *,
    watched: bool = True,
    **more: Any,
) -> AgentConfig:
    """Quick enough for tests. watched: an agent watched these printers until a moment ago, so that
    their beds stay as clear as the test has them."""
    if watched:
        for url, _ in printers.values():
            watched_until_now(folder, url)
    quick: dict[str, Any] = {"look_s": 0.15, "wait_s": 0, "connect_s": 1.0, "read_s": 5.0, **more}
    return AgentConfig(hub_url=hub, token=TOKEN, folder=folder, printers=printers, **quick)


def watched_until_now(folder: Path, url: str) -> None:
    """What an agent leaves behind that ended in order."""
    memory = {"boot": this_boot(), "at_s": awake_s(), "newest": None, "owed": ""}
    file = folder / "watched" / f"{digest_of(url)}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.write_text(json.dumps(memory))


@contextmanager
def agent_process(
    *,
    hub: str,
    folder: Path,
    printers: Mapping[str, tuple[str, str]],
    at: str = "",
    do: str = "kill",
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run it; at the mark `at` it does `do`: "kill" itself, or "full": no file may grow more."""
    given = {"hub": hub, "folder": str(folder), "printers": printers, "at": at, "do": do}
    argv = [sys.executable, "-m", "tests.support.agent_process", json.dumps(given)]
    with (folder.parent / f"{folder.name}.log").open("ab") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=Path(__file__).parents[2])
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def hook(at: str, do: str, folder: Path) -> Callable[[str], None]:
    """What happens at the mark."""

    def reached(name: str) -> None:
        if name != at:
            return
        if do == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        size = (folder / "journal.jsonl").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    return reached


def gcode(seconds: float = 1.0) -> bytes:
    """A print of so many seconds that the guard lets through."""
    head = ["G90", "M83", "G28", "G1 X10 Y10 Z0.2 F6000", "G1 X20 E1 F6000"]
    return "\n".join([*head, *["G4 P50"] * round(seconds * 20), ""]).encode()


@contextmanager
def running(given: AgentConfig, **more: Callable[..., object]) -> Iterator[Agent]:
    """An agent in a thread of this process; what it says is printed for a test that fails."""
    stop = threading.Event()
    agent = Agent(given, on_event=said, **more)  # type: ignore[arg-type]
    thread = threading.Thread(target=agent.run, args=(stop,))
    thread.start()
    try:
        yield agent
    finally:
        stop.set()
        thread.join(15)
        assert not thread.is_alive()


def said(what: Happening) -> None:
    print(what.level, what.printer, what.text, flush=True)  # noqa: T201


def until(met: Callable[[], bool], limit_s: float = 15.0) -> None:
    end = time.monotonic() + limit_s
    while not met():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def ready(agent: Agent) -> bool:
    """Whether its one printer could take work."""
    return [view.ready for view in agent.snapshot().printers] == [True]


def text(agent: Agent) -> str:
    """What its one printer shows."""
    return "".join(view.text for view in agent.snapshot().printers)


def events(run: RunRow) -> list[ReportEvent]:
    return [report.event for report in run.said]


def main() -> None:
    given = json.loads(sys.argv[1])
    folder = Path(given["folder"])
    printers = {name: (url, key) for name, (url, key) in given["printers"].items()}
    agent = Agent(
        config(given["hub"], folder, printers),
        at=hook(given["at"], given["do"], folder),
        on_event=said,
    )
    agent.run(threading.Event())


if __name__ == "__main__":
    main()
