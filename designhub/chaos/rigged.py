"""A process of the experiment: the product's own, which tells the desk each line it comes to.

python -m designhub.chaos.rigged FOLDER NAME serve|worker ARGUMENTS…
python -m designhub.chaos.rigged FOLDER NAME agent CONFIG
"""

import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from flask import has_request_context, request
from sqlalchemy import event
from sqlalchemy.orm import Session

from basis import clock
from designhub.chaos.marks import HUB_CALLS, Desk
from designhub.cli import main as designhub
from printers.agent import Agent, Happening
from printers.agent_config import load

LOOK_S, CONNECT_S, READ_S = 0.4, 2.0, 6.0
"""The patience of an agent here: shorter than in a workshop, as everything is."""

HASTE = -0.8
"""In the place of a chance from 0 to 1, it makes every wait of an agent a fraction of itself."""


def sleep_by_waiting() -> None:
    """libfaketime answers a sleep whose end has just passed with EINVAL, which Python raises."""
    nothing = threading.Event()

    def sleep(seconds: float, /) -> None:
        nothing.wait(seconds)

    time.sleep = sleep  # type: ignore[assignment]


def watch_commits(at: Callable[[str], None]) -> None:
    """Let every commit of this process be two marks; a process without this has none."""

    def reached(when: str) -> Callable[[Session], None]:
        def listener(_: Session) -> None:
            if not has_request_context():
                at(f"worker.task.{when}")
            elif call := HUB_CALLS.get(request.endpoint or ""):
                at(f"hub.{call}.{when}")

        return listener

    event.listen(Session, "before_commit", reached("open"))
    event.listen(Session, "after_commit", reached("done"))


def run_agent(config: str, at: Callable[[str], None]) -> None:
    """The agent as `designhub agent` makes it from its settings, until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    given = replace(
        load({}, {"config": config}).agent,
        look_s=LOOK_S,
        connect_s=CONNECT_S,
        read_s=READ_S,
        wait_s=2,
    )
    Agent(given, at=at, on_event=say, chance=lambda: HASTE).run(stop)


def say(what: Happening) -> None:
    """A line of the agent's log."""
    line = {"at": clock.iso(what.at), "level": what.level, "text": what.text}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run what the command line says."""
    folder, name, what, *arguments = sys.argv[1:]
    desk = Desk(Path(folder))
    sleep_by_waiting()
    if what == "agent":
        run_agent(arguments[0], lambda mark: desk.at(name, f"agent.{mark}"))
        return
    watch_commits(lambda mark: desk.at(name, mark))
    designhub.main([what, *arguments], prog_name="designhub")


if __name__ == "__main__":
    main()
