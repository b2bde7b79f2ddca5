"""Memory of the agent on its board, as it runs as a service, while it tends prints.

    python -m tests.bench.bench_agent [--printers 1 8] [--seconds 20] [--program bin/designhub]

Each of the printers prints for the whole time; the hub and the OctoPrints are stand-ins in this
process, so that only the agent is measured: its resident memory (VmRSS, the highest seen) and the
part of it that no other process shares (its private pages). It runs with the environment of the
unit that `designhub agent --systemd` prints; `--program` measures another installation, such as the
hub's wheel in an environment of its own.
"""

import argparse
import json
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from basis.settings import environment_for_child
from designhub.processes import this_program
from printers.agent_unit import ENVIRONMENT
from router.states import Run
from tests.support.agent_process import gcode, watched_until_now
from tests.support.hub_stand_in import TOKEN, HubStandIn, hub_served
from tests.support.octoprint_stand_in import KEY, StandIn, served

GOAL_KB = 40 * 1024


def main() -> None:
    """Run all and print one JSON object."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--printers", type=int, nargs="+", default=[1, 8])
    options.add_argument("--seconds", type=float, default=20.0)
    options.add_argument("--program", default="")
    chosen = options.parse_args()
    program = [chosen.program] if chosen.program else this_program()
    found = {str(count): measured(program, count, chosen.seconds) for count in chosen.printers}
    print(json.dumps({"agent_memory_kb": found, "goal_kb": GOAL_KB}))  # noqa: T201


def measured(program: list[str], count: int, seconds: float) -> dict[str, int]:
    """The agent's memory while it tends so many prints."""
    names = [f"printer{n}" for n in range(count)]
    hub = HubStandIn(*names)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="bench-agent-")))
        lines = [f'hub = "{opened.enter_context(hub_served(hub))}"', f'token = "{TOKEN}"']
        lines.append(f'folder = "{folder / "agent"}"')
        for name in names:
            url = opened.enter_context(served(StandIn()))
            watched_until_now(folder / "agent", url)
            lines += [f"[printers.{name}]", f'url = "{url}"', f'key = "{KEY}"']
            hub.order(name, gcode(seconds + 60.0) + b"G4 P50\n" * 20_000)
        config = folder / "agent.toml"
        config.write_text("\n".join(lines))
        config.chmod(0o600)
        agent = subprocess.Popen(
            [*program, "agent", "--config", str(config), "--json"],
            env=environment_for_child({}) | ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until = time.monotonic() + 120
            while [run.state for run in hub.runs.values()] != [Run.PRINTING] * count:
                assert agent.poll() is None, "the agent ended"
                assert time.monotonic() < until, "not every printer prints"
                time.sleep(0.1)
            highest = 0
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                highest = max(highest, _kb(agent.pid, "status", "VmRSS"))
                time.sleep(0.5)
            return {
                "resident": highest,
                "peak_since_start": _kb(agent.pid, "status", "VmHWM"),
                "private": sum(
                    _kb(agent.pid, "smaps_rollup", each)
                    for each in ("Private_Clean", "Private_Dirty")
                ),
                "threads": _kb(agent.pid, "status", "Threads"),
            }
        finally:
            agent.terminate()
            agent.wait(20)


def _kb(pid: int, file: str, name: str) -> int:
    """A figure of a process, as the kernel tells it."""
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise LookupError(f"{file} has no {name}")


if __name__ == "__main__":
    main()
