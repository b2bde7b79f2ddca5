"""An agent in a process of its own, which dies or runs out of disk at a chosen line.

python -m tests.support.agent_process '{"hub": …, "folder": …, "printers": …, "at": …, "do": …}'
"""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from printers.agent import Agent, AgentConfig
from tests.support.hub_stand_in import TOKEN


def config(
    hub: str, folder: Path, printers: Mapping[str, tuple[str, str]], **more: Any
) -> AgentConfig:
    """Quick enough for tests."""
    quick: dict[str, Any] = {"look_s": 0.15, "wait_s": 0, "connect_s": 1.0, "read_s": 5.0, **more}
    return AgentConfig(hub_url=hub, token=TOKEN, folder=folder, printers=printers, **quick)


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


def main() -> None:
    given = json.loads(sys.argv[1])
    folder = Path(given["folder"])
    printers = {name: (url, key) for name, (url, key) in given["printers"].items()}
    agent = Agent(
        config(given["hub"], folder, printers),
        at=hook(given["at"], given["do"], folder),
        on_event=lambda what: print(what.level, what.printer, what.text, flush=True),  # noqa: T201
    )
    agent.run(threading.Event())


if __name__ == "__main__":
    main()
